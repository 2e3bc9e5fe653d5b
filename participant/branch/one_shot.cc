// One-shots: branches that come with their statements, and are asked to vote before they begin.
#include <utility>

#include "base/canary.h"
#include "participant/branch/core.h"

namespace assent::branch {

// A serial runs at most once in this life (R5, R9):
// 1. It runs only when see() says that it may, and see() says so once.
// 2. A duplicate that finds the branch in memory joins it, or gets its vote.
// 3. One that does not is answered with NO: the branch ended long ago, was refused, or is below the
//    low-water mark, and the leader no longer waits for it. If it may have committed in one phase,
//    the row is read first. A YES of it harms nothing: see vote_without_branch.
void BranchTable::Core::open_one_shot(const PrepareAsked& asked) {
  const auto serial = one_shot_serial(asked.branch.attempt);
  if (!serial) {
    return refuse(asked.token, ErrorCode::kInvalidArgument,
                  "attempt " + to_string(asked.branch.attempt) +
                      " is not one that a leader issues, but comes with statements");
  }
  if (!serials_.see(*serial, asked.low_water)) {
    if (asked.one_phase && !canary(Canary::kOutcomeRowUnread)) {
      return vote_by_row(asked);
    }
    return vote_no_without_branch(asked.token, unknown_error(asked.branch));
  }
  if (const auto why = unfit(asked)) {
    return refuse_one_shot(asked, *why);
  }
  Branch& branch = memory_.add(
      Branch{.id = asked.branch,
             .opened = {},
             .answers = Answers(options_.answers_kept),
             .state = Queued{asked.one_shot, {{asked.token, asked.ballot, asked.one_phase}}}});
  ++counters_.opened;
  ++counters_.one_shots;
  counters_.statements += asked.one_shot->statements.size();
  run(Acquire{branch.id});
}

// Why a one-shot that may run does not; none when it does.
std::optional<Error> BranchTable::Core::unfit(const PrepareAsked& asked) const {
  const TransactionId& transaction = asked.branch.transaction;
  if (const Branch* const other = memory_.find(transaction)) {
    return error(ErrorCode::kBranchEnded, "transaction " + to_string(transaction) +
                                              " already had branch " + to_string(other->id) +
                                              ": one attempt of it at a time (R5)");
  }
  if (settles_.contains(transaction)) {
    return error(ErrorCode::kBranchEnded,
                 "transaction " + to_string(transaction) +
                     " is being settled: it opens no branch here any more");
  }
  if (memory_.live_count() >= options_.branches_max) {
    return error(ErrorCode::kOverloaded,
                 std::to_string(options_.branches_max) + " branches are live here already");
  }
  return unfit(*asked.one_shot);
}

std::optional<Error> BranchTable::Core::unfit(const OneShotBranch& work) const {
  for (std::size_t i = 0; i < work.statements.size(); ++i) {
    if (auto why = unfit(work.statements[i].sql)) {
      why->message = "statement " + std::to_string(i + 1) + ": " + why->message;
      return why;
    }
  }
  return std::nullopt;
}

// It never runs, because its serial was seen; it is buried so that a repeat gets the same reason.
void BranchTable::Core::refuse_one_shot(const PrepareAsked& asked, const Error& why) {
  if (memory_.find(asked.branch.transaction) != nullptr) {
    return vote_no_without_branch(asked.token, why);
  }
  bury(asked.branch, "it was refused: " + why.message);
  vote_no(*memory_.find(asked.branch), asked.token, why);
}

void BranchTable::Core::start_one_shot(Branch& branch) {
  Queued queued = std::move(std::get<Queued>(branch.state));
  refuse_stale(queued.callers, stale_error());
  if (queued.callers.empty()) {
    return end_before_begin(branch);
  }
  become_preparing(branch, std::move(queued.callers), std::move(queued.work));
}

// It is not sent again for those who asked under the new ballot: its attempt is of an older office.
void BranchTable::Core::one_shot_not_begun(Branch& branch, const Preparing& preparing) {
  for (const Caller& caller : preparing.rollback_callers) {
    reply(caller.token, FinishResult::kDone);
  }
  branch.ended_because = "its leader's term was over before it began";
  vote_no(branch, preparing.callers, ended_error(branch));
  end_before_begin(branch);
}

// There is nothing to roll back.
void BranchTable::Core::end_before_begin(Branch& branch) {
  branch.ended_because = "its leader's term was over before it began";
  release(branch);
  count_end(Outcome::kAborted, FinishResult::kDone);
  become_ended(branch, Fate::kRolledBack);
}

}  // namespace assent::branch
