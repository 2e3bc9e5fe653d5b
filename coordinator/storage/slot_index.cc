#include "coordinator/storage/slot_index.h"

#include <algorithm>

#include "base/check.h"

namespace assent::storage {

void SlotIndex::begin_at(Slot base) {
  base_ = base;
}

void SlotIndex::restart_behind(Slot slot) {
  base_ = std::max(base_, slot);
  dropped_ = std::max(dropped_, slot);
  const Slot first = slot.next();
  if (first <= first_) return;
  const std::uint64_t count = std::min<std::uint64_t>(first.value - first_.value, places_.size());
  places_.erase(places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(count));
  first_ = first;
  scattered_.erase(scattered_.begin(), scattered_.lower_bound(first));
  join_scattered();
}

void SlotIndex::put(Slot slot, const Place& place) {
  if (slot <= dropped_) return;
  // The first value of a slot that the base covers: what lay in front of it is gone.
  if (places_.empty() && slot <= base_) first_ = slot;
  if (slot < first_) return;
  if (slot <= last()) {
    places_[slot.value - first_.value] = place;
    return;
  }
  scattered_.insert_or_assign(slot, place);
  join_scattered();
}

void SlotIndex::join_scattered() {
  for (auto at = scattered_.begin(); at != scattered_.end() && at->first == last().next();
       at = scattered_.erase(at)) {
    places_.push_back(at->second);
  }
}

std::optional<Place> SlotIndex::find(Slot slot) const {
  if (first_ <= slot && slot <= last()) return places_[slot.value - first_.value];
  const auto found = scattered_.find(slot);
  return found == scattered_.end() ? std::nullopt : std::optional(found->second);
}

void SlotIndex::connect() {
  if (last() < base_) restart_behind(base_);
}

std::optional<Sequence> SlotIndex::lowest_segment_above(Slot through) const {
  std::optional<Sequence> lowest;
  const auto offer = [&](const Place& place) {
    if (!lowest || place.segment < *lowest) lowest = place.segment;
  };
  const std::uint64_t begin = first_ <= through ? through.value + 1 - first_.value : 0;
  for (std::uint64_t i = begin; i < places_.size(); ++i) offer(places_[i]);
  for (auto at = scattered_.upper_bound(through); at != scattered_.end(); ++at) offer(at->second);
  return lowest;
}

// A slot behind a hole may go too: it is chosen, and what fills the hole is still on its way to the
// disk. That value is then not taken any more, for what it would join to is gone.
void SlotIndex::forget_before(Sequence segment, Slot covered) {
  const auto goes = [&](const Place& place) { return place.segment < segment; };
  const auto kept = std::find_if(places_.rbegin(), places_.rend(), goes).base();
  first_ = Slot(first_.value + static_cast<std::uint64_t>(kept - places_.begin()));
  places_.erase(places_.begin(), kept);
  Slot behind_hole;
  for (const auto& [slot, place] : scattered_) {
    if (goes(place)) behind_hole = slot;
  }
  CHECK_LE(behind_hole, covered, "a value that is not chosen is kept");
  if (behind_hole != Slot(0)) restart_behind(behind_hole);
}

}  // namespace assent::storage
