// Carrying logged outcomes out, once and for exactly the branch they name (R3, R5, R7).
#include <gtest/gtest.h>

#include "tests/participant/branch/table_fixture.h"

namespace assent::branch {
namespace {

const BranchId kOlder{transaction(1), "orders", Epoch(2), Attempt(9)};

TEST(Finish, CommitsAPreparedBranchWithItsEvidence) {
  Table t;
  t.be_prepared();
  const Effects effects =
      t.effects(FinishAsked{Token(3), ballot(1), t.id, Outcome::kCommitted, std::nullopt});

  EXPECT_EQ(shown(effects), "RunFinish b1 COMMITTED");
  EXPECT_EQ(std::get<RunFinish>(effects.operations.at(0)).evidence, kEvidence);
  EXPECT_EQ(t.finished(FinishResult::kDone), "t3=DONE");
  EXPECT_EQ(t.table().counters().committed, 1U);
  EXPECT_EQ(t.table().live_count(), 0U);
}

TEST(Finish, RollsAPreparedBranchBackByItsGid) {
  Table t;
  t.be_prepared();
  EXPECT_EQ(t.roll_back(3), "RunFinish b1 ABORTED");
  EXPECT_EQ(t.finished(FinishResult::kDone), "t3=DONE");
  EXPECT_EQ(t.table().counters().rolled_back, 1U);
}

TEST(Finish, WhatIsPreparedIsListedUntilItIsFinished) {
  Table t;
  EXPECT_EQ(t.table().prepared(), std::vector<PreparedBranch>{});
  t.be_prepared();
  EXPECT_EQ(t.table().prepared(), (std::vector<PreparedBranch>{{t.id, kEvidence}}));
  EXPECT_TRUE(t.table().is_prepared(t.id));
  t.roll_back(3);
  EXPECT_EQ(t.table().prepared(), std::vector<PreparedBranch>{});
  EXPECT_FALSE(t.table().is_prepared(t.id));
  t.step(FinishDone{t.id, tl::unexpected(coded(ErrorCode::kUnavailable))});
  EXPECT_EQ(t.table().prepared(), (std::vector<PreparedBranch>{{t.id, kEvidence}}))
      << "nothing is known of it yet";
}

TEST(Finish, RollsAnOpenBranchBackOnItsConnection) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.roll_back(2), "RunRollback");
  EXPECT_EQ(t.roll_back(3), "nothing");
  EXPECT_EQ(t.rolled_back(), "Release; t2=DONE; t3=DONE");
  EXPECT_EQ(t.roll_back(4), "t4=DONE");
}

TEST(Finish, EndsTheWaitOfABranchWithoutConnection) {
  Table t;
  t.open(1);
  EXPECT_EQ(t.roll_back(2), "RunRollback");
  EXPECT_EQ(t.rolled_back(), "t1=error BRANCH_ENDED; t2=DONE") << "there is nothing to release";
  EXPECT_EQ(t.open(3), "t3=error BRANCH_ENDED");
}

TEST(Finish, OfABranchThatIsPreparingWaitsForThePrepare) {
  Table t;
  t.be_preparing();
  EXPECT_EQ(t.roll_back(3), "RunCancel") << "it may wait behind a lock";
  EXPECT_EQ(t.roll_back(4, 2), "nothing") << "once is enough";
  EXPECT_EQ(t.prepared(), "Release; RunFinish b2 ABORTED; t2=YES");
  EXPECT_EQ(t.finished(FinishResult::kDone), "t3=DONE; t4=DONE");
}

TEST(Finish, OfABranchThatCouldNotPrepareIsDone) {
  Table t;
  t.be_preparing();
  t.roll_back(3);
  EXPECT_EQ(t.not_prepared(sql_error("40001")), "Release; t2=NO SQL; t3=DONE");
}

TEST(Finish, CommitNeedsAYes) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.commit(2), "t2=error INTERNAL");
  t.prepare(3, 1);
  EXPECT_EQ(t.commit(4), "t4=error INTERNAL");
  t.prepared();
  EXPECT_EQ(t.commit(5), "RunFinish b1 COMMITTED");
}

TEST(Finish, IsJoinedByRepeatsAndRefusedToTheOtherOutcome) {
  Table t;
  t.be_prepared();
  t.commit(3);
  EXPECT_EQ(t.commit(4), "nothing");
  EXPECT_EQ(t.roll_back(5), "t5=error INTERNAL");
  EXPECT_EQ(t.finished(FinishResult::kDone), "t3=DONE; t4=DONE");
}

TEST(Finish, MayBeTriedAgainWhenNothingIsKnown) {
  Table t;
  t.be_prepared();
  t.commit(3);
  t.commit(4);
  EXPECT_EQ(t.not_finished(coded(ErrorCode::kUnavailable)),
            "t3=error UNAVAILABLE; t4=error UNAVAILABLE");
  EXPECT_EQ(t.state(), "prepared");
  EXPECT_EQ(t.commit(5), "RunFinish b1 COMMITTED");
}

TEST(Finish, IsSentAgainUnderTheBallotOfALaterCaller) {
  Table t;
  t.be_prepared();
  t.commit(3);
  t.commit(4, 2);
  EXPECT_EQ(t.not_finished(coded(ErrorCode::kStaleBallot)),
            "RunFinish b2 COMMITTED; t3=error STALE_BALLOT");
  EXPECT_EQ(t.finished(FinishResult::kDone), "t4=DONE");
}

TEST(FinishDeathTest, CannotBeStaleUnlessAHigherBallotWasSeen) {
  Table t;
  t.be_prepared();
  t.commit(3);
  EXPECT_DEATH(t.not_finished(coded(ErrorCode::kStaleBallot)), "only a stale ballot");
}

struct Ending {
  Outcome asked;
  FinishResult result;
  std::string again_commit;
  std::string again_roll_back;
};

TEST(Finish, RemembersHowTheBranchEnded) {
  const std::vector<Ending> endings = {
      {Outcome::kCommitted, FinishResult::kDone, "DONE", "HEURISTIC_COMMIT"},
      {Outcome::kCommitted, FinishResult::kHeuristicRollback, "HEURISTIC_ROLLBACK", "DONE"},
      {Outcome::kCommitted, FinishResult::kHazard, "HAZARD", "HAZARD"},
      {Outcome::kAborted, FinishResult::kDone, "HEURISTIC_ROLLBACK", "DONE"},
      {Outcome::kAborted, FinishResult::kHeuristicCommit, "DONE", "HEURISTIC_COMMIT"},
      {Outcome::kAborted, FinishResult::kHazard, "HAZARD", "HAZARD"},
  };
  for (const Ending& ending : endings) {
    Table t;
    t.be_prepared();
    t.finish(t.id, 3, ending.asked);
    t.finished(ending.result);
    EXPECT_EQ(t.commit(4), "t4=" + ending.again_commit);
    EXPECT_EQ(t.roll_back(5), "t5=" + ending.again_roll_back);
    EXPECT_EQ(t.table().counters().heuristic, ending.result == FinishResult::kDone ? 0U : 1U);
  }
}

TEST(Finish, OfACommitWhoseBranchRolledBackIsACertainHeuristicRollback) {
  Table t;
  t.be_open();
  t.lost();
  EXPECT_EQ(t.commit(2), "t2=HEURISTIC_ROLLBACK");
}

// ── branches that are not in memory ─────────────────────────────────────────────────────────────

TEST(Finish, OfAnOlderLifeGoesByGidAndEvidence) {
  Table t;
  const Effects effects = t.effects(
      FinishAsked{Token(1), ballot(1), kOlder, Outcome::kCommitted, kEvidence, true, Epoch(9)});

  EXPECT_EQ(shown(effects), "RunFinish b1 COMMITTED");
  EXPECT_EQ(std::get<RunFinish>(effects.operations.at(0)).evidence, kEvidence);
  EXPECT_TRUE(std::get<RunFinish>(effects.operations.at(0)).maybe_lost);
  EXPECT_EQ(std::get<RunFinish>(effects.operations.at(0)).kept_in, Epoch(9));
  EXPECT_EQ(t.finish(kOlder, 2, Outcome::kCommitted), "nothing");
  EXPECT_EQ(t.finish(kOlder, 3, Outcome::kAborted), "t3=error INTERNAL");
  EXPECT_EQ(t.finished(kOlder, FinishResult::kDone), "t1=DONE; t2=DONE");
  EXPECT_EQ(t.table().counters().committed, 1U);
  EXPECT_EQ(t.finish(kOlder, 4, Outcome::kCommitted), "RunFinish b1 COMMITTED")
      << "the shell settles it by evidence each time";
}

TEST(Finish, OfAnOlderLifeDoesNotTouchThisLifesBranch) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.finish(kOlder, 2, Outcome::kAborted), "RunFinish b1 ABORTED");
  EXPECT_EQ(t.finished(kOlder, FinishResult::kHazard), "t2=HAZARD");
  EXPECT_EQ(t.state(), "open");
  EXPECT_EQ(t.table().counters().heuristic, 1U);
}

TEST(Finish, OfAnOlderLifeMayBeTriedAgain) {
  Table t;
  t.finish(kOlder, 1, Outcome::kAborted);
  t.finish(kOlder, 2, Outcome::kAborted, 2);
  EXPECT_EQ(t.step(FinishDone{kOlder, tl::unexpected(coded(ErrorCode::kStaleBallot))}),
            "RunFinish b2 ABORTED; t1=error STALE_BALLOT");
  EXPECT_EQ(t.step(FinishDone{kOlder, tl::unexpected(coded(ErrorCode::kUnavailable))}),
            "t2=error UNAVAILABLE");
  EXPECT_EQ(t.finish(kOlder, 3, Outcome::kAborted, 2), "RunFinish b2 ABORTED");
}

TEST(Finish, OfUnknownBranchesIsBounded) {
  Table t;
  for (std::uint64_t n = 1; n <= 4; ++n) {
    t.finish({transaction(n), "orders", Epoch(2), Attempt(n)}, n, Outcome::kAborted);
  }
  EXPECT_EQ(t.finish({transaction(5), "orders", Epoch(2), Attempt(5)}, 5, Outcome::kAborted),
            "t5=error OVERLOADED");
}

TEST(Finish, OfAForgottenBranchGoesByGid) {
  Table t;
  t.be_prepared();
  t.commit(3);
  t.finished(FinishResult::kDone);
  t.pass(Millis(600'000));
  t.tick();
  EXPECT_EQ(t.commit(4), "RunFinish b1 COMMITTED");
}

TEST(Finish, OfABranchThatIsOpenedAfterwardsKeepsItFromComingToLife) {
  Table t;
  EXPECT_EQ(t.roll_back(1), "t1=DONE");
  EXPECT_EQ(t.open(2), "t2=error BRANCH_ENDED");
  EXPECT_EQ(t.prepare(3, 1), "t3=NO BRANCH_ENDED");
  EXPECT_EQ(t.table().counters().rolled_back, 0U);
}

TEST(Finish, OfAnAttemptNeverIssuedLeavesTheLiveOneAlone) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.finish({transaction(1), "orders", Epoch(3), Attempt(7)}, 2, Outcome::kAborted),
            "t2=DONE");
  EXPECT_EQ(t.finish({transaction(1), "orders", Epoch(3), Attempt(8)}, 3, Outcome::kCommitted),
            "t3=error INTERNAL");
  EXPECT_EQ(t.state(), "open");
}

TEST(Finish, OfAnAttemptNeverIssuedKeepsItFromComingToLifeBehindALiveOne) {
  Table t;
  t.open(1);
  t.finish({transaction(1), "orders", Epoch(3), Attempt(2)}, 2, Outcome::kAborted);
  EXPECT_EQ(t.refused(), "t1=error OVERLOADED");
  EXPECT_EQ(t.open(3), "t3=error BRANCH_ENDED");
}

TEST(Finish, OfAnAttemptNeverIssuedKeepsItFromComingToLifeWhenThatIsForgotten) {
  Table t;
  t.roll_back(1);
  t.pass(Millis(600'000));
  t.tick();
  const Effects effects =
      t.effects(ExecuteAsked{Token(2), transaction(1), Opening{"nonce"}, 1, {"SELECT 1", {}}});
  EXPECT_EQ(std::get<Acquire>(effects.operations.at(0)).branch.attempt, Attempt(2));
}

TEST(Finish, OfAMadeUpAttemptUsesNoAttemptsUp) {
  Table t;
  t.finish({transaction(2), "orders", Epoch(3), Attempt(std::uint64_t{1} << 61)}, 1,
           Outcome::kAborted);
  t.be_open();
  EXPECT_EQ(t.state(), "open") << "it is the first attempt still";
}

}  // namespace
}  // namespace assent::branch
