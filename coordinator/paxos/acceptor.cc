#include "coordinator/paxos/acceptor.h"

#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"

namespace assent::paxos {

bool Acceptor::promise(const Ballot& ballot) {
  if (ballot <= promised_) return false;
  promised_ = ballot;
  return true;
}

bool Acceptor::accept(Slot slot, const AcceptedValue& accepted) {
  if (accepted.ballot < promised_ && !canary(Canary::kAcceptBelowPromise)) return false;
  promise(accepted.ballot);
  accepted_[slot] = accepted;
  return true;
}

bool Acceptor::has(Slot slot, const Ballot& ballot) const {
  const AcceptedValue* found = find(slot);
  return found != nullptr && found->ballot == ballot;
}

const AcceptedValue* Acceptor::find(Slot slot) const {
  const auto found = accepted_.find(slot);
  return found == accepted_.end() ? nullptr : &found->second;
}

Slot Acceptor::contiguous_through(Slot chosen, const Ballot& ballot) const {
  if (counted_ballot_ != ballot) counted_through_ = chosen;
  counted_ballot_ = ballot;
  counted_through_ = std::max(counted_through_, chosen);
  while (has(counted_through_.next(), ballot)) counted_through_ = counted_through_.next();
  return counted_through_;
}

AcceptedValue Acceptor::settle(Slot slot) {
  const auto found = accepted_.begin();
  CHECK(found != accepted_.end() && found->first == slot,
        "what is chosen here was accepted here, and leaves in slot order");
  AcceptedValue out = std::move(found->second);
  accepted_.erase(found);
  return out;
}

void Acceptor::settle_through(Slot through) {
  accepted_.erase(accepted_.begin(), accepted_.upper_bound(through));
}

void Acceptor::check_invariants(Slot chosen) const {
  for (const auto& [slot, accepted] : accepted_) {
    CHECK_LT(chosen, slot, "what is chosen has left");
    CHECK(accepted.value != nullptr, "an accepted value is a value");
    if (canary(Canary::kAcceptBelowPromise)) continue;
    CHECK_LE(accepted.ballot, promised_, "accepting implies the promise of the ballot (P1a)");
  }
}

}  // namespace assent::paxos
