// Carrying outcomes out: of open branches by ROLLBACK, of prepared ones by their gid.
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "participant/branch/core.h"

namespace assent::branch {
namespace {

RunFinish to_run(const BranchId& branch, const FinishRun& finish) {
  return {branch,          finish.ballot,     finish.outcome,
          finish.evidence, finish.maybe_lost, finish.kept_in};
}

}  // namespace

void BranchTable::Core::on(const FinishAsked& asked) {
  if (const auto why = inadmissible(asked.ballot, asked.branch)) {
    return reply(asked.token, *why);
  }
  Branch* const branch = memory_.find(asked.branch);
  if (branch == nullptr) {
    return finish_without_branch(asked);
  }
  const Caller caller{asked.token, asked.ballot};
  const bool commit = asked.outcome == Outcome::kCommitted;
  std::visit(Overloaded{
                 [&](OneOf<Waiting, Queued, Open, Draining> auto&) {
                   if (commit) {
                     return refuse_commit(asked.branch, name(branch->state), asked.token);
                   }
                   become_rolling_back(*branch, RollingBack{.callers = {asked.token}},
                                       "its transaction was aborted");
                 },
                 [&](RollingBack& rolling_back) {
                   if (commit) {
                     return refuse_commit(asked.branch, name(branch->state), asked.token);
                   }
                   rolling_back.callers.push_back(asked.token);
                 },
                 [&](Preparing& preparing) {
                   if (commit) {
                     return refuse_commit(asked.branch, name(branch->state), asked.token);
                   }
                   if (canary(Canary::kRollbackConfirmedEarly)) {
                     reply(asked.token, FinishResult::kDone);
                     return cancel_prepare(*branch, preparing);
                   }
                   preparing.rollback_callers.push_back(caller);
                   cancel_prepare(*branch, preparing);
                 },
                 [&](Prepared& prepared) {
                   if (commit && !std::holds_alternative<Yes>(*branch->vote)) {
                     return refuse_commit(asked.branch, name(branch->state), asked.token);
                   }
                   finish(*branch, prepared.evidence, asked.outcome, {caller});
                 },
                 [&](Finishing& finishing) { join_finish(finishing.run, asked); },
                 // A commit here contradicts the protocol, but that the branch rolled back is
                 // certain: a heuristic, no hazard, and the operator learns of it.
                 [&](Ended& ended) { reply(asked.token, result_of(ended.fate, asked.outcome)); },
             },
             branch->state);
}

// A branch of an older life, or one that ended so long ago that it is forgotten: its gid and the
// evidence settle it. One of this life that was never issued has no gid, and gets none:
// 1. The next opening of its transaction could be issued just this attempt, and a delayed prepare
//    could then prepare it although its rollback has been confirmed and nobody asks again.
// 2. It is buried, which refuses that opening; or the transaction has another branch here, which
//    refuses it as well, from now on even after its connection was refused.
// 3. That memory is bounded in time and number. So the attempt is skipped, too: an opening after it
//    is forgotten is issued another one.
// 4. The attempt of a one-shot needs no opening: its delayed prepare would run it. So its serial is
//    seen from now on, which is never forgotten.
void BranchTable::Core::finish_without_branch(const FinishAsked& asked) {
  if (const auto running = finishing_.find(asked.branch); running != finishing_.end()) {
    return join_finish(running->second, asked);
  }
  if (never_issued(asked.branch)) {
    if (asked.outcome == Outcome::kCommitted) {
      return refuse_commit(asked.branch, "not opened yet", asked.token);
    }
    bury(asked.branch, "its transaction was aborted");
    return reply(asked.token, FinishResult::kDone);
  }
  if (finishing_.size() >= options_.branches_max) {
    return refuse(asked.token, ErrorCode::kOverloaded,
                  std::to_string(finishing_.size()) + " unknown branches are being finished");
  }
  FinishRun finish{asked.outcome,    asked.ballot,
                   asked.evidence,   {Caller{asked.token, asked.ballot}},
                   asked.maybe_lost, asked.kept_in};
  run(to_run(asked.branch, finish));
  finishing_.emplace(asked.branch, std::move(finish));
}

// The evidence is this life's own: it cannot be wrong.
void BranchTable::Core::finish(Branch& branch, const Evidence& evidence, Outcome outcome,
                               Callers callers) {
  const Ballot ballot = highest(callers);
  become_finishing(branch, FinishRun{outcome, ballot, evidence, std::move(callers)});
}

void BranchTable::Core::join_finish(FinishRun& run, const FinishAsked& asked) {
  if (run.outcome != asked.outcome) {
    return refuse(asked.token, ErrorCode::kInternal,
                  "branch " + to_string(asked.branch) + " is being finished as " +
                      std::string(name(run.outcome)) + " and was now asked for " +
                      std::string(name(asked.outcome)) +
                      ", which contradicts the protocol; the first goes on");
  }
  run.callers.push_back(Caller{asked.token, asked.ballot});
}

// The PREPARE may wait behind a statement that waits for a lock, perhaps of this same transaction's
// branch elsewhere.
void BranchTable::Core::cancel_prepare(const Branch& branch, Preparing& preparing) {
  if (!std::exchange(preparing.cancelled, true)) {
    run(RunCancel{branch.id});
  }
}

// Only a YES can lead to a commit, and this branch has not given one. Nothing is touched, so that
// what an operator finds is what was there.
void BranchTable::Core::refuse_commit(const BranchId& id, std::string_view state, Token token) {
  refuse(token, ErrorCode::kInternal,
         "commit of branch " + to_string(id) + ", which is " + std::string(state) +
             " and never voted YES, contradicts the protocol; nothing was done");
}

void BranchTable::Core::on(const FinishDone& done) {
  if (const auto running = finishing_.find(done.branch); running != finishing_.end()) {
    if (conclude(running->second, done) != Progress::kSentAgain) {
      finishing_.erase(running);
    }
    return;
  }
  Branch* const branch = memory_.find(done.branch);
  CHECK(branch != nullptr, "a finish in flight is remembered");
  std::visit(Overloaded{
                 [&](Finishing& finishing) {
                   const Outcome outcome = finishing.run.outcome;
                   const Evidence evidence = *finishing.run.evidence;
                   switch (conclude(finishing.run, done)) {
                     case Progress::kFinished:
                       if (branch->ended_because.empty()) {
                         branch->ended_because = "its transaction is " + std::string(name(outcome));
                       }
                       return become_ended(*branch, fate_of(outcome, *done.result));
                     case Progress::kSentAgain:
                       return;
                     case Progress::kGivenUp:
                       return become_prepared(*branch, evidence);
                   }
                 },
                 [&](OneOf<Waiting, Queued, Open, Draining, RollingBack, Preparing, Prepared,
                           Ended> auto&) { impossible(*branch, "FinishDone"); },
             },
             branch->state);
}

// Tells those who asked. A stale ballot concerns only those who asked under it: for the others it
// is sent again under theirs.
BranchTable::Core::Progress BranchTable::Core::conclude(FinishRun& finish, const FinishDone& done) {
  if (done.result) {
    for (const Caller& caller : finish.callers) {
      reply(caller.token, *done.result);
    }
    count_end(finish.outcome, *done.result);
    return Progress::kFinished;
  }
  const Error why = completed(done.result.error());
  if (why.code == ErrorCode::kStaleBallot) {
    CHECK_LT(finish.ballot, ballot_, "only a stale ballot may not send");
    refuse_stale(finish.callers, why);
    if (!finish.callers.empty()) {
      finish.ballot = highest(finish.callers);
      run(to_run(done.branch, finish));
      return Progress::kSentAgain;
    }
  }
  for (const Caller& caller : finish.callers) {
    reply(caller.token, why);
  }
  return Progress::kGivenUp;
}

void BranchTable::Core::on(const RollbackDone& done) {
  Branch* const branch = memory_.find(done.branch);
  if (branch == nullptr) {
    return;
  }
  std::visit(Overloaded{
                 [&](RollingBack&) { rolled_back(*branch); },
                 [](Ended&) {},  // the connection was lost first, which said the same
                 [&](OneOf<Waiting, Queued, Open, Draining, Preparing, Prepared, Finishing> auto&) {
                   impossible(*branch, "RollbackDone");
                 },
             },
             branch->state);
}

void BranchTable::Core::rolled_back(Branch& branch) {
  const RollingBack state = std::move(std::get<RollingBack>(branch.state));
  const FinishResult result = result_of(state.fate, Outcome::kAborted);
  release(branch);
  fail_statements(branch, ended_error(branch));
  for (const Token caller : state.callers) {
    reply(caller, result);
  }
  for (const Token canceller : state.cancellers) {
    if (state.fate == Fate::kRolledBack) {
      reply(canceller, Cancelled{});
    } else {
      reply(canceller, ended_error(branch));
    }
  }
  counters_.idle_rolled_back += state.cause == Cause::kIdle ? 1 : 0;
  counters_.expired += state.cause == Cause::kLifetime ? 1 : 0;
  counters_.cancelled += state.cause == Cause::kClient ? 1 : 0;
  count_end(Outcome::kAborted, result);
  become_ended(branch, state.fate);
}

}  // namespace assent::branch
