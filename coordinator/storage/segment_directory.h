// The segment files of a directory, found and read whole.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/segment.h"

namespace assent::storage {

struct SegmentFile {
  Sequence first;  // as its name says
  std::string path;
};

struct Segment {
  File file;
  SegmentHeader header;
  std::string bytes;  // of the whole file, the header too
};

// In the order of their records. Files that do not claim to be segments are not judged; a name in
// *.wal that is not a segment's is refused (kInternal).
Result<std::vector<SegmentFile>> list_segments(const std::string& directory);

// Reads a segment; `flags` as of open(2). Refused, by name: a damaged header, or one of another
// segment (kInternal); a newer format (kUnsupportedVersion).
Result<Segment> load_segment(const SegmentFile& named, int flags);

// Nothing: this version knows the record's format and its type. Else the error that refuses it.
Result<void> check_known(const RecordHeader& header, const std::string& where);

// The sentences of refusals.
tl::unexpected<Error> damage(std::string sentence);
tl::unexpected<Error> newer(const std::string& where, const std::string& what);

}  // namespace assent::storage
