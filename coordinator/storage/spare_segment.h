// The file that will become the next segment: reserved and zeroed before it is needed, so that a
// flush of records never waits for metadata of the file system.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/recovery.h"
#include "coordinator/storage/segment.h"

namespace assent::storage {

class SpareSegment {
 public:
  // A spare that another process left in the directory is overwritten.
  SpareSegment(std::string directory, std::uint64_t bytes);

  // Reserves the space, the first time. kUnavailable when the disk is full; may be tried again.
  [[nodiscard]] Result<void> reserve();
  [[nodiscard]] bool reserved() const { return file_.has_value(); }

  // Zeroes a further slice, durably; short enough for records to wait for it.
  // Precondition: reserved and not ready.
  [[nodiscard]] Result<void> zero_slice();
  [[nodiscard]] bool ready() const { return reserved() && zeroed_ == bytes_; }

  // Makes the spare, finished if need be, the segment whose first record is `first`. On return
  // it is durable under its name, and there is no spare.
  Result<OpenSegment> become_segment(Sequence first);

 private:
  [[nodiscard]] Result<void> finish();

  std::string directory_;
  std::uint64_t bytes_;  // size of the file
  std::uint64_t zeroed_ = 0;
  std::optional<File> file_;  // once its space is reserved
};

}  // namespace assent::storage
