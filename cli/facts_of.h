// What came over the wire, as the facts that explanations start from.
#pragma once

#include "cli/explain/facts.h"
#include "cli/explain/sorting.h"
#include "wire/insight_types.h"

namespace assent::cli {

explain::Viewpoint facts_of(const wire::Viewpoint& viewpoint);
explain::Participant facts_of(const wire::ParticipantState& state);
explain::Prepared facts_of(const wire::PreparedTransaction& one);
explain::AgentSays facts_of(const wire::TraceReply& reply);
explain::Known facts_of(const wire::TransactionState& state);

}  // namespace assent::cli
