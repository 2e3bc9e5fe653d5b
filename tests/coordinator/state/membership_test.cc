// Changes of the group as the log executes them: who may come, who may go, and from where on.
#include "coordinator/state/membership.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

Member member(std::uint32_t id, std::uint64_t disk = 0) {
  const std::string host = "r" + std::to_string(id);
  return {ReplicaId(id), disk, false, host + ":1", host + ":2", host + ":3"};
}
std::vector<ReplicaId> ids(std::initializer_list<std::uint32_t> numbers) {
  std::vector<ReplicaId> out;
  for (const std::uint32_t number : numbers) out.emplace_back(number);
  return out;
}

class MembershipTest : public testing::Test {
 protected:
  MembershipTest() : state_(StateOptions{}) {
    execute(GroupFounded{{member(1), member(2), member(3)}});
  }

  CommandResult execute(const Command& command) {
    const Slot slot = state_.executed().next();
    const auto results = state_.execute(slot, {LogTime(1'000), {command}});
    state_.check_invariants();
    return results.at(0);
  }
  void pass(std::uint64_t slots) {
    for (std::uint64_t i = 0; i < slots; ++i) state_.execute(state_.executed().next(), {});
  }
  // Executes it, and lets it govern.
  void change(const Command& command) {
    const CommandResult result = execute(command);
    ASSERT_TRUE(std::holds_alternative<GroupGoverns>(result)) << refusal(result).message;
    pass(kGroupDistance);
  }
  static Error refusal(const CommandResult& result) {
    const auto* refused = std::get_if<ChangeRefused>(&result);
    return refused == nullptr ? Error{ErrorCode::kInternal, "not refused"} : refused->error;
  }
  static Slot governs(const CommandResult& result) {
    const auto* from = std::get_if<GroupGoverns>(&result);
    return from == nullptr ? Slot() : from->from;
  }
  [[nodiscard]] const Membership& group() const { return state_.membership(); }

  StateMachine state_;
};

TEST_F(MembershipTest, TheFirstFoundingCountsAndGovernsFromTheBeginning) {
  EXPECT_EQ(governs(execute(GroupFounded{{member(7)}})), Slot(1));
  EXPECT_EQ(group().electorates(), (std::vector<Electorate>{{Slot(1), ids({1, 2, 3}), {}}}));
}

TEST_F(MembershipTest, NothingChangesBeforeAGroupIsFounded) {
  StateMachine fresh{StateOptions{}};
  const auto results = fresh.execute(Slot(1), {LogTime(), {ReplicaAdded{member(4)}}});
  EXPECT_EQ(refusal(results.at(0)).code, ErrorCode::kUnavailable);
}

TEST_F(MembershipTest, AReplicaComesAsALearner) {
  EXPECT_EQ(governs(execute(ReplicaAdded{member(4)})), Slot(2 + kGroupDistance));
  EXPECT_EQ(group().electorates(),
            (std::vector<Electorate>{{Slot(1), ids({1, 2, 3}), {}},
                                     {Slot(2 + kGroupDistance), ids({1, 2, 3}), ids({4})}}));
}

TEST_F(MembershipTest, AddPromoteAndRemoveMakeAReplacement) {
  change(ReplicaAdded{member(4)});
  change(ReplicaPromoted{ReplicaId(4)});
  change(ReplicaRemoved{ReplicaId(1)});
  EXPECT_EQ(group().electorates().back().members, ids({2, 3, 4}));
  EXPECT_EQ(group().electorates().front().members, ids({1, 2, 3, 4}));
  EXPECT_TRUE(group().retired(ReplicaId(1)));
}

TEST_F(MembershipTest, OneChangeAtATime) {
  execute(ReplicaAdded{member(4)});
  const CommandResult early = execute(ReplicaPromoted{ReplicaId(4)});
  EXPECT_EQ(refusal(early).code, ErrorCode::kUnavailable);
  EXPECT_TRUE(retryable(refusal(early)));
  pass(kGroupDistance - 2);  // the next slot is the first that it governs
  EXPECT_EQ(state_.executed().next(), group().governs_from());
  EXPECT_NE(governs(execute(ReplicaPromoted{ReplicaId(4)})), Slot());
}

TEST_F(MembershipTest, AChangeThatIsAskedForTwiceIsMadeOnce) {
  const Slot from = governs(execute(ReplicaAdded{member(4)}));
  EXPECT_EQ(governs(execute(ReplicaAdded{member(4)})), from);
  pass(kGroupDistance);
  change(ReplicaPromoted{ReplicaId(4)});
  const Slot promoted = group().governs_from();
  EXPECT_EQ(governs(execute(ReplicaPromoted{ReplicaId(4)})), promoted);
  EXPECT_EQ(governs(execute(ReplicaAdded{member(4)})), promoted);
  change(ReplicaRemoved{ReplicaId(4)});
  EXPECT_EQ(governs(execute(ReplicaRemoved{ReplicaId(4)})), group().governs_from());
}

TEST_F(MembershipTest, NobodyComesBackUnderAUsedId) {
  change(ReplicaRemoved{ReplicaId(3)});
  const Error error = refusal(execute(ReplicaAdded{member(3, 77)}));
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_NE(error.message.find("choose an id"), std::string::npos) << error.message;
}

TEST_F(MembershipTest, AnIdThatIsInUseIsNotGivenToAnother) {
  change(ReplicaAdded{member(4, 5)});
  EXPECT_EQ(refusal(execute(ReplicaAdded{member(4, 6)})).code, ErrorCode::kInvalidArgument);
  Member elsewhere = member(4, 5);
  elsewhere.peer_address = "x:2";
  EXPECT_EQ(refusal(execute(ReplicaAdded{elsewhere})).code, ErrorCode::kInvalidArgument);
}

TEST_F(MembershipTest, AddressesBelongToOneReplica) {
  Member same = member(4);
  same.peer_address = member(2).peer_address;
  EXPECT_EQ(refusal(execute(ReplicaAdded{same})).code, ErrorCode::kInvalidArgument);
}

TEST_F(MembershipTest, StrangersAreNeitherPromotedNorRemoved) {
  EXPECT_EQ(refusal(execute(ReplicaPromoted{ReplicaId(9)})).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal(execute(ReplicaRemoved{ReplicaId(9)})).code, ErrorCode::kInvalidArgument);
}

TEST_F(MembershipTest, TheLastMemberStays) {
  change(ReplicaRemoved{ReplicaId(1)});
  change(ReplicaRemoved{ReplicaId(2)});
  change(ReplicaAdded{member(4)});
  EXPECT_EQ(refusal(execute(ReplicaRemoved{ReplicaId(3)})).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(group().electorates().back().members, ids({3}));
}

TEST_F(MembershipTest, AGroupIsBounded) {
  for (std::uint32_t id = 4; id <= kReplicasMax; ++id) change(ReplicaAdded{member(id)});
  EXPECT_EQ(refusal(execute(ReplicaAdded{member(kReplicasMax + 1)})).code,
            ErrorCode::kInvalidArgument);
}

TEST_F(MembershipTest, MovingChangesAddressesAtOnceAndNoGroup) {
  Member moved = member(2, 55);
  moved.client_address = "new:1";
  EXPECT_EQ(governs(execute(ReplicaMoved{moved})), Slot(1));
  EXPECT_EQ(group().find(ReplicaId(2))->client_address, "new:1");
  EXPECT_EQ(group().find(ReplicaId(2))->disk, 55u) << "it was not known";
  EXPECT_EQ(group().electorates().size(), 1u);
}

TEST_F(MembershipTest, AWipedDiskDoesNotComeBackByMoving) {
  execute(ReplicaMoved{member(2, 55)});
  EXPECT_EQ(refusal(execute(ReplicaMoved{member(2, 56)})).code, ErrorCode::kIdentityMismatch);
  EXPECT_EQ(group().find(ReplicaId(2))->disk, 55u);
}

TEST_F(MembershipTest, ASnapshotHasTheGroup) {
  change(ReplicaAdded{member(4, 9)});
  change(ReplicaRemoved{ReplicaId(1)});
  execute(ReplicaPromoted{ReplicaId(4)});
  state_.begin_snapshot();
  StateMachine loaded{StateOptions{}};
  while (auto chunk = state_.next_chunk(10)) ASSERT_TRUE(loaded.load(*chunk));
  EXPECT_EQ(loaded.membership(), group());
  EXPECT_EQ(loaded.state_hash(), state_.state_hash());
}

TEST_F(MembershipTest, EqualStatesHaveEqualGroups) {
  StateMachine other{StateOptions{}};
  other.execute(Slot(1), {LogTime(1'000), {GroupFounded{{member(1), member(2)}}}});
  EXPECT_NE(other.state_hash(), state_.state_hash());
}

}  // namespace
}  // namespace assent::state
