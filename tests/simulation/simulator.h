// What the command needs to know of a simulator: of the log alone, or of the whole system.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/canaries.h"
#include "tests/simulation/figures.h"
#include "tests/simulation/summary.h"

namespace assent::simulation {

struct Simulator {
  std::string_view chosen_by;  // the option of the command that chooses it, with a blank in front
  std::function<Run(std::uint64_t seed)> run_seed;
  // Runs it and tells what happens: all of it, or what one transaction meets with. `transaction`:
  // its id, or "last"; empty: the one that a violation names, if there is one.
  std::function<Run(std::uint64_t seed, const std::string& transaction)> replay;
  std::function<std::unique_ptr<Summary>()> make_summary;
  const std::vector<CanaryRecord>& canaries;  // that are proven by it
};

}  // namespace assent::simulation
