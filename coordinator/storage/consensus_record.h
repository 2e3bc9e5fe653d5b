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

// Whose log it is.
struct Identity {
  std::string cluster;
  ReplicaId replica;

  bool operator==(const Identity&) const = default;
};
std::string to_string(const Identity& identity);  // "replica 1 of cluster demo"

inline constexpr std::size_t kAcceptedPrefixBytes = 28;  // slot and ballot, in front of the value

Record encode(const Identity& identity);
Record encode(const paxos::Record& record);

// Bytes that no encode() would have written are refused (kInternal), and nothing is taken of them.
Result<Identity> decode_identity(std::string_view payload);
// Precondition: `type` is one of paxos::Record's.
Result<paxos::Record> decode_record(RecordType type, std::string_view payload);

}  // namespace assent::storage
