// The deliberate breakages of the office, the state machine, the agent and the client's rules, and
// who catches each.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/canary.h"
#include "tests/simulation/violation.h"

namespace assent::simulation::system {

struct Mutant {
  Canary canary;
  std::string_view name;
  std::string_view rule;  // that it breaks: DESIGN.md, section 3
  std::uint64_t seed;     // at which it is caught; 0: none is known
  Checker checker;        // by which
};

// In the order of base/canary.h.
const std::vector<Mutant>& mutants();

// None: no mutant has this name.
std::optional<Mutant> find_mutant(std::string_view name);

}  // namespace assent::simulation::system
