// The kinds of faults.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace assent::simulation {

enum class Fault {
  kCrash,            // of any replica
  kCrashLeader,      // of the one that serves
  kCrashCandidate,   // right after a candidate's first words
  kPowerCut,         // all at once
  kAbsence,          // of a replica, for so long that the log it lacks may be gone
  kPause,            // a process stands still; its clocks go on
  kHalves,           // a partition in two groups
  kLeaderCutOff,     // from everybody else
  kOneWay,           // one group does not hear the other
  kBridge,           // two groups that meet in one member only
  kChain,            // each hears its two neighbours only
  kReset,            // a connection breaks; what was on its way is lost
  kLossy,            // many messages are lost, doubled and late
  kSlowNetwork,      // every message takes long
  kSlowDisk,         // every flush takes long
  kStalledDisk,      // no flush ends for longer than a leader may wait
  kClockJump,        // of a wall clock
  kFullDisk,         // a few more records fit, and no snapshot
  kRot,              // records rot while a replica is down
  kWipe,             // a disk is lost with all that was on it
  kTransfer,         // the leader is asked to hand over; no fault, but a disturbance
  kRepairedRestart,  // of a replica whose log has damage that is repaired: all such, at the healing
  kOtherVersion,     // a replica is started again by an older or a newer version of the program
};
inline constexpr std::size_t kFaultKinds = 23;

std::string_view name(Fault fault);

// How often each struck.
using FaultCounts = std::array<std::uint64_t, kFaultKinds>;

}  // namespace assent::simulation
