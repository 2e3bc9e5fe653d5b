// Messages of consensus, between coordinator/paxos/message.h and the wire.
#pragma once

#include "base/error.h"
#include "coordinator/paxos/message.h"
#include "wire/replica_types.h"

namespace assent::coordinator {

wire::PaxosMessage to_wire(const paxos::Message& message);

// The other way round everything is checked that consensus takes for granted: numbers count
// upwards, a ballot is used by its own replica only, and every value is an entry that the state
// machine can execute. kInvalidArgument says what is wrong. Takes the values' bytes out of
// `message`.
Result<paxos::Message> from_wire(wire::PaxosMessage& message, ReplicaId sender);

wire::SnapshotInfo to_wire(const paxos::SnapshotInfo& snapshot);
Result<paxos::SnapshotInfo> from_wire(const wire::SnapshotInfo& snapshot);

// About how many bytes it takes on the wire.
std::size_t wire_size(const paxos::Message& message);

}  // namespace assent::coordinator
