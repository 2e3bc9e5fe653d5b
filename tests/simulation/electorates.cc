#include "tests/simulation/electorates.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <string>

#include "tests/simulation/violation.h"

namespace assent::simulation {
namespace {

// Not the code's own constant: the checker would follow a change of it.
constexpr std::uint64_t kDistance = 8;

std::uint32_t bit(ReplicaId replica) {
  return 1u << replica.value;
}

template <class Ids>
std::uint32_t bits(const Ids& ids) {
  std::uint32_t out = 0;
  for (const ReplicaId id : ids) out |= bit(id);
  return out;
}

int quorum(std::uint32_t members) {
  return std::popcount(members) / 2 + 1;
}

// Some quorum of the one and some quorum of the other have nobody in common: each takes as many as
// it can of those whom the other has not, and the rest is enough for both.
bool may_miss(std::uint32_t a, std::uint32_t b) {
  const int of_both_for_a = std::max(0, quorum(a) - std::popcount(a & ~b));
  const int of_both_for_b = std::max(0, quorum(b) - std::popcount(b & ~a));
  return of_both_for_a + of_both_for_b <= std::popcount(a & b);
}

std::string text(std::uint32_t members) {
  std::string out;
  for (std::uint32_t id = 1; id < 32; ++id) {
    if ((members >> id & 1) != 0) out += (out.empty() ? "" : ",") + std::to_string(id);
  }
  return "{" + out + "}";
}

}  // namespace

Electorates::Electorates(std::uint32_t founders) {
  std::uint32_t members = 0;
  for (std::uint32_t id = 1; id <= founders; ++id) members |= bit(ReplicaId(id));
  by_first_.emplace(Slot(1), members);
}

void Electorates::executed(Slot slot, const state::Membership& membership) {
  executed_ = slot;
  if (membership.governs_from() <= told_from_) return;
  told_from_ = membership.governs_from();
  const std::uint32_t members = bits(membership.electorates().back().members);
  // The founding changes nothing.
  if (told_from_ == Slot(1) && members == by_first_.begin()->second) return;
  const Slot from(slot.value + kDistance);
  const std::uint32_t before = at(from);
  if (may_miss(before, members)) {
    violated(Checker::kNeighboursIntersect, text(before) + " and " + text(members) +
                                                ", which governs from slot " + to_string(from) +
                                                " on, have quorums without a common member");
  }
  by_first_.emplace(from, members);
}

std::uint32_t Electorates::at(Slot slot) const {
  return std::prev(by_first_.upper_bound(slot))->second;
}

std::optional<bool> Electorates::quorum_among(Slot slot, std::uint32_t replicas) const {
  if (executed_.value + kDistance < slot.value) return std::nullopt;
  const std::uint32_t members = at(slot);
  return std::popcount(members & replicas) >= quorum(members);
}

bool Electorates::is_member(Slot slot, ReplicaId replica) const {
  return (at(slot) & bit(replica)) != 0;
}

void Electorates::compare(ReplicaId by, Slot slot, const paxos::Group& group) const {
  if (bits(group.members()) == at(slot)) return;
  violated(Checker::kOneGroupPerSlot, "replica " + to_string(by) + " takes " +
                                          text(bits(group.members())) + " for the group of slot " +
                                          to_string(slot) + ": it is " + text(at(slot)));
}

std::vector<ReplicaId> Electorates::members_of_next() const {
  const std::uint32_t members = at(executed_.next());
  std::vector<ReplicaId> out;
  for (std::uint32_t id = 1; id < 32; ++id) {
    if ((members >> id & 1) != 0) out.emplace_back(id);
  }
  return out;
}

}  // namespace assent::simulation
