#include "coordinator/server/agent_links.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "runtime/failpoint.h"
#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "runtime/rpc/ids.h"
#include "runtime/rpc/statements.h"
#include "wire/Participant.h"
#include "wire/common_constants.h"

namespace assent::coordinator {
namespace {

// A call without an answer for this long is sent again by the office; agents answer repeats.
constexpr Millis kCallTimeout{5'000};
// Nobody waits for an inventory, and the next one cannot be asked for before its answer.
constexpr Millis kInventoryTimeout{1'000};

// The life that answers; 0: its version does not tell.
template <class Reply>
Epoch life_of(const Reply& reply) {
  return reply.__isset.epoch && reply.epoch > 0 ? Epoch(static_cast<std::uint64_t>(reply.epoch))
                                                : Epoch(0);
}

// After a network that was cut is whole again, phase two goes on within this.
constexpr Millis kStalledMax{2'000};

// A vote as it stands in the reply; nothing when the reply holds none that makes sense.
std::optional<commit::Vote> vote_of(const wire::PrepareReply& reply) {
  const StatementResults results = reply.__isset.results ? rpc::from_wire(reply.results) : nullptr;
  switch (reply.vote) {
    case wire::VoteKind::YES:
      if (!reply.__isset.evidence) return std::nullopt;
      return commit::VoteYes{rpc::from_wire(reply.evidence), results};
    case wire::VoteKind::NO:
      if (!reply.__isset.reason) return std::nullopt;
      return commit::VoteNo{
          rpc::from_wire(reply.reason),
          reply.__isset.evidence ? std::optional(rpc::from_wire(reply.evidence)) : std::nullopt};
    case wire::VoteKind::READ_ONLY:
      return commit::VoteReadOnly{results};
    case wire::VoteKind::COMMITTED:
      return commit::VoteCommitted{results};
  }
  return std::nullopt;
}

// For this life, under this ballot.
template <class Request>
Request request_to(const std::string& life, Ballot ballot) {
  Request request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.ballot = rpc::to_wire(ballot);
  if (!life.empty()) request.__set_life(life);
  return request;
}

wire::PrepareRequest to_wire(const commit::SendPrepare& prepare, const std::string& life,
                             Ballot ballot) {
  auto request = request_to<wire::PrepareRequest>(life, ballot);
  request.branch = rpc::to_wire(prepare.branch);
  request.statements = static_cast<std::int32_t>(prepare.statements);
  if (prepare.one_shot) {
    request.__set_one_shot(rpc::to_wire(*prepare.one_shot));
    request.__set_low_water(static_cast<std::int64_t>(prepare.low_water));
  }
  if (prepare.one_phase) request.__set_one_phase(true);
  return request;
}

commit::PreparedAge from_wire(const wire::PreparedAge& told) {
  return {Millis(told.age_ms), static_cast<std::uint64_t>(std::max<std::int64_t>(0, told.xid_age))};
}

// What does not parse or is another participant's is not ours to touch (R8).
commit::InventoryArrived inventory_from_wire(const std::string& participant, MonoTime asked,
                                             const wire::InventoryReply& reply) {
  commit::InventoryArrived arrived{participant, asked, {}, {}};
  if (reply.__isset.slots && reply.slots > 0) {
    arrived.slots = static_cast<std::uint64_t>(reply.slots);
  }
  for (std::size_t i = 0; i < reply.prepared.size(); ++i) {
    const auto branch = rpc::from_wire(reply.prepared[i]);
    if (!branch || branch->participant != participant) continue;
    commit::FoundBranch& found = arrived.prepared.emplace_back();
    found.branch = *branch;
    if (i < reply.evidence.size()) found.evidence = rpc::from_wire(reply.evidence[i]);
    if (i < reply.ages.size()) found.age = from_wire(reply.ages[i]);
  }
  for (const wire::FoundBranch& one : reply.ended) {
    const auto branch = rpc::from_wire(one.branch);
    if (!branch || branch->participant != participant) continue;
    arrived.ended.push_back({*branch, rpc::from_wire(one.evidence)});
  }
  return arrived;
}

}  // namespace

struct AgentLinks::Link {
  Link(boost::asio::io_context& loop, const std::string& address)
      : client(loop, address, {.stalled_max = kStalledMax}) {}

  rpc::Client client;
  std::string life;           // empty: not known
  bool asking = false;        // for the inventory
  bool ask_again = false;     // what is being answered may be of before the agent recovered
  std::size_t in_flight = 0;  // prepares, finishes and settles
};

AgentLinks::AgentLinks(boost::asio::io_context& loop, std::string cluster, Ballot ballot, Sink sink)
    : loop_(loop), cluster_(std::move(cluster)), ballot_(ballot), sink_(std::move(sink)) {}

AgentLinks::~AgentLinks() = default;

void AgentLinks::follow(const std::string& participant, const std::string& address,
                        const std::string& life) {
  auto& link = links_[participant];
  if (!link || link->client.address() != address) {
    std::erase_if(retired_, [](const auto& old) { return old->in_flight == 0; });
    if (link) {
      link->client.on_connection(nullptr);
      retired_.push_back(std::move(link));
    }
    link = std::make_unique<Link>(loop_, address);
    link->life = life;
    link->client.on_connection([this, participant](bool up) {
      log::info(up ? "agent connected" : "agent disconnected", {{"participant", participant}});
      if (!up) return;
      sink_(commit::AgentUp{participant});
      // Not from inside the client's own callback: the connection is only just being set up.
      boost::asio::post(loop_, [this, alive = std::weak_ptr<char>(alive_), participant] {
        if (alive.expired()) return;
        if (const auto found = links_.find(participant); found != links_.end()) {
          ask_inventory(participant, *found->second);
        }
      });
    });
  } else {
    link->life = life;
    sink_(commit::AgentUp{participant});
  }
  ask_inventory(participant, *link);
}

void AgentLinks::recovered(const std::string& participant) {
  Link* link = find(participant);
  if (link == nullptr) return;
  sink_(commit::AgentUp{participant});
  link->ask_again = link->asking;
  ask_inventory(participant, *link);
}

void AgentLinks::leave(const std::string& participant) {
  const auto found = links_.find(participant);
  if (found == links_.end()) return;
  found->second->client.on_connection(nullptr);
  retired_.push_back(std::move(found->second));
  links_.erase(found);
}

bool AgentLinks::connected(const std::string& participant) const {
  const auto found = links_.find(participant);
  return found != links_.end() && found->second->client.connected();
}

AgentLinks::Link* AgentLinks::find(const std::string& participant) {
  const auto found = links_.find(participant);
  return found == links_.end() ? nullptr : found->second.get();
}

void AgentLinks::report_lost(commit::Input input) {
  boost::asio::post(loop_, [this, alive = std::weak_ptr<char>(alive_), input = std::move(input)] {
    if (!alive.expired()) sink_(input);
  });
}

void AgentLinks::send(const commit::SendPrepare& prepare) {
  failpoint("leader.prepare.sending");
  const BranchId& branch = prepare.branch;
  Link* link = find(branch.participant);
  if (link == nullptr) {
    return report_lost(commit::PrepareLost{
        branch, {ErrorCode::kUnavailable, "its agent never enrolled", branch.participant}, true});
  }
  const wire::PrepareRequest request = to_wire(prepare, link->life, ballot_);
  ++link->in_flight;
  ASSENT_CALL(wire::Participant, prepare, wire::PrepareReply)
  (link->client, request, kCallTimeout, [this, link, branch](Result<wire::PrepareReply> reply) {
    --link->in_flight;
    // What an agent says names its participant. What names none comes from the connection: it was
    // never sent. An agent that refused it, as one does that is only starting, may yet get it a
    // second time, when it serves.
    const bool unsent = !reply && reply.error().code == ErrorCode::kUnavailable &&
                        reply.error().participant.empty();
    if (!reply) return sink_(commit::PrepareLost{branch, reply.error(), unsent});
    failpoint("leader.vote.arrived");
    if (auto vote = vote_of(*reply)) return sink_(commit::VoteArrived{branch, std::move(*vote)});
    sink_(commit::PrepareLost{
        branch, {ErrorCode::kInternal, "the agent's reply holds no vote", branch.participant}});
  });
}

void AgentLinks::send(const commit::SendFinish& finish) {
  failpoint("leader.finish.sending");
  const BranchId& branch = finish.branch;
  Link* link = find(branch.participant);
  if (link == nullptr) return report_lost(commit::FinishLost{branch});
  auto request = request_to<wire::FinishRequest>(link->life, ballot_);
  request.branch = rpc::to_wire(branch);
  request.outcome = rpc::to_wire(finish.outcome);
  if (finish.evidence) request.__set_evidence(rpc::to_wire(*finish.evidence));
  if (finish.maybe_lost) request.__set_maybe_lost(true);
  if (finish.kept_in != Epoch()) {
    request.__set_kept_in(static_cast<std::int64_t>(finish.kept_in.value));
  }
  ++link->in_flight;
  ASSENT_CALL(wire::Participant, finish, wire::FinishReply)
  (link->client, request, kCallTimeout, [this, link, branch](Result<wire::FinishReply> reply) {
    --link->in_flight;
    if (reply) {
      failpoint("leader.finish.confirmed");
      return sink_(commit::FinishArrived{branch, rpc::from_wire(reply->result), life_of(*reply)});
    }
    log::debug("finish not confirmed", {{"transaction", to_string(branch.transaction)},
                                        {"participant", branch.participant},
                                        {"why", reply.error().message}});
    sink_(commit::FinishLost{branch});
  });
}

void AgentLinks::send(const commit::SendSettle& settle) {
  failpoint("leader.settle.sending");
  const commit::SettleLost lost{settle.participant, settle.transaction};
  Link* link = find(settle.participant);
  if (link == nullptr) return report_lost(lost);
  auto request = request_to<wire::SettleRequest>(link->life, ballot_);
  request.transaction = to_string(settle.transaction);
  request.participant = settle.participant;
  ++link->in_flight;
  ASSENT_CALL(wire::Participant, settle, wire::SettleReply)
  (link->client, request, kCallTimeout, [this, link, lost](Result<wire::SettleReply> reply) {
    --link->in_flight;
    if (reply) {
      failpoint("leader.settle.answered");
      return sink_(commit::SettleArrived{lost.participant, lost.transaction, reply->committed,
                                         life_of(*reply)});
    }
    log::debug("not settled", {{"transaction", to_string(lost.transaction)},
                               {"participant", lost.participant},
                               {"why", reply.error().message}});
    sink_(lost);
  });
}

void AgentLinks::ask_inventories() {
  for (auto& [participant, link] : links_) ask_inventory(participant, *link);
}

void AgentLinks::ask_inventory(const std::string& participant, Link& link) {
  if (link.asking) return;
  link.asking = true;
  auto request = request_to<wire::InventoryRequest>(link.life, ballot_);
  request.cluster = cluster_;
  const MonoTime asked = process::monotonic_now();
  ASSENT_CALL(wire::Participant, inventory, wire::InventoryReply)
  (link.client, request, kInventoryTimeout,
   [this, participant, &link, asked](Result<wire::InventoryReply> reply) {
     link.asking = false;
     if (std::exchange(link.ask_again, false)) ask_inventory(participant, link);
     if (!reply) {
       log::debug("no inventory", {{"participant", participant}, {"why", reply.error().message}});
       return;
     }
     commit::InventoryArrived arrived = inventory_from_wire(participant, asked, *reply);
     arrived.life = life_of(*reply);
     sink_(std::move(arrived));
   });
}

}  // namespace assent::coordinator
