// The client port of a replica: hello, start, commit, abort, status.
#include <memory>
#include <utility>

#include "coordinator/server/handlers.h"
#include "runtime/process.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "runtime/rpc/statements.h"
#include "wire/Coordinator.h"

namespace assent::coordinator {
namespace {

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;
using rpc::versioned;

constexpr std::int32_t kCommitTimeoutDefault = 10'000;
constexpr std::int32_t kCommitTimeoutMax = 600'000;
constexpr std::size_t kResultsMax = 12u << 20;  // of a reply, whose frame may have 16 MiB
constexpr std::size_t kValueOverhead = 12;      // of a value on the wire

// A one-shot has no epoch and attempt yet; the rest is the office's to judge.
Result<commit::RequestedBranch> one_shot_from_wire(const wire::CommitBranch& branch) {
  if (branch.epoch != 0 || branch.attempt != 0) {
    return failure(ErrorCode::kInvalidArgument,
                   "branches.epoch and branches.attempt of a one_shot must be 0");
  }
  auto one_shot = rpc::from_wire(branch.one_shot);
  if (!one_shot) return tl::unexpected(one_shot.error());
  commit::RequestedBranch out;
  out.one_shot = std::make_shared<const OneShotBranch>(std::move(*one_shot));
  return out;
}

Result<commit::RequestedBranch> opened_from_wire(const wire::CommitBranch& branch) {
  const auto epoch = rpc::positive_from_wire(branch.epoch, "branches.epoch");
  if (!epoch) return tl::unexpected(epoch.error());
  const auto attempt = rpc::positive_from_wire(branch.attempt, "branches.attempt");
  if (!attempt) return tl::unexpected(attempt.error());
  commit::RequestedBranch out;
  out.epoch = Epoch(*epoch);
  out.attempt = Attempt(*attempt);
  return out;
}

Result<commit::RequestedBranch> branch_from_wire(const wire::CommitBranch& branch) {
  auto participant = rpc::participant_from_wire(branch.participant);
  if (!participant) return tl::unexpected(participant.error());
  if (branch.statements < 0) {
    return failure(ErrorCode::kInvalidArgument, "branches.statements is negative");
  }
  auto out = branch.__isset.one_shot ? one_shot_from_wire(branch) : opened_from_wire(branch);
  if (!out) return out;
  out->participant = std::move(*participant);
  out->statements = static_cast<std::uint32_t>(branch.statements);
  out->reads = branch.__isset.reads && branch.reads;
  return out;
}

Result<std::vector<commit::RequestedBranch>> branches_from_wire(
    const std::vector<wire::CommitBranch>& branches) {
  std::vector<commit::RequestedBranch> out;
  for (const wire::CommitBranch& branch : branches) {
    auto taken = branch_from_wire(branch);
    if (!taken) return tl::unexpected(taken.error());
    out.push_back(std::move(*taken));
  }
  return out;
}

// The office that `first` is promised to; 0: it is not promised.
Result<std::uint64_t> promise_from_wire(const wire::CommitRequest& request) {
  if (!request.__isset.first || !request.first) return 0;
  if (request.__isset.office) return rpc::positive_from_wire(request.office, "office");
  return failure(ErrorCode::kInvalidArgument,
                 "first is a promise to one office: name it in the field office, as hello or start "
                 "told it");
}

Result<commit::CommitAsked> commit_from_wire(const wire::CommitRequest& request) {
  if (auto version = rpc::check_version(request.protocol_version); !version) {
    return tl::unexpected(version.error());
  }
  const auto transaction = rpc::transaction_from_wire(request.transaction);
  if (!transaction) return tl::unexpected(transaction.error());
  auto branches = branches_from_wire(request.branches);
  if (!branches) return tl::unexpected(branches.error());
  const std::int32_t timeout =
      request.__isset.timeout_ms ? request.timeout_ms : kCommitTimeoutDefault;
  if (timeout < 1 || timeout > kCommitTimeoutMax) {
    return failure(ErrorCode::kInvalidArgument,
                   "timeout_ms is " + std::to_string(timeout) + ", but must be 1 to 600000");
  }
  const auto first_in = promise_from_wire(request);
  if (!first_in) return tl::unexpected(first_in.error());
  const bool decided =
      request.__isset.acknowledge && request.acknowledge == wire::Acknowledge::DECIDED;
  return commit::CommitAsked{
      {},
      *transaction,
      std::move(*branches),
      decided ? commit::Acknowledge::kDecided : commit::Acknowledge::kApplied,
      Millis(timeout),
      *first_in};
}

// Whether all results together fit into the frame of one reply.
bool fit_into_a_reply(const std::vector<commit::BranchResults>& results) {
  std::size_t bytes = 0;
  for (const commit::BranchResults& branch : results) {
    for (const StatementResult& result : *branch.results) {
      for (const auto& row : result.rows) {
        for (const Value& value : row) bytes += kValueOverhead + (value ? value->size() : 0);
      }
    }
  }
  return bytes <= kResultsMax;
}

std::vector<wire::BranchResults> results_to_wire(
    const std::vector<commit::BranchResults>& results) {
  std::vector<wire::BranchResults> out;
  for (const commit::BranchResults& branch : results) {
    wire::BranchResults& one = out.emplace_back();
    one.participant = branch.participant;
    one.results = rpc::to_wire(*branch.results);
  }
  return out;
}

wire::CommitReply commit_to_wire(commit::CommitAnswer answer) {
  auto reply = versioned<wire::CommitReply>();
  reply.outcome = rpc::to_wire(answer.outcome);
  reply.pending = std::move(answer.pending);
  if (answer.reason) reply.__set_reason(rpc::to_wire(*answer.reason));
  if (!answer.heuristic.empty()) reply.__set_heuristic(answer.heuristic);
  reply.one_phase = answer.one_phase;
  reply.read_only = std::move(answer.read_only);
  const bool fit = fit_into_a_reply(answer.results);
  if (!answer.results.empty() && fit) reply.__set_results(results_to_wire(answer.results));
  reply.results_unavailable = answer.results_unavailable || !fit;
  return reply;
}

class ClientHandler final : public wire::CoordinatorCobSvIf {
 public:
  explicit ClientHandler(Services& services) : services_(services) {}

  void hello(Cob<wire::HelloReply> cob, ExnCob exn, const wire::HelloRequest& request) override {
    if (!serves<wire::HelloReply>(cob, exn)) return;
    answer(cob, exn, hello_reply(request));
  }

  void start(Cob<wire::StartReply> cob, ExnCob exn, const wire::StartRequest& request) override {
    if (!serves<wire::StartReply>(cob, exn)) return;
    answer(cob, exn, start_reply(request));
  }

  void commit(Cob<wire::CommitReply> cob, ExnCob exn, const wire::CommitRequest& request) override {
    auto asked = commit_from_wire(request);
    if (!asked) return answer<wire::CommitReply>(cob, exn, tl::unexpected(asked.error()));
    if (!serves<wire::CommitReply>(cob, exn)) return;
    services_.term->office.commit(
        std::move(*asked),
        [this, cob, exn, begun = process::monotonic_now()](Result<commit::CommitAnswer> done) {
          if (done && done->outcome == Outcome::kCommitted) {
            services_.answered.add(process::monotonic_now() - begun);
          }
          answer(cob, exn, std::move(done).map(commit_to_wire));
        });
  }

  void abort(Cob<wire::AbortReply> cob, ExnCob exn, const wire::AbortRequest& request) override {
    auto asked = abort_from_wire(request);
    if (!asked) return answer<wire::AbortReply>(cob, exn, tl::unexpected(asked.error()));
    if (!serves<wire::AbortReply>(cob, exn)) return;
    services_.term->office.abort(std::move(*asked), [cob, exn](Result<commit::AbortAnswer> done) {
      answer(cob, exn, std::move(done).map([](const commit::AbortAnswer& outcome) {
        auto reply = versioned<wire::AbortReply>();
        reply.outcome = rpc::to_wire(outcome.outcome);
        return reply;
      }));
    });
  }

  // An outcome, once executed, is for ever. That there is none is said only after a quorum has
  // confirmed that this leader was not succeeded: its successor may have executed one (R10).
  void status(Cob<wire::StatusReply> cob, ExnCob exn, const wire::StatusRequest& request) override {
    const auto transaction = status_from_wire(request);
    if (!transaction) {
      return answer<wire::StatusReply>(cob, exn, tl::unexpected(transaction.error()));
    }
    if (!serves<wire::StatusReply>(cob, exn)) return;
    const auto asked = *transaction;
    if (services_.log.state().find(asked) != nullptr) {
      return answer(cob, exn, status_reply(asked));
    }
    services_.log.read([this, cob, exn, asked](bool current) {
      answer(cob, exn, current ? status_reply(asked) : tl::unexpected(not_leader()));
    });
  }

 private:
  [[nodiscard]] Error not_leader() const { return services_.not_leader(&Member::client_address); }

  // False: it does not, and the caller has been told.
  template <class Reply>
  bool serves(const Cob<Reply>& cob, const ExnCob& exn) const {
    if (services_.term) return true;
    answer<Reply>(cob, exn, tl::unexpected(not_leader()));
    return false;
  }

  std::int64_t office_number() const {
    return static_cast<std::int64_t>(services_.log.state().office_number());
  }

  Result<wire::HelloReply> hello_reply(const wire::HelloRequest& request) const {
    if (auto version = rpc::check_version(request.protocol_version); !version) {
      return tl::unexpected(version.error());
    }
    if (request.__isset.cluster && request.cluster != services_.config.cluster) {
      return failure(ErrorCode::kWrongCluster, "this is cluster " + services_.config.cluster +
                                                   ", the caller means another one");
    }
    auto reply = versioned<wire::HelloReply>();
    reply.cluster = services_.config.cluster;
    reply.now_ms = services_.log.now().value;
    reply.office = office_number();
    for (const auto& [name, record] : services_.log.state().participants()) {
      wire::ParticipantInfo info;
      info.name = name;
      info.client_address = record.client_address;
      info.epoch = static_cast<std::int64_t>(record.epoch.value);
      info.live = services_.term->enrolment.alive(process::monotonic_now(), name);
      reply.participants.push_back(std::move(info));
    }
    return reply;
  }

  Result<wire::StartReply> start_reply(const wire::StartRequest& request) const {
    if (auto version = rpc::check_version(request.protocol_version); !version) {
      return tl::unexpected(version.error());
    }
    auto reply = versioned<wire::StartReply>();
    const LogTime now = services_.log.now();
    reply.transaction = to_string(make_transaction_id(
        now, process::random_u64(), process::random_u64(), creator_tag("anonymous")));
    reply.now_ms = now.value;
    reply.office = office_number();
    return reply;
  }

  static Result<commit::AbortAsked> abort_from_wire(const wire::AbortRequest& request) {
    if (auto version = rpc::check_version(request.protocol_version); !version) {
      return tl::unexpected(version.error());
    }
    const auto transaction = rpc::transaction_from_wire(request.transaction);
    if (!transaction) return tl::unexpected(transaction.error());
    auto branches = branches_from_wire(request.branches);
    if (!branches) return tl::unexpected(branches.error());
    return commit::AbortAsked{{},
                              *transaction,
                              std::move(*branches),
                              request.__isset.never_committed && request.never_committed};
  }

  static Result<TransactionId> status_from_wire(const wire::StatusRequest& request) {
    if (auto version = rpc::check_version(request.protocol_version); !version) {
      return tl::unexpected(version.error());
    }
    return rpc::transaction_from_wire(request.transaction);
  }

  // What is kept of a heuristic end outlives the record, and knows its outcome, if there was one.
  static std::optional<Outcome> outcome_of(const state::StateMachine& state,
                                           const TransactionId& transaction) {
    if (const auto* record = state.find(transaction)) return record->outcome;
    const state::Heuristic* kept = state.heuristics().find(transaction);
    if (kept == nullptr || kept->listed == 0) return std::nullopt;
    return kept->outcome;
  }

  // Precondition: this replica serves.
  [[nodiscard]] Result<wire::StatusReply> status_reply(const TransactionId& transaction) const {
    const state::StateMachine& state = services_.log.state();
    const auto heuristic = commit::heuristic_participants(state, transaction);
    const std::optional<Outcome> outcome = outcome_of(state, transaction);
    const state::TransactionRecord* record = state.find(transaction);
    if (record != nullptr && record->may_have_committed()) return tl::unexpected(record->reason);
    if (!outcome && transaction.time() <= state.floor()) {
      return failure(ErrorCode::kExpired,
                     "the transaction is older than the retention of outcomes");
    }
    auto reply = versioned<wire::StatusReply>();
    reply.state = !outcome                          ? wire::TransactionState::UNDECIDED
                  : *outcome == Outcome::kCommitted ? wire::TransactionState::COMMITTED
                                                    : wire::TransactionState::ABORTED;
    reply.pending = services_.term->office.office().pending(transaction);
    reply.applied = outcome.has_value() && reply.pending.empty();
    if (!heuristic.empty()) reply.__set_heuristic(heuristic);
    return reply;
  }

  Services& services_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> client_processor(Services& services) {
  return std::make_shared<wire::CoordinatorAsyncProcessor>(
      std::make_shared<ClientHandler>(services));
}

}  // namespace assent::coordinator
