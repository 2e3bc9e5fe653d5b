// Reads single records back from segment files, one file open at a time: reads that go forward
// through the log, as those of a replica that catches up, open each segment once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/segment.h"

namespace assent::storage {

class SegmentReader {
 public:
  explicit SegmentReader(std::string directory) : directory_(std::move(directory)) {}

  struct Payload {
    RecordHeader header;
    std::string bytes;
  };

  // The record at `place`, which is durable there. An error, which names file and offset: the disk
  // does not give it back intact. Blocks for the disk.
  Result<Payload> read(const Place& place);

  // Lets go of a segment in front of this one: it may be deleted.
  void forget_before(Sequence segment) {
    if (open_ && open_->first < segment) open_.reset();
  }

  // The file that holds the place, and its offset there, for messages.
  [[nodiscard]] std::string where(const Place& place) const;

 private:
  struct OpenFile {
    Sequence first;
    std::uint64_t salt = 0;
    File file;
  };

  [[nodiscard]] std::string path(Sequence segment) const;
  [[nodiscard]] Result<void> open(Sequence segment);

  std::string directory_;
  std::optional<OpenFile> open_;  // the segment last read
};

}  // namespace assent::storage
