// What a directory of segments holds after any crash: reading it, and settling its end.
// docs/log-format.md has the argument, step by step.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/error.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/segment.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

// The last segment of a log, where appending goes on.
struct OpenSegment {
  File file;
  Sequence first;  // of its first record
  std::uint64_t salt = 0;
  std::uint64_t end = 0;   // where the next record goes
  std::uint64_t size = 0;  // of the file
};

// The last segment as it was read, not yet safe to append to.
struct Tail {
  OpenSegment segment;
  std::string bytes;         // the whole file
  std::uint64_t proven = 0;  // all records in front of this offset are known durable
};

// A segment that is full.
struct SegmentExtent {
  Sequence first;           // of its first record
  std::uint64_t bytes = 0;  // of the file
};

struct Recovered {
  Sequence next{1};                     // of the first record to append
  std::uint64_t torn_bytes = 0;         // behind the last intact record
  std::deque<SegmentExtent> earlier{};  // segments in front of the tail
  std::optional<Tail> tail{};           // none: there is no segment yet
};

// Reads all records in order and hands each to `replay`, and in its place to `damaged` what lacks
// among them. Changes nothing. Refuses, naming file and offset: damage that nothing with a ballot
// follows, and that at the end (kInternal); a newer format (kUnsupportedVersion); what either
// refuses. A log that begins behind the record `needed_from` lacks what is in front.
Result<Recovered> recover(const std::string& directory, Sequence needed_from,
                          const WriteAheadLog::Replay& replay,
                          const WriteAheadLog::OnDamage& damaged = WriteAheadLog::refuse_damage);

// Makes durable what was read and is not proven so, and zero all that stands behind it.
Result<OpenSegment> settle(Tail tail);

}  // namespace assent::storage
