// Participants that operators take out: drained, resumed, removed (docs/adr/0009).
#include "coordinator/state/withdrawals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

using ::testing::HasSubstr;

constexpr LogTime kNow{1'000'000};

class WithdrawalsTest : public ::testing::Test {
 protected:
  WithdrawalsTest() {
    run(life("orders", 5));
    run(life("stock", 6));
  }

  CommandResult run(Command command) {
    CommandResult result =
        state_.execute(state_.executed().next(), Entry{kNow, {std::move(command)}}).front();
    state_.check_invariants();
    return result;
  }
  // Why the command was refused; empty: it took effect.
  std::string refused(Command command) {
    const CommandResult result = run(std::move(command));
    const auto* refusal = std::get_if<ChangeRefused>(&result);
    return refusal == nullptr ? "" : refusal->error.message;
  }
  std::string drain(const std::string& name) {
    return refused(ParticipantDrained{name, "op", "why"});
  }
  std::string resume(const std::string& name) {
    return refused(ParticipantResumed{name, "op", "done"});
  }
  std::string remove(const std::string& name) {
    return refused(ParticipantRemoved{name, "op", "gone"});
  }

  static Enrolled life(const std::string& participant, std::uint64_t database,
                       std::uint64_t stored_epoch = 0) {
    return {
        participant, participant + "'s nonce", Epoch(stored_epoch), {77, database}, 1, 100, "a:1",
        "b:2"};
  }
  [[nodiscard]] Committed committed(const std::string& participant) const {
    return {t_, 1, {{participant, Epoch(1), Attempt(1), {9, 77, 1, 90}}}};
  }
  [[nodiscard]] bool drained(const std::string& name) const {
    return state_.withdrawals().drained(name) != nullptr;
  }

  const TransactionId t_ = make_transaction_id(kNow + Millis(1), 1, 1, 1);
  StateMachine state_{StateOptions{}};
};

TEST_F(WithdrawalsTest, ADrainedOneIsSoUntilItIsResumed) {
  EXPECT_EQ(drain("orders"), "");
  EXPECT_TRUE(drained("orders"));
  EXPECT_FALSE(drained("stock"));
  EXPECT_EQ(resume("orders"), "");
  EXPECT_FALSE(drained("orders"));
}

TEST_F(WithdrawalsTest, TheFirstWordOnADrainStands) {
  drain("orders");
  run(ParticipantDrained{"orders", "somebody else", "later"});
  EXPECT_EQ(state_.withdrawals().drained("orders")->operator_name, "op");
  EXPECT_EQ(state_.withdrawals().drained("orders")->at, kNow);
}

TEST_F(WithdrawalsTest, NobodyUnknownIsDrainedResumedOrRemoved) {
  EXPECT_THAT(drain("nobody"), HasSubstr("'nobody' has not enrolled"));
  EXPECT_THAT(resume("nobody"), HasSubstr("'nobody' has not enrolled"));
  EXPECT_THAT(remove("nobody"), HasSubstr("'nobody' has not enrolled"));
}

TEST_F(WithdrawalsTest, ADrainSurvivesANewLifeOfTheAgent) {
  drain("orders");
  Enrolled next = life("orders", 5, 1);
  next.nonce = "second";
  EXPECT_TRUE(std::holds_alternative<EpochIssued>(run(next)));
  EXPECT_TRUE(drained("orders"));
}

TEST_F(WithdrawalsTest, OnlyADrainedOneIsRemoved) {
  EXPECT_THAT(remove("orders"), HasSubstr("is not drained"));
  drain("orders");
  EXPECT_EQ(remove("orders"), "");
  EXPECT_EQ(state_.participant("orders"), nullptr);
  EXPECT_NE(state_.participant("stock"), nullptr);
}

TEST_F(WithdrawalsTest, OneThatIsOwedAnOutcomeIsNotRemoved) {
  run(committed("orders"));
  drain("orders");
  EXPECT_THAT(remove("orders"), HasSubstr(to_string(t_)));
  EXPECT_NE(state_.participant("orders"), nullptr);
  run(Forgotten{{t_}});
  EXPECT_EQ(remove("orders"), "");
}

TEST_F(WithdrawalsTest, OneOfWhichAnOperatorHasToSeeToABranchIsNotRemoved) {
  run(HeuristicFound{t_, Outcome::kAborted, 0, {"orders", Epoch(1), Attempt(1), {}}});
  drain("orders");
  EXPECT_THAT(remove("orders"), HasSubstr("heuristic forget"));
  run(HeuristicForgotten{t_, "op", "seen"});
  EXPECT_EQ(remove("orders"), "");
}

TEST_F(WithdrawalsTest, RemovingAgainChangesNothing) {
  drain("orders");
  remove("orders");
  EXPECT_EQ(remove("orders"), "");
  EXPECT_EQ(state_.withdrawals().removed("orders")->reason, "gone");
}

TEST_F(WithdrawalsTest, ANameThatWasRemovedIsNeverUsedAgain) {
  drain("orders");
  remove("orders");
  const CommandResult result = run(life("orders", 5));
  const auto* refusal = std::get_if<EnrolmentRefused>(&result);
  ASSERT_NE(refusal, nullptr);
  EXPECT_EQ(refusal->error.code, ErrorCode::kUnknownParticipant);
  EXPECT_THAT(refusal->error.message, HasSubstr("was removed"));
  EXPECT_TRUE(std::holds_alternative<EpochIssued>(run(life("orders-2", 5))))
      << "its database may enrol under another name";
}

TEST_F(WithdrawalsTest, NothingIsDecidedThatWouldBeOwedToOneThatWasRemoved) {
  drain("orders");
  remove("orders");
  EXPECT_TRUE(std::holds_alternative<BranchLost>(run(committed("orders"))));
  run(Aborted{
      t_, 1, {}, {committed("orders").branches.front(), committed("stock").branches.front()}});
  ASSERT_EQ(state_.find(t_)->branches.size(), 1u);
  EXPECT_EQ(state_.find(t_)->branches.front().participant, "stock");
}

TEST_F(WithdrawalsTest, ItIsTheSameInASnapshot) {
  drain("orders");
  remove("orders");
  drain("stock");
  state_.begin_snapshot();
  StateMachine copy{StateOptions{}};
  while (const auto chunk = state_.next_chunk(10)) ASSERT_TRUE(copy.load(*chunk));
  EXPECT_EQ(copy.withdrawals(), state_.withdrawals());
  EXPECT_EQ(copy.state_hash(), state_.state_hash());
}

TEST_F(WithdrawalsTest, StatesThatDifferInItHaveOtherHashes) {
  const std::uint64_t before = state_.state_hash();
  StateMachine other{StateOptions{}};
  other.execute(Slot(1), Entry{kNow, {life("orders", 5)}});
  other.execute(Slot(2), Entry{kNow, {life("stock", 6)}});
  ASSERT_EQ(other.state_hash(), before);
  drain("orders");
  other.execute(Slot(3), Entry{kNow, {}});
  EXPECT_NE(other.state_hash(), state_.state_hash());
}

TEST_F(WithdrawalsTest, AsManyUntoldOnesAreForgottenAsWereSeenTo) {
  for (std::uint64_t i = 0; i < Heuristics::kMax + 3; ++i) {
    run(HeuristicFound{make_transaction_id(kNow, i, i, 1),
                       Outcome::kAborted,
                       0,
                       {"orders", Epoch(1), Attempt(1), {}}});
  }
  ASSERT_EQ(state_.heuristics().untold(), 3u);
  run(UntoldForgotten{2, "op", "seen in the log"});
  EXPECT_EQ(state_.heuristics().untold(), 1u);
  run(UntoldForgotten{5, "op", "once more"});
  EXPECT_EQ(state_.heuristics().untold(), 0u);
}

}  // namespace
}  // namespace assent::state
