// Where the last accepted value of each slot stands in the log.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>

#include "base/ids.h"
#include "coordinator/storage/segment.h"

namespace assent::storage {

// 16 bytes for each slot, for as long as the log keeps it: 16 MB for a million slots.
class SlotIndex {
 public:
  // The slot's last value stands here. Slots may come in any order; from 1.
  void put(Slot slot, const Place& place);
  // Nothing: the slot has none.
  [[nodiscard]] std::optional<Place> find(Slot slot) const;
  // Every slot up to this one has a value.
  [[nodiscard]] Slot contiguous_through() const { return Slot(places_.size()); }

 private:
  std::deque<Place> places_;  // of the slots from 1 on, without holes; never moved as it grows
  std::map<Slot, Place> scattered_;  // of slots behind a hole
};

}  // namespace assent::storage
