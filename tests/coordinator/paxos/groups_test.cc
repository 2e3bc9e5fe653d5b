// Why neighbouring groups cannot go apart: docs/paxos.md, "Which group governs a slot".
#include "coordinator/paxos/groups.h"

#include <gtest/gtest.h>

#include <bit>
#include <utility>
#include <vector>

namespace assent::paxos {
namespace {

using Bits = unsigned;
constexpr Bits kUniverse = 6;

Group group_of_bits(Bits bits) {
  std::vector<ReplicaId> members;
  for (Bits i = 0; i < kUniverse; ++i) {
    if ((bits >> i & 1) != 0) members.emplace_back(i + 1);
  }
  return Group(std::move(members));
}

// All smallest quorums of the group.
std::vector<Bits> quorums(Bits group) {
  std::vector<Bits> out;
  for (Bits some = 1; some < 1u << kUniverse; ++some) {
    const auto is_in = [&](ReplicaId member) { return (some >> (member.value - 1) & 1) != 0; };
    if ((some & ~group) != 0 || !group_of_bits(group).has_quorum(is_in)) continue;
    if (static_cast<std::size_t>(std::popcount(some)) == group_of_bits(group).quorum()) {
      out.push_back(some);
    }
  }
  return out;
}

bool all_intersect(Bits a, Bits b) {
  for (const Bits one : quorums(a)) {
    for (const Bits other : quorums(b)) {
      if ((one & other) == 0) return false;
    }
  }
  return true;
}

// Every group of up to six, with every group that differs from it by one member at most.
TEST(Neighbours, QuorumsOfGroupsThatDifferByOneMemberIntersect) {
  for (Bits group = 1; group < 1u << kUniverse; ++group) {
    EXPECT_TRUE(all_intersect(group, group)) << group;
    for (Bits i = 0; i < kUniverse; ++i) {
      const Bits next = group ^ (1u << i);
      if (next == 0) continue;
      EXPECT_TRUE(all_intersect(group, next)) << group << " and " << next;
    }
  }
}

TEST(Neighbours, TwoMembersAtATimeWouldNotDo) {
  EXPECT_FALSE(all_intersect(0b000111, 0b011111)) << "three, and the same with two more";
  EXPECT_FALSE(all_intersect(0b0011, 0b1001 << 2 | 0b10));
}

}  // namespace
}  // namespace assent::paxos
