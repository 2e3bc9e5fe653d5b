// Reading the records of one segment in order, and on behind those that are damaged. No IO here;
// docs/log-format.md ("Recovery") has the argument.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "coordinator/storage/segment.h"

namespace assent::storage {

// Records that were durable and do not stand in the segment any more.
struct DamagedRegion {
  std::uint64_t offset = 0;  // where the first of them should begin
  std::uint64_t end = 0;  // where a record stands intact again, or the last byte that is not zero
  Sequence first;         // of the first that lacks
  Sequence next;          // of the one behind the last that lacks

  [[nodiscard]] std::uint64_t records() const { return next.value - first.value; }
  bool operator==(const DamagedRegion&) const = default;
};

// What one segment held.
struct SegmentEnd {
  std::uint64_t end = kSegmentHeaderBytes;     // of the records
  std::uint64_t proven = kSegmentHeaderBytes;  // all in front of this offset is known durable
  Sequence next;                               // of the record that would follow
  std::uint64_t torn_bytes = 0;                // behind the end: of a batch that was under way
};

struct SegmentVisitor {
  // An intact record that begins at `offset`. An error ends the scan.
  std::function<Result<void>(const FoundRecord& record, std::uint64_t offset)> record;
  // Behind it the scan goes on, if an intact record stands there. An error ends the scan.
  std::function<Result<void>(const DamagedRegion& region)> damaged;
};

// `follower` is the first record of the next segment: all records in front of it were durable
// before that was begun. None: this is the last segment, and a batch may have been under way.
Result<SegmentEnd> scan_segment(std::string_view segment, const SegmentHeader& header,
                                std::optional<Sequence> follower, const SegmentVisitor& visitor);

}  // namespace assent::storage
