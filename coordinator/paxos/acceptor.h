// The acceptor: what it promised and what it accepted ("Paxos Made Simple", section 2.2).
#pragma once

#include <map>
#include <optional>

#include "base/ids.h"
#include "coordinator/paxos/record.h"

namespace assent::paxos {

// State changes here are volatile until their record is durable; whoever answers for them waits for
// that (Outbox). Slots at or below the chosen mark have left: their value is settled for ever.
class Acceptor {
 public:
  [[nodiscard]] const Ballot& promised() const { return promised_; }

  // P1a: raises the promise. False: it stands as high already.
  bool promise(const Ballot& ballot);

  // P1: accepts unless it promised a higher ballot; the slots may come in any order and leave
  // holes. False: refused. Precondition: `slot` is above the chosen mark.
  bool accept(Slot slot, const AcceptedValue& accepted);

  // True when the slot holds the value of exactly this ballot.
  [[nodiscard]] bool has(Slot slot, const Ballot& ballot) const;
  // Null: nothing was accepted in this slot, or it has left.
  [[nodiscard]] const AcceptedValue* find(Slot slot) const;
  [[nodiscard]] const std::map<Slot, AcceptedValue>& accepted() const { return accepted_; }

  // The highest slot up to which, from `chosen` on, every slot holds a value of exactly `ballot`.
  [[nodiscard]] Slot contiguous_through(Slot chosen, const Ballot& ballot) const;

  // Takes the value of a slot that is now known chosen. Precondition: it is the lowest one held.
  AcceptedValue settle(Slot slot);

  // A snapshot has settled all slots up to this one.
  void settle_through(Slot through);

  void check_invariants(Slot chosen) const;

 private:
  Ballot promised_;
  std::map<Slot, AcceptedValue> accepted_;  // above the chosen mark
  // contiguous_through() goes on from where it last was.
  mutable Ballot counted_ballot_;
  mutable Slot counted_through_;
};

}  // namespace assent::paxos
