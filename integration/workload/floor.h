// The floor: two-phase commit by a bare libpq client, with no coordinator. Unsafe, for who dies
// between two COMMIT PREPARED leaves nobody who knows; and the cheapest that there is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "integration/workload/decision_log.h"
#include "integration/workload/mover.h"

namespace assent::workload {

struct FloorOptions {
  std::vector<std::string> databases;  // libpq's connection strings, one for each database
  bool stepwise = false;               // a round trip for each statement; else one to PREPARE
  DecisionLog* log = nullptr;          // outlives the client; null: no decision is logged
};

// Connects. `name` is in the gids: no other client of the same databases may have it.
Result<std::unique_ptr<Mover>> make_floor(const FloorOptions& options, const std::string& name);

}  // namespace assent::workload
