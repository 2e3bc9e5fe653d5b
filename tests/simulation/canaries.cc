#include "tests/simulation/canaries.h"

namespace assent {

Canary& active_canary() {
  static Canary active = Canary::kNone;
  return active;
}

}  // namespace assent

namespace assent::simulation {

// The seeds belong to the simulator as it is: a change of its choices moves them. Then
// `tests/simulation/run --log --canary NAME --seeds 1..200` tells new ones.
const std::vector<CanaryRecord>& log_canaries() {
  static const std::vector<CanaryRecord> records = {
      {Canary::kAnswerBeforePersist, "answer-before-persist", 1, Checker::kDurableBeforeTold},
      {Canary::kForgottenPromise, "forgotten-promise", 1, Checker::kDurableBeforeTold},
      {Canary::kBallotReuse, "ballot-reuse", 12, Checker::kBallotsNeverReused},
      {Canary::kOwnCountsUnpersisted, "own-counts-unpersisted", 1, Checker::kLearnedIsChosen},
      {Canary::kMinorityQuorum, "minority-quorum", 4, Checker::kLearnedIsChosen},
      {Canary::kOwnValueOverAccepted, "own-value-over-accepted", 1, Checker::kAgreement},
      {Canary::kLowestBallotValue, "lowest-ballot-value", 9, Checker::kAgreement},
      {Canary::kPromiseWithoutAccepted, "promise-without-accepted", 1, Checker::kAgreement},
      {Canary::kAcceptBelowPromise, "accept-below-promise", 5, Checker::kPromiseKept},
      {Canary::kChosenOverOtherBallot, "chosen-over-other-ballot", 2, Checker::kLearnedIsChosen},
      {Canary::kSkippedHole, "skipped-hole", 8, Checker::kProgressAfterHeal},
      {Canary::kStaleRead, "stale-read", 37, Checker::kLinearizableReads},
      {Canary::kServeBeforeOwnNoOp, "serve-before-own-no-op", 15, Checker::kLinearizableReads},
      {Canary::kAnswerWhenProposed, "answer-when-proposed", 1, Checker::kAcknowledged},
      {Canary::kAnswerAfterOfficeLost, "answer-after-office-lost", 2, Checker::kAcknowledged},
      {Canary::kLocalTime, "local-time", 1, Checker::kEqualStates},
      {Canary::kEverybodyWelcome, "everybody-welcome", 6, Checker::kStableLeader},
      {Canary::kDeafLeader, "deaf-leader", 5, Checker::kLeaderGivesWay},
      {Canary::kPatientLeader, "patient-leader", 2, Checker::kLeaderGivesWay},
      {Canary::kPromiseDespiteTruncation, "promise-despite-truncation", 2,
       Checker::kLearnedIsChosen},
      {Canary::kNoOffers, "no-offers", 5, Checker::kCaughtUpAfterHeal},
      {Canary::kGovernsAtOnce, "governs-at-once", 3, Checker::kOneGroupPerSlot},
      {Canary::kLearnerCounts, "learner-counts", 3, Checker::kLearnedIsChosen},
      {Canary::kTwoChangesAtOnce, "two-changes-at-once", 95, Checker::kNeighboursIntersect},
      {Canary::kRemovedLeader, "removed-leader", 4, Checker::kLeaderIsMember},
      {Canary::kPromiseWhileRecovering, "promise-while-recovering", 117, Checker::kAgreement},
      {Canary::kMarkBehindDamage, "mark-behind-damage", 5, Checker::kLearnedIsChosen},
      {Canary::kAnyRecoveryNonce, "any-recovery-nonce", 36, Checker::kWholeByThisLife},
      {Canary::kStandWhileRecovering, "stand-while-recovering", 2, Checker::kAgreement},
      {Canary::kPromisesOfOldGroup, "promises-of-old-group", 42, Checker::kPromisesOfGroup},
      {Canary::kWipedDiskAccepted, "wiped-disk-accepted", 14, Checker::kWipedIsSilent},
      {Canary::kUnreadableSkipped, "unreadable-skipped", 22, Checker::kEqualStates},
      {Canary::kFullDiskVotes, "full-disk-votes", 1, Checker::kDurableBeforeTold},
  };
  return records;
}

}  // namespace assent::simulation
