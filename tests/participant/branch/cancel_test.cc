// A client's end of its own branch, and the end of its lifetime.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/participant/branch/table_fixture.h"

namespace assent::branch {
namespace {

using ::testing::HasSubstr;

TEST(Cancel, RollsARunningBranchBackAndAnswersThen) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  EXPECT_EQ(t.cancel_by_name(3), "RunRollback");
  EXPECT_EQ(t.cancel(4), "nothing");
  EXPECT_EQ(t.rolled_back(), "Release; t2=error BRANCH_ENDED; t3=CANCELLED; t4=CANCELLED");
  EXPECT_EQ(t.cancel(5), "t5=CANCELLED");
  EXPECT_EQ(t.table().counters().cancelled, 1U);
  EXPECT_EQ(t.table().counters().rolled_back, 1U);
}

TEST(Cancel, NamesABranchByItsNonceWhileItsNameIsNotKnown) {
  Table t;
  t.open(1);
  EXPECT_EQ(t.cancel(2, "other"), "t2=error UNKNOWN_BRANCH");
  EXPECT_EQ(t.cancel(3), "RunRollback");
  EXPECT_EQ(t.rolled_back(), "t1=error BRANCH_ENDED; t3=CANCELLED");
}

TEST(Cancel, SaysWhyTheBranchEnded) {
  Table t;
  t.be_open();
  t.cancel(2);
  const Effects effects = t.effects(PrepareAsked{Token(3), ballot(1), t.id, 1});
  EXPECT_THAT(std::get<No>(effects.replies.at(0).answer).reason.message, HasSubstr("cancelled"));
}

TEST(Cancel, OfAnotherBranchIsUnknown) {
  Table t;
  EXPECT_EQ(t.cancel(1), "t1=error UNKNOWN_BRANCH");
  t.be_open();
  EXPECT_EQ(t.step(CancelAsked{Token(2), transaction(1), BranchRef{Epoch(3), Attempt(2)}}),
            "t2=error UNKNOWN_BRANCH");
  EXPECT_EQ(t.step(CancelAsked{Token(3), transaction(1), BranchRef{Epoch(2), Attempt(1)}}),
            "t3=error UNKNOWN_BRANCH");
  EXPECT_EQ(t.state(), "open");
}

TEST(Cancel, NeverTouchesABranchThatWasAskedToPrepare) {
  Table t;
  t.be_preparing();
  EXPECT_EQ(t.cancel(3), "t3=error BRANCH_ENDED");
  t.prepared();
  EXPECT_EQ(t.cancel(4), "t4=error BRANCH_ENDED");
  t.commit(5);
  EXPECT_EQ(t.cancel(6), "t6=error BRANCH_ENDED");
  t.finished(FinishResult::kDone);
  EXPECT_EQ(t.cancel(7), "t7=error BRANCH_ENDED");
}

TEST(Cancel, OfABranchThatRollsBackAnywayIsAnsweredWithIt) {
  Table t;
  t.be_open();
  t.roll_back(2);
  EXPECT_EQ(t.cancel(3), "nothing");
  EXPECT_EQ(t.rolled_back(), "Release; t2=DONE; t3=CANCELLED");
  EXPECT_EQ(t.table().counters().cancelled, 0U) << "it was not the reason";
}

TEST(Cancel, IsNoRollbackWhenTheTransactionWasGoneBefore) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.cancel(3);
  t.step(StatementDone{t.id, 2, tagged("COMMIT"), false});
  EXPECT_EQ(t.rolled_back(), "Release; t3=error BRANCH_ENDED");
  EXPECT_EQ(t.cancel(4), "t4=error BRANCH_ENDED");
}

TEST(Cancel, OfAnEmptyNonceNamesNoBranch) {
  Table t(one_shot_id());
  t.one_shot(1);
  EXPECT_EQ(t.cancel(2, ""), "t2=error UNKNOWN_BRANCH");
}

// ── lifetime ────────────────────────────────────────────────────────────────────────────────────

std::string open_for(Table& t, Millis lifetime) {
  return t.step(ExecuteAsked{Token(1),
                             transaction(1),
                             Opening{.nonce = "nonce", .lifetime = lifetime},
                             1,
                             {.sql = "SELECT 1", .parameters = {}}});
}

TEST(Lifetime, EndsABranchWhateverItRuns) {
  Table t;
  open_for(t, Millis(1'000));
  EXPECT_EQ(t.table().next_deadline(), t.now() + Millis(1'000));
  t.granted();
  t.pass(Millis(999));
  EXPECT_EQ(t.tick(), "nothing");
  t.pass(Millis(1));
  EXPECT_EQ(t.tick(), "RunRollback");
  const Effects effects = t.effects(RollbackDone{t.id});
  EXPECT_EQ(shown(effects), "Release; t1=error BRANCH_ENDED");
  EXPECT_THAT(std::get<Error>(effects.replies.at(0).answer).message,
              HasSubstr("lived for 1000 ms"));
  EXPECT_EQ(t.table().counters().expired, 1U);
  EXPECT_EQ(t.table().counters().idle_rolled_back, 0U);
}

TEST(Lifetime, EndsABranchThatStillWaits) {
  Table t;
  open_for(t, Millis(1'000));
  t.pass(Millis(1'000));
  EXPECT_EQ(t.tick(), "RunRollback");
}

TEST(Lifetime, CountsFromTheOpeningAcrossAPrepareThatWasNotSent) {
  Table t;
  open_for(t, Millis(70'000));
  t.granted();
  t.done(1, "ONE");
  t.pass(Millis(30'000));
  t.prepare(2, 1);
  EXPECT_EQ(t.table().next_deadline(), std::nullopt);
  t.table().observe(ballot(2));
  t.not_prepared(coded(ErrorCode::kStaleBallot));
  EXPECT_EQ(t.table().next_deadline(), t.now() + Millis(40'000));
}

TEST(Lifetime, NeverTouchesABranchThatWasAskedToPrepare) {
  for (const bool prepared : {false, true}) {
    Table t;
    prepared ? t.be_prepared() : t.be_preparing();
    t.pass(Millis(10'000'000));
    EXPECT_EQ(t.tick(), "nothing");
  }
}

TEST(Lifetime, OverTogetherWithTheIdleDeadlineEndsItOnce) {
  Table t;
  t.be_open();
  t.pass(Millis(3'600'000));
  EXPECT_EQ(t.tick(), "RunRollback");
  t.rolled_back();
  EXPECT_EQ(t.table().counters().expired, 1U);
  EXPECT_EQ(t.table().counters().idle_rolled_back, 0U);
}

}  // namespace
}  // namespace assent::branch
