#include "coordinator/server/insight.h"

#include <algorithm>
#include <optional>
#include <set>

#include "coordinator/server/heuristics_wire.h"
#include "runtime/process.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"

namespace assent::coordinator {
namespace {

constexpr std::size_t kShownMax = 1'000;

std::int64_t signed_of(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

Result<void> check(const Services& services, std::int32_t version, bool any_replica) {
  if (auto known = rpc::check_version(version); !known) return known;
  if (services.term || any_replica) return {};
  return tl::unexpected(services.not_leader(&Member::admin_address));
}

// A follower's log has no clock of its own: its time is that of the latest entry.
wire::Viewpoint viewpoint(const Services& services) {
  const state::StateMachine& state = services.log.state();
  wire::Viewpoint out;
  out.cluster = services.config.cluster;
  out.replica = static_cast<std::int32_t>(services.config.replica.value);
  out.leads = services.term != nullptr;
  out.now_ms = (out.leads ? services.log.now() : state.time()).value;
  out.floor_ms = state.floor().value;
  out.retention_ms = services.config.retention.value;
  out.restored = state.restoration().restored();
  if (!services.term) return out;
  out.__set_office(signed_of(state.office_number()));
  out.__set_office_after_slot(signed_of(services.term->after.value));
  out.__set_office_since_ms(services.term->since.value);
  return out;
}

// ── participants ────────────────────────────────────────────────────────────────────────────────

wire::Drain to_wire(const state::Withdrawal& drain) {
  wire::Drain out;
  out.operator_name = drain.operator_name;
  out.reason = drain.reason;
  out.at_ms = drain.at.value;
  return out;
}

wire::BudgetLevel::type to_wire(commit::BudgetLevel level) {
  switch (level) {
    case commit::BudgetLevel::kWithin:
      return wire::BudgetLevel::WITHIN;
    case commit::BudgetLevel::kAlarm:
      return wire::BudgetLevel::ALARM;
    case commit::BudgetLevel::kRefusing:
      return wire::BudgetLevel::REFUSING;
  }
  return wire::BudgetLevel::WITHIN;
}

wire::InDoubtState to_wire(const commit::Budget::Standing& standing, const std::string& why) {
  const commit::InDoubt& seen = standing.seen;
  wire::InDoubtState out;
  out.level = to_wire(standing.level);
  out.number = signed_of(seen.number);
  out.oldest_ms = seen.oldest_age.value;
  if (seen.oldest) out.__set_oldest(rpc::to_wire(*seen.oldest));
  out.horizon = signed_of(seen.horizon);
  if (seen.holder) out.__set_holder(rpc::to_wire(*seen.holder));
  if (!why.empty()) out.__set_why(why);
  return out;
}

wire::LimitPair to_wire(const commit::LimitPair& limits) {
  wire::LimitPair out;
  out.alarm = signed_of(limits.alarm);
  out.refuse = signed_of(limits.refuse);
  return out;
}

wire::BudgetLimits to_wire(const commit::BudgetLimits& limits) {
  wire::BudgetLimits out;
  out.age_ms = to_wire(limits.age_ms);
  out.number = to_wire(limits.number);
  out.horizon = to_wire(limits.horizon);
  return out;
}

wire::ParticipantState to_wire(const Services& services, const std::string& name,
                               const state::ParticipantRecord& record) {
  wire::ParticipantState out;
  out.name = name;
  out.client_address = record.client_address;
  out.peer_address = record.peer_address;
  out.epoch = signed_of(record.epoch.value);
  out.one_phase = record.one_phase;
  out.identity.system_identifier = signed_of(record.identity.system_identifier);
  out.identity.database_oid = signed_of(record.identity.database_oid);
  out.timeline = static_cast<std::int32_t>(record.timeline);
  out.broken_below = signed_of(record.broken_below.value);
  out.broken_at_ms = record.broken_at.value;
  out.quarantined_below =
      signed_of(std::min(record.quarantined_below.value, static_cast<std::uint64_t>(INT64_MAX)));
  if (const auto* drain = services.log.state().withdrawals().drained(name)) {
    out.__set_drain(to_wire(*drain));
  }
  if (!services.term) return out;
  const commit::Office& office = services.term->office.office();
  out.__set_driven(static_cast<std::int64_t>(office.driven_at(name)));
  if (const auto* standing = office.budget().standing(name)) {
    out.__set_in_doubt(to_wire(*standing, office.budget().describe(name)));
  }
  const MonoTime now = process::monotonic_now();
  out.live = services.term->enrolment.alive(now, name);
  out.connected = services.term->office.reaches(name);
  if (const auto heard = services.term->enrolment.heard(name)) {
    out.__set_heard_ms_ago((now - heard->at).value);
    if (!heard->admin_address.empty()) out.__set_admin_address(heard->admin_address);
  }
  return out;
}

// ── transactions ────────────────────────────────────────────────────────────────────────────────

wire::TransactionRecord to_wire(const TransactionId& transaction,
                                const state::TransactionRecord& record) {
  wire::TransactionRecord out;
  out.outcome = rpc::to_wire(record.outcome);
  out.presumed = record.outcome == Outcome::kAborted && record.request_hash == 0 &&
                 record.reason.code == ErrorCode::kUnavailable;
  if (record.outcome == Outcome::kAborted) out.__set_reason(rpc::to_wire(record.reason));
  for (const state::DecidedBranch& branch : record.branches) {
    wire::FoundBranch& listed = out.branches.emplace_back();
    listed.branch =
        rpc::to_wire(BranchId{transaction, branch.participant, branch.epoch, branch.attempt});
    listed.evidence = rpc::to_wire(branch.evidence);
  }
  out.decided_in = signed_of(record.decided_in.value);
  out.decided_at_ms = record.decided_at.value;
  out.forgotten_in = signed_of(record.forgotten_in.value);
  return out;
}

// The stages have the same numbers here and on the wire.
template <class Wire, class Own>
constexpr bool same(Wire on_wire, Own own) {
  return static_cast<int>(on_wire) == static_cast<int>(own);
}

wire::Stage::type same_number(commit::DrivenStage stage) {
  using Own = commit::DrivenStage;
  static_assert(same(wire::Stage::PREPARING, Own::kPreparing));
  static_assert(same(wire::Stage::ONE_PHASE, Own::kOnePhase));
  static_assert(same(wire::Stage::SETTLING, Own::kSettling));
  static_assert(same(wire::Stage::PROPOSING, Own::kProposing));
  static_assert(same(wire::Stage::FINISHING, Own::kFinishing));
  return static_cast<wire::Stage::type>(stage);
}

wire::BranchStage::type same_number(commit::BranchStage stage) {
  using Own = commit::BranchStage;
  static_assert(same(wire::BranchStage::HELD, Own::kHeld));
  static_assert(same(wire::BranchStage::ASKED, Own::kAsked));
  static_assert(same(wire::BranchStage::VOTED, Own::kVoted));
  static_assert(same(wire::BranchStage::LEFT, Own::kLeft));
  static_assert(same(wire::BranchStage::STRAY, Own::kStray));
  static_assert(same(wire::BranchStage::ENDING, Own::kEnding));
  static_assert(same(wire::BranchStage::ENDED, Own::kEnded));
  return static_cast<wire::BranchStage::type>(stage);
}

wire::DrivenBranch to_wire(const commit::BranchView& branch) {
  wire::DrivenBranch out;
  out.branch = rpc::to_wire(branch.branch);
  out.stage = same_number(branch.stage);
  if (!branch.last_loss.empty()) out.__set_last_loss(branch.last_loss);
  if (branch.next_try) out.__set_next_try_ms(branch.next_try->value);
  if (branch.stage == commit::BranchStage::kEnded) out.__set_result(rpc::to_wire(branch.result));
  return out;
}

wire::DrivenTransaction to_wire(const commit::DrivenView& driven) {
  wire::DrivenTransaction out;
  out.stage = same_number(driven.stage);
  if (driven.outcome) out.__set_outcome(rpc::to_wire(*driven.outcome));
  if (!driven.reason.empty()) out.__set_reason(driven.reason);
  if (driven.deadline_in) out.__set_deadline_in_ms(driven.deadline_in->value);
  for (const commit::BranchView& branch : driven.branches) {
    out.branches.push_back(to_wire(branch));
  }
  if (!driven.writer.empty()) out.__set_writer(driven.writer);
  out.callers = static_cast<std::int32_t>(driven.callers);
  out.expired = driven.expired;
  out.resolved = driven.resolved;
  return out;
}

wire::TransactionState state_of(const Services& services, const TransactionId& transaction) {
  const state::StateMachine& state = services.log.state();
  wire::TransactionState out;
  out.transaction = to_string(transaction);
  if (const auto* record = state.find(transaction)) out.__set_record(to_wire(transaction, *record));
  if (const auto* heuristic = state.heuristics().find(transaction)) {
    out.__set_heuristic(coordinator::to_wire(transaction, *heuristic));
  }
  if (!services.term) return out;
  const auto driven = services.term->office.office().view(transaction, process::monotonic_now());
  if (driven) out.__set_driven(to_wire(*driven));
  return out;
}

// The lowest `count` ids above `after` of what is driven, what is decided and not forgotten, and
// what has ended otherwise than decided.
std::set<TransactionId> restless(const Services& services, const TransactionId& after,
                                 std::size_t count) {
  std::set<TransactionId> out;
  const auto add = [&](const TransactionId& one) {
    if (after < one) out.insert(one);
    if (count < out.size()) out.erase(std::prev(out.end()));
  };
  for (const TransactionId& one : services.log.state().unforgotten()) add(one);
  for (const auto& [one, heuristic] : services.log.state().heuristics().kept()) add(one);
  if (!services.term) return out;
  const commit::Office& office = services.term->office.office();
  std::optional<TransactionId> next = office.next_driven(after);
  for (std::size_t i = 0; next && i < count; ++i) {
    add(*next);
    next = office.next_driven(*next);
  }
  return out;
}

Result<wire::TransactionsReply> named(const Services& services,
                                      const std::vector<std::string>& names) {
  if (names.size() > kShownMax) {
    return failure(ErrorCode::kInvalidArgument,
                   "at most " + std::to_string(kShownMax) + " transactions are told at once");
  }
  auto reply = rpc::versioned<wire::TransactionsReply>();
  for (const std::string& name : names) {
    const auto transaction = rpc::transaction_from_wire(name);
    if (!transaction) return tl::unexpected(transaction.error());
    reply.transactions.push_back(state_of(services, *transaction));
  }
  return reply;
}

Result<wire::TransactionsReply> listed(const Services& services,
                                       const wire::TransactionsRequest& request) {
  if (request.limit < 1 || kShownMax < static_cast<std::size_t>(request.limit)) {
    return failure(ErrorCode::kInvalidArgument, "limit is 1 to " + std::to_string(kShownMax));
  }
  TransactionId after;
  if (request.__isset.after) {
    const auto given = rpc::transaction_from_wire(request.after);
    if (!given) return tl::unexpected(given.error());
    after = *given;
  }
  const auto limit = static_cast<std::size_t>(request.limit);
  std::set<TransactionId> found = restless(services, after, limit + 1);
  auto reply = rpc::versioned<wire::TransactionsReply>();
  reply.more = limit < found.size();
  if (reply.more) found.erase(std::prev(found.end()));
  for (const TransactionId& one : found) reply.transactions.push_back(state_of(services, one));
  return reply;
}

}  // namespace

Result<wire::ParticipantsReply> participants(const Services& services,
                                             const wire::ParticipantsRequest& request) {
  return check(services, request.protocol_version, request.any_replica).map([&] {
    auto reply = rpc::versioned<wire::ParticipantsReply>();
    reply.viewpoint = viewpoint(services);
    reply.limits = to_wire(services.config.budget);
    for (const auto& [name, record] : services.log.state().participants()) {
      reply.participants.push_back(to_wire(services, name, record));
    }
    return reply;
  });
}

Result<wire::TransactionsReply> transactions(const Services& services,
                                             const wire::TransactionsRequest& request) {
  auto reply = check(services, request.protocol_version, request.any_replica).and_then([&] {
    return request.__isset.transactions ? named(services, request.transactions)
                                        : listed(services, request);
  });
  if (reply) reply->viewpoint = viewpoint(services);
  return reply;
}

}  // namespace assent::coordinator
