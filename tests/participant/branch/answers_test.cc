#include "participant/branch/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assent::branch {
namespace {

using ::testing::ElementsAre;

StatementAnswer answer(std::int64_t rows) {
  StatementResult result;
  result.row_count = rows;
  return std::make_shared<const StatementResult>(std::move(result));
}

TEST(Answers, KnowsWhereANumberStands) {
  Answers answers(2);
  answers.start(Token(1));
  answers.start(Token(2));
  (void)answers.finish(1, answer(1));
  answers.start(Token(3));

  EXPECT_EQ(answers.place(0), Answers::Place::kForgotten);
  EXPECT_EQ(answers.place(1), Answers::Place::kForgotten);
  EXPECT_EQ(answers.place(2), Answers::Place::kInFlight);
  EXPECT_EQ(answers.place(3), Answers::Place::kInFlight);
  EXPECT_EQ(answers.place(4), Answers::Place::kNext);
  EXPECT_EQ(answers.place(5), Answers::Place::kGap);
  EXPECT_TRUE(answers.full());
  answers.check_invariants();
}

TEST(Answers, HandsOutEveryCallerOnce) {
  Answers answers(4);
  answers.start(Token(1));
  answers.join(1, Token(2));

  EXPECT_THAT(answers.finish(1, answer(7)), ElementsAre(Token(1), Token(2)));
  EXPECT_EQ(answers.stored(1).value()->row_count, 7);
  EXPECT_EQ(answers.in_flight(), 0U);
  answers.check_invariants();
}

TEST(Answers, ForgetsTheAnswersButNotTheCount) {
  Answers answers(4);
  answers.start(Token(1));
  (void)answers.finish(1, answer(1));

  answers.forget();

  EXPECT_EQ(answers.count(), 1U);
  EXPECT_EQ(answers.place(1), Answers::Place::kForgotten);
  EXPECT_EQ(answers.place(2), Answers::Place::kNext);
  answers.check_invariants();
}

TEST(AnswersDeathTest, RefusesAnswersOutOfOrder) {
  Answers answers(4);
  answers.start(Token(1));
  answers.start(Token(2));
  EXPECT_DEATH((void)answers.finish(2, answer(1)), "answered in order");
}

TEST(AnswersDeathTest, NeverPushesOutAStatementInFlight) {
  Answers answers(1);
  answers.start(Token(1));
  EXPECT_DEATH(answers.start(Token(2)), "full window");
}

}  // namespace
}  // namespace assent::branch
