#include "coordinator/paxos/groups.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace assent::paxos {

Groups::Groups(Group initial) {
  groups_.emplace(Slot(1), std::move(initial));
}

void Groups::adopt(GovernedFrom governed) {
  groups_.erase(groups_.lower_bound(governed.from), groups_.end());
  groups_.emplace(governed.from, std::move(governed.group));
}

std::map<Slot, Group>::const_iterator Groups::governing(Slot slot) const {
  const auto behind = groups_.upper_bound(slot);
  return behind == groups_.begin() ? behind : std::prev(behind);
}

const Group& Groups::at(Slot slot) const {
  return governing(slot)->second;
}

Slot Groups::first_like(Slot slot) const {
  return governing(slot)->first;
}

std::optional<Slot> Groups::last_like(Slot slot) const {
  const auto next = std::next(governing(slot));
  if (next == groups_.end()) return std::nullopt;
  return Slot(next->first.value - 1);
}

bool Groups::know(ReplicaId replica) const {
  return std::any_of(groups_.begin(), groups_.end(), [&](const auto& one) {
    const auto& learners = one.second.learners();
    return one.second.contains(replica) ||
           std::binary_search(learners.begin(), learners.end(), replica);
  });
}

std::set<ReplicaId> Groups::everybody_from(Slot slot) const {
  std::set<ReplicaId> out;
  for (auto at = governing(slot); at != groups_.end(); ++at) {
    out.insert(at->second.members().begin(), at->second.members().end());
    out.insert(at->second.learners().begin(), at->second.learners().end());
  }
  return out;
}

}  // namespace assent::paxos
