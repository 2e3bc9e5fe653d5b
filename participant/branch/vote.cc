// Asking a branch to prepare, and its one vote.
#include <utility>

#include "base/check.h"
#include "participant/branch/core.h"

namespace assent::branch {

void BranchTable::Core::on(const PrepareAsked& asked) {
  if (const auto why = inadmissible(asked.ballot, asked.branch)) {
    return reply(asked.token, *why);
  }
  Branch* const branch = memory_.find(asked.branch);
  if (branch == nullptr) {
    return vote_without_branch(asked);
  }
  std::visit(Overloaded{
                 [&](Waiting&) {
                   vote_no(
                       *branch, asked.token,
                       error(ErrorCode::kUnavailable, "the branch still waits for a connection"));
                   become_rolling_back(*branch, {}, "it voted NO while it waited for a connection");
                 },
                 [&](Open&) { vote_open(*branch, asked); },
                 [&](RollingBack&) { vote_no(*branch, asked.token, ended_error(*branch)); },
                 [&](Preparing& preparing) {
                   if (same_request(*branch, asked)) {
                     preparing.callers.push_back(Caller{asked.token, asked.ballot});
                   }
                 },
                 [&](OneOf<Prepared, Finishing> auto&) { vote_again(*branch, asked); },
                 [&](Ended&) {
                   if (branch->vote) {
                     vote_again(*branch, asked);
                   } else {
                     vote_no(*branch, asked.token, ended_error(*branch));
                   }
                 },
             },
             branch->state);
}

// A failed branch needs no PREPARE to vote NO. With statements in flight it may yet be mended by a
// ROLLBACK TO SAVEPOINT among them; then PREPARE, pipelined behind them, tells.
void BranchTable::Core::vote_open(Branch& branch, const PrepareAsked& asked) {
  if (asked.statements != branch.answers.count()) {
    vote_no(branch, asked.token,
            error(ErrorCode::kStatementNumber,
                  "the client counted " + std::to_string(asked.statements) + " statements, " +
                      std::to_string(branch.answers.count()) + " arrived"));
    return become_rolling_back(branch, {}, "it voted NO: statements were lost");
  }
  if (branch.failure && branch.answers.in_flight() == 0) {
    vote_no(branch, asked.token, *branch.failure);
    return become_rolling_back(branch, {}, "it voted NO: a statement had failed");
  }
  become_preparing(branch, {Caller{asked.token, asked.ballot}});
}

// A YES holds for the statements that were counted then. Another count is another request: an
// error, because a NO would contradict the YES. False: the caller was told.
bool BranchTable::Core::same_request(const Branch& branch, const PrepareAsked& asked) {
  if (asked.statements == branch.answers.count()) {
    return true;
  }
  refuse(asked.token, ErrorCode::kStatementNumber,
         "branch " + to_string(branch.id) + " is " + std::string(name(branch.state)) + " with " +
             std::to_string(branch.answers.count()) + " statements, not " +
             std::to_string(asked.statements));
  return false;
}

// Precondition: it has voted.
void BranchTable::Core::vote_again(const Branch& branch, const PrepareAsked& asked) {
  std::visit(Overloaded{
                 [&](const Yes& yes) {
                   if (same_request(branch, asked)) {
                     reply(asked.token, yes);
                   }
                 },
                 [&](const std::shared_ptr<const No>& no) { reply(asked.token, *no); },
             },
             *branch.vote);
}

// A NO for a branch that is not in memory harms no YES:
// 1. A branch of this life is in memory from its opening until it has ended, and PREPARE is sent
//    for branches in memory only. So one of this life that is not in memory has nothing in flight;
//    it ended long ago, or its connection was refused, or it was never opened. In the last case it
//    is buried, so that it is never opened afterwards either.
// 2. A branch of an older life may be prepared, and its YES may have reached a leader. Votes are
//    only proposals, though: the outcome is decided once, by the log (R1).
// 3. If Committed takes effect first, this NO changes nothing, and the branch, still prepared, is
//    committed by its gid. If Aborted does, no Committed ever takes effect, and the branch is
//    rolled back by its gid, which the leader knows from its list or from the inventory.
void BranchTable::Core::vote_without_branch(const PrepareAsked& asked) {
  const Error reason = error(ErrorCode::kUnknownBranch,
                             "branch " + to_string(asked.branch) +
                                 " is not known here: never opened, or the agent restarted since");
  if (never_issued(asked.branch)) {
    bury(asked.branch, "it was asked to prepare before it was opened");
  }
  if (Branch* const buried = memory_.find(asked.branch)) {
    return vote_no(*buried, asked.token, reason);
  }
  ++counters_.voted_no;
  reply(asked.token, No{reason});
}

// Answers NO, with the first reason ever given. Safe before the branch has rolled back: nothing
// asks for PREPARE after a NO, so PostgreSQL rolls it back even if this process dies.
void BranchTable::Core::vote_no(Branch& branch, Token token, const Error& reason) {
  if (!branch.vote) {
    branch.vote = std::make_shared<const No>(No{reason});
    ++counters_.voted_no;
  }
  const auto* const no = std::get_if<std::shared_ptr<const No>>(&*branch.vote);
  CHECK(no != nullptr, "a vote never changes");
  reply(token, **no);
}

void BranchTable::Core::on(const PrepareDone& done) {
  Branch* const branch = memory_.find(done.branch);
  if (branch == nullptr || branch->ended()) {
    // The connection's loss was reported before; that meant that PREPARE was not sent.
    CHECK(!done.result, "nothing is prepared after its branch has ended");
    return;
  }
  std::visit(Overloaded{
                 [&](Preparing&) {
                   if (done.result) {
                     prepared(*branch, *done.result);
                   } else if (done.result.error().code == ErrorCode::kStaleBallot) {
                     prepare_not_sent(*branch, done.result.error());
                   } else {
                     not_prepared(*branch, done.result.error());
                   }
                 },
                 [&](OneOf<Waiting, Open, RollingBack, Prepared, Finishing, Ended> auto&) {
                   impossible(*branch, "PrepareDone");
                 },
             },
             branch->state);
}

void BranchTable::Core::prepared(Branch& branch, const Evidence& evidence) {
  const Preparing preparing = std::move(std::get<Preparing>(branch.state));
  CHECK(!preparing.gone, "PREPARE without a transaction answers ROLLBACK (POSTGRES.md, row 2)");
  branch.vote = Yes{evidence};
  ++counters_.voted_yes;
  release(branch);  // a prepared transaction needs no connection
  become_prepared(branch, evidence);
  fail_statements(branch, error(ErrorCode::kUnavailable,
                                "the statement's answer was lost; its branch is prepared"));
  for (const Caller& caller : preparing.callers) {
    reply(caller.token, Yes{evidence});
  }
  if (!preparing.rollback_callers.empty()) {
    finish(branch, evidence, Outcome::kAborted, preparing.rollback_callers);
  }
}

// PREPARE that fails has ended the transaction: there is nothing to roll back (POSTGRES.md, row 3).
void BranchTable::Core::not_prepared(Branch& branch, const Error& why) {
  const Preparing preparing = std::move(std::get<Preparing>(branch.state));
  const Error reason = branch.failure ? *branch.failure : completed(why);
  const Fate fate = preparing.gone.value_or(Fate::kRolledBack);
  const FinishResult result = result_of(fate, Outcome::kAborted);
  if (branch.ended_because.empty()) {
    branch.ended_because = "it could not be prepared: " + reason.message;
  }
  release(branch);
  fail_statements(branch, reason);
  for (const Caller& caller : preparing.callers) {
    vote_no(branch, caller.token, reason);
  }
  for (const Caller& caller : preparing.rollback_callers) {
    reply(caller.token, result);
  }
  count_end(Outcome::kAborted, result);
  become_ended(branch, fate);
}

// The ballot had grown in between. Whoever asked under the new one still wants the vote, unless a
// rollback was asked for meanwhile. That one is as good as when it was asked for: the branch has
// voted nothing, so it may end without regard to ballots.
void BranchTable::Core::prepare_not_sent(Branch& branch, const Error& why) {
  Preparing preparing = std::move(std::get<Preparing>(branch.state));
  CHECK_LT(preparing.ballot, ballot_, "only a stale ballot may not send");
  refuse_stale(preparing.callers, completed(why));
  if (preparing.gone || !preparing.rollback_callers.empty()) {
    RollingBack rolling_back{.fate = preparing.gone.value_or(Fate::kRolledBack)};
    for (const Caller& caller : preparing.rollback_callers) {
      rolling_back.callers.push_back(caller.token);
    }
    become_rolling_back(branch, std::move(rolling_back), "it was rolled back before its prepare");
    for (const Caller& caller : preparing.callers) {
      vote_no(branch, caller.token, ended_error(branch));
    }
  } else if (!preparing.callers.empty()) {
    become_preparing(branch, std::move(preparing.callers));
  } else {
    become_open(branch);
  }
}

}  // namespace assent::branch
