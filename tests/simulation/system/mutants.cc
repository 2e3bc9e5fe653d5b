#include "tests/simulation/system/mutants.h"

#include <algorithm>

namespace assent::simulation::system {

// The seeds belong to the simulator as it is: a change of its choices moves them. Then
// `assent-system-mutants NAME 1 200` tells new ones.
const std::vector<Mutant>& mutants() {
  static const std::vector<Mutant> all = {
      {Canary::kUnloggedAbort, "unlogged-abort", "R3", 1, Checker::kDecidedFirst},
      {Canary::kPhaseTwoWhenProposed, "phase-two-when-proposed", "R1", 2, Checker::kDecidedFirst},
      {Canary::kToldWhenProposed, "told-when-proposed", "R1", 1, Checker::kAnswersAreFinal},
      {Canary::kCommitBeforeVotes, "commit-before-votes", "R7", 1, Checker::kCommittedWasPrepared},
      {Canary::kReaderListed, "reader-listed", "R11", 1, Checker::kCommittedWasPrepared},
      {Canary::kOnlyFirstListed, "only-first-listed", "R5", 1, Checker::kAtomicity},
      {Canary::kLostFinishConfirms, "lost-finish-confirms", "R14", 73, Checker::kAppliedIsReadable},
      {Canary::kForgetUnconfirmed, "forget-unconfirmed", "R14", 72, Checker::kAppliedIsReadable},
      {Canary::kRecordDroppedEarly, "record-dropped-early", "R14", 1, Checker::kLinearizableReads},
      {Canary::kFirstInIgnored, "first-in-ignored", "R9", 61, Checker::kAtomicity},
      {Canary::kAppliedTooSoon, "applied-too-soon", "R10", 1, Checker::kAppliedIsReadable},
      {Canary::kOnePhaseBeforeVotes, "one-phase-before-votes", "R11", 2, Checker::kAtomicity},
      {Canary::kAbortUnsettled, "abort-unsettled", "R12", 67, Checker::kAtomicity},
      {Canary::kOutcomeRowUnread, "outcome-row-unread", "R12", 53, Checker::kAtomicity},
      {Canary::kOutcomeRowMissing, "outcome-row-missing", "R12", 1, Checker::kAnswersAreFinal},
      {Canary::kOnePhaseLossIsNo, "one-phase-loss-is-no", "R12", 169, Checker::kAtomicity},
      {Canary::kPrepareAnswerIgnored, "prepare-answer-ignored", "R7", 47,
       Checker::kCommittedWasPrepared},
      {Canary::kLostPrepareIsNo, "lost-prepare-is-no", "R6", 3, Checker::kNeverMeansNever},
      {Canary::kRollbackConfirmedEarly, "rollback-confirmed-early", "R6", 72,
       Checker::kConfirmedIsTrue},
      {Canary::kBallotIgnored, "ballot-ignored", "R4", 1, Checker::kBallotsFence},
      {Canary::kMissingIsCommitted, "missing-is-committed", "R7", 68, Checker::kConfirmedIsTrue},
      {Canary::kMissingIsAborted, "missing-is-aborted", "R7", 1, Checker::kConfirmedIsTrue},
      {Canary::kRefusedIsAborted, "refused-is-aborted", "R10", 36, Checker::kAtomicity},
  };
  return all;
}

std::optional<Mutant> find_mutant(std::string_view name) {
  const auto& all = mutants();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Mutant& one) { return one.name == name; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

}  // namespace assent::simulation::system
