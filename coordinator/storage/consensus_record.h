// How what a replica knows of consensus is written as records of the log. No IO here;
// docs/log-format.md has the bytes.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/paxos/record.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

inline constexpr std::size_t kAcceptedPrefixBytes = 28;  // slot and ballot, in front of the value

Record encode(const paxos::Record& record);
// A record of the log's own: see ReplicaLog::rebase.
Record encode_base(Slot through);

// Bytes that no encode() would have written are refused (kInternal), and nothing is taken of them.
Result<Slot> decode_base(std::string_view payload);
// Precondition: `type` is one of paxos::Record's.
Result<paxos::Record> decode_record(RecordType type, std::string_view payload);

}  // namespace assent::storage
