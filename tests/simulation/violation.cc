#include "tests/simulation/violation.h"

#include "base/check.h"

namespace assent {

// In place of base/check.cc: a broken invariant ends the run, not the process, so that it is
// reported with its seed.
void fail_check(std::string_view file, int line, std::string_view condition,
                std::string_view detail) {
  simulation::violated(simulation::Checker::kOwnInvariant,
                       std::string(file.substr(file.rfind('/') + 1)) + ":" + std::to_string(line) +
                           ": " + std::string(condition) + ": " + std::string(detail));
}

namespace simulation {

std::string_view name(Checker checker) {
  switch (checker) {
    case Checker::kAgreement:
      return "agreement";
    case Checker::kLearnedIsChosen:
      return "learned-is-chosen";
    case Checker::kEqualStates:
      return "equal-states";
    case Checker::kSnapshotIsState:
      return "snapshot-is-state";
    case Checker::kExactlyOnce:
      return "exactly-once";
    case Checker::kAcknowledged:
      return "acknowledged-is-executed";
    case Checker::kAcknowledgedIsKept:
      return "acknowledged-is-kept";
    case Checker::kLinearizableReads:
      return "linearizable-reads";
    case Checker::kDurableBeforeTold:
      return "durable-before-told";
    case Checker::kWipedIsSilent:
      return "wiped-is-silent";
    case Checker::kPromisesOfGroup:
      return "promises-of-group";
    case Checker::kWholeByThisLife:
      return "whole-by-this-life";
    case Checker::kPromiseKept:
      return "promise-kept";
    case Checker::kOneValuePerBallot:
      return "one-value-per-ballot";
    case Checker::kOneLeaderPerBallot:
      return "one-leader-per-ballot";
    case Checker::kBallotsNeverReused:
      return "ballots-never-reused";
    case Checker::kOneGroupPerSlot:
      return "one-group-per-slot";
    case Checker::kNeighboursIntersect:
      return "neighbours-intersect";
    case Checker::kLeaderIsMember:
      return "leader-is-member";
    case Checker::kLogTime:
      return "log-time";
    case Checker::kBoundedQueues:
      return "bounded-queues";
    case Checker::kLeaderAfterHeal:
      return "leader-after-heal";
    case Checker::kProgressAfterHeal:
      return "progress-after-heal";
    case Checker::kStableLeader:
      return "stable-leader";
    case Checker::kLeaderGivesWay:
      return "leader-gives-way";
    case Checker::kAnsweredAfterHeal:
      return "answered-after-heal";
    case Checker::kCaughtUpAfterHeal:
      return "caught-up-after-heal";
    case Checker::kDecidedFirst:
      return "decided-first";
    case Checker::kCommittedWasPrepared:
      return "committed-was-prepared";
    case Checker::kNeverMeansNever:
      return "never-means-never";
    case Checker::kRunsOnce:
      return "runs-once";
    case Checker::kReusedIsRefused:
      return "reused-is-refused";
    case Checker::kIdsInTime:
      return "ids-in-time";
    case Checker::kAnswersAreFinal:
      return "answers-are-final";
    case Checker::kAppliedIsReadable:
      return "applied-is-readable";
    case Checker::kAtomicity:
      return "atomicity";
    case Checker::kNothingPrepared:
      return "nothing-prepared";
    case Checker::kNothingOpen:
      return "nothing-open";
    case Checker::kStrangersUntouched:
      return "strangers-untouched";
    case Checker::kBallotsFence:
      return "ballots-fence";
    case Checker::kConfirmedIsTrue:
      return "confirmed-is-true";
    case Checker::kHeuristicsAreTold:
      return "heuristics-are-told";
    case Checker::kLostIsTold:
      return "lost-is-told";
    case Checker::kUnbrokenNoHazard:
      return "unbroken-no-hazard";
    case Checker::kUnbrokenIsTrusted:
      return "unbroken-is-trusted";
    case Checker::kLifeKeepsHistory:
      return "life-keeps-history";
    case Checker::kPresumesNothing:
      return "presumes-nothing";
    case Checker::kBoundedMemory:
      return "bounded-memory";
    case Checker::kRowsAsExpected:
      return "rows-as-expected";
    case Checker::kCloneIsRefused:
      return "clone-is-refused";
    case Checker::kUnknownStatement:
      return "unknown-statement";
    case Checker::kTame:
      return "too-tame";
    case Checker::kOwnInvariant:
      return "own-invariant";
    case Checker::kProcess:
      return "process";
  }
  return "?";
}

}  // namespace simulation
}  // namespace assent
