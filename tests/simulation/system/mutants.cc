#include "tests/simulation/system/mutants.h"

namespace assent::simulation::system {

// The seeds belong to the simulator as it is: a change of its choices moves them. Then
// `tests/simulation/run --canary NAME --seeds 1..200` tells new ones.
const std::vector<CanaryRecord>& mutants() {
  static const std::vector<CanaryRecord> all = {
      {Canary::kUnloggedAbort, "unlogged-abort", 1, Checker::kDecidedFirst, "R3"},
      {Canary::kPhaseTwoWhenProposed, "phase-two-when-proposed", 2, Checker::kDecidedFirst, "R1"},
      {Canary::kToldWhenProposed, "told-when-proposed", 1, Checker::kAnswersAreFinal, "R1"},
      {Canary::kCommitBeforeVotes, "commit-before-votes", 4, Checker::kCommittedWasPrepared, "R7"},
      {Canary::kReaderListed, "reader-listed", 1, Checker::kCommittedWasPrepared, "R11"},
      {Canary::kOnlyFirstListed, "only-first-listed", 1, Checker::kAtomicity, "R5"},
      {Canary::kLostFinishConfirms, "lost-finish-confirms", 3, Checker::kAppliedIsReadable, "R14"},
      {Canary::kHeuristicUnlogged, "heuristic-unlogged", 5, Checker::kHeuristicsAreTold, "R7"},
      {Canary::kForgetUnconfirmed, "forget-unconfirmed", 2, Checker::kAppliedIsReadable, "R14"},
      {Canary::kRecordDroppedEarly, "record-dropped-early", 1, Checker::kLinearizableReads, "R14"},
      {Canary::kFirstInIgnored, "first-in-ignored", 2, Checker::kAtomicity, "R9"},
      {Canary::kAppliedTooSoon, "applied-too-soon", 1, Checker::kAppliedIsReadable, "R10"},
      {Canary::kOnePhaseBeforeVotes, "one-phase-before-votes", 10, Checker::kAtomicity, "R11"},
      {Canary::kAbortUnsettled, "abort-unsettled", 2, Checker::kAtomicity, "R12"},
      {Canary::kOutcomeRowUnread, "outcome-row-unread", 10, Checker::kAtomicity, "R12"},
      {Canary::kOutcomeRowMissing, "outcome-row-missing", 1, Checker::kAnswersAreFinal, "R12"},
      {Canary::kOnePhaseLossIsNo, "one-phase-loss-is-no", 12, Checker::kAtomicity, "R12"},
      {Canary::kPrepareAnswerIgnored, "prepare-answer-ignored", 47, Checker::kCommittedWasPrepared,
       "R7"},
      {Canary::kLostPrepareIsNo, "lost-prepare-is-no", 2, Checker::kNeverMeansNever, "R6"},
      {Canary::kMiscountPrepared, "miscount-prepared", 1, Checker::kRowsAsExpected, "ADR 12"},
      {Canary::kRollbackConfirmedEarly, "rollback-confirmed-early", 2, Checker::kConfirmedIsTrue,
       "R6"},
      {Canary::kBallotIgnored, "ballot-ignored", 2, Checker::kBallotsFence, "R4"},
      {Canary::kMissingIsCommitted, "missing-is-committed", 23, Checker::kConfirmedIsTrue, "R7"},
      {Canary::kMissingIsAborted, "missing-is-aborted", 1, Checker::kConfirmedIsTrue, "R7"},
      {Canary::kXidOfAnotherHistory, "xid-of-another-history", 10'018, Checker::kConfirmedIsTrue,
       "R7"},
      {Canary::kHazardAsDone, "hazard-as-done", 10'009, Checker::kConfirmedIsTrue, "R7"},
      {Canary::kRefusedIsAborted, "refused-is-aborted", 2, Checker::kAtomicity, "R10"},
      {Canary::kBreakNotRedriven, "break-not-redriven", 10'003, Checker::kLostIsTold, "R14"},
      {Canary::kIdReusedUnchecked, "id-reused-unchecked", 1, Checker::kReusedIsRefused, "R9"},
      {Canary::kClockUnchecked, "clock-unchecked", 31, Checker::kIdsInTime, "R17"},
      {Canary::kSessionIgnoresTimeline, "session-ignores-timeline", 12, Checker::kLifeKeepsHistory,
       "R6"},
      {Canary::kLandmarkReadLate, "landmark-read-late", 1, Checker::kUnbrokenIsTrusted, "R6"},
      {Canary::kCommittedOverBreak, "committed-over-break", 10'098, Checker::kCommittedWasPrepared,
       "R14"},
      {Canary::kSwitchBelieved, "switch-believed", 10'196, Checker::kConfirmedIsTrue, "R7"},
      {Canary::kQuarantineIgnored, "quarantine-ignored", 20'004, Checker::kPresumesNothing, "R15"},
      {Canary::kCloneLetIn, "clone-let-in", 7, Checker::kCloneIsRefused, "R16"},
      {Canary::kFinishesKept, "finishes-kept", 4, Checker::kBoundedMemory, "R14"},
  };
  return all;
}

}  // namespace assent::simulation::system
