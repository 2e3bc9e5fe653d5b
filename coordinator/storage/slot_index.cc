#include "coordinator/storage/slot_index.h"

namespace assent::storage {

void SlotIndex::put(Slot slot, const Place& place) {
  if (slot <= contiguous_through()) {
    places_[slot.value - 1] = place;
    return;
  }
  scattered_.insert_or_assign(slot, place);
  for (auto at = scattered_.begin();
       at != scattered_.end() && at->first == contiguous_through().next();
       at = scattered_.erase(at)) {
    places_.push_back(at->second);
  }
}

std::optional<Place> SlotIndex::find(Slot slot) const {
  if (Slot(0) < slot && slot <= contiguous_through()) return places_[slot.value - 1];
  const auto found = scattered_.find(slot);
  return found == scattered_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace assent::storage
