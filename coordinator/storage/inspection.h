// A data directory looked at without changing it: nothing is locked, and no file is opened for
// writing. For one whose replica is stopped, or runs: what is written or deleted meanwhile is then
// seen or not, and is no damage.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/paxos/record.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/identity.h"
#include "coordinator/storage/segment.h"
#include "coordinator/storage/segment_scan.h"
#include "coordinator/storage/snapshot_file.h"

namespace assent::storage {

// Something that is not as a replica wrote it.
struct Problem {
  std::string file;
  std::uint64_t offset = 0;
  std::string sentence;  // names file and offset
  std::string remedy;
  bool repaired = false;  // a record of the log says that it matters no more
};

struct InspectedChunk {
  std::uint64_t number = 0;
  std::uint64_t offset = 0;  // in the file
  std::uint64_t bytes = 0;   // of the payload
};

struct InspectedSnapshot {
  std::string file;
  SnapshotInfo info;
  std::vector<InspectedChunk> chunks;
  bool whole = false;  // all of its checksums hold
};

struct InspectedSegment {
  std::string file;
  SegmentHeader header;
  std::uint64_t bytes = 0;  // of the file
};

struct InspectedRecord {
  std::string_view file;
  std::uint64_t offset = 0;
  RecordHeader header;
  std::string_view payload;  // for the time of the call
};

// Bytes of the batch that was under way when the replica ended, or is now: nobody was told of it.
struct TornTail {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// What is met while the log is read, in its order.
struct LogVisitor {
  std::function<void(const InspectedSegment&)> segment;
  std::function<void(const InspectedRecord&)> record;
  std::function<void(const Problem&)> problem;
};

// What the log says at its end.
struct LogSummary {
  Sequence first{1};           // of the records that are there
  Sequence next{1};            // of the record that would follow
  std::uint64_t segments = 0;  // files
  std::uint64_t bytes = 0;     // of the files
  std::uint64_t records = 0;
  Ballot promised;          // the highest ballot
  Slot chosen_mark;         // the last
  std::vector<Slot> bases;  // in their order
  std::optional<TornTail> torn;
};

// Nothing: the directory has no identity file. An error says what is wrong with it.
Result<std::optional<Identity>> inspect_identity(const std::string& directory);

// Every snapshot that the directory has, in the order of their slots; what is wrong with one goes
// to `problem`. Without an identity the contents are not read: whose they are is not known.
Result<std::vector<InspectedSnapshot>> inspect_snapshots(
    const std::string& directory, const std::optional<Identity>& identity,
    const std::function<void(const Problem&)>& problem);

// Reads every segment and verifies every checksum; goes on behind what is damaged, as far as it can
// be read. `needed_from`: the log is needed from this record on. Blocks; one segment in memory.
Result<LogSummary> inspect_log(const std::string& directory, Sequence needed_from,
                               const LogVisitor& visitor);

}  // namespace assent::storage
