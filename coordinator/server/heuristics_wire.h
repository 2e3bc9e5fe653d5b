// What is kept of branches that ended otherwise than decided, for the admin port.
#pragma once

#include <string>

#include "base/error.h"
#include "coordinator/state/command.h"
#include "coordinator/state/heuristics.h"
#include "wire/admin_types.h"

namespace assent::coordinator {

// Who asks for something, and why: 1 to 200 bytes each, for they stand in the log.
Result<void> check_words(const std::string& operator_name, const std::string& reason);

wire::HeuristicsReply to_wire(const state::Heuristics& heuristics);
// kInvalidArgument says what is wrong.
// HeuristicForgotten or UntoldForgotten.
Result<state::Command> from_wire(const wire::ForgetHeuristicRequest& request);
Result<state::HeuristicResolved> from_wire(const wire::ResolveRequest& request);
wire::Heuristic to_wire(const TransactionId& transaction, const state::Heuristic& one);

}  // namespace assent::coordinator
