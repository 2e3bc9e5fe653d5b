#include "participant/server/insight_wire.h"

#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"

namespace assent::participant {
namespace {

wire::Belonging::type to_wire(postgres::Belonging belonging) {
  switch (belonging) {
    case postgres::Belonging::kOurs:
      return wire::Belonging::OURS;
    case postgres::Belonging::kStranger:
      return wire::Belonging::STRANGER;
    case postgres::Belonging::kForeign:
      return wire::Belonging::FOREIGN;
  }
  return wire::Belonging::FOREIGN;
}

wire::VoteKind::type to_wire(branch::VoteKind vote) {
  switch (vote) {
    case branch::VoteKind::kYes:
      return wire::VoteKind::YES;
    case branch::VoteKind::kNo:
      return wire::VoteKind::NO;
    case branch::VoteKind::kReadOnly:
      return wire::VoteKind::READ_ONLY;
    case branch::VoteKind::kCommitted:
      return wire::VoteKind::COMMITTED;
  }
  return wire::VoteKind::NO;
}

wire::LockWaiter to_wire(const postgres::LockWaiter& waiter) {
  wire::LockWaiter out;
  out.pid = waiter.pid;
  out.user = waiter.user;
  out.application = waiter.application;
  if (waiter.waiting) out.__set_waiting_ms(waiter.waiting->value);
  out.object = waiter.object;
  out.mode = waiter.mode;
  return out;
}

wire::PreparedTransaction to_wire(const postgres::PreparedTransaction& one) {
  wire::PreparedTransaction out;
  out.gid = one.gid;
  out.owner = one.owner;
  out.database = one.database;
  out.xid = one.xid;
  out.age_ms = one.age.value;
  out.xid_age = one.xid_age;
  out.belonging = to_wire(one.belonging);
  if (one.parsed) {
    out.__set_branch(rpc::to_wire(one.parsed->branch));
    out.__set_cluster(one.parsed->cluster);
  }
  for (const postgres::HeldLock& lock : one.locks) {
    wire::HeldLock& held = out.locks.emplace_back();
    held.object = lock.object;
    held.mode = lock.mode;
    held.count = lock.count;
  }
  for (const postgres::LockWaiter& waiter : one.waiters) out.waiters.push_back(to_wire(waiter));
  return out;
}

}  // namespace

wire::PreparedReply to_wire(const postgres::PreparedView& view) {
  auto out = rpc::versioned<wire::PreparedReply>();
  out.database = view.database;
  out.slots_used = view.slots_used;
  out.slots_max = view.slots_max;
  out.horizon_age = view.horizon_age;
  out.connections = view.connections;
  for (const auto& one : view.transactions) out.transactions.push_back(to_wire(one));
  return out;
}

wire::RememberedBranch to_wire(const branch::BranchView& branch) {
  wire::RememberedBranch out;
  out.branch = rpc::to_wire(branch.branch);
  out.state = branch.state;
  if (branch.vote) out.__set_vote(to_wire(*branch.vote));
  if (!branch.because.empty()) out.__set_because(branch.because);
  if (branch.opened_ago) out.__set_opened_ms_ago(branch.opened_ago->value);
  if (branch.idle_ends_in) out.__set_idle_ends_in_ms(branch.idle_ends_in->value);
  if (branch.life_ends_in) out.__set_life_ends_in_ms(branch.life_ends_in->value);
  return out;
}

void add(wire::TraceReply& reply, const postgres::TraceView& view) {
  for (const auto& one : view.prepared) reply.prepared.push_back(to_wire(one));
  if (view.outcome) {
    wire::OutcomeRow row;
    row.committed = view.outcome->committed;
    row.decided_at_ms = view.outcome->decided_at_ms;
    reply.__set_outcome(row);
  }
  reply.branch_outcomes = view.branch_outcomes;
}

}  // namespace assent::participant
