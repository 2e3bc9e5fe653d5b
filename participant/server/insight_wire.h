// What an agent shows of its database and its branches, on the wire.
#pragma once

#include "participant/branch/branch_table.h"
#include "participant/postgres/prepared_view.h"
#include "wire/insight_types.h"

namespace assent::participant {

// Participant and epoch are the caller's to fill in.
wire::PreparedReply to_wire(const postgres::PreparedView& view);
wire::RememberedBranch to_wire(const branch::BranchView& branch);
void add(wire::TraceReply& reply, const postgres::TraceView& view);

}  // namespace assent::participant
