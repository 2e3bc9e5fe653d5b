// What is kept of branches that ended otherwise than decided, for the admin port.
#pragma once

#include "base/error.h"
#include "coordinator/state/heuristics.h"
#include "wire/admin_types.h"

namespace assent::coordinator {

wire::HeuristicsReply to_wire(const state::Heuristics& heuristics);
// kInvalidArgument says what is wrong.
Result<state::HeuristicForgotten> from_wire(const wire::ForgetHeuristicRequest& request);
Result<state::HeuristicResolved> from_wire(const wire::ResolveRequest& request);
wire::Heuristic to_wire(const TransactionId& transaction, const state::Heuristic& one);

}  // namespace assent::coordinator
