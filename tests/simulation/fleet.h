// Runs many seeds, on several processes: a run that ends its process takes no other with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/canary.h"
#include "tests/simulation/figures.h"

namespace assent::simulation {

// Seeds from `first` to `last`, both included.
struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t last = 1;

  [[nodiscard]] std::uint64_t count() const { return last - first + 1; }
};

struct Fleet {
  std::function<Run(std::uint64_t seed)> run_seed;
  SeedRange seeds;
  Canary canary = Canary::kNone;  // the breakage that is switched on
  unsigned processes = 1;         // at least one
  // No run is begun after it, whatever seeds are left; none: every seed is run.
  std::optional<std::chrono::steady_clock::time_point> until = std::nullopt;
};

// Runs every seed once, and hands over each run as it ends, in no particular order. A run in which
// the process died is one with a violation, too.
void run_fleet(const Fleet& fleet, const std::function<void(const Run&)>& on_run);

}  // namespace assent::simulation
