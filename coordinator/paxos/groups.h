// Which group governs which slot (docs/paxos.md).
#pragma once

#include <map>
#include <optional>
#include <set>

#include "base/ids.h"
#include "coordinator/paxos/group.h"

namespace assent::paxos {

// A group, and the first slot that it governs.
struct GovernedFrom {
  Slot from;
  Group group;

  bool operator==(const GovernedFrom&) const = default;
};

// The groups that one replica knows of. A change that is executed in slot s governs from
// s + kGroupDistance on, so who has executed up to slot e knows the group of every slot up to
// e + kGroupDistance; what at() says of later ones may yet change.
class Groups {
 public:
  // `initial` governs from slot 1 on.
  explicit Groups(Group initial);

  // Replaces what was known of the slots from `governed.from` on.
  void adopt(GovernedFrom governed);

  [[nodiscard]] const Group& at(Slot slot) const;
  // The first slot that is governed by the group of `slot`.
  [[nodiscard]] Slot first_like(Slot slot) const;
  // The last one; none: no later group is known.
  [[nodiscard]] std::optional<Slot> last_like(Slot slot) const;
  // The group of the latest change; it may not govern yet.
  [[nodiscard]] const Group& latest() const { return groups_.rbegin()->second; }
  [[nodiscard]] Slot latest_from() const { return groups_.rbegin()->first; }
  // It is in one of the groups, as member or learner.
  [[nodiscard]] bool know(ReplicaId replica) const;
  // Members and learners of all groups that govern `slot` or a later one.
  [[nodiscard]] std::set<ReplicaId> everybody_from(Slot slot) const;

 private:
  [[nodiscard]] std::map<Slot, Group>::const_iterator governing(Slot slot) const;

  std::map<Slot, Group> groups_;  // by the first slot; changes are rare, so none ever leaves
};

}  // namespace assent::paxos
