// The whole system's simulator, for the command.
#pragma once

#include <string>

#include "tests/simulation/simulator.h"

namespace assent::simulation::system {

const Simulator& system_simulator();

// Whether replays take this for a transaction: an id, or "last".
bool is_told(const std::string& transaction);

}  // namespace assent::simulation::system
