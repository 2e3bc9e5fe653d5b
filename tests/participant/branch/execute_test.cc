// Opening branches and running their statements (R13).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/participant/branch/table_fixture.h"

namespace assent::branch {
namespace {

using ::testing::HasSubstr;

TEST(Execute, OpensABranchAndRunsItsFirstStatementOnceConnected) {
  Table t;
  EXPECT_EQ(t.open(1), "Acquire");
  EXPECT_EQ(t.granted(), "RunStatement 1");
  EXPECT_EQ(t.done(1, "ONE"), "t1=ONE");
  EXPECT_EQ(t.table().counters().opened, 1U);
  EXPECT_EQ(t.table().counters().statements, 1U);
}

TEST(Execute, AnswersWithTheBranchToNameFromNowOn) {
  Table t;
  t.open(1);
  t.granted();
  const Effects effects = t.effects(StatementDone{t.id, 1, tagged("ONE"), true});

  const auto& answer = std::get<ExecuteAnswer>(effects.replies.at(0).answer);
  EXPECT_EQ(answer.branch.epoch, Epoch(3));
  EXPECT_EQ(answer.branch.attempt, Attempt(1));
}

// ── when the coordinator lets no new branches begin ─────────────────────────────────────────────

TEST(Admission, ANewBranchIsAnsweredWithTheLeadersReason) {
  Table t;
  t.step(AdmissionTold{ballot(1), coded(ErrorCode::kUnavailable)});
  EXPECT_THAT(t.open(1), HasSubstr("UNAVAILABLE"));
  EXPECT_EQ(t.table().counters().opened, 0U);
  t.step(AdmissionTold{ballot(1), std::nullopt});
  EXPECT_EQ(t.open(2), "Acquire");
}

TEST(Admission, BranchesThatAreThereGoOn) {
  Table t;
  t.open(1);
  t.step(AdmissionTold{ballot(1), coded(ErrorCode::kOverloaded)});
  EXPECT_EQ(t.granted(), "RunStatement 1");
  EXPECT_EQ(t.done(1, "ONE"), "t1=ONE");
  EXPECT_EQ(t.open(2), "t2=ONE") << "it is the same branch";
}

TEST(Admission, ALeaderThatWasSucceededTakesNothingBack) {
  Table t;
  t.step(AdmissionTold{ballot(3), coded(ErrorCode::kUnavailable)});
  t.step(AdmissionTold{ballot(2), std::nullopt});
  EXPECT_TRUE(t.table().refuses());
  t.step(AdmissionTold{ballot(4), std::nullopt});
  EXPECT_FALSE(t.table().refuses());
}

TEST(Execute, JoinsADuplicateOpeningThatIsInFlight) {
  Table t;
  t.open(1);
  EXPECT_EQ(t.open(2), "nothing");
  t.granted();
  EXPECT_EQ(t.open(3), "nothing");
  EXPECT_EQ(t.done(1, "ONE"), "t1=ONE; t2=ONE; t3=ONE");
}

TEST(Execute, StoresAnErrorLikeAnyAnswer) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  EXPECT_EQ(t.failed(2, "22012"), "t2=error SQL");
  EXPECT_EQ(t.execute(3, 2), "t3=error SQL");
}

TEST(Execute, EndsABranchWhoseFirstStatementFailed) {
  Table t;
  t.open(1);
  t.granted();
  EXPECT_EQ(t.failed(1, "22012"), "RunRollback; t1=error SQL")
      << "nobody was told its name, so nobody could end it before its idle deadline";
  EXPECT_EQ(t.open(2), "t2=error SQL") << "a repeat of the opening gets the stored answer";
}

TEST(Execute, NamesStatementAndParticipantInAnError) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  const Effects effects =
      t.effects(StatementDone{t.id, 2, tl::unexpected(sql_error("22012")), true});

  const auto& error = std::get<Error>(effects.replies.at(0).answer);
  EXPECT_EQ(error.participant, "orders");
  EXPECT_EQ(error.sql->statement_number, 2);
}

TEST(Execute, NeverGivesAnAttemptTwice) {
  Table t;
  t.open(1);
  t.refused();
  const Effects again =
      t.effects(ExecuteAsked{Token(2), transaction(1), Opening{"nonce"}, 1, {"SELECT 1", {}}});

  EXPECT_EQ(std::get<Acquire>(again.operations.at(0)).branch.attempt, Attempt(2));
}

TEST(Execute, ForgetsABranchThatGotNoConnection) {
  Table t;
  t.open(1);
  t.open(2);
  EXPECT_EQ(t.refused(), "t1=error OVERLOADED; t2=error OVERLOADED");
  EXPECT_EQ(t.table().live_count(), 0U);
  EXPECT_EQ(t.open(3, "another nonce"), "Acquire");
}

TEST(Execute, OpensOnlyWithStatementOne) {
  Table t;
  EXPECT_EQ(t.step(ExecuteAsked{Token(1), transaction(1), Opening{"n"}, 2, {"SELECT 1", {}}}),
            "t1=error INVALID_ARGUMENT");
  EXPECT_EQ(t.step(ExecuteAsked{Token(1), transaction(1), Opening{"n"}, 0, {"SELECT 1", {}}}),
            "t1=error INVALID_ARGUMENT");
  EXPECT_EQ(t.table().live_count(), 0U);
}

TEST(Execute, RefusesOneBranchMoreThanMayBeLive) {
  Table t;
  for (std::uint64_t n = 1; n <= 4; ++n) {
    t.open(n, "nonce", n);
  }
  EXPECT_EQ(t.open(9, "nonce", 9), "t9=error OVERLOADED");
  t.refused();
  EXPECT_EQ(t.open(9, "nonce", 9), "Acquire");
}

TEST(Execute, PipelinesStatementsAndAnswersThemInOrder) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.execute(2, 2), "RunStatement 2");
  EXPECT_EQ(t.execute(3, 3), "RunStatement 3");
  EXPECT_EQ(t.done(2, "TWO"), "t2=TWO");
  EXPECT_EQ(t.done(3, "THREE"), "t3=THREE");
}

TEST(Execute, QueuesStatementsUntilThereIsAConnection) {
  Table t;
  t.open(1);
  EXPECT_EQ(t.execute(2, 2), "nothing");
  EXPECT_EQ(t.granted(), "RunStatement 1; RunStatement 2");
}

TEST(Execute, RefusesMoreInFlightThanAnswersAreKeptAndUsesNoNumber) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.execute(3, 3);
  t.execute(4, 4);
  EXPECT_EQ(t.execute(5, 5), "t5=error OVERLOADED");
  t.done(2, "TWO");
  EXPECT_EQ(t.execute(6, 5), "RunStatement 5");
}

TEST(Execute, GivesStoredAnswersAsLongAsTheyAreKept) {
  Table t;
  t.be_open();
  for (std::uint32_t n = 2; n <= 4; ++n) {
    t.execute(n, n);
    t.done(n, "N" + std::to_string(n));
  }
  EXPECT_EQ(t.execute(7, 2), "t7=N2");
  EXPECT_EQ(t.execute(8, 4), "t8=N4");
  EXPECT_EQ(t.execute(9, 1), "t9=error STATEMENT_NUMBER");
  EXPECT_EQ(t.open(9), "t9=error STATEMENT_NUMBER");
}

TEST(Execute, RefusesAGapAndRunsNothing) {
  Table t;
  t.be_open();
  EXPECT_EQ(t.execute(2, 3), "t2=error STATEMENT_NUMBER");
  EXPECT_EQ(t.execute(3, 2), "RunStatement 2");
}

TEST(Execute, DoesNotKnowABranchOfAnotherLifeOrAttempt) {
  Table t;
  t.be_open();
  const auto execute = [&](BranchRef branch) {
    return t.step(ExecuteAsked{Token(9), transaction(1), branch, 2, {"SELECT 1", {}}});
  };
  EXPECT_EQ(execute({Epoch(2), Attempt(1)}), "t9=error UNKNOWN_BRANCH");
  EXPECT_EQ(execute({Epoch(4), Attempt(1)}), "t9=error UNKNOWN_BRANCH");
  EXPECT_EQ(execute({Epoch(3), Attempt(2)}), "t9=error UNKNOWN_BRANCH");
}

TEST(Execute, RefusesTransactionControlBeforeAnythingIsDone) {
  Table t;
  EXPECT_EQ(t.step(ExecuteAsked{Token(1), transaction(1), Opening{"n"}, 1, {"/**/ begin", {}}}),
            "t1=error TRANSACTION_CONTROL");
  EXPECT_EQ(t.table().live_count(), 0U);
  t.be_open();
  EXPECT_EQ(t.execute(2, 2, "COMMIT"), "t2=error TRANSACTION_CONTROL");
  EXPECT_EQ(t.execute(3, 2, "SAVEPOINT a"), "RunStatement 2");
}

TEST(Execute, RefusesCopyInItsOwnWords) {
  Table t;
  t.be_open();
  const Effects effects = t.effects(ExecuteAsked{Token(2),
                                                 transaction(1),
                                                 BranchRef{Epoch(3), Attempt(1)},
                                                 2,
                                                 {"-- all\nCopy a TO STDOUT", {}}});
  const auto& why = std::get<Error>(effects.replies.at(0).answer);
  EXPECT_EQ(why.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(why.message, HasSubstr("COPY to or from the client is not supported"));
  EXPECT_EQ(t.execute(3, 2), "RunStatement 2") << "no number was used";
}

TEST(Execute, BeginsInTheModeOfTheOpening) {
  Table t;
  const BranchMode mode{.isolation = IsolationLevel::kSerializable, .read_only = true};
  t.step(ExecuteAsked{Token(1),
                      transaction(1),
                      Opening{.nonce = "nonce", .mode = mode},
                      1,
                      {.sql = "SELECT 1", .parameters = {}}});
  const Effects effects = t.effects(ConnectionGranted{t.id});
  EXPECT_EQ(std::get<RunStatement>(effects.operations.at(0)).mode, mode);
  t.done(1, "ONE");
  const Effects next = t.effects(
      ExecuteAsked{Token(2), transaction(1), BranchRef{Epoch(3), Attempt(1)}, 2, {"SELECT 1", {}}});
  EXPECT_EQ(std::get<RunStatement>(next.operations.at(0)).mode, mode);
}

// ── expected rows ───────────────────────────────────────────────────────────────────────────────

TEST(ExpectedRows, ThatDifferFailTheStatementAndTheBranch) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(1));
  const Effects effects = t.effects(StatementDone{t.id, 2, counted("UPDATE 0", 0), true});

  EXPECT_EQ(shown(effects), "t2=error ROW_COUNT");
  EXPECT_THAT(std::get<Error>(effects.replies.at(0).answer).message,
              HasSubstr("statement 2 affected 0 rows, 1 expected"));
  EXPECT_EQ(t.execute(3, 2), "t3=error ROW_COUNT") << "stored like any answer";
  EXPECT_EQ(t.prepare(4, 2), "RunRollback; t4=NO ROW_COUNT");
}

TEST(ExpectedRows, ThatAreMetChangeNothing) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(1));
  EXPECT_EQ(t.step(StatementDone{t.id, 2, counted("UPDATE 1", 1), true}), "t2=UPDATE 1");
  EXPECT_EQ(t.prepare(3, 2), "RunPrepare b1");
}

TEST(ExpectedRows, ThatDifferInTheFirstStatementEndTheBranch) {
  Table t;
  t.step(ExecuteAsked{Token(1), transaction(1), Opening{"nonce"}, 1, expecting(1)});
  t.granted();
  EXPECT_EQ(t.step(StatementDone{t.id, 1, counted("UPDATE 0", 0), true}),
            "RunRollback; t1=error ROW_COUNT");
}

TEST(ExpectedRows, ThatDifferAreNotForgivenByStatementsThatSucceed) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(1));
  t.step(StatementDone{t.id, 2, counted("UPDATE 0", 0), true});
  t.execute(3, 3);
  t.done(3, "UPDATE 1");
  EXPECT_EQ(t.prepare(4, 3), "RunRollback; t4=NO ROW_COUNT");
}

TEST(ExpectedRows, ThatDifferAreForgivenByARollbackToASavepoint) {
  Table t;
  t.be_open();
  t.execute(2, 2, expecting(1));
  t.step(StatementDone{t.id, 2, counted("UPDATE 0", 0), true});
  t.execute(3, 3, "ROLLBACK TO a");
  t.done(3, "ROLLBACK");
  EXPECT_EQ(t.prepare(4, 3), "RunPrepare b1");
}

TEST(Execute, TellsThoseWhoWaitThatTheConnectionWasLost) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.execute(3, 3);
  EXPECT_EQ(t.lost(), "t2=error UNAVAILABLE; t3=error UNAVAILABLE");
  EXPECT_EQ(t.table().live_count(), 0U);
  EXPECT_EQ(t.table().counters().rolled_back, 1U);

  const Effects after = t.effects(
      ExecuteAsked{Token(4), transaction(1), BranchRef{Epoch(3), Attempt(1)}, 2, {"SELECT 1", {}}});
  const auto& why = std::get<Error>(after.replies.at(0).answer);
  EXPECT_EQ(why.code, ErrorCode::kBranchEnded);
  EXPECT_THAT(why.message, HasSubstr("connection was lost"));
}

TEST(Execute, EndsABranchWhoseTransactionIsGone) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.execute(3, 3);
  EXPECT_EQ(t.step(StatementDone{t.id, 2, tagged("COMMIT"), false}),
            "RunRollback; t2=error BRANCH_ENDED");
  EXPECT_EQ(t.rolled_back(), "Release; t3=error BRANCH_ENDED");
  EXPECT_EQ(t.roll_back(4), "t4=HAZARD") << "it may have been committed";
  EXPECT_EQ(t.table().counters().heuristic, 1U);
}

TEST(Execute, KnowsThatAFailedStatementLeftNothingCommitted) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  EXPECT_EQ(t.step(StatementDone{t.id, 2, tl::unexpected(sql_error("57P01")), false}),
            "RunRollback; t2=error SQL");
  t.rolled_back();
  EXPECT_EQ(t.roll_back(4), "t4=DONE");
}

TEST(Execute, SeesThatTheTransactionWasGoneBeforeItsRollback) {
  Table t;
  t.be_open();
  t.execute(2, 2);
  t.roll_back(3);
  t.step(StatementDone{t.id, 2, tagged("COMMIT"), false});
  EXPECT_EQ(t.rolled_back(), "Release; t3=HAZARD");
}

TEST(Execute, GivesAConnectionBackThatArrivesAfterTheBranchGaveUp) {
  Table t;
  t.open(1);
  t.roll_back(2);
  EXPECT_EQ(t.granted(), "nothing");
  EXPECT_EQ(t.rolled_back(), "Release; t1=error BRANCH_ENDED; t2=DONE");
}

// ── time ────────────────────────────────────────────────────────────────────────────────────────

TEST(Idle, RollsABranchBackAtItsOwnDeadline) {
  Table t;
  t.step(ExecuteAsked{Token(1), transaction(1), Opening{"n", Millis(100)}, 1, {"SELECT 1", {}}});
  t.granted();
  t.pass(Millis(50));
  t.done(1, "ONE");

  EXPECT_EQ(t.table().next_deadline(), t.now() + Millis(100));
  t.pass(Millis(99));
  EXPECT_EQ(t.tick(), "nothing");
  t.pass(Millis(1));
  EXPECT_EQ(t.tick(), "RunRollback");
  EXPECT_EQ(t.rolled_back(), "Release");
  EXPECT_EQ(t.table().counters().idle_rolled_back, 1U);
  EXPECT_EQ(t.table().counters().rolled_back, 1U);
}

TEST(Idle, CountsFromTheLastAnswer) {
  Table t;
  t.be_open();
  t.pass(Millis(59'999));
  t.execute(2, 2);
  t.pass(Millis(120'000));
  EXPECT_EQ(t.tick(), "nothing") << "a statement is in flight";
  t.done(2, "TWO");
  t.pass(Millis(59'999));
  EXPECT_EQ(t.tick(), "nothing");
  t.pass(Millis(1));
  EXPECT_EQ(t.tick(), "RunRollback");
}

TEST(Idle, SaysWhyTheBranchEnded) {
  Table t;
  t.be_open();
  t.pass(Millis(60'000));
  t.tick();
  const Effects effects = t.effects(PrepareAsked{Token(2), ballot(1), t.id, 1});
  EXPECT_THAT(std::get<No>(effects.replies.at(0).answer).reason.message, HasSubstr("idle"));
}

TEST(Idle, NeverTouchesABranchThatWasAskedToPrepare) {
  for (const bool prepared : {false, true}) {
    Table t;
    prepared ? t.be_prepared() : t.be_preparing();
    EXPECT_EQ(t.table().next_deadline(), std::nullopt);
    t.pass(Millis(10'000'000));
    EXPECT_EQ(t.tick(), "nothing");
  }
}

TEST(Idle, WatchesABranchAgainWhosePrepareWasNotSent) {
  Table t;
  t.be_preparing();
  t.table().observe(ballot(2));
  t.not_prepared(coded(ErrorCode::kStaleBallot));
  t.pass(Millis(60'000));
  EXPECT_EQ(t.tick(), "RunRollback");
}

TEST(Memory, ForgetsEndedBranchesAfterAWhile) {
  Table t;
  t.be_open();
  t.roll_back(2);
  t.rolled_back();
  EXPECT_EQ(t.table().next_deadline(), t.now() + Millis(600'000));
  t.pass(Millis(599'999));
  t.tick();
  EXPECT_EQ(t.state(), "ended");
  t.pass(Millis(1));
  t.tick();
  EXPECT_EQ(t.state(), "unknown");
  EXPECT_EQ(t.table().next_deadline(), std::nullopt);
}

TEST(Memory, IsBoundedByCountAsWell) {
  Table t;  // 4 live, so 16 ended are remembered
  for (std::uint64_t n = 1; n <= 17; ++n) {
    const BranchId id{transaction(n), "orders", Epoch(3), Attempt(n)};
    t.open(1, "nonce", n);
    t.step(ConnectionGranted{id});
    t.step(ConnectionLost{id, coded(ErrorCode::kUnavailable)});
  }
  EXPECT_EQ(t.state(), "unknown");
  EXPECT_EQ(t.state({transaction(2), "orders", Epoch(3), Attempt(2)}), "ended");
  EXPECT_EQ(t.table().live_count(), 0U);
}

TEST(Memory, ForgetsInOrderEvenIfTheClockIsGivenBackwards) {
  Table t;
  const BranchId second{transaction(2), "orders", Epoch(3), Attempt(2)};
  t.be_open();
  t.lost();
  t.pass(Millis(-500'000));
  t.open(2, "nonce", 2);
  t.step(ConnectionGranted{second});
  t.step(ConnectionLost{second, coded(ErrorCode::kUnavailable)});
  t.pass(Millis(500'000 + 600'000));
  t.tick();
  EXPECT_EQ(t.state(), "unknown");
  EXPECT_EQ(t.state(second), "unknown");
}

}  // namespace
}  // namespace assent::branch
