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
//
// Slots up to the base need no value: a snapshot has them. Those of them that have one, without a
// hole up to the base, can be read all the same.
class SlotIndex {
 public:
  // Before anything is put: the base is a snapshot's slot, and values of slots up to it may follow.
  void begin_at(Slot base);
  // Values of slots up to this one count no more; the base is no lower than it.
  void restart_behind(Slot slot);

  // The slot's last value stands here. Slots may come in any order; from 1.
  void put(Slot slot, const Place& place);
  // Nothing: the slot has none.
  [[nodiscard]] std::optional<Place> find(Slot slot) const;

  // Every slot up to this one has a value, or is covered by the base.
  [[nodiscard]] Slot contiguous_through() const { return std::max(base_, last()); }
  // Decides which slots up to the base can be read: those put by now that reach to it.
  void connect();
  // Every slot from this one to contiguous_through() has a value. Precondition: connected.
  [[nodiscard]] Slot first() const { return first_; }

  // The lowest segment that holds a value of a slot above `through`.
  [[nodiscard]] std::optional<Sequence> lowest_segment_above(Slot through) const;

  // Segments in front of this one go: so do the slots with values there, and those below them.
  // Every one of them is covered by the snapshots that are kept, of which `covered` is the oldest's
  // slot.
  void forget_before(Sequence segment, Slot covered);

 private:
  // The last slot of `places_`; first_ - 1 when there is none.
  [[nodiscard]] Slot last() const { return Slot(first_.value + places_.size() - 1); }
  void join_scattered();

  Slot base_;
  Slot dropped_;                     // values of slots up to this one are not taken
  Slot first_{1};                    // of `places_`
  std::deque<Place> places_;         // without holes; never moved as it grows
  std::map<Slot, Place> scattered_;  // of slots behind a hole
};

}  // namespace assent::storage
