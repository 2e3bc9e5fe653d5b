// A client's abort.
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

using Branches = std::vector<RequestedBranch>;

TEST(Abort, OfTheUnknownIsLoggedBeforeItIsTold) {
  Stage s;
  EXPECT_EQ(s.abort(1, {Stage::branch("a")}), "propose ABORTED a because BRANCH_ENDED");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK?; reply 1 abort: ABORTED");
  EXPECT_EQ(s.finished("a"), "");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Abort, WithoutBranchesIsDoneWhenItTookEffect) {
  Stage s;
  EXPECT_EQ(s.abort(1), "propose ABORTED because BRANCH_ENDED");
  EXPECT_EQ(s.execute(), "reply 1 abort: ABORTED");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Abort, WhilePreparingAbortsForEveryCaller) {
  Stage s;
  s.commit(1);
  EXPECT_EQ(s.abort(2, {Stage::branch("a"), Stage::branch("b", 2)}),
            "propose ABORTED a b b/1.2 because BRANCH_ENDED");
  EXPECT_EQ(s.execute(),
            "finish a ROLLBACK?; finish b ROLLBACK?; finish b/1.2 ROLLBACK?; "
            "reply 1 ABORTED because BRANCH_ENDED; reply 2 abort: ABORTED");
}

TEST(Abort, R10AfterACommitAnswersCommitted) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  EXPECT_EQ(s.abort(2), "reply 2 abort: COMMITTED");
  s.finished("a");
  s.finished("b");
  EXPECT_EQ(s.abort(3), "reply 3 abort: COMMITTED");
}

TEST(Abort, ACommitThatComesAfterItIsAborted) {
  Stage s;
  s.abort(1);
  EXPECT_EQ(s.commit(2), "") << "it waits for the abort to take effect";
  EXPECT_EQ(s.execute(),
            "finish a ROLLBACK?; finish b ROLLBACK?; reply 1 abort: ABORTED; "
            "reply 2 ABORTED because BRANCH_ENDED");
}

TEST(Abort, R5ALaterCommitNamesBranchesThatAreRolledBackToo) {
  Stage s;
  s.abort(1);
  s.execute();
  EXPECT_EQ(s.commit(2),
            "finish a ROLLBACK?; finish b ROLLBACK?; reply 2 ABORTED because BRANCH_ENDED");
  s.finished("a");
  s.finished("b");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Abort, R5BranchesThatACommitDoesNotListAreRolledBack) {
  Stage s;
  s.commit_and_finish();
  EXPECT_EQ(s.abort(2, {Stage::branch("a"), Stage::branch("b", 2)}),
            "finish b/1.2 ROLLBACK?; reply 2 abort: COMMITTED");
}

TEST(Abort, RefusalsAreThoseOfCommit) {
  Stage s;
  EXPECT_EQ(s.abort(1, {Stage::branch("A")}), "reply 1 error INVALID_ARGUMENT");
  EXPECT_EQ(s.abort(1, {Stage::branch("nobody")}), "reply 1 error UNKNOWN_PARTICIPANT");
  EXPECT_EQ(
      s.feed(AbortAsked{
          Token(1), s.transaction(1, kLogStart + Millis(60'001)), {}, /*never_committed=*/true}),
      "reply 1 error CLOCK");
  s.execute_other(state::Forgotten{});
  EXPECT_EQ(
      s.feed(AbortAsked{
          Token(1), s.transaction(1, kLogStart - Millis(600'000)), {}, /*never_committed=*/true}),
      "reply 1 error EXPIRED");
}

}  // namespace
}  // namespace assent::commit
