// The deliberate breakages, and who catches each.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/canary.h"
#include "tests/simulation/violation.h"

namespace assent::simulation {

struct CanaryRecord {
  Canary canary;
  std::string_view name;
  std::uint64_t seed;       // at which it is caught
  Checker checker;          // by which
  std::string_view rule{};  // that it breaks: DESIGN.md, section 3; of the log's: base/canary.h
};

// Those of the replicated log, in the order of base/canary.h.
const std::vector<CanaryRecord>& log_canaries();

}  // namespace assent::simulation
