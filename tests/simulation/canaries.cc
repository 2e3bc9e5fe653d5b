#include "tests/simulation/canaries.h"

#include <algorithm>

namespace assent {

Canary& active_canary() {
  static Canary active = Canary::kNone;
  return active;
}

}  // namespace assent

namespace assent::simulation {

// The seeds belong to the simulator as it is: a change of its choices moves them. Then
// `tests/simulation/run --canary NAME --seeds 1..200` tells new ones.
const std::vector<CanaryRecord>& canary_records() {
  static const std::vector<CanaryRecord> records = {
      {Canary::kAnswerBeforePersist, "answer-before-persist", 1, Checker::kDurableBeforeTold},
      {Canary::kForgottenPromise, "forgotten-promise", 1, Checker::kDurableBeforeTold},
      {Canary::kBallotReuse, "ballot-reuse", 2, Checker::kBallotsNeverReused},
      {Canary::kOwnCountsUnpersisted, "own-counts-unpersisted", 1, Checker::kLearnedIsChosen},
      {Canary::kMinorityQuorum, "minority-quorum", 1, Checker::kLearnedIsChosen},
      {Canary::kOwnValueOverAccepted, "own-value-over-accepted", 2, Checker::kAgreement},
      {Canary::kLowestBallotValue, "lowest-ballot-value", 64, Checker::kAgreement},
      {Canary::kPromiseWithoutAccepted, "promise-without-accepted", 2, Checker::kAgreement},
      {Canary::kAcceptBelowPromise, "accept-below-promise", 5, Checker::kPromiseKept},
      {Canary::kChosenOverOtherBallot, "chosen-over-other-ballot", 2, Checker::kLearnedIsChosen},
      {Canary::kSkippedHole, "skipped-hole", 394, Checker::kLeaderAfterHeal},
      {Canary::kStaleRead, "stale-read", 37, Checker::kLinearizableReads},
      {Canary::kServeBeforeOwnNoOp, "serve-before-own-no-op", 22, Checker::kLinearizableReads},
      {Canary::kAnswerWhenProposed, "answer-when-proposed", 1, Checker::kAcknowledged},
      {Canary::kAnswerAfterOfficeLost, "answer-after-office-lost", 2, Checker::kAcknowledged},
      {Canary::kLocalTime, "local-time", 1, Checker::kEqualStates},
      {Canary::kEverybodyWelcome, "everybody-welcome", 1, Checker::kStableLeader},
      {Canary::kDeafLeader, "deaf-leader", 18, Checker::kLeaderGivesWay},
      {Canary::kPatientLeader, "patient-leader", 10, Checker::kLeaderGivesWay},
      {Canary::kPromiseDespiteTruncation, "promise-despite-truncation", 105,
       Checker::kLearnedIsChosen},
      {Canary::kNoOffers, "no-offers", 11, Checker::kCaughtUpAfterHeal},
      {Canary::kGovernsAtOnce, "governs-at-once", 2, Checker::kOneGroupPerSlot},
      {Canary::kLearnerCounts, "learner-counts", 2, Checker::kLearnedIsChosen},
      {Canary::kTwoChangesAtOnce, "two-changes-at-once", 154, Checker::kNeighboursIntersect},
      {Canary::kRemovedLeader, "removed-leader", 3, Checker::kLeaderIsMember},
      {Canary::kPromiseWhileRecovering, "promise-while-recovering", 825, Checker::kAgreement},
      {Canary::kStandWhileRecovering, "stand-while-recovering", 135, Checker::kAgreement},
      {Canary::kMarkBehindDamage, "mark-behind-damage", 47, Checker::kLearnedIsChosen},
  };
  return records;
}

std::optional<CanaryRecord> find_canary(std::string_view name) {
  const auto& records = canary_records();
  const auto found = std::find_if(records.begin(), records.end(),
                                  [&](const CanaryRecord& one) { return one.name == name; });
  return found == records.end() ? std::nullopt : std::optional(*found);
}

}  // namespace assent::simulation
