// What a run came to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/buggify.h"
#include "tests/simulation/fault_kinds.h"
#include "tests/simulation/network.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/violation.h"

namespace assent::simulation {

// Durations by size: each step is a quarter of a power of two of milliseconds.
inline constexpr std::size_t kDurationSteps = 72;
using Durations = std::array<std::uint64_t, kDurationSteps>;

inline constexpr std::size_t kTroublesMax = 24;

// Of a run of the whole system.
struct SystemFigures {
  std::uint64_t transactions = 0;  // begun
  std::uint64_t committed = 0;     // told so
  std::uint64_t aborted = 0;
  std::uint64_t one_phase = 0;
  std::uint64_t unknown = 0;  // a client was told that the outcome is not known
  std::uint64_t agent_lives = 0;
  std::uint64_t server_crashes = 0;
  std::array<std::uint64_t, kTroublesMax> troubles{};  // by system::Trouble
  std::array<std::uint64_t, 5> gid_events{};           // by model::GidEvent::Kind
  // Of branches that were prepared when the world was healed: from then until they were finished.
  Durations in_doubt{};
  Micros in_doubt_max = 0;
  std::array<std::uint64_t, kPoints> buggified{};  // hits, by Point
};

// In numbers.
struct Figures {
  std::uint64_t seed = 0;
  Micros time = 0;             // simulated
  std::uint64_t commands = 0;  // chosen, each counted once
  std::uint64_t slots = 0;
  std::uint64_t repeated = 0;  // executions of a command beyond its first
  std::uint64_t acknowledged = 0;
  std::uint64_t reads = 0;
  std::uint64_t snapshots_written = 0;
  std::uint64_t snapshots_installed = 0;  // fetched from another replica, and taken in
  std::uint64_t changes = 0;              // of the group
  std::uint64_t refused = 0;              // replicas that came back without their disk
  std::uint64_t fault_total = 0;
  FaultCounts faults{};
  NetworkCounts network;
  Micros leader_after_heal = 0;
  Micros progress_after_heal = 0;
  std::uint64_t trace_hash = 0;
  SystemFigures system;  // zero in a run of the log alone
};

struct Run {
  Figures figures;
  std::optional<Violation> violation;  // none: every checker is content
};

}  // namespace assent::simulation
