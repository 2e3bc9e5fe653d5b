#include "coordinator/paxos/promises.h"

#include "base/canary.h"

namespace assent::paxos {

void Promises::report(const PromisedSlot& one) {
  const auto [known, added] = reported_.try_emplace(one.slot, one.accepted);
  const bool higher = known->second.ballot < one.accepted.ballot;
  if (!added && higher != canary(Canary::kLowestBallotValue)) known->second = one.accepted;
}

}  // namespace assent::paxos
