// Commits in one phase, and settling them: one outcome, for ever (R12).
#include <gtest/gtest.h>

#include "tests/participant/branch/table_fixture.h"

namespace assent::branch {
namespace {

const BranchId kOlder{transaction(1), "orders", Epoch(2), Attempt(9)};

TEST(OnePhase, IsAskedOfAnOpenBranch) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.prepare_one_phase(2, 1), "RunPrepare b1 one-phase");
  EXPECT_EQ(t.committed_one_phase(), "Release; t2=COMMITTED");
  EXPECT_EQ(t.prepare_one_phase(3, 1), "t3=COMMITTED");
  EXPECT_EQ(t.prepare(4, 1), "t4=COMMITTED") << "the vote is the vote";
  EXPECT_EQ(t.commit(5), "t5=DONE");
  EXPECT_EQ(t.roll_back(6), "t6=HEURISTIC_COMMIT");
  EXPECT_EQ(t.table().counters().committed, 1U);
}

TEST(OnePhase, IsJoinedByAPlainPrepareAndJoinsOne) {
  Table t;
  t.be_preparing();
  EXPECT_EQ(t.prepare_one_phase(3, 1), "nothing");
  EXPECT_EQ(t.prepared(), "Release; t2=YES; t3=YES");

  Table other;
  other.be_preparing_one_phase();
  EXPECT_EQ(other.prepare(3, 1), "nothing");
  EXPECT_EQ(other.committed_one_phase(), "Release; t2=COMMITTED; t3=COMMITTED");
}

TEST(OnePhase, IsNotSentAgainForALeaderThatAskedForAPlainPrepare) {
  Table t;
  t.be_preparing_one_phase();
  t.prepare(3, 1, 2);
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kStaleBallot)), "RunPrepare b2; t2=error STALE_BALLOT");
}

TEST(OnePhase, ThatFailedIsADefiniteNo) {
  Table t;
  t.be_preparing_one_phase();
  EXPECT_EQ(t.not_prepared(sql_error("23505")), "Release; t2=NO SQL");
  EXPECT_EQ(t.prepare_one_phase(3, 1), "t3=NO SQL");
}

TEST(OnePhaseDeathTest, IsNotTheAnswerToAPlainPrepareNorTheOtherWayRound) {
  Table t;
  t.be_preparing();
  EXPECT_DEATH(t.committed_one_phase(), "nobody asked for the commit");
  Table other;
  other.be_preparing_one_phase();
  EXPECT_DEATH(other.prepared(), "prepares nothing");
}

TEST(ReadOnly, LeavesAndHasNothingToFinish) {
  Table t;
  t.be_preparing();
  EXPECT_EQ(t.left(), "Release; t2=READ_ONLY");
  EXPECT_EQ(t.prepare(3, 1), "t3=READ_ONLY");
  EXPECT_EQ(t.commit(4), "t4=DONE");
  EXPECT_EQ(t.roll_back(5), "t5=DONE");
  EXPECT_EQ(t.table().counters().voted_read_only, 1U);
  EXPECT_EQ(t.table().counters().committed, 0U);
  EXPECT_EQ(t.table().counters().rolled_back, 0U);
  EXPECT_EQ(t.table().live_count(), 0U);
}

// ── settling ────────────────────────────────────────────────────────────────────────────────────

TEST(Settle, OfAnUnknownTransactionReadsTheRow) {
  Table t;
  EXPECT_EQ(t.settle(1), "RunSettle b1");
  EXPECT_EQ(t.settled(true), "t1=SETTLED committed");
  EXPECT_EQ(t.table().counters().settled, 1U);
}

TEST(Settle, EndsWaitingAndOpenBranchesFirst) {
  for (const bool open : {false, true}) {
    Table t;
    open ? t.be_open() : void(t.open(1));
    EXPECT_EQ(t.settle(2), "RunRollback");
    EXPECT_EQ(t.rolled_back(),
              open ? "Release; RunSettle b1" : "RunSettle b1; t1=error BRANCH_ENDED");
    EXPECT_EQ(t.settled(false), "t2=SETTLED aborted");
    EXPECT_EQ(t.prepare_one_phase(3, 1), "t3=NO BRANCH_ENDED");
  }
}

TEST(Settle, CancelsAPrepareOnceAndTellsItsCommit) {
  Table t;
  t.be_preparing_one_phase();
  EXPECT_EQ(t.settle(3), "RunCancel");
  EXPECT_EQ(t.settle(4), "nothing");
  EXPECT_EQ(t.committed_one_phase(),
            "Release; t2=COMMITTED; t3=SETTLED committed; "
            "t4=SETTLED committed");
  EXPECT_EQ(t.settle(5), "t5=SETTLED committed") << "without a look";
}

TEST(Settle, ReadsTheRowAfterAPrepareThatDidNotCommit) {
  Table t;
  t.be_preparing_one_phase();
  t.settle(3);
  EXPECT_EQ(t.not_prepared(sql_error("57014")), "Release; RunSettle b1; t2=NO SQL");
  EXPECT_EQ(t.settled(false), "t3=SETTLED aborted");
}

TEST(Settle, EndsABranchWhosePrepareWasNotSent) {
  Table t;
  t.be_preparing_one_phase();
  t.settle(3, 2);
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kStaleBallot)), "RunRollback; t2=error STALE_BALLOT");
  EXPECT_EQ(t.rolled_back(), "Release; RunSettle b2");
}

TEST(Settle, LeavesAPreparedBranchAlone) {
  Table t;
  t.be_prepared();
  EXPECT_EQ(t.settle(3), "RunSettle b1");
  EXPECT_EQ(t.settled(false), "t3=SETTLED aborted");
  EXPECT_EQ(t.state(), "prepared");
  EXPECT_EQ(t.roll_back(4), "RunFinish b1 ABORTED");
  EXPECT_EQ(t.settle(5), "RunSettle b1");
}

TEST(Settle, KeepsItsTransactionFromOpeningABranch) {
  Table t;
  t.settle(1);
  EXPECT_EQ(t.open(2), "t2=error BRANCH_ENDED");
  t.settled(false);
  EXPECT_EQ(t.open(3), "Acquire");
}

TEST(Settle, IsJoined) {
  Table t;
  t.settle(1);
  EXPECT_EQ(t.settle(2), "nothing");
  EXPECT_EQ(t.settled(false), "t1=SETTLED aborted; t2=SETTLED aborted");
  EXPECT_EQ(t.settle(3), "RunSettle b1");
}

TEST(Settle, IsBounded) {
  Table t;
  for (std::uint64_t n = 1; n <= 4; ++n) {
    t.step(SettleAsked{Token(n), ballot(1), transaction(n)});
  }
  EXPECT_EQ(t.step(SettleAsked{Token(5), ballot(1), transaction(5)}), "t5=error OVERLOADED");
  EXPECT_EQ(t.step(SettleAsked{Token(6), ballot(1), transaction(1)}), "nothing");
}

TEST(Settle, OfAnOldLeaderIsRefused) {
  Table t;
  t.table().observe(ballot(2));
  EXPECT_EQ(t.settle(1), "t1=error STALE_BALLOT");
}

TEST(Settle, IsSentAgainUnderTheBallotOfALaterCaller) {
  Table t;
  t.settle(1);
  t.settle(2, 2);
  EXPECT_EQ(t.not_settled(coded(ErrorCode::kStaleBallot)), "RunSettle b2; t1=error STALE_BALLOT");
  EXPECT_EQ(t.settled(false), "t2=SETTLED aborted");
}

TEST(Settle, WhoseBallotGrewMeanwhileIsNotSentAtAll) {
  Table t;
  t.be_open();
  t.settle(2);
  t.table().observe(ballot(2));
  EXPECT_EQ(t.rolled_back(), "Release; t2=error STALE_BALLOT");
}

TEST(Settle, MayBeTriedAgainWhenNothingIsKnown) {
  Table t;
  t.settle(1);
  t.settle(2);
  EXPECT_EQ(t.not_settled(coded(ErrorCode::kUnavailable)),
            "t1=error UNAVAILABLE; t2=error UNAVAILABLE");
  EXPECT_EQ(t.settle(3), "RunSettle b1");
}

TEST(SettleDeathTest, CannotBeDoneUnlessItWasSent) {
  Table t;
  t.be_open();
  t.settle(2);
  EXPECT_DEATH(t.settled(false), "a settle in flight");
}

// ── a one-phase prepare of a branch that is not in memory ───────────────────────────────────────

TEST(VoteByRow, IsCommittedWhenTheRowSaysSo) {
  Table t;
  EXPECT_EQ(t.prepare_one_phase(kOlder, 1, 1), "RunSettle b1");
  EXPECT_EQ(t.settled(true), "t1=COMMITTED");
}

TEST(VoteByRow, IsNoWhenItNeverWillCommit) {
  Table t;
  t.prepare_one_phase(kOlder, 1, 1);
  t.settle(2);
  EXPECT_EQ(t.settled(false), "t2=SETTLED aborted; t1=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.table().counters().voted_no, 1U);
}

TEST(VoteByRow, IsNoVoteWhenNothingIsKnown) {
  Table t;
  t.prepare_one_phase(kOlder, 1, 1);
  t.prepare_one_phase(kOlder, 2, 1, 2);
  EXPECT_EQ(t.not_settled(coded(ErrorCode::kStaleBallot)), "RunSettle b2; t1=error STALE_BALLOT");
  EXPECT_EQ(t.not_settled(coded(ErrorCode::kUnavailable)), "t2=error UNAVAILABLE");
}

TEST(VoteByRow, TellsTheCommitOfABranchThatIsForgotten) {
  for (const BranchId& id : {Table().id, one_shot_id()}) {
    Table t(id);
    id == one_shot_id() ? void((t.one_shot(1), t.granted())) : t.be_open();
    t.prepare_one_phase(2, id == one_shot_id() ? 0 : 1);
    id == one_shot_id() ? t.left() : t.committed_one_phase();
    t.pass(Millis(600'000));
    t.tick();
    EXPECT_EQ(t.prepare_one_phase(3, 1), "RunSettle b1");
    EXPECT_EQ(t.settled(true), "t3=COMMITTED");
  }
}

TEST(VoteByRow, IsReadForARepeatedOneShotThatIsForgotten) {
  Table t(one_shot_id());
  t.one_shot(1);
  t.refused();
  t.pass(Millis(600'000));
  t.tick();
  EXPECT_EQ(t.step(PrepareAsked{.token = Token(2),
                                .ballot = ballot(1),
                                .branch = t.id,
                                .one_shot = work_of({"UPDATE a"}),
                                .one_phase = true}),
            "RunSettle b1");
}

TEST(VoteByRow, IsNotNeededForABranchThatNeverBegan) {
  Table t;
  EXPECT_EQ(t.prepare_one_phase(1, 1), "t1=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.open(2), "t2=error BRANCH_ENDED");
}

}  // namespace
}  // namespace assent::branch
