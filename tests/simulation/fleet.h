// Runs many seeds, on several processes: a run that ends its process takes no other with it.
#pragma once

#include <cstdint>
#include <functional>

#include "base/canary.h"
#include "tests/simulation/world.h"

namespace assent::simulation {

// Seeds from `first` to `last`, both included.
struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t last = 1;

  [[nodiscard]] std::uint64_t count() const { return last - first + 1; }
};

// Runs every seed once, with this breakage switched on, and hands over each run as it ends, in no
// particular order. A run in which the process died is one with a violation, too.
// Precondition: at least one process.
void run_fleet(SeedRange seeds, Canary canary, unsigned processes,
               const std::function<void(const Run&)>& on_run);

}  // namespace assent::simulation
