#include "coordinator/replica/snapshot_fetch.h"

#include "base/check.h"

namespace assent::replica {

bool SnapshotFetch::take(const paxos::SnapshotOffered& offer, Slot executed) {
  if (current_ && current_->snapshot.through <= executed && !current_->asked) current_.reset();
  if (offer.snapshot.through <= executed) return false;
  if (!current_) return true;
  if (current_->snapshot == offer.snapshot) {
    current_->from = offer.from;
    current_->refused = false;
    return false;
  }
  return current_->refused && !current_->asked && !whole();
}

void SnapshotFetch::begin(const paxos::SnapshotOffered& offer, std::uint64_t have) {
  CHECK_LE(have, offer.snapshot.bytes, "no more of a snapshot is here than there is");
  current_ = Current{offer.from, offer.snapshot, have};
}

std::optional<PartAsked> SnapshotFetch::ask() {
  if (!current_ || current_->asked || current_->refused || whole()) return std::nullopt;
  current_->asked = true;
  return PartAsked{current_->from, current_->snapshot, current_->have};
}

bool SnapshotFetch::answered(const PartAsked& asked, std::uint64_t bytes) {
  const bool awaited = current_ && current_->asked && current_->snapshot == asked.snapshot &&
                       current_->have == asked.offset;
  if (!awaited) return false;
  CHECK_LE(bytes, asked.snapshot.bytes - asked.offset, "no more is sent than there is");
  current_->asked = false;
  current_->have += bytes;
  return true;
}

void SnapshotFetch::failed(const PartAsked& asked) {
  if (answered(asked, 0)) current_->refused = true;
}

std::optional<paxos::SnapshotInfo> SnapshotFetch::snapshot() const {
  return current_ ? std::optional(current_->snapshot) : std::nullopt;
}

}  // namespace assent::replica
