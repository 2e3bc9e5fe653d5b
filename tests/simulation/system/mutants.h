// The deliberate breakages of the office, the state machine, the agent and the client's rules, and
// who catches each: the canaries of the whole system.
#pragma once

#include <vector>

#include "tests/simulation/canaries.h"

namespace assent::simulation::system {

// In the order of base/canary.h.
const std::vector<CanaryRecord>& mutants();

}  // namespace assent::simulation::system
