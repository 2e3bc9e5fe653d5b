// Deliberate breakages, each of one rule, that prove that the simulator's checkers can fail. In a
// program of ours every one is constant false; only tests/simulation compiles them in.
#pragma once

namespace assent {

enum class Canary {
  kNone = 0,
  kAnswerBeforePersist,       // R2: a message leaves before what it says is durable
  kForgottenPromise,          // R2: a promise is answered and never written
  kBallotReuse,               // a candidate does not write its own ballot down before it uses it
  kOwnCountsUnpersisted,      // R2: the leader counts its own acceptance before it is durable
  kMinorityQuorum,            // quorums that need not intersect
  kOwnValueOverAccepted,      // phase 2a: no-ops where a promise reported a value
  kLowestBallotValue,         // phase 2a: the value of the lowest ballot reported
  kPromiseWithoutAccepted,    // phase 1b: a promise that reports nothing
  kAcceptBelowPromise,        // phase 2b: the promise is not looked at
  kChosenOverOtherBallot,     // a follower takes for chosen what it accepted under another ballot
  kSkippedHole,               // a new leader leaves the holes that it found
  kStaleRead,                 // R10: a read without a quorum round
  kServeBeforeOwnNoOp,        // R1: a leader serves before it has executed its own no-op
  kAnswerWhenProposed,        // R1: a command is answered before its slot is executed
  kAnswerAfterOfficeLost,     // R3: what was pending when the office was lost is answered
  kLocalTime,                 // the state machine is given this replica's own clock
  kEverybodyWelcome,          // pre-vote: a candidacy is welcome, whoever is heard to lead
  kDeafLeader,                // check-quorum: a leader goes on although it hears nobody
  kPatientLeader,             // a leader goes on although its disk stands still
  kPromiseDespiteTruncation,  // phase 1b: what is no longer kept of the log is left out
  kNoOffers,                  // a leader offers no snapshot to who lacks what it no longer keeps
  kGovernsAtOnce,             // a change of the group governs the slot right after its own
  kLearnerCounts,             // quorums count learners
  kTwoChangesAtOnce,          // a change is not refused while an earlier one does not govern yet
  kRemovedLeader,             // a leader goes on in slots whose group it has left
  kPromiseWhileRecovering,    // an acceptor that lost records promises at once
  kStandWhileRecovering,      // and stands for leader
  kMarkBehindDamage,          // a chosen mark is trusted although records in front of it are lost
  kPromisesOfOldGroup,        // a leader goes on to a new group without its members' promises
  kAnyRecoveryNonce,          // an answer to an earlier life makes a recovering acceptor whole
  kWipedDiskAccepted,         // a replica whose disk was wiped takes part under its old id
  kFullDiskVotes,             // a replica whose disk is full answers before it has written
  kUnreadableSkipped,         // a chosen entry of a newer version is skipped
  // ── of the whole system: tests/simulation/system/mutants.cc
  kUnloggedAbort,           // R3: recovery rolls back before Aborted took effect
  kPhaseTwoWhenProposed,    // R1: phase two begins before Committed is executed
  kToldWhenProposed,        // R1: a client is told before Committed is executed
  kCommitBeforeVotes,       // R7: the first vote decides for all
  kReaderListed,            // R11: who voted READ_ONLY is listed like who voted YES
  kOnlyFirstListed,         // R5: only the first branch is listed
  kLostFinishConfirms,      // R14: a finish without an answer counts as confirmed
  kHeuristicUnlogged,       // R7: who ended a branch otherwise than decided is not in the log
  kForgetUnconfirmed,       // R14: a transaction is forgotten before its branches have confirmed
  kRecordDroppedEarly,      // R14: a record leaves above the floor
  kFirstInIgnored,          // R9: every copy of a commit counts as the first
  kAppliedTooSoon,          // APPLIED is told while branches are pending
  kOnePhaseBeforeVotes,     // R11: the writer commits in one phase before the others have voted
  kAbortUnsettled,          // R12: what may have committed in one phase is aborted unsettled
  kOutcomeRowUnread,        // R12: an unknown branch votes NO unread
  kOutcomeRowMissing,       // R12: a commit in one phase writes no outcome row
  kOnePhaseLossIsNo,        // R12: a one-phase COMMIT without an answer counts as failed
  kPrepareAnswerIgnored,    // R7: whatever PREPARE answers is a YES
  kLostPrepareIsNo,         // R6: a PREPARE without an answer counts as failed
  kMiscountPrepared,        // a branch whose rows are not as expected votes YES once it is prepared
  kRollbackConfirmedEarly,  // R6: a prepare is under way when its rollback is confirmed
  kBallotIgnored,           // R4: agents obey leaders whose ballot is over
  kMissingIsCommitted,      // R7: a gid that is missing has been finished as asked
  kMissingIsAborted,        // R7: a gid that is missing has been rolled back
  kXidOfAnotherHistory,     // R7: a number that was given out again after a restore is the branch's
  kHazardAsDone,            // R7: a branch of whom nobody knows has ended as decided
  kRefusedIsAborted,        // R10: a client takes every refusal for an abort
  kCommittedOverBreak,      // R14: a YES that may be lost with its database's history commits
  kBreakNotRedriven,        // R14: nobody looks for commits that may be lost with a history
  kIdReusedUnchecked,       // R9: whoever asks under a known id is told its outcome
  kClockUnchecked,          // R17: ids may be ahead of every clock
  kSessionIgnoresTimeline,  // R6: a life goes on with a server that was promoted
  kLandmarkReadLate,        // a greeting is held to a landmark that was written after it
  kSwitchBelieved,          // R7: a promotion proves what its standby had, whatever the log knows
  kQuarantineIgnored,  // R15: a restored coordinator presumes what the lost log has not told it
  kCloneLetIn,         // R16: a copy may serve that lacks what the log knows of its landmarks
  kFinishesKept,       // an office remembers every transaction that it has finished
};

#ifdef ASSENT_CANARIES
// The one that is switched on in this process; set by the simulator between runs.
Canary& active_canary();
inline bool canary(Canary which) {
  return active_canary() == which;
}
#else
constexpr bool canary(Canary /*which*/) {
  return false;
}
#endif

}  // namespace assent
