// Random lives of a group that changes all the time: messages lost and doubled up in any order,
// crashes, partitions. Whatever happens, no slot has two values, nor two groups.
#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/coordinator/paxos/stage.h"

namespace assent::paxos {
namespace {

constexpr std::uint32_t kReplicas = 5;
constexpr int kSteps = 6'000;

class RandomLife {
 public:
  explicit RandomLife(std::uint64_t seed) : random_(seed) {
    stage_.join(4);
    stage_.join(5);
  }

  void run() {
    for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) act();
    heal();
  }
  [[nodiscard]] std::size_t slots() const { return values_.size(); }
  [[nodiscard]] std::size_t changes() const {
    std::size_t out = 0;
    for (auto at = groups_.begin(); at != groups_.end(); ++at) {
      if (at != groups_.begin() && std::prev(at)->second != at->second) ++out;
    }
    return out;
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::uint32_t anyone() { return static_cast<std::uint32_t>(1 + below(kReplicas)); }

  void act() {
    const std::uint64_t roll = below(1'000);
    if (roll < 600) return deliver();
    if (roll < 800) return persist(anyone());
    if (roll < 880) return stage_.pass(Millis(static_cast<std::int64_t>(1 + below(20))));
    if (roll < 975) return propose();
    if (roll < 985) return cut();
    if (roll < 993) return restart(anyone());
    hand_over();
  }

  // Mostly the oldest, as a network does.
  void deliver() {
    if (stage_.on_the_wire() == 0) return stage_.pass(Millis(5));
    const std::size_t place = below(10) < 8 ? 0 : below(stage_.on_the_wire());
    const auto [from, to] = stage_.ends_of(place);
    stage_.deliver(place, !cut_.contains(from) && !cut_.contains(to) && below(100) >= 3);
    look_at(to);
  }

  void persist(std::uint32_t id) {
    if (stage_.player(id).log.written.empty()) return;
    stage_.persist(id);
    look_at(id);
  }

  void propose() {
    for (std::uint32_t id = 1; id <= kReplicas; ++id) {
      if (!stage_.at(id).can_propose()) continue;
      const bool idle =
          stage_.at(id).groups().latest_from() <= stage_.at(id).last_proposed().next();
      const bool change = idle && below(4) == 0;
      stage_.propose(
          id, change ? changed(stage_.at(id).groups().latest()) : std::to_string(++proposed_));
      look_at(id);
    }
  }

  // One replica comes, becomes a member, or leaves.
  std::string changed(const Group& group) {
    std::set<std::uint32_t> members;
    std::set<std::uint32_t> learners;
    for (const ReplicaId id : group.members()) members.insert(id.value);
    for (const ReplicaId id : group.learners()) learners.insert(id.value);
    const std::uint32_t one = anyone();
    if (members.erase(one) == 0) {
      (learners.erase(one) != 0 ? members : learners).insert(one);
    } else if (members.empty()) {
      members.insert(one);
    }
    std::string out = "=";
    for (const std::uint32_t id : members) out += std::to_string(id);
    if (!learners.empty()) out += '/';
    for (const std::uint32_t id : learners) out += std::to_string(id);
    return out;
  }

  void cut() {
    cut_.clear();
    for (std::uint64_t i = below(3); i > 0; --i) cut_.insert(anyone());
  }

  // What was written and not flushed is lost. What it sent is on its way.
  void restart(std::uint32_t id) {
    stage_.restart(id);
    look_at(id);
  }

  void hand_over() {
    for (std::uint32_t id = 1; id <= kReplicas; ++id) {
      stage_.step(id, TransferAsked{ReplicaId(anyone())});
    }
  }

  void look_at(std::uint32_t id) {
    for (const ChosenValue& one : stage_.player(id).chosen) {
      const auto [known, added] = values_.try_emplace(one.slot, *one.value);
      ASSERT_EQ(known->second, *one.value) << "slot " << one.slot.value << " at replica " << id;
    }
    stage_.player(id).chosen.clear();
    const Slot next = stage_.at(id).chosen_through().next();
    for (Slot slot = next; slot.value <= next.value + kGroupDistance - 1; slot = slot.next()) {
      const Group& group = stage_.at(id).groups().at(slot);
      if (group.members().empty()) return;  // it joins, and does not know yet
      const auto [known, added] = groups_.try_emplace(slot, group);
      ASSERT_EQ(known->second, group) << "slot " << slot.value << " at replica " << id;
    }
  }

  // Whole again, the group leads itself, and all its replicas have everything.
  void heal() {
    for (int i = 0; i < 200 && !testing::Test::HasFailure(); ++i) {
      stage_.pass(Millis(25));
      stage_.settle();
    }
    for (std::uint32_t id = 1; id <= kReplicas; ++id) look_at(id);
    std::uint32_t leader = 0;
    for (std::uint32_t id = 1; id <= kReplicas; ++id) {
      if (stage_.at(id).can_propose()) leader = id;
    }
    ASSERT_NE(leader, 0u) << "nobody leads";
    const Consensus& first = stage_.at(leader);
    for (const ReplicaId id : first.groups().everybody_from(first.chosen_through().next())) {
      EXPECT_EQ(stage_.at(id.value).chosen_through(), first.chosen_through()) << id.value;
    }
  }

  std::mt19937_64 random_;
  Stage stage_{3};
  std::set<std::uint32_t> cut_;
  std::uint64_t proposed_ = 0;
  std::map<Slot, std::string> values_;
  std::map<Slot, Group> groups_;
};

TEST(RandomMembership, NoSlotHasTwoValuesOrTwoGroups) {
  std::size_t slots = 0;
  std::size_t changes = 0;
  for (std::uint64_t seed = 1; seed <= 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomLife life(seed);
    life.run();
    slots += life.slots();
    changes += life.changes();
  }
  // Else too little happened to prove anything.
  EXPECT_LT(60u * 50u, slots);
  EXPECT_LT(60u * 5u, changes);
}

}  // namespace
}  // namespace assent::paxos
