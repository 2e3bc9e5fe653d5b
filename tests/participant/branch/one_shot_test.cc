// One-shots: a serial runs once, and the branch votes as soon as its statements are through.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/participant/branch/table_fixture.h"

namespace assent::branch {
namespace {

using ::testing::HasSubstr;

class OneShots : public ::testing::Test {
 protected:
  std::string done(PrepareResult result) {
    return t.step(PrepareDone{t.id, std::move(result), results_of(2)});
  }
  std::string ask(std::uint64_t token, const BranchId& branch, std::uint64_t low_water,
                  std::vector<std::string> statements = {"UPDATE a"}) {
    return t.step(PrepareAsked{.token = Token(token),
                               .ballot = ballot(1),
                               .branch = branch,
                               .one_shot = work_of(std::move(statements)),
                               .low_water = low_water});
  }
  const Error& reason(const Effects& effects) {
    return std::get<No>(effects.replies.at(0).answer).reason;
  }

  Table t{one_shot_id()};
};

TEST_F(OneShots, RunWhenThereIsAConnectionAndVoteWithResults) {
  EXPECT_EQ(t.one_shot(1), "Acquire");
  const Effects effects = t.effects(ConnectionGranted{t.id});
  EXPECT_EQ(shown(effects), "RunPrepare b1 one-shot");
  EXPECT_EQ(std::get<RunPrepare>(effects.operations.at(0)).one_shot->statements.size(), 2U);
  EXPECT_EQ(done(kEvidence), "Release; t1=YES+2");
  EXPECT_EQ(t.table().counters().one_shots, 1U);
  EXPECT_EQ(t.table().counters().opened, 1U);
  EXPECT_EQ(t.table().counters().statements, 2U);
}

TEST_F(OneShots, KeepResultsUntilTheBranchHasEnded) {
  t.one_shot(1);
  t.granted();
  done(kEvidence);
  EXPECT_EQ(t.one_shot(2), "t2=YES+2");
  t.commit(3);
  EXPECT_EQ(t.one_shot(4), "t4=YES+2");
  t.finished(FinishResult::kDone);
  EXPECT_EQ(t.one_shot(5), "t5=YES");
}

TEST_F(OneShots, R3VoteNoWhenPreparedInVainAndWaitForTheirRollback) {
  t.one_shot(1);
  t.granted();
  const Effects effects = t.effects(
      PrepareDone{t.id, PreparedInVain{kEvidence, coded(ErrorCode::kRowCount)}, results_of(2)});

  EXPECT_EQ(shown(effects), "Release; t1=NO ROW_COUNT");
  EXPECT_EQ(std::get<No>(effects.replies.at(0).answer).evidence, kEvidence);
  EXPECT_EQ(t.table().counters().voted_no, 1U);
  EXPECT_EQ(t.table().counters().voted_yes, 0U);
  EXPECT_EQ(t.table().live_count(), 1U) << "only the log ends what is prepared";
  EXPECT_EQ(t.one_shot(2), "t2=NO ROW_COUNT") << "a vote never changes";
  EXPECT_EQ(t.commit(3), "t3=error INTERNAL") << "only a YES can lead to a commit";
  EXPECT_EQ(t.roll_back(4), "RunFinish b1 ABORTED");
  EXPECT_EQ(t.finished(FinishResult::kDone), "t4=DONE");
  EXPECT_EQ(t.one_shot(5), "t5=NO ROW_COUNT");
}

TEST_F(OneShots, PreparedInVainAreRolledBackAtOnceWhenThatIsWantedAlready) {
  t.one_shot(1);
  t.granted();
  EXPECT_EQ(t.roll_back(2), "RunCancel");
  EXPECT_EQ(done(PreparedInVain{kEvidence, coded(ErrorCode::kRowCount)}),
            "Release; RunFinish b1 ABORTED; t1=NO ROW_COUNT");
}

TEST_F(OneShots, AreJoinedByRepeatsInEveryState) {
  t.one_shot(1);
  EXPECT_EQ(t.one_shot(2), "nothing");
  t.granted();
  EXPECT_EQ(t.one_shot(3), "nothing");
  EXPECT_EQ(done(LeftReadOnly{}), "Release; t1=READ_ONLY+2; t2=READ_ONLY+2; t3=READ_ONLY+2");
  EXPECT_EQ(t.one_shot(4), "t4=READ_ONLY");
}

TEST_F(OneShots, MayCommitInOnePhase) {
  t.step(PrepareAsked{.token = Token(1),
                      .ballot = ballot(1),
                      .branch = t.id,
                      .one_shot = work_of({"UPDATE a"}),
                      .one_phase = true});
  EXPECT_EQ(t.granted(), "RunPrepare b1 one-shot one-phase");
  EXPECT_EQ(done(CommittedOnePhase{}), "Release; t1=COMMITTED+2");
  EXPECT_EQ(t.table().counters().committed_one_phase, 1U);
  EXPECT_EQ(t.table().counters().committed, 1U);
}

TEST_F(OneShots, HaveNoIdleDeadlineAndNoLifetime) {
  t.one_shot(1);
  EXPECT_EQ(t.table().next_deadline(), std::nullopt);
  t.granted();
  EXPECT_EQ(t.table().next_deadline(), std::nullopt);
}

TEST_F(OneShots, ThatGetNoConnectionVoteNoForEver) {
  t.one_shot(1);
  t.one_shot(2);
  EXPECT_EQ(t.refused(), "t1=NO OVERLOADED; t2=NO OVERLOADED");
  EXPECT_EQ(t.one_shot(3), "t3=NO OVERLOADED") << "not run again";
}

TEST_F(OneShots, ThatWaitAreEndedByAnAbort) {
  t.one_shot(1);
  EXPECT_EQ(t.roll_back(2), "RunRollback; t1=NO BRANCH_ENDED");
  EXPECT_EQ(t.rolled_back(), "t2=DONE");
  EXPECT_EQ(t.one_shot(3), "t3=NO BRANCH_ENDED");
}

TEST_F(OneShots, ThatWaitAreEndedByASettle) {
  t.one_shot(1);
  EXPECT_EQ(t.settle(2), "RunRollback; t1=NO BRANCH_ENDED");
  EXPECT_EQ(t.rolled_back(), "RunSettle b1");
  EXPECT_EQ(t.settled(false), "t2=SETTLED aborted");
}

TEST_F(OneShots, UnderWayAreCancelledOnceByAnAbort) {
  t.one_shot(1);
  t.granted();
  EXPECT_EQ(t.roll_back(2), "RunCancel");
  EXPECT_EQ(t.roll_back(3), "nothing");
  EXPECT_EQ(t.not_prepared(sql_error("57014")), "Release; t1=NO SQL; t2=DONE; t3=DONE");
}

// ── serials ─────────────────────────────────────────────────────────────────────────────────────

TEST_F(OneShots, BelowTheMarkNeverRun) {
  ask(1, one_shot_id(5, 5), 5);
  EXPECT_EQ(ask(2, one_shot_id(4), 1), "t2=NO UNKNOWN_BRANCH");
  EXPECT_EQ(ask(3, one_shot_id(6, 6), 5), "Acquire");
}

TEST_F(OneShots, ThatAreForgottenNeverRunAgain) {
  t.one_shot(1);
  t.refused();
  t.pass(Millis(600'000));
  t.tick();
  EXPECT_EQ(t.one_shot(2), "t2=NO UNKNOWN_BRANCH");
}

TEST_F(OneShots, OfAnOlderOfficeNeverRun) {
  const BranchId newer{transaction(2), "orders", Epoch(3), one_shot_attempt({2, 1})};
  ask(1, newer, 1);
  EXPECT_EQ(t.one_shot(2), "t2=NO UNKNOWN_BRANCH");
}

TEST_F(OneShots, OfAnotherLifeNeverRun) {
  BranchId older = one_shot_id();
  older.epoch = Epoch(2);
  EXPECT_EQ(ask(1, older, 1), "t1=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.one_shot(2), "Acquire") << "this life's serials are its own";
}

TEST_F(OneShots, ThatWereAbortedBeforeTheyCameNeverRun) {
  EXPECT_EQ(t.roll_back(1), "t1=DONE");
  EXPECT_EQ(t.one_shot(2), "t2=NO BRANCH_ENDED");
  t.pass(Millis(600'000));
  t.tick();
  EXPECT_EQ(t.one_shot(3), "t3=NO UNKNOWN_BRANCH");
}

TEST_F(OneShots, ThatWereAbortedBehindALiveBranchNeverRun) {
  t.open(1);
  EXPECT_EQ(t.roll_back(2), "t2=DONE");
  t.step(ConnectionRefused{{transaction(1), "orders", Epoch(3), Attempt(1)},
                           coded(ErrorCode::kOverloaded)});
  t.pass(Millis(600'000));
  t.tick();
  EXPECT_EQ(t.one_shot(3), "t3=NO UNKNOWN_BRANCH");
}

TEST_F(OneShots, ThatCameWithoutStatementsNeverRunWithThem) {
  EXPECT_EQ(t.prepare(1, 0), "t1=NO UNKNOWN_BRANCH");
  EXPECT_EQ(t.one_shot(2), "t2=NO UNKNOWN_BRANCH");
}

// ── refusals ────────────────────────────────────────────────────────────────────────────────────

TEST_F(OneShots, AreRefusedBesideAnotherAttemptOfTheirTransaction) {
  t.one_shot(1);
  EXPECT_EQ(ask(2, one_shot_id(2), 1), "t2=NO BRANCH_ENDED");
  t.refused();
  EXPECT_EQ(ask(3, one_shot_id(3), 1), "t3=NO BRANCH_ENDED") << "also when that one has ended";
  EXPECT_EQ(ask(4, one_shot_id(3), 1), "t4=NO UNKNOWN_BRANCH") << "its serial was seen";
}

TEST_F(OneShots, AreRefusedWhenTooManyBranchesAreLive) {
  for (std::uint64_t n = 2; n <= 5; ++n) {
    ask(n, one_shot_id(n, n), 1);
  }
  EXPECT_EQ(t.one_shot(6), "t6=NO OVERLOADED");
  t.step(ConnectionRefused{one_shot_id(2, 2), coded(ErrorCode::kOverloaded)});
  EXPECT_EQ(t.one_shot(7), "t7=NO OVERLOADED") << "a NO is for ever";
  EXPECT_EQ(t.table().live_count(), 3U);
}

TEST_F(OneShots, AreRefusedWhileTheirTransactionIsSettled) {
  t.settle(1);
  EXPECT_EQ(t.one_shot(2), "t2=NO BRANCH_ENDED");
  t.settled(false);
  EXPECT_EQ(t.one_shot(3), "t3=NO BRANCH_ENDED");
}

TEST_F(OneShots, WithTransactionControlOrCopyAreRefusedByStatement) {
  const PrepareAsked asked{.token = Token(1),
                           .ballot = ballot(1),
                           .branch = t.id,
                           .one_shot = work_of({"UPDATE a", "/**/ commit"})};
  const Effects effects = t.effects(asked);
  EXPECT_EQ(shown(effects), "t1=NO TRANSACTION_CONTROL");
  EXPECT_THAT(reason(effects).message, HasSubstr("statement 2"));
  EXPECT_EQ(ask(2, one_shot_id(2, 2), 1, {"COPY a FROM STDIN"}), "t2=NO INVALID_ARGUMENT");
  EXPECT_EQ(t.table().live_count(), 0U);
}

TEST_F(OneShots, NeedAnAttemptOfALeader) {
  EXPECT_EQ(ask(1, {transaction(1), "orders", Epoch(3), Attempt(1)}, 1),
            "t1=error INVALID_ARGUMENT");
}

// ── ballots ─────────────────────────────────────────────────────────────────────────────────────

TEST_F(OneShots, WhoseBallotGrewBeforeTheyBeganAreOver) {
  t.one_shot(1);
  t.granted();
  t.table().observe(ballot(2));
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kStaleBallot)), "Release; t1=error STALE_BALLOT");
  EXPECT_EQ(t.state(), "ended");
  EXPECT_EQ(t.one_shot(2, t.id, 2), "t2=NO BRANCH_ENDED");
}

TEST_F(OneShots, WhoseBallotGrewTellALaterCallerNo) {
  t.one_shot(1);
  t.granted();
  t.one_shot(2, t.id, 2);
  t.roll_back(3, 2);
  EXPECT_EQ(t.not_prepared(coded(ErrorCode::kStaleBallot)),
            "Release; t1=error STALE_BALLOT; t3=DONE; t2=NO BRANCH_ENDED");
}

TEST_F(OneShots, WhoseBallotGrewWhileTheyWaitedAreNotSent) {
  t.one_shot(1);
  t.table().observe(ballot(2));
  EXPECT_EQ(t.granted(), "Release; t1=error STALE_BALLOT");
  EXPECT_EQ(t.state(), "ended");
  EXPECT_EQ(t.table().live_count(), 0U);
}

}  // namespace
}  // namespace assent::branch
