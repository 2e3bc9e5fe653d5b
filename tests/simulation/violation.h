// What a checker says when it has seen what may never happen.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace assent::simulation {

enum class Checker {
  kAgreement,        // two values chosen in one slot
  kLearnedIsChosen,  // a replica took for chosen what no quorum has durably accepted
  kEqualStates,      // two replicas, or two lives of one, executed the same slots to other states
  kSnapshotIsState,  // a snapshot holds another state than the one that it was made of
  kExactlyOnce,      // a command took effect twice, or a transaction has two outcomes
  kAcknowledged,     // a client was told what is not executed in the log
  kAcknowledgedIsKept,   // what a client was told is not in a replica's state at the end
  kLinearizableReads,    // a read missed what was told before it was asked
  kDurableBeforeTold,    // R2: a message left before what it says was on the disk
  kWipedIsSilent,        // who lost its disk speaks under its old identity
  kPromisesOfGroup,      // a leader proposes without the promises of the slot's group
  kWholeByThisLife,      // a recovering acceptor is whole, and nobody answered this life of it
  kPromiseKept,          // an acceptance below a promise
  kOneValuePerBallot,    // two values accepted for one slot under one ballot
  kOneLeaderPerBallot,   // two replicas, or two lives of one, led under one ballot
  kBallotsNeverReused,   // two lives asked for promises of one ballot
  kOneGroupPerSlot,      // a replica takes another group for the one that governs a slot
  kNeighboursIntersect,  // quorums of groups that follow on each other have nobody in common
  kLeaderIsMember,       // a leader proposes in a slot whose group it is not in
  kLogTime,              // R17: log time went back, or ran faster than 1.01 times a clock
  kBoundedQueues,        // more waits than is allowed to
  kLeaderAfterHeal,      // no leader serves in time
  kProgressAfterHeal,    // no command is chosen in time
  kStableLeader,         // a leader that hears a quorum was deposed
  kLeaderGivesWay,       // a leader that is cut off, or whose disk stalls, is not succeeded in time
  kAnsweredAfterHeal,    // a client got no answer in time
  kCaughtUpAfterHeal,    // a replica is behind although it could have caught up
  // ── of the whole system
  kDecidedFirst,          // R1, R3: a branch is finished before the log says how
  kCommittedWasPrepared,  // R7: a branch votes YES, or is listed as committed, unprepared
  kNeverMeansNever,       // R6: a branch that voted NO is prepared
  kRunsOnce,              // R9: a one-shot runs twice
  kAnswersAreFinal,       // R10: a client is told what is not so, or both outcomes
  kAppliedIsReadable,     // a client is told that a branch is applied, and it is not committed
  kAtomicity,           // some branches commit and others do not; an account holds what it must not
  kNothingPrepared,     // a branch is left prepared after the healing
  kNothingOpen,         // an agent, an office or a client is left with work after the healing
  kStrangersUntouched,  // R8: somebody else's prepared transaction was ended
  kBallotsFence,        // R4: an agent does what a leader asks whose ballot is over
  kConfirmedIsTrue,     // R7: a branch is confirmed to have ended otherwise than it has
  kHeuristicsAreTold,   // R7: somebody ended a branch otherwise than decided, and nobody is told
  kUnknownStatement,    // the model of PostgreSQL does not know what it is asked
  kTame,                // too few commands or faults: the run proves nothing
  kOwnInvariant,        // an invariant that the code under test checks itself
  kProcess,             // the process died
  // ── of what is lost, reused, or wrong
  kReusedIsRefused,    // R9: another request under an id that is taken is given an outcome
  kIdsInTime,          // R17: a branch is run whose id is too far ahead of every clock
  kLostIsTold,         // acknowledged data of a branch are lost, and nobody is told
  kUnbrokenNoHazard,   // the log tells of a branch that nobody ended and nothing can have lost
  kUnbrokenIsTrusted,  // a database that lost nothing is taken for one that went back
  kLifeKeepsHistory,   // R6: a life of an agent works on in a history that it did not begin in
  kPresumesNothing,    // R15: a restored coordinator ends, or decides, what the lost log may have
  kBoundedMemory,      // an office or an agent keeps more of what is over than it may
  kRowsAsExpected,     // a transaction commits though a statement expected more rows than it got
  kCloneIsRefused,     // R16: an agent serves a copy of its database that lacks what the log knows
};

std::string_view name(Checker checker);

// Thrown by a checker; ends the run.
struct Violation {
  Checker checker;
  std::string what;
};

[[noreturn]] inline void violated(Checker checker, std::string what) {
  throw Violation{checker, std::move(what)};
}

// What is over leaves the memory of `who`: it keeps so many entries of that.
inline void check_memory(const std::string& who, std::size_t entries, std::size_t bound) {
  if (entries <= bound) return;
  violated(Checker::kBoundedMemory,
           who + " keeps " + std::to_string(entries) + " entries of what is over");
}

}  // namespace assent::simulation
