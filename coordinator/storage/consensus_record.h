// How what a replica knows of consensus is written as records of the log. No IO here;
// docs/log-format.md has the bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/paxos/record.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

inline constexpr std::size_t kAcceptedPrefixBytes = 28;  // slot and ballot, in front of the value
inline constexpr std::size_t kRepairedPrefixBytes = 16;  // slot and base, in front of what lacked
inline constexpr std::size_t kLostRecordsBytes = 16;

// Records that lack from the log.
struct LostRecords {
  Sequence first;  // that lacks
  Sequence next;   // of what stands behind them

  bool operator==(const LostRecords&) const = default;
};

// What the log adds to a paxos::Repaired.
struct RepairScope {
  Slot base;                      // the mark counts on the state after this slot; 0: on none
  std::vector<LostRecords> lost;  // in the order of the log

  // It says that these matter no more.
  [[nodiscard]] bool covers(const LostRecords& lost) const;
  bool operator==(const RepairScope&) const = default;
};

// `scope` is a Repaired's.
Record encode(const paxos::Record& record, const RepairScope& scope = {});
// A record of the log's own: see ReplicaLog::rebase.
Record encode_base(Slot through);

// Bytes that no encode() would have written are refused (kInternal), and nothing is taken of them.
Result<Slot> decode_base(std::string_view payload);
Result<RepairScope> decode_repair_scope(std::string_view payload);
// Precondition: `type` is one of paxos::Record's.
Result<paxos::Record> decode_record(RecordType type, std::string_view payload);

}  // namespace assent::storage
