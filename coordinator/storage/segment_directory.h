// The segment files of a directory, found and read whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/segment.h"

namespace assent::storage {

struct SegmentFile {
  Sequence first;  // as its name says
  std::string path;
};

struct SegmentBytes {
  File file;
  std::string bytes;  // of the whole file
};

struct Segment {
  SegmentHeader header;
  std::string bytes;  // of the whole file, the header too
};

// In the order of their records. Files that do not claim to be segments are not judged; a name in
// *.wal that is not a segment's is refused (kInternal).
Result<std::vector<SegmentFile>> list_segments(const std::string& directory);

// Reads a segment, whatever it holds; `flags` as of open(2).
Result<SegmentBytes> read_segment(const SegmentFile& named, int flags);
// The header of a segment's bytes. A sentence refuses a damaged one, or that of another segment
// (kInternal), and a newer format (kUnsupportedVersion).
Result<SegmentHeader> check_header(const SegmentFile& named, std::string_view bytes);
// Both, for reading only.
Result<Segment> load_segment(const SegmentFile& named);

// Nothing: this version knows the record's format and its type. Else the error that refuses it.
Result<void> check_known(const RecordHeader& header, const std::string& where);

// The sentences of refusals. What is damaged is refused with what to do about it.
tl::unexpected<Error> damage(std::string sentence);
Error with_remedy(Error damage);
tl::unexpected<Error> newer(const std::string& where, const std::string& what);

}  // namespace assent::storage
