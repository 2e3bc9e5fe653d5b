// Which members govern which slot, as the log's own entries say: computed apart from the code under
// test, and what the replicas' views are measured against.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "coordinator/paxos/group.h"
#include "coordinator/state/membership.h"

namespace assent::simulation {

class Electorates {
 public:
  // Replicas 1 to `founders` govern from slot 1 on.
  explicit Electorates(std::uint32_t founders);

  // The entry of this slot was executed, and the state says this of the group. A change governs
  // from a distance of its own on; a group that need not meet its neighbour is a violation.
  void executed(Slot slot, const state::Membership& membership);

  // A quorum of the slot's group is among these: a bit for each replica. None: who governs the slot
  // is not known yet.
  [[nodiscard]] std::optional<bool> quorum_among(Slot slot, std::uint32_t replicas) const;
  [[nodiscard]] bool is_member(Slot slot, ReplicaId replica) const;
  // A replica says that this group governs the slot. Precondition: it is known who does.
  void compare(ReplicaId by, Slot slot, const paxos::Group& group) const;

  // As of the last slot that was executed.
  [[nodiscard]] std::vector<ReplicaId> members_of_next() const;
  [[nodiscard]] std::uint64_t changes() const { return by_first_.size() - 1; }

 private:
  [[nodiscard]] std::uint32_t at(Slot slot) const;

  std::map<Slot, std::uint32_t> by_first_;  // members as bits, by the first slot they govern
  Slot executed_;
  Slot told_from_;  // the change that was taken in last
};

}  // namespace assent::simulation
