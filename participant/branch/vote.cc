// Asking a branch to prepare, and its one vote.
#include <utility>

#include "base/canary.h"
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
                 // One way of asking joins the other: there is one vote.
                 [&](OneOf<Queued, Draining, Preparing> auto& voting) {
                   if (same_request(*branch, asked)) {
                     voting.callers.push_back({asked.token, asked.ballot, asked.one_phase});
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
// ROLLBACK TO SAVEPOINT among them. Then PREPARE, pipelined behind them, tells; but it knows
// nothing of a wrong number of rows, so for that the answers are awaited.
void BranchTable::Core::vote_open(Branch& branch, const PrepareAsked& asked) {
  if (asked.statements != branch.answers.count()) {
    vote_no(branch, asked.token,
            error(ErrorCode::kStatementNumber,
                  "the client counted " + std::to_string(asked.statements) + " statements, " +
                      std::to_string(branch.answers.count()) + " arrived"));
    return become_rolling_back(branch, {}, "it voted NO: statements were lost");
  }
  Callers callers{{asked.token, asked.ballot, asked.one_phase}};
  if (branch.answers.in_flight() == 0) {
    return vote_now(branch, std::move(callers));
  }
  const bool miscounted = branch.failure && branch.failure->code == ErrorCode::kRowCount;
  if (miscounted || branch.answers.expecting()) {
    return become_draining(branch, std::move(callers));
  }
  become_preparing(branch, std::move(callers));
}

// Precondition: nothing is in flight.
void BranchTable::Core::vote_now(Branch& branch, Callers callers) {
  if (branch.failure) {
    vote_no(branch, callers, *branch.failure);
    return become_rolling_back(branch, {}, "it voted NO: a statement had failed");
  }
  become_preparing(branch, std::move(callers));
}

// The ballot may have grown while the answers were awaited.
void BranchTable::Core::drained(Branch& branch) {
  Callers callers = take_voters(branch.state);
  refuse_stale(callers, stale_error());
  if (callers.empty()) {
    return become_open(branch);
  }
  vote_now(branch, std::move(callers));
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
  const bool voted_no = std::holds_alternative<std::shared_ptr<const No>>(*branch.vote);
  if (voted_no || same_request(branch, asked)) {
    reply_vote(asked.token, *branch.vote);
  }
}

void BranchTable::Core::reply_vote(Token token, const Vote& vote) {
  std::visit(Overloaded{
                 [&](const std::shared_ptr<const No>& no) { reply(token, *no); },
                 [&](const auto& voted) { reply(token, voted); },
             },
             vote);
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
// 4. One that was asked to commit in one phase may have: then there is an outcome row, which is
//    read first (R12). One of this life that was never issued needs no look: it never began.
void BranchTable::Core::vote_without_branch(const PrepareAsked& asked) {
  if (asked.one_shot && asked.branch.epoch == options_.epoch) {
    return open_one_shot(asked);
  }
  const bool never_began = never_issued(asked.branch);
  if (never_began) {
    bury(asked.branch, "it was asked to prepare before it was opened");
  } else if (asked.one_phase && !canary(Canary::kOutcomeRowUnread)) {
    return vote_by_row(asked);
  }
  if (Branch* const buried = memory_.find(asked.branch)) {
    return vote_no(*buried, asked.token, unknown_error(asked.branch));
  }
  vote_no_without_branch(asked.token, unknown_error(asked.branch));
}

void BranchTable::Core::vote_no_without_branch(Token token, const Error& reason) {
  ++counters_.voted_no;
  reply(token, No{reason});
}

Error BranchTable::Core::unknown_error(const BranchId& id) const {
  return error(
      ErrorCode::kUnknownBranch,
      "branch " + to_string(id) +
          " is not known here: never opened, ended long ago, or the agent restarted since");
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

void BranchTable::Core::vote_no(Branch& branch, const Callers& callers, const Error& reason) {
  for (const Caller& caller : callers) {
    vote_no(branch, caller.token, reason);
  }
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
                     succeeded(*branch, done);
                   } else if (done.result.error().code == ErrorCode::kStaleBallot) {
                     prepare_not_sent(*branch, done.result.error());
                   } else {
                     not_prepared(*branch, done.result.error());
                   }
                 },
                 [&](OneOf<Waiting, Queued, Open, Draining, RollingBack, Prepared, Finishing,
                           Ended> auto&) { impossible(*branch, "PrepareDone"); },
             },
             branch->state);
}

void BranchTable::Core::succeeded(Branch& branch, const PrepareDone& done) {
  const auto& preparing = std::get<Preparing>(branch.state);
  CHECK(!preparing.gone, "PREPARE without a transaction answers ROLLBACK (postgres.md, row 2)");
  const bool one_phase = preparing.one_phase;
  std::visit(Overloaded{
                 [&](const Evidence& evidence) {
                   CHECK(!one_phase, "a commit in one phase prepares nothing");
                   ++counters_.voted_yes;
                   prepared(branch, evidence, Yes{evidence, done.results});
                 },
                 [&](const PreparedInVain& in_vain) {
                   CHECK(!one_phase, "a commit in one phase prepares nothing");
                   prepared_in_vain(branch, in_vain);
                 },
                 [&](const LeftReadOnly&) {
                   ++counters_.voted_read_only;
                   ended_by_vote(branch, Fate::kLeft, ReadOnly{done.results},
                                 "it had only read, and has left");
                 },
                 [&](const CommittedOnePhase&) {
                   CHECK(one_phase, "nobody asked for the commit");
                   ++counters_.committed_one_phase;
                   ++counters_.committed;
                   ended_by_vote(branch, Fate::kCommitted, Committed{done.results},
                                 "it committed in one phase");
                 },
             },
             *done.result);
}

// A NO though it is prepared harms nobody (R3, R5):
// 1. Only Committed of the log commits it, and a leader proposes that after a YES of every branch.
//    This branch says YES to nobody: its vote is kept, and a later life does not know the branch,
//    which is a NO as well. (An operator who ends by hand what nobody knows any more could.)
// 2. It is rolled back as every branch is of which the vote was lost: by the outcome, which goes to
//    all that were asked, or as an inventory finds it.
// 3. It is no NEVER: whoever takes what is prepared for a YES (parallel commit) must not stage it.
void BranchTable::Core::prepared_in_vain(Branch& branch, const PreparedInVain& in_vain) {
  ++counters_.voted_no;
  const Error why = completed(in_vain.why);
  branch.ended_because = "it was prepared in vain: " + why.message;
  prepared(branch, in_vain.evidence, std::make_shared<const No>(No{why, in_vain.evidence}));
}

void BranchTable::Core::prepared(Branch& branch, const Evidence& evidence, Vote vote) {
  const Preparing preparing = std::move(std::get<Preparing>(branch.state));
  branch.vote = std::move(vote);
  release(branch);  // a prepared transaction needs no connection
  become_prepared(branch, evidence);
  fail_statements(branch, error(ErrorCode::kUnavailable,
                                "the statement's answer was lost; its branch is prepared"));
  for (const Caller& caller : preparing.callers) {
    reply_vote(caller.token, *branch.vote);
  }
  if (!preparing.rollback_callers.empty()) {
    finish(branch, evidence, Outcome::kAborted, preparing.rollback_callers);
  }
}

// Nothing of it is left to be finished: a finish only learns how it ended.
void BranchTable::Core::ended_by_vote(Branch& branch, Fate fate, const Vote& vote,
                                      std::string because) {
  const Preparing preparing = std::move(std::get<Preparing>(branch.state));
  branch.vote = vote;
  branch.ended_because = std::move(because);
  release(branch);
  fail_statements(branch, error(ErrorCode::kUnavailable,
                                "the statement's answer was lost; its branch has committed"));
  for (const Caller& caller : preparing.callers) {
    reply_vote(caller.token, vote);
  }
  for (const Caller& caller : preparing.rollback_callers) {
    reply(caller.token, result_of(fate, Outcome::kAborted));
  }
  become_ended(branch, fate);
}

// PREPARE that fails has ended the transaction: there is nothing to roll back (postgres.md, row 3).
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
  vote_no(branch, preparing.callers, reason);
  for (const Caller& caller : preparing.rollback_callers) {
    reply(caller.token, result);
  }
  count_end(Outcome::kAborted, result);
  become_ended(branch, fate);
}

// The ballot had grown in between. Whoever asked under the new one still wants the vote, unless the
// branch's end was asked for meanwhile. That wish is as good as when it was told: the branch has
// voted nothing, so it may end without regard to ballots.
void BranchTable::Core::prepare_not_sent(Branch& branch, const Error& why) {
  Preparing preparing = std::move(std::get<Preparing>(branch.state));
  CHECK_LT(preparing.ballot, ballot_, "only a stale ballot may not send");
  refuse_stale(preparing.callers, completed(why));
  if (branch.one_shot()) {
    return one_shot_not_begun(branch, preparing);
  }
  if (preparing.gone || preparing.cancelled) {
    RollingBack rolling_back{.fate = preparing.gone.value_or(Fate::kRolledBack)};
    for (const Caller& caller : preparing.rollback_callers) {
      rolling_back.callers.push_back(caller.token);
    }
    become_rolling_back(branch, std::move(rolling_back), "it was rolled back before its prepare");
    vote_no(branch, preparing.callers, ended_error(branch));
  } else if (!preparing.callers.empty()) {
    become_preparing(branch, std::move(preparing.callers));
  } else {
    become_open(branch);
  }
}

}  // namespace assent::branch
