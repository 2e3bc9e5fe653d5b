// Whether a replica may take part: one whose disk is new must not have been here before. PURE.
#pragma once

#include <cstddef>
#include <set>

#include "base/canary.h"
#include "base/ids.h"

namespace assent::replica {

// A replica whose disk was wiped has forgotten what it promised and accepted; taking part again
// under its id, it could undo what a quorum chose. It cannot know that by itself. So every replica
// remembers, durably, the disk of each other one that it was told of, and a replica that never
// spoke from its disk says nothing before most of the others know that disk as its own:
// 1. An earlier life of this id, on another disk, spoke only after a majority of the others knew
//    its disk.
// 2. A majority of the others is asked now, and two majorities share a replica.
// 3. That one knows the other disk, and says so: this replica does not take part.
class Admission {
 public:
  // `others`: members beside this one. `fresh`: nothing was ever told from this disk.
  Admission(std::size_t others, bool fresh) : needed_(fresh && others > 0 ? others / 2 + 1 : 0) {}

  // This one knows the disk of this replica, and no other disk of it.
  void known_by(ReplicaId other) { known_by_.insert(other); }
  [[nodiscard]] bool is_known_by(ReplicaId other) const { return known_by_.contains(other); }

  [[nodiscard]] bool admitted() const {
    return known_by_.size() >= needed_ || canary(Canary::kWipedDiskAccepted);
  }
  // How many others must know it.
  [[nodiscard]] std::size_t needed() const { return needed_; }

 private:
  std::size_t needed_;
  std::set<ReplicaId> known_by_;
};

}  // namespace assent::replica
