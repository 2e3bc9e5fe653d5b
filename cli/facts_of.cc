#include "cli/facts_of.h"

#include "runtime/rpc/errors.h"
#include "runtime/rpc/ids.h"

namespace assent::cli {
namespace {

std::uint64_t unsigned_of(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

BranchId branch_of(const wire::BranchId& branch) {
  return rpc::from_wire(branch).value_or(BranchId{});
}

Outcome outcome_of(wire::Outcome::type outcome) {
  return outcome == wire::Outcome::COMMITTED ? Outcome::kCommitted : Outcome::kAborted;
}

state::DecidedBranch decided(const wire::BranchId& branch, const wire::Evidence& evidence) {
  BranchId id = branch_of(branch);
  return {std::move(id.participant), id.epoch, id.attempt, rpc::from_wire(evidence)};
}

explain::Record facts_of(const wire::TransactionRecord& record) {
  explain::Record out;
  out.outcome = outcome_of(record.outcome);
  out.presumed = record.presumed;
  if (record.__isset.reason) out.reason = rpc::from_wire(record.reason);
  for (const wire::FoundBranch& one : record.branches) {
    out.branches.push_back(decided(one.branch, one.evidence));
  }
  out.decided_in = Slot(unsigned_of(record.decided_in));
  out.decided_at = LogTime(record.decided_at_ms);
  out.forgotten_in = Slot(unsigned_of(record.forgotten_in));
  return out;
}

commit::BranchView facts_of(const wire::DrivenBranch& one) {
  commit::BranchView out;
  out.branch = branch_of(one.branch);
  out.stage = static_cast<commit::BranchStage>(one.stage);
  out.last_loss = one.last_loss;
  if (one.__isset.next_try_ms) out.next_try = Millis(one.next_try_ms);
  if (one.__isset.result) out.result = rpc::from_wire(one.result);
  return out;
}

commit::DrivenView facts_of(const wire::DrivenTransaction& driven) {
  commit::DrivenView out;
  out.stage = static_cast<commit::DrivenStage>(driven.stage);
  if (driven.__isset.outcome) out.outcome = outcome_of(driven.outcome);
  out.reason = driven.reason;
  if (driven.__isset.deadline_in_ms) out.deadline_in = Millis(driven.deadline_in_ms);
  for (const wire::DrivenBranch& one : driven.branches) out.branches.push_back(facts_of(one));
  out.writer = driven.writer;
  out.callers = static_cast<std::size_t>(driven.callers);
  out.expired = driven.expired;
  out.resolved = driven.resolved;
  return out;
}

state::Heuristic facts_of(const wire::Heuristic& one) {
  state::Heuristic out;
  out.outcome = outcome_of(one.outcome);
  out.listed = unsigned_of(one.listed);
  out.found_at = LogTime(one.found_at_ms);
  for (const wire::HeuristicBranch& branch : one.branches) {
    out.branches.push_back(
        {decided(branch.branch, branch.evidence), rpc::from_wire(branch.result)});
  }
  if (one.__isset.resolution) {
    out.resolution = state::Resolution{outcome_of(one.resolution.outcome),
                                       one.resolution.operator_name, one.resolution.reason,
                                       LogTime(one.resolution.at_ms), one.branches.size()};
  }
  return out;
}

explain::Belonging facts_of(wire::Belonging::type belonging) {
  switch (belonging) {
    case wire::Belonging::OURS:
      return explain::Belonging::kOurs;
    case wire::Belonging::STRANGER:
      return explain::Belonging::kStranger;
    case wire::Belonging::FOREIGN:
      return explain::Belonging::kForeign;
  }
  return explain::Belonging::kForeign;
}

branch::VoteKind facts_of(wire::VoteKind::type vote) {
  switch (vote) {
    case wire::VoteKind::YES:
      return branch::VoteKind::kYes;
    case wire::VoteKind::NO:
      return branch::VoteKind::kNo;
    case wire::VoteKind::READ_ONLY:
      return branch::VoteKind::kReadOnly;
    case wire::VoteKind::COMMITTED:
      return branch::VoteKind::kCommitted;
  }
  return branch::VoteKind::kNo;
}

explain::Remembered facts_of(const wire::RememberedBranch& one) {
  explain::Remembered out;
  out.branch = branch_of(one.branch);
  out.state = one.state;
  if (one.__isset.vote) out.vote = facts_of(one.vote);
  out.because = one.because;
  if (one.__isset.opened_ms_ago) out.opened_ago = Millis(one.opened_ms_ago);
  if (one.__isset.idle_ends_in_ms) out.idle_ends_in = Millis(one.idle_ends_in_ms);
  if (one.__isset.life_ends_in_ms) out.life_ends_in = Millis(one.life_ends_in_ms);
  return out;
}

}  // namespace

explain::Viewpoint facts_of(const wire::Viewpoint& viewpoint) {
  explain::Viewpoint out;
  out.cluster = viewpoint.cluster;
  out.replica = ReplicaId(static_cast<std::uint32_t>(viewpoint.replica));
  out.leads = viewpoint.leads;
  out.now = LogTime(viewpoint.now_ms);
  out.floor = LogTime(viewpoint.floor_ms);
  out.retention = Millis(viewpoint.retention_ms);
  out.office = unsigned_of(viewpoint.office);
  out.office_after = Slot(unsigned_of(viewpoint.office_after_slot));
  out.office_since = LogTime(viewpoint.office_since_ms);
  out.restored = viewpoint.restored;
  return out;
}

explain::Participant facts_of(const wire::ParticipantState& state) {
  explain::Participant out;
  out.name = state.name;
  out.client_address = state.client_address;
  out.peer_address = state.peer_address;
  out.admin_address = state.admin_address;
  out.epoch = Epoch(unsigned_of(state.epoch));
  out.live = state.live;
  if (state.__isset.heard_ms_ago) out.heard_ago = Millis(state.heard_ms_ago);
  out.connected = state.connected;
  out.broken_below = Epoch(unsigned_of(state.broken_below));
  out.broken_at = LogTime(state.broken_at_ms);
  out.quarantined_below = Epoch(unsigned_of(state.quarantined_below));
  return out;
}

explain::Prepared facts_of(const wire::PreparedTransaction& one) {
  explain::Prepared out;
  out.gid = one.gid;
  out.owner = one.owner;
  out.database = one.database;
  out.xid = static_cast<std::uint32_t>(one.xid);
  out.age = Millis(one.age_ms);
  out.xid_age = one.xid_age;
  out.belonging = facts_of(one.belonging);
  out.parsed = parse_gid(one.gid);
  for (const wire::HeldLock& lock : one.locks) {
    out.locks.push_back({lock.object, lock.mode, lock.count});
  }
  for (const wire::LockWaiter& waiter : one.waiters) {
    out.waiters.push_back(
        {waiter.pid, waiter.user, waiter.application,
         waiter.__isset.waiting_ms ? std::optional(Millis(waiter.waiting_ms)) : std::nullopt,
         waiter.object, waiter.mode});
  }
  return out;
}

explain::AgentSays facts_of(const wire::TraceReply& reply) {
  explain::AgentSays out;
  out.epoch = Epoch(unsigned_of(reply.epoch));
  out.now = LogTime(reply.now_ms);
  if (reply.__isset.branch) out.branch = facts_of(reply.branch);
  out.database_error = reply.database_error;
  for (const auto& one : reply.prepared) out.prepared.push_back(facts_of(one));
  if (reply.__isset.outcome) {
    out.outcome = {reply.outcome.committed, LogTime(reply.outcome.decided_at_ms)};
  }
  out.branch_outcomes = reply.branch_outcomes;
  return out;
}

explain::Known facts_of(const wire::TransactionState& state) {
  explain::Known out;
  if (state.__isset.record) out.record = facts_of(state.record);
  if (state.__isset.driven) out.driven = facts_of(state.driven);
  if (state.__isset.heuristic) out.heuristic = facts_of(state.heuristic);
  return out;
}

}  // namespace assent::cli
