// Changes of the group that wait for the log.
#include "coordinator/server/group_changes.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/coordinator/server/manual_log.h"

namespace assent::coordinator {
namespace {

state::Member replica(std::uint32_t id) {
  const std::string host = "host-" + std::to_string(id);
  return {ReplicaId(id), 0, false, host + ":1", host + ":2", host + ":3"};
}

class GroupChangesTest : public testing::Test {
 protected:
  using Answer = std::optional<Result<Slot>>;

  GroupChangesTest() { log_.execute(state::GroupFounded{{replica(1), replica(2), replica(3)}}); }

  void propose(const state::Command& command, Answer& answer) {
    changes_.propose(command, [&answer](Result<Slot> from) {
      ASSERT_FALSE(answer.has_value()) << "answered twice";
      answer = std::move(from);
    });
  }

  ManualLog log_;
  GroupChanges changes_{log_};
};

TEST_F(GroupChangesTest, AChangeIsAnsweredWhenItIsExecutedWithFromWhereOnItGoverns) {
  Answer answer;
  propose(state::ReplicaAdded{replica(4)}, answer);
  EXPECT_FALSE(answer.has_value());

  log_.execute_all();

  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ(**answer, Slot(log_.state().executed().value + kGroupDistance));
}

TEST_F(GroupChangesTest, EveryoneIsToldOfHisOwnChange) {
  Answer first;
  Answer second;
  propose(state::ReplicaAdded{replica(4)}, first);
  propose(state::ReplicaRemoved{ReplicaId(9)}, second);

  log_.execute_all();

  EXPECT_TRUE(first && *first);
  ASSERT_TRUE(second && !*second);
  EXPECT_EQ(second->error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(second->error().message.find("replica 9"), std::string::npos);
}

TEST_F(GroupChangesTest, AChangeBeforeTheLastOneGovernsIsRefusedAndMayBeAskedAgain) {
  Answer first;
  Answer early;
  propose(state::ReplicaAdded{replica(4)}, first);
  propose(state::ReplicaRemoved{ReplicaId(1)}, early);
  log_.execute_all();
  ASSERT_TRUE(early && !*early);
  EXPECT_EQ(early->error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(retryable(early->error()));

  while (log_.state().executed() < **first) log_.execute(state::OfficeTaken{log_.ballot()});
  Answer late;
  propose(state::ReplicaRemoved{ReplicaId(1)}, late);
  log_.execute_all();

  EXPECT_TRUE(late && *late);
}

TEST_F(GroupChangesTest, AFullLogRefusesAtOnce) {
  log_.full = true;
  Answer answer;

  propose(state::ReplicaAdded{replica(4)}, answer);

  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, ErrorCode::kOverloaded);
  log_.execute_all();
  EXPECT_EQ(log_.state().membership().find(ReplicaId(4)), nullptr);
}

TEST_F(GroupChangesTest, WhoWaitsWhenTheOfficeIsLostIsToldThatNobodyKnows) {
  Answer answer;
  Answer other;
  propose(state::ReplicaAdded{replica(4)}, answer);
  propose(state::ReplicaAdded{replica(5)}, other);

  changes_.lose_office();

  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_TRUE(other && !*other);
}

}  // namespace
}  // namespace assent::coordinator
