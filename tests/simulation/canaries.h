// The deliberate breakages, and who catches each.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/canary.h"
#include "tests/simulation/violation.h"

namespace assent::simulation {

struct CanaryRecord {
  Canary canary;
  std::string_view name;
  std::uint64_t seed;  // at which it is caught
  Checker checker;     // by which
};

// Every canary for which a seed is known, in the order of base/canary.h.
const std::vector<CanaryRecord>& canary_records();

// None: no canary has this name.
std::optional<CanaryRecord> find_canary(std::string_view name);

}  // namespace assent::simulation
