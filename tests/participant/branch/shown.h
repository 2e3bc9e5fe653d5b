// Effects in words, so that a test reads as a conversation.
#pragma once

#include <string>

#include "participant/branch/branch_table.h"

namespace assent::branch {

// Operations, then replies, separated by "; ", for example
//   "Acquire; RunStatement 1"        "Release; t7=YES"        "t8=error STALE_BALLOT"
// RunPrepare, RunSettle and RunFinish tell the round of their ballot: "RunFinish b2 COMMITTED",
// "RunPrepare b1 one-shot one-phase". A vote tells how many results it carries: "t7=YES+2".
// "nothing" when there are no effects.
std::string shown(const Effects& effects);
std::string shown(const Operation& operation);
std::string shown(const Reply& reply);

}  // namespace assent::branch
