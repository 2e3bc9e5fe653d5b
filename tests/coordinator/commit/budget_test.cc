// How much may be in doubt at a participant, and what follows.
#include "coordinator/commit/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assent::commit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

BranchId branch(std::uint64_t number) {
  return {make_transaction_id(LogTime(1'000'000), number, number, 7), "orders", Epoch(3),
          Attempt(number)};
}

InDoubt aged(std::int64_t age_ms, std::uint64_t xid_age = 1, std::uint64_t count = 1) {
  InDoubt out;
  for (std::uint64_t i = 0; i < count; ++i) {
    out.add(branch(i + 1), {Millis(age_ms - static_cast<std::int64_t>(i)), xid_age});
  }
  return out;
}

class BudgetTest : public ::testing::Test {
 protected:
  BudgetLevel observe(const InDoubt& seen) {
    change_ = budget_.observe("orders", seen);
    return budget_.standing("orders")->level;
  }

  Budget budget_{{.age_ms = {1'000, 5'000}, .number = {4, 8}, .horizon = {1'000, 9'000}}};
  std::optional<Budget::Change> change_;
};

TEST(InDoubtTest, CountsWhatIsPreparedForLongerThanCommitsUsuallyAre) {
  InDoubt seen;
  seen.add(branch(1), {Millis(1'000), 5});
  seen.add(branch(2), {Millis(1'001), 3});
  seen.add(branch(3), {Millis(20), 2});
  EXPECT_EQ(seen.number, 1u);
  EXPECT_EQ(seen.oldest, branch(2));
  EXPECT_EQ(seen.oldest_age, Millis(1'001));
  EXPECT_EQ(seen.holder, branch(1)) << "its transaction is oldest, though it was prepared later";
  EXPECT_EQ(seen.horizon, 5u);
}

TEST_F(BudgetTest, NothingIsSaidWhileAllIsBelowTheLimits) {
  EXPECT_EQ(observe(InDoubt{}), BudgetLevel::kWithin);
  EXPECT_EQ(observe(aged(999, 999, 3)), BudgetLevel::kWithin);
  EXPECT_FALSE(change_);
  EXPECT_EQ(budget_.describe("orders"), "");
  EXPECT_FALSE(budget_.refusal("orders"));
}

TEST_F(BudgetTest, TheFirstLimitRaisesAnAlarmOnceThatNamesAllThatIsNeeded) {
  EXPECT_EQ(observe(aged(1'000)), BudgetLevel::kAlarm);
  ASSERT_TRUE(change_);
  EXPECT_EQ(change_->branch, branch(1));
  EXPECT_THAT(change_->text,
              AllOf(HasSubstr("'orders'"), HasSubstr(to_string(branch(1))),
                    HasSubstr("1000 ms, the alarm is at 1000 ms"),
                    HasSubstr("assentctl explain " + to_string(branch(1).transaction))));
  EXPECT_FALSE(budget_.refusal("orders")) << "an alarm refuses nothing";
  observe(aged(1'001));
  EXPECT_FALSE(change_) << "it has been told";
}

TEST_F(BudgetTest, OneBranchIsNotCalledMany) {
  observe(aged(1'500));
  EXPECT_THAT(change_->text, HasSubstr("1 branch is prepared for more than a second"));
}

TEST_F(BudgetTest, EachOfTheThreeRaisesIt) {
  EXPECT_EQ(observe(aged(10, 1'000)), BudgetLevel::kAlarm);
  EXPECT_THAT(change_->text, HasSubstr("holds vacuum back by 1000 transactions"));
  Budget number{{.age_ms = {0, 0}, .number = {4, 8}, .horizon = {0, 0}}};
  EXPECT_THAT(number.observe("orders", aged(60'000, 9'000'000, 4))->text,
              HasSubstr("4 branches are prepared for more than a second (4, the alarm is at 4)"));
}

TEST_F(BudgetTest, TheSecondLimitRefusesNewBranchesWithAReasonThatMayPass) {
  EXPECT_EQ(observe(aged(5'000)), BudgetLevel::kRefusing);
  const auto refusal = budget_.refusal("orders");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, ErrorCode::kOverloaded);
  EXPECT_TRUE(retryable(*refusal));
  EXPECT_EQ(refusal->participant, "orders");
  EXPECT_THAT(refusal->message,
              AllOf(HasSubstr("5000 ms, the limit is 5000 ms"), HasSubstr(to_string(branch(1)))));
  EXPECT_FALSE(budget_.refusal("stock")) << "others are not concerned";
}

TEST_F(BudgetTest, ItRefusesUntilAllIsBelowTheFirstLimits) {
  observe(aged(5'000));
  EXPECT_EQ(observe(aged(4'999)), BudgetLevel::kRefusing);
  EXPECT_EQ(observe(aged(500, 1'000)), BudgetLevel::kRefusing) << "the horizon is still held back";
  EXPECT_EQ(observe(aged(999)), BudgetLevel::kAlarm);
  ASSERT_TRUE(change_);
  EXPECT_FALSE(budget_.refusal("orders"));
}

TEST_F(BudgetTest, AnAlarmEndsBelowHalfOfTheFirstLimits) {
  observe(aged(1'000));
  EXPECT_EQ(observe(aged(500)), BudgetLevel::kAlarm);
  EXPECT_EQ(observe(aged(499)), BudgetLevel::kWithin);
  ASSERT_TRUE(change_);
  EXPECT_EQ(change_->from, BudgetLevel::kAlarm);
  EXPECT_EQ(observe(aged(600)), BudgetLevel::kWithin) << "it would have to reach the limit again";
}

TEST_F(BudgetTest, ALimitOfNothingIsNone) {
  Budget none{{.age_ms = {0, 0}, .number = {0, 0}, .horizon = {0, 0}}};
  EXPECT_FALSE(none.observe("orders", aged(1'000'000'000, 2'000'000'000, 100)));
  Budget refuses{{.age_ms = {0, 5'000}, .number = {0, 0}, .horizon = {0, 0}}};
  EXPECT_FALSE(refuses.observe("orders", aged(4'999)));
  EXPECT_TRUE(refuses.observe("orders", aged(5'000)));
  EXPECT_EQ(refuses.observe("orders", aged(4'999))->to, BudgetLevel::kWithin);
}

TEST_F(BudgetTest, OneThatWasRemovedIsForgotten) {
  observe(aged(5'000));
  budget_.forget("orders");
  EXPECT_EQ(budget_.standing("orders"), nullptr);
  EXPECT_FALSE(budget_.refusal("orders"));
}

}  // namespace
}  // namespace assent::commit
