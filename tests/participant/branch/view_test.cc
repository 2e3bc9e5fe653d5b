// What operators are shown of a branch.
#include "tests/participant/branch/table_fixture.h"

namespace assent::branch {
namespace {

TEST(View, NothingIsShownOfWhatIsNotRemembered) {
  Table t;
  EXPECT_FALSE(t.table().view(transaction(1), t.now()));
}

TEST(View, OpenBranchTellsSinceWhenAndUntilWhen) {
  Table t;
  t.open(1);
  t.pass(Millis(200));
  const BranchView waiting = t.table().view(transaction(1), t.now()).value();
  EXPECT_EQ(waiting.branch, t.id);
  EXPECT_EQ(waiting.opened_ago, Millis(200));
  EXPECT_EQ(waiting.life_ends_in, Opening{}.lifetime - Millis(200));
  EXPECT_FALSE(waiting.idle_ends_in) << "its statement is not answered";
  EXPECT_FALSE(waiting.vote);
}

TEST(View, PreparedBranchHasVotedAndHasNoDeadline) {
  Table t;
  t.be_prepared();
  const BranchView prepared = t.table().view(transaction(1), t.now()).value();
  EXPECT_EQ(prepared.state, "prepared");
  EXPECT_EQ(prepared.vote, VoteKind::kYes);
  EXPECT_FALSE(prepared.idle_ends_in);
  EXPECT_FALSE(prepared.life_ends_in);
  EXPECT_TRUE(prepared.because.empty());
}

TEST(View, EndedBranchSaysWhy) {
  Table t;
  t.be_open();
  t.pass(Opening{}.idle_timeout);
  t.tick();
  t.step(RollbackDone{t.id});
  const BranchView ended = t.table().view(transaction(1), t.now()).value();
  EXPECT_EQ(ended.state, "ended");
  EXPECT_NE(ended.because.find("idle for 60000 ms"), std::string::npos);
}

}  // namespace
}  // namespace assent::branch
