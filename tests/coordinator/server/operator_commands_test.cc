// What administrators ask for, and waits for the log.
#include "coordinator/server/operator_commands.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <utility>

#include "tests/coordinator/server/manual_log.h"

namespace assent::coordinator {
namespace {

state::Member replica(std::uint32_t id) {
  const std::string host = "host-" + std::to_string(id);
  return {ReplicaId(id), 0, false, host + ":1", host + ":2", host + ":3"};
}

class OperatorCommandsTest : public testing::Test {
 protected:
  using Answer = std::optional<Result<state::CommandResult>>;

  OperatorCommandsTest() {
    log_.execute(state::GroupFounded{{replica(1), replica(2), replica(3)}});
  }

  // The answer comes into what is returned.
  const Answer& propose(const state::Command& command) {
    Answer& answer = answers_.emplace_back();
    commands_.propose(command, [&answer](Result<state::CommandResult> result) {
      ASSERT_FALSE(answer.has_value()) << "answered twice";
      answer = std::move(result);
    });
    return answer;
  }
  static Slot governs_from(const Answer& answer) {
    return std::get<state::GroupGoverns>(**answer).from;
  }
  static void expect_failed(const Answer& answer, ErrorCode code) {
    ASSERT_TRUE(answer && !*answer);
    EXPECT_EQ(answer->error().code, code);
  }

  std::deque<Answer> answers_;
  ManualLog log_;
  OperatorCommands commands_{log_};
};

TEST_F(OperatorCommandsTest, AChangeIsAnsweredWhenItIsExecutedWithFromWhereOnItGoverns) {
  const Answer& answer = propose(state::ReplicaAdded{replica(4)});
  EXPECT_FALSE(answer.has_value());

  log_.execute_all();

  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ(governs_from(answer), Slot(log_.state().executed().value + kGroupDistance));
}

TEST_F(OperatorCommandsTest, EveryoneIsToldOfHisOwnChange) {
  const Answer& first = propose(state::ReplicaAdded{replica(4)});
  const Answer& second = propose(state::ReplicaRemoved{ReplicaId(9)});

  log_.execute_all();

  EXPECT_TRUE(first && *first);
  expect_failed(second, ErrorCode::kInvalidArgument);
  EXPECT_NE(second->error().message.find("replica 9"), std::string::npos);
}

TEST_F(OperatorCommandsTest, AChangeBeforeTheLastOneGovernsIsRefusedAndMayBeAskedAgain) {
  const Answer& first = propose(state::ReplicaAdded{replica(4)});
  const Answer& early = propose(state::ReplicaRemoved{ReplicaId(1)});
  log_.execute_all();
  expect_failed(early, ErrorCode::kUnavailable);
  EXPECT_TRUE(retryable(early->error()));

  while (log_.state().executed() < governs_from(first))
    log_.execute(state::OfficeTaken{log_.ballot()});
  const Answer& late = propose(state::ReplicaRemoved{ReplicaId(1)});
  log_.execute_all();

  EXPECT_TRUE(late && *late);
}

TEST_F(OperatorCommandsTest, WhatIsNotKeptCannotBeForgotten) {
  const Answer& answer = propose(state::HeuristicForgotten{TransactionId{1, 2, 3}, "op", "seen"});

  log_.execute_all();

  ASSERT_TRUE(answer && *answer);
  EXPECT_TRUE(std::holds_alternative<state::NothingKept>(**answer));
}

TEST_F(OperatorCommandsTest, AFullLogRefusesAtOnce) {
  log_.full = true;

  const Answer& answer = propose(state::ReplicaAdded{replica(4)});

  expect_failed(answer, ErrorCode::kOverloaded);
  log_.execute_all();
  EXPECT_EQ(log_.state().membership().find(ReplicaId(4)), nullptr);
}

TEST_F(OperatorCommandsTest, WhoWaitsWhenTheOfficeIsLostIsToldThatNobodyKnows) {
  const Answer& answer = propose(state::ReplicaAdded{replica(4)});
  const Answer& other = propose(state::ReplicaAdded{replica(5)});

  commands_.lose_office();

  expect_failed(answer, ErrorCode::kOutcomeUnknown);
  expect_failed(other, ErrorCode::kOutcomeUnknown);
}

}  // namespace
}  // namespace assent::coordinator
