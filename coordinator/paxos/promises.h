// Phase 1 of one ballot: who promised, and what they report ("Paxos Made Simple", section 2.2).
#pragma once

#include <map>
#include <set>

#include "base/ids.h"
#include "coordinator/paxos/message.h"

namespace assent::paxos {

// The parts of one acceptor's promise all say what was accepted below the ballot, and nothing can
// be added to that once the first was given: together they are one promise. Only whole ones count.
class Promises {
 public:
  // Takes a part in. One that nobody waits for (it came before, or begins behind `needed`, the
  // first slot that a promise must speak for) changes nothing: false. `wanted` says of which slots
  // a report is still of use.
  template <class Wanted>
  bool take(ReplicaId from, const Promise& promise, Slot needed, Wanted wanted) {
    if (is_whole(from)) return false;
    const auto part = next_part_.find(from);
    const bool awaited =
        part == next_part_.end() ? promise.from <= needed : promise.from == part->second;
    if (!awaited) return false;
    for (const PromisedSlot& one : promise.accepted) {
      if (wanted(one.slot)) report(one);
    }
    next_part_.insert_or_assign(from, promise.next);
    if (promise.next == Slot(0)) whole_.insert(from);
    return true;
  }

  [[nodiscard]] bool is_whole(ReplicaId replica) const { return whole_.contains(replica); }
  // Where the replica's promise goes on; `first` when it has not begun.
  [[nodiscard]] Slot next_part(ReplicaId replica, Slot first) const {
    const auto part = next_part_.find(replica);
    return part == next_part_.end() ? first : part->second;
  }
  // Begins anew with a promise that is not whole.
  void restart(ReplicaId replica) { next_part_.erase(replica); }

  // The highest ballot's value for each slot that was reported and is not proposed yet.
  [[nodiscard]] const std::map<Slot, AcceptedValue>& reported() const { return reported_; }
  // They are proposed, or settled otherwise.
  void drop_through(Slot slot) { reported_.erase(reported_.begin(), reported_.upper_bound(slot)); }

 private:
  void report(const PromisedSlot& one);

  std::set<ReplicaId> whole_;
  std::map<ReplicaId, Slot> next_part_;  // 0: whole
  std::map<Slot, AcceptedValue> reported_;
};

}  // namespace assent::paxos
