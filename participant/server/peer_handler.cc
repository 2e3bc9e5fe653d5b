// The peer port of an agent: the leader prepares, finishes, settles and asks for the inventory.
#include <memory>
#include <utility>

#include "base/overloaded.h"
#include "participant/server/handlers.h"
#include "runtime/failpoint.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "runtime/rpc/statements.h"
#include "wire/Participant.h"

namespace assent::participant {
namespace {

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;
using rpc::versioned;

void set_results(wire::PrepareReply& reply, const StatementResults& results) {
  if (results) reply.__set_results(rpc::to_wire(*results));
}

wire::PrepareReply vote_to_wire(const BranchRunner::Vote& vote) {
  auto reply = versioned<wire::PrepareReply>();
  std::visit(Overloaded{
                 [&](const branch::Yes& yes) {
                   reply.vote = wire::VoteKind::YES;
                   reply.__set_evidence(rpc::to_wire(yes.evidence));
                   set_results(reply, yes.results);
                 },
                 [&](const branch::ReadOnly& left) {
                   reply.vote = wire::VoteKind::READ_ONLY;
                   set_results(reply, left.results);
                 },
                 [&](const branch::Committed& committed) {
                   reply.vote = wire::VoteKind::COMMITTED;
                   set_results(reply, committed.results);
                 },
                 [&](const branch::No& no) {
                   reply.vote = wire::VoteKind::NO;
                   reply.__set_reason(rpc::to_wire(no.reason));
                   if (no.evidence) reply.__set_evidence(rpc::to_wire(*no.evidence));
                 },
             },
             vote);
  return reply;
}

wire::InventoryReply inventory_to_wire(const postgres::Inventory& found) {
  auto reply = versioned<wire::InventoryReply>();
  reply.__isset.evidence = reply.__isset.ended = reply.__isset.ages = true;
  reply.__set_slots(static_cast<std::int64_t>(found.slots));
  for (const branch::PreparedBranch& one : found.prepared) {
    reply.prepared.push_back(rpc::to_wire(one.branch));
    reply.evidence.push_back(rpc::to_wire(one.evidence));
  }
  for (const postgres::PreparedAge& one : found.ages) {
    wire::PreparedAge& age = reply.ages.emplace_back();
    age.age_ms = one.age.value;
    age.xid_age = one.xid_age;
  }
  for (const branch::PreparedBranch& one : found.ended) {
    wire::FoundBranch& ended = reply.ended.emplace_back();
    ended.branch = rpc::to_wire(one.branch);
    ended.evidence = rpc::to_wire(one.evidence);
  }
  return reply;
}

class PeerHandler final : public wire::ParticipantCobSvIf {
 public:
  explicit PeerHandler(Services& services) : services_(services) {}

  void prepare(Cob<wire::PrepareReply> cob, ExnCob exn,
               const wire::PrepareRequest& request) override {
    failpoint("agent.prepare.asked");
    auto asked = check(request).and_then([&] { return check_open(request); }).and_then([&] {
      return from_wire(request);
    });
    if (!asked) return answer<wire::PrepareReply>(cob, exn, tl::unexpected(asked.error()));
    services_.branches->prepare(std::move(*asked),
                                [this, cob, exn](Result<BranchRunner::Vote> vote) {
                                  if (vote) name_participant(*vote);
                                  if (!vote)
                                    vote.error().participant = services_.config.participant;
                                  failpoint("agent.vote.answering");
                                  answer(cob, exn, std::move(vote).map(vote_to_wire));
                                });
  }

  void finish(Cob<wire::FinishReply> cob, ExnCob exn, const wire::FinishRequest& request) override {
    auto asked = check(request).and_then([&] { return from_wire(request); });
    if (!asked) return answer<wire::FinishReply>(cob, exn, tl::unexpected(asked.error()));
    services_.branches->finish(std::move(*asked), [=, this](Result<branch::FinishResult> done) {
      answer(cob, exn, std::move(done).map([&](branch::FinishResult result) {
        auto reply = versioned<wire::FinishReply>();
        reply.result = rpc::to_wire(result);
        reply.__set_epoch(epoch());
        return reply;
      }));
    });
  }

  void settle(Cob<wire::SettleReply> cob, ExnCob exn, const wire::SettleRequest& request) override {
    auto asked = check(request).and_then([&] { return from_wire(request); });
    if (!asked) return answer<wire::SettleReply>(cob, exn, tl::unexpected(asked.error()));
    services_.branches->settle(std::move(*asked), [=, this](Result<branch::Settled> done) {
      answer(cob, exn, std::move(done).map([&](branch::Settled settled) {
        auto reply = versioned<wire::SettleReply>();
        reply.committed = settled.committed;
        reply.__set_epoch(epoch());
        return reply;
      }));
    });
  }

  void inventory(Cob<wire::InventoryReply> cob, ExnCob exn,
                 const wire::InventoryRequest& request) override {
    auto ballot =
        check(request).and_then([&] { return check_cluster(request.cluster); }).and_then([&] {
          return rpc::from_wire(request.ballot);
        });
    if (!ballot) return answer<wire::InventoryReply>(cob, exn, tl::unexpected(ballot.error()));
    services_.branches->inventory(*ballot, [=, this](Result<postgres::Inventory> found) {
      auto reply = std::move(found).map(inventory_to_wire);
      if (reply) reply->__set_epoch(epoch());
      answer(cob, exn, std::move(reply));
    });
  }

  void life(Cob<wire::LifeReply> cob, ExnCob exn, const wire::LifeRequest& request) override {
    answer<wire::LifeReply>(cob, exn,
                            rpc::check_version(request.protocol_version)
                                .and_then([&] { return check_cluster(request.cluster); })
                                .and_then([&] { return check_participant(request.participant); })
                                .map([this] {
                                  auto reply = versioned<wire::LifeReply>();
                                  reply.nonce = services_.nonce;
                                  return reply;
                                }));
  }

 private:
  // Of the life that answers.
  [[nodiscard]] std::int64_t epoch() const {
    return static_cast<std::int64_t>(services_.enrolment.epoch.value);
  }

  template <class Request>
  Result<void> check(const Request& request) const {
    if (auto known = rpc::check_version(request.protocol_version); !known) return known;
    if (!services_.branches) {
      return tl::unexpected(
          own({ErrorCode::kUnavailable, "the agent is starting: it has no epoch yet"}));
    }
    return check_life(request);
  }

  // The address of an agent that is gone may be another's by now, even of a cluster with the same
  // names. A request for that one is none for us: its ballot is not of our leaders (R4), its
  // statements and outcomes not for our database (R8).
  template <class Request>
  Result<void> check_life(const Request& request) const {
    if (!request.__isset.life || request.life == services_.nonce) return {};
    return tl::unexpected(
        own({ErrorCode::kUnavailable,
             "another life answers here than the one that was meant: an agent of "
             "participant " +
                 services_.config.participant + " of cluster " + services_.config.cluster}));
  }

  // A one-shot opens a branch, which waits for the fence. An error is no vote: it may run later.
  Result<void> check_open(const wire::PrepareRequest& request) const {
    if (services_.open || !request.__isset.one_shot) return {};
    return tl::unexpected(own({ErrorCode::kUnavailable,
                               "the agent takes no new branches now: it is starting or stopping"}));
  }

  // What reached this agent names its participant: the coordinator tells it from what never came.
  [[nodiscard]] Error own(Error error) const {
    error.participant = services_.config.participant;
    return error;
  }

  Result<void> check_cluster(const std::string& cluster) const {
    if (cluster == services_.config.cluster) return {};
    return failure(ErrorCode::kWrongCluster,
                   "this agent belongs to cluster " + services_.config.cluster);
  }

  Result<BranchId> ours(const wire::BranchId& named) const {
    auto branch = rpc::from_wire(named);
    if (!branch) return branch;
    return check_participant(branch->participant).map([&] { return std::move(*branch); });
  }

  Result<void> check_participant(const std::string& participant) const {
    if (participant == services_.config.participant) return {};
    return failure(ErrorCode::kUnknownParticipant,
                   "this agent serves participant " + services_.config.participant);
  }

  Result<branch::PrepareAsked> from_wire(const wire::PrepareRequest& request) const {
    const auto ballot = rpc::from_wire(request.ballot);
    if (!ballot) return tl::unexpected(ballot.error());
    auto branch = ours(request.branch);
    if (!branch) return tl::unexpected(branch.error());
    if (request.statements < 0) {
      return failure(ErrorCode::kInvalidArgument, "statements is negative");
    }
    if (request.low_water < 0) {
      return failure(ErrorCode::kInvalidArgument, "low_water is negative");
    }
    branch::PrepareAsked out{.token = {}, .ballot = *ballot, .branch = std::move(*branch)};
    out.statements = static_cast<std::uint32_t>(request.statements);
    out.low_water = static_cast<std::uint64_t>(request.low_water);
    out.one_phase = request.one_phase;
    if (!request.__isset.one_shot) return out;
    return rpc::from_wire(request.one_shot).map([&](OneShotBranch work) {
      out.one_shot = std::make_shared<const OneShotBranch>(std::move(work));
      return std::move(out);
    });
  }

  Result<branch::SettleAsked> from_wire(const wire::SettleRequest& request) const {
    const auto ballot = rpc::from_wire(request.ballot);
    if (!ballot) return tl::unexpected(ballot.error());
    if (auto ours = check_participant(request.participant); !ours) {
      return tl::unexpected(ours.error());
    }
    return rpc::transaction_from_wire(request.transaction).map([&](const TransactionId& id) {
      return branch::SettleAsked{{}, *ballot, id};
    });
  }

  Result<branch::FinishAsked> from_wire(const wire::FinishRequest& request) const {
    const auto ballot = rpc::from_wire(request.ballot);
    if (!ballot) return tl::unexpected(ballot.error());
    auto branch = ours(request.branch);
    if (!branch) return tl::unexpected(branch.error());
    const auto outcome = rpc::from_wire(request.outcome);
    if (!outcome) return tl::unexpected(outcome.error());
    branch::FinishAsked out{{}, *ballot, std::move(*branch), *outcome, std::nullopt};
    if (request.__isset.evidence) out.evidence = rpc::from_wire(request.evidence);
    out.maybe_lost = request.__isset.maybe_lost && request.maybe_lost;
    if (request.__isset.kept_in && request.kept_in > 0) {
      out.kept_in = Epoch(static_cast<std::uint64_t>(request.kept_in));
    }
    return out;
  }

  // Every reason of a NO names the participant that gave it.
  void name_participant(BranchRunner::Vote& vote) const {
    if (auto* no = std::get_if<branch::No>(&vote); no && no->reason.participant.empty()) {
      no->reason.participant = services_.config.participant;
    }
  }

  Services& services_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> peer_processor(Services& services) {
  return std::make_shared<wire::ParticipantAsyncProcessor>(std::make_shared<PeerHandler>(services));
}

}  // namespace assent::participant
