// Rare orders of events, made less rare: at each point the code may take an unusual path that it
// must always be able to take. In a program of ours every one is constant false; only
// tests/simulation compiles them in; tests/simulation/buggify.h says which are on in a run.
#pragma once

#include <cstddef>

namespace assent {

enum class Point {
  kForgetLate,           // office: what has finished is forgotten by a later event
  kInventoryTwice,       // office: an inventory is taken in twice
  kOrphansLater,         // office: an orphan is left to the next inventory
  kOverloaded,           // office: a client is told to come again
  kForgetBranchesEarly,  // branch table: an ended branch is forgotten before its time
  kPauseBeforeFinish,    // finishers: COMMIT or ROLLBACK PREPARED is sent late
  kDropBeforeGrant,      // work pool: a connection breaks as a branch is to get it
  kPauseBeforeSettle,    // settle: a PREPARE without an answer is looked for late
  kLateBarrier,          // control: a barrier is written late
  kBatchOfOne,           // replica: one command makes an entry
  kChunkOfOne,           // replica: a chunk of a snapshot holds one record
  kLateGreeting,         // sessions: what a greeting answered is taken in late
  kLandmarkSoon,         // landmarks: the next one is written at once
  kLateClaim,            // identity: an epoch is claimed late
};
inline constexpr std::size_t kPoints = 14;

#ifdef ASSENT_CANARIES
// True now and then, if this point is on in this run.
bool buggify(Point point);
#else
constexpr bool buggify(Point /*point*/) {
  return false;
}
#endif

}  // namespace assent
