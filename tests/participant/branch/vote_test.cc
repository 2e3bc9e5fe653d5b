// Votes: one for each branch, YES only when it is prepared.
#include <gtest/gtest.h>

#include "tests/participant/branch/table_fixture.h"

namespace assent::branch {
namespace {

TEST(Vote, SaysYesWithTheEvidenceAndGivesTheConnectionBack) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.prepare(2, 1), "RunPrepare b1");
  const Effects effects = t.effects(PrepareDone{t.id, kEvidence});

  EXPECT_EQ(shown(effects), "Release; t2=YES");
  EXPECT_EQ(std::get<Yes>(effects.replies.at(0).answer).evidence, kEvidence);
  EXPECT_EQ(t.table().counters().voted_yes, 1U);
  EXPECT_EQ(t.table().live_count(), 1U);
}

TEST(Vote, SaysNoWhenPrepareFails) {
  Table t;
  t.be_preparing();
  EXPECT_EQ(t.not_prepared(sql_error("23503")), "Release; t2=NO SQL");
  EXPECT_EQ(t.prepare(3, 1), "t3=NO SQL");
  EXPECT_EQ(t.table().counters().voted_no, 1U);
  EXPECT_EQ(t.table().counters().rolled_back, 1U);
  EXPECT_EQ(t.table().live_count(), 0U);
}

TEST(Vote, IsGivenToEveryoneWhoAsks) {
  Table t;
  t.be_preparing();
  t.prepare(3, 1);
  EXPECT_EQ(t.prepared(), "Release; t2=YES; t3=YES");
  EXPECT_EQ(t.prepare(4, 1), "t4=YES");
  EXPECT_EQ(t.table().counters().voted_yes, 1U);
}

TEST(Vote, StaysTheSameAfterTheBranchHasEnded) {
  Table t;
  t.be_prepared();
  t.roll_back(3);
  t.finished(FinishResult::kDone);
  EXPECT_EQ(t.prepare(4, 1), "t4=YES");
}

TEST(Vote, SaysNoWhenStatementsWereLost) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.prepare(2, 2), "RunRollback; t2=NO STATEMENT_NUMBER");
  EXPECT_EQ(t.prepare(3, 1), "t3=NO STATEMENT_NUMBER") << "the first reason stands";
  EXPECT_EQ(t.rolled_back(), "Release");
  EXPECT_EQ(t.roll_back(4), "t4=DONE");
}

TEST(Vote, NamesTheStatementThatFailedFirst) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.execute(3, 3);
  t.failed(2, "23505");
  t.failed(3, "25P02");
  const Effects effects = t.effects(PrepareAsked{Token(4), ballot(1), t.id, 3});

  EXPECT_EQ(shown(effects), "RunRollback; t4=NO SQL");
  EXPECT_EQ(std::get<No>(effects.replies.at(0).answer).reason.sql->sqlstate, "23505");
}

TEST(Vote, ForgivesAFailureThatASavepointUndid) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.failed(2, "23505");
  t.execute(3, 3, "ROLLBACK TO a");
  t.done(3, "ROLLBACK");
  EXPECT_EQ(t.prepare(4, 3), "RunPrepare b1");
}

TEST(Vote, LeavesAFailedBranchWithStatementsInFlightToPostgres) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.failed(2, "23505");
  t.execute(3, 3, "ROLLBACK TO a");
  EXPECT_EQ(t.prepare(4, 3), "RunPrepare b1");
  EXPECT_EQ(t.done(3, "ROLLBACK"), "t3=ROLLBACK");
  EXPECT_EQ(t.prepared(), "Release; t4=YES");
}

TEST(Vote, IsPipelinedBehindStatements) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  EXPECT_EQ(t.prepare(3, 2), "RunPrepare b1");
  EXPECT_EQ(t.failed(2, "22012"), "t2=error SQL");
  const Effects effects = t.effects(PrepareDone{t.id, tl::unexpected(coded(ErrorCode::kInternal))});

  EXPECT_EQ(shown(effects), "Release; t3=NO SQL") << "the statement's error, not PREPARE's";
}

TEST(Vote, DoesNotForgiveAFailureForAnyOtherSuccess) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.failed(2, "23505");
  t.execute(3, 3);
  t.done(3, "SELECT 1");
  EXPECT_EQ(t.prepare(4, 3), "RunRollback; t4=NO SQL");
}

// ── votes that wait for row counts ──────────────────────────────────────────────────────────────

TEST(Vote, WaitsForAnExpectedRowCountBeforePrepareIsSent) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(1));
  EXPECT_EQ(t.prepare(3, 2), "nothing");
  EXPECT_EQ(t.prepare(4, 2), "nothing");
  EXPECT_EQ(t.execute(5, 3), "t5=error BRANCH_ENDED") << "the vote is about two statements";
  EXPECT_EQ(t.step(StatementDone{t.id, 2, counted("UPDATE 1", 1), true}),
            "RunPrepare b1; t2=UPDATE 1");
  EXPECT_EQ(t.prepared(), "Release; t3=YES; t4=YES");
}

TEST(Vote, IsNoWithoutPrepareWhenARowCountInFlightDiffers) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(1));
  t.execute(3, 3);
  t.prepare(4, 3);
  EXPECT_EQ(t.step(StatementDone{t.id, 2, counted("UPDATE 0", 0), true}), "t2=error ROW_COUNT");
  EXPECT_EQ(t.done(3, "SELECT 1"), "RunRollback; t3=SELECT 1; t4=NO ROW_COUNT");
}

TEST(Vote, WaitsForStatementsBehindAWrongRowCount) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(1));
  t.step(StatementDone{t.id, 2, counted("UPDATE 0", 0), true});
  t.execute(3, 3, "ROLLBACK TO a");
  EXPECT_EQ(t.prepare(4, 3), "nothing") << "PREPARE would succeed either way";
  EXPECT_EQ(t.done(3, "ROLLBACK"), "RunPrepare b1; t3=ROLLBACK");
}

TEST(Vote, ThatWaitsIsEndedByAnAbort) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(1));
  t.prepare(3, 2);
  EXPECT_EQ(t.roll_back(4), "RunRollback; t3=NO BRANCH_ENDED");
  EXPECT_EQ(t.rolled_back(), "Release; t2=error BRANCH_ENDED; t4=DONE");
}

TEST(Vote, ThatWaitedIsAskedForUnderTheNewBallotOnly) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(0));
  t.prepare(3, 2);
  t.prepare_one_phase(4, 2, 2);
  EXPECT_EQ(t.done(2, "DONE"), "RunPrepare b2 one-phase; t2=DONE; t3=error STALE_BALLOT");
}

TEST(Vote, ThatWaitedUnderAStaleBallotLeavesTheBranchOpen) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(0));
  t.prepare(3, 2);
  t.table().observe(ballot(2));
  EXPECT_EQ(t.done(2, "DONE"), "t2=DONE; t3=error STALE_BALLOT");
  EXPECT_EQ(t.state(), "open");
  t.pass(Millis(60'000));
  EXPECT_EQ(t.tick(), "RunRollback");
}

TEST(Vote, TellsCallersWhoseAnswerWasLostWithTheConnection) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.prepare(3, 2);
  EXPECT_EQ(t.prepared(), "Release; t2=error UNAVAILABLE; t3=YES");
}

TEST(Vote, IsNoWhenTheConnectionIsLostBeforePrepareIsSent) {
  Table t;
  t.be_preparing();
  EXPECT_EQ(t.lost(), "t2=NO UNAVAILABLE");
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kUnavailable)), "nothing");
  EXPECT_EQ(t.prepare(3, 1), "t3=NO UNAVAILABLE");
}

TEST(Vote, IsAnErrorNotANoForAnotherParticipant) {
  Table t;
  EXPECT_EQ(t.prepare({transaction(1), "stock", Epoch(3), Attempt(1)}, 1, 1),
            "t1=error UNKNOWN_PARTICIPANT");
}

// ── branches that are not in memory ─────────────────────────────────────────────────────────────

TEST(Vote, IsNoForABranchOfAnotherLife) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.prepare({transaction(1), "orders", Epoch(2), Attempt(1)}, 2, 1),
            "t2=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.prepare({transaction(1), "orders", Epoch(4), Attempt(1)}, 3, 1),
            "t3=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.state(), "open") << "this life's own branch is another one";
  EXPECT_EQ(t.table().counters().voted_no, 2U);
}

TEST(Vote, IsNoForAnUnknownAttemptAndLeavesTheLiveOneAlone) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.prepare({transaction(1), "orders", Epoch(3), Attempt(2)}, 2, 1),
            "t2=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.state(), "open");
}

TEST(Vote, StaysNoForABranchThatIsOpenedAfterwards) {
  Table t;
  EXPECT_EQ(t.prepare(1, 1), "t1=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.open(2), "t2=error BRANCH_ENDED");
  EXPECT_EQ(t.prepare(3, 1), "t3=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.table().counters().voted_no, 1U);
}

// ── ballots (R4) ────────────────────────────────────────────────────────────────────────────────

TEST(Ballot, OfAnOldLeaderIsRefusedWithoutAVote) {
  Table t;
  t.be_open();
  t.table().observe(ballot(3));
  EXPECT_EQ(t.prepare(2, 1, 2), "t2=error STALE_BALLOT");
  EXPECT_EQ(t.roll_back(3, 2), "t3=error STALE_BALLOT");
  EXPECT_EQ(t.state(), "open");
  EXPECT_EQ(t.prepare(4, 1, 3), "RunPrepare b3");
}

TEST(Ballot, IsLearntFromEveryRequest) {
  Table t;
  t.prepare(1, 1, 4);
  EXPECT_EQ(t.table().ballot(), ballot(4));
  EXPECT_FALSE(t.table().may_send(ballot(3)));
  EXPECT_TRUE(t.table().may_send(ballot(4)));
  EXPECT_TRUE(t.table().may_send(ballot(5)));
  t.table().observe(ballot(2));
  EXPECT_EQ(t.table().ballot(), ballot(4)) << "it never falls";
}

TEST(Ballot, ThatGrewBeforePrepareWasSentLeavesTheBranchOpen) {
  Table t;
  t.be_preparing();
  t.table().observe(ballot(2));
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kStaleBallot)), "t2=error STALE_BALLOT");
  EXPECT_EQ(t.state(), "open");
  EXPECT_EQ(t.execute(3, 2), "RunStatement 2");
  EXPECT_EQ(t.table().counters().voted_no, 0U);
}

TEST(Ballot, OfALaterCallerSendsThePrepareAgain) {
  Table t;
  t.be_preparing();
  EXPECT_EQ(t.prepare(3, 1, 2), "nothing");
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kStaleBallot)), "RunPrepare b2; t2=error STALE_BALLOT");
  EXPECT_EQ(t.prepared(), "Release; t3=YES");
}

TEST(Ballot, ThatGrewDoesNotUndoARollbackAskedForMeanwhile) {
  Table t;
  t.be_preparing();
  t.roll_back(3);
  t.prepare(4, 1, 2);
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kStaleBallot)),
            "RunRollback; t2=error STALE_BALLOT; t4=NO BRANCH_ENDED");
  EXPECT_EQ(t.rolled_back(), "Release; t3=DONE");
}

TEST(Ballot, ThatGrewDoesNotRevealABranchWhoseTransactionIsGone) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.prepare(3, 2);
  t.step(StatementDone{t.id, 2, tagged("COMMIT"), false});
  t.table().observe(ballot(2));
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kStaleBallot)), "RunRollback; t3=error STALE_BALLOT");
  t.rolled_back();
  EXPECT_EQ(t.roll_back(4, 2), "t4=HAZARD");
}

TEST(BallotDeathTest, CannotBeStaleUnlessAHigherOneWasSeen) {
  Table t;
  t.be_preparing();
  EXPECT_DEATH(t.not_prepared(coded(ErrorCode::kStaleBallot)), "only a stale ballot");
}

TEST(VoteDeathTest, CannotBeYesForATransactionThatWasGone) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.prepare(3, 2);
  t.step(StatementDone{t.id, 2, tagged("COMMIT"), false});
  EXPECT_DEATH(t.prepared(), "PREPARE without a transaction");
}

}  // namespace
}  // namespace assent::branch
