// When a replica writes a snapshot of its state. PURE: it is told what the log holds, and answers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/ids.h"

namespace assent::replica {

class SnapshotSchedule {
 public:
  // A snapshot is due after each `log_bytes` of records. Bytes count from what a start from the
  // newest snapshot would read; they never go back. Precondition: `log_bytes` is not 0.
  explicit SnapshotSchedule(std::uint64_t log_bytes) : log_bytes_(log_bytes), due_at_(log_bytes) {}

  // `newest`: the state that the newest snapshot has, 0 without one. A snapshot of a state that is
  // no further is of no use.
  [[nodiscard]] bool due(std::uint64_t bytes, Slot executed, Slot newest) const {
    return due_at_ <= bytes && newest < executed;
  }

  // A snapshot was begun, or one was fetched that stands for it. `state_bytes` is what the newest
  // one that is durable has. The next is due after no less log than that: so snapshots at most
  // double what is written to the disk, however large the state is.
  void begun(std::uint64_t bytes, std::uint64_t state_bytes) {
    due_at_ = bytes + std::max(log_bytes_, state_bytes);
  }

  // One is wanted as soon as the state is further than the newest.
  void hasten(std::uint64_t bytes) { due_at_ = bytes; }

  // It did not come to be: tried again well before the log has grown as much once more.
  void failed(std::uint64_t bytes) {
    due_at_ = bytes + std::max<std::uint64_t>(log_bytes_ / kTriesPerInterval, 1);
  }

 private:
  static constexpr std::uint64_t kTriesPerInterval = 8;

  std::uint64_t log_bytes_;
  std::uint64_t due_at_;
};

}  // namespace assent::replica
