// What many runs of the whole system came to.
#pragma once

#include <memory>

#include "tests/simulation/summary.h"

namespace assent::simulation::system {

std::unique_ptr<Summary> make_system_summary();

}  // namespace assent::simulation::system
