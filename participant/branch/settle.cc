// Settling: whether a transaction has committed here in one phase, or never will (R12).
#include <utility>

#include "base/check.h"
#include "participant/branch/core.h"

namespace assent::branch {

// The answer holds for ever:
// 1. A commit in one phase inserts its row in its own transaction, RunSettle inserts another, and
//    the table is unique on the transaction: one of them stands, and the other fails for ever.
// 2. So no order of the two is wrong. The live branch is ended first because the leader aborts it
//    anyway, and because RunSettle would wait for a commit that is under way.
// 3. A prepared branch has no row and needs none: it is finished by its gid, as the log says.
void BranchTable::Core::on(const SettleAsked& asked) {
  if (const auto why = inadmissible(asked.ballot)) {
    return reply(asked.token, *why);
  }
  settle(asked.transaction, {asked.token, asked.ballot}, &Settling::callers);
}

// The branch is not in memory, and may have committed in one phase when it was: its row tells.
void BranchTable::Core::vote_by_row(const PrepareAsked& asked) {
  settle(asked.branch.transaction, {asked.token, asked.ballot}, &Settling::voters);
}

void BranchTable::Core::settle(const TransactionId& transaction, const Caller& caller,
                               Callers Settling::*asking) {
  if (settles_.size() >= options_.branches_max && !settles_.contains(transaction)) {
    return refuse(caller.token, ErrorCode::kOverloaded,
                  std::to_string(settles_.size()) + " transactions are being settled");
  }
  const auto [settle, first] = settles_.try_emplace(transaction);
  (settle->second.*asking).push_back(caller);
  if (first) {
    start_settle(settle);
  }
}

void BranchTable::Core::start_settle(SettleMap::iterator settle) {
  Branch* const branch = memory_.find(settle->first);
  if (branch == nullptr) {
    return send_settle(settle, stale_error());
  }
  std::visit(Overloaded{
                 [&](OneOf<Waiting, Queued, Open, Draining> auto&) {
                   become_rolling_back(*branch, {}, "its transaction is being settled");
                 },
                 [](RollingBack&) {},
                 [&](Preparing& preparing) { cancel_prepare(*branch, preparing); },
                 [&](OneOf<Prepared, Finishing, Ended> auto&) { resume_settle(*branch); },
             },
             branch->state);
}

void BranchTable::Core::resume_settle(const Branch& branch) {
  const auto settle = settles_.find(branch.id.transaction);
  if (settle == settles_.end() || settle->second.sent) {
    return;
  }
  if (branch.committed_one_phase()) {
    settled(settle, true);
  } else {
    send_settle(settle, stale_error());
  }
}

// Sends it for those whose ballot is not stale; the others are told.
void BranchTable::Core::send_settle(SettleMap::iterator settle, const Error& stale) {
  Settling& settling = settle->second;
  refuse_stale(settling.callers, stale);
  refuse_stale(settling.voters, stale);
  if (settling.callers.empty() && settling.voters.empty()) {
    settles_.erase(settle);
    return;
  }
  settling.sent = ballot_;  // of all who are left: it is the highest, and theirs is not lower
  run(RunSettle{settle->first, ballot_});
}

void BranchTable::Core::on(const SettleDone& done) {
  const auto settle = settles_.find(done.transaction);
  CHECK(settle != settles_.end() && settle->second.sent, "a settle in flight is remembered");
  if (done.committed) {
    return settled(settle, *done.committed);
  }
  const Error why = completed(done.committed.error());
  if (why.code == ErrorCode::kStaleBallot) {
    CHECK_LT(*settle->second.sent, ballot_, "only a stale ballot may not send");
    return send_settle(settle, why);
  }
  for (const Callers& callers : {settle->second.callers, settle->second.voters}) {
    for (const Caller& caller : callers) {
      reply(caller.token, why);
    }
  }
  settles_.erase(settle);
}

void BranchTable::Core::settled(SettleMap::iterator settle, bool committed) {
  ++counters_.settled;
  for (const Caller& caller : settle->second.callers) {
    reply(caller.token, Settled{committed});
  }
  for (const Caller& voter : settle->second.voters) {
    if (committed) {
      reply(voter.token, Committed{});
    } else {
      vote_no_without_branch(
          voter.token,
          error(ErrorCode::kUnknownBranch,
                "the branch of transaction " + to_string(settle->first) +
                    " is not known here, and did not commit: it ended long ago, or the agent "
                    "restarted since"));
    }
  }
  settles_.erase(settle);
}

}  // namespace assent::branch
