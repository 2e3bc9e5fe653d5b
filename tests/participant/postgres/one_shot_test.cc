// Branches whose statements come with the request to vote.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::HasSubstr;

class OneShots : public DatabaseTest {
 protected:
  static Statement insert(int id, std::optional<std::int64_t> expected = {}) {
    return {"INSERT INTO t VALUES ($1, 1)", {std::to_string(id)}, Millis(0), expected};
  }

  // Of a row that is not there, or does not have so much.
  static Statement withdrawal() {
    return {"UPDATE t SET n = n - 10 WHERE id = 1 AND n >= 10", {}, Millis(0), 1};
  }

  // To 100,000 bytes.
  void limit_results() {
    DatabaseOptions small = options();
    small.result_max_bytes = 100'000;
    agent.reset();
    agent = enrolled(small);
  }

  std::unique_ptr<Life> agent = enrolled();
};

TEST_F(OneShots, IsPreparedWithEvidenceAndResults) {
  const BranchId id = agent->name_branch();

  const auto done = agent->one_shot(
      id, {insert(1), {"UPDATE t SET n = n + 1 RETURNING id, n"}, {"SELECT count(*) FROM t"}});

  ASSERT_TRUE(done.result);
  EXPECT_GT(std::get<Evidence>(*done.result).xid, 0U);
  ASSERT_EQ(done.results->size(), 3U);
  EXPECT_EQ(done.results->at(0).command_tag, "INSERT 0 1");
  EXPECT_EQ(done.results->at(1).rows.at(0).at(1), "2");
  EXPECT_EQ(done.results->at(2).rows.at(0).at(0), "1");
  EXPECT_EQ(admin.value("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"),
            gid(id));
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, std::get<Evidence>(*done.result)),
            branch::FinishResult::kDone);
  EXPECT_EQ(content(), "1=2");
}

TEST_F(OneShots, ExpectedRowsThatComeAreFine) {
  const auto done = agent->one_shot(agent->name_branch(), {insert(1, 1)});

  EXPECT_TRUE(done.result);
  EXPECT_EQ(prepared_count(), 1);
}

TEST_F(OneShots, ExpectedRowsThatDoNotComeArePreparedInVain) {
  const BranchId id = agent->name_branch();

  const auto done = agent->one_shot(id, {insert(1), withdrawal()});

  const auto& in_vain = std::get<branch::PreparedInVain>(done.result.value());
  EXPECT_EQ(in_vain.why.code, ErrorCode::kRowCount);
  EXPECT_THAT(in_vain.why.message, HasSubstr("statement 2"));
  EXPECT_EQ(prepared_count(), 1);
  EXPECT_EQ(agent->finish(id, Outcome::kAborted, in_vain.evidence), branch::FinishResult::kDone);
  EXPECT_EQ(prepared_count(), 0);
  EXPECT_EQ(content(), "");
}

TEST_F(OneShots, ExpectedRowsThatDoNotComeInFrontOfAFailureAreItsReasonAndNothingIsPrepared) {
  const auto done =
      agent->one_shot(agent->name_branch(), {insert(1), withdrawal(), {"SELECT 1 / 0"}});

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().code, ErrorCode::kRowCount);
  EXPECT_EQ(prepared_count(), 0);
  EXPECT_EQ(agent->value(agent->open(), "SELECT count(*) FROM t"), "0");
}

TEST_F(OneShots, ExpectedRowsAreLookedAtBeforeACommitInOnePhase) {
  const auto done = agent->one_shot(agent->name_branch(), {insert(1), withdrawal()}, true);

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().code, ErrorCode::kRowCount);
  EXPECT_EQ(content(), "");
  EXPECT_EQ(admin.value("SELECT count(*) FROM assent.outcome"), "0");
}

TEST_F(OneShots, ExpectedRowsThatASelectDoesNotFindAreLookedAtFirst) {
  const auto done =
      agent->one_shot(agent->name_branch(), {{"SELECT 1 FROM t WHERE id = 7", {}, Millis(0), 1}});

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().code, ErrorCode::kRowCount);
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(OneShots, FailedStatementNamesItsNumberAndSkipsTheRest) {
  const auto done =
      agent->one_shot(agent->name_branch(), {insert(1), insert(1), {"SELECT pg_advisory_lock(5)"}});

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "23505");
  EXPECT_EQ(done.result.error().sql->statement_number, 2);
  EXPECT_EQ(prepared_count(), 0);
  EXPECT_EQ(admin.value("SELECT pg_try_advisory_lock(5)"), "t") << "it was not run";
  EXPECT_EQ(agent->value(agent->open(), "SELECT count(*) FROM t"), "0");
}

TEST_F(OneShots, ReaderLeavesWithItsResults) {
  const auto done = agent->one_shot(agent->name_branch(), {{"SELECT 41 + 1"}});

  ASSERT_TRUE(done.result);
  EXPECT_TRUE(std::holds_alternative<branch::LeftReadOnly>(*done.result));
  EXPECT_EQ(done.results->at(0).rows.at(0).at(0), "42");
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(OneShots, SelectThatWritesIsPrepared) {
  admin.query(
      "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS "
      "'INSERT INTO t VALUES (5, 5) RETURNING 1'");

  const auto done = agent->one_shot(agent->name_branch(), {{"SELECT sneak()"}});

  EXPECT_TRUE(std::holds_alternative<Evidence>(done.result.value()));
}

TEST_F(OneShots, CommitsInOnePhase) {
  const BranchId id = agent->name_branch();

  const auto done = agent->one_shot(id, {insert(1), insert(2)}, true);

  ASSERT_TRUE(done.result);
  EXPECT_TRUE(std::holds_alternative<branch::CommittedOnePhase>(*done.result));
  EXPECT_EQ(done.results->size(), 2U);
  EXPECT_EQ(content(), "1=1 2=1");
  EXPECT_EQ(admin.value("SELECT transaction FROM assent.outcome WHERE committed"),
            to_string(id.transaction));
}

TEST_F(OneShots, FailureInOnePhaseLeavesNothing) {
  const auto done = agent->one_shot(agent->name_branch(), {insert(1), {"SELECT 1 / 0"}}, true);

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "22012");
  EXPECT_EQ(content(), "");
  EXPECT_EQ(admin.value("SELECT count(*) FROM assent.outcome"), "0");
}

TEST_F(OneShots, BeginsInTheModeThatWasAsked) {
  const auto done = agent->one_shot(agent->name_branch(),
                                    {{"SELECT current_setting('transaction_isolation'), "
                                      "current_setting('transaction_read_only')"}},
                                    false, {IsolationLevel::kSerializable, true});

  EXPECT_EQ(done.results->at(0).rows.at(0).at(0), "serializable");
  EXPECT_EQ(done.results->at(0).rows.at(0).at(1), "on");
}

TEST_F(OneShots, ReadOnlyModeRefusesAWrite) {
  const auto done = agent->one_shot(agent->name_branch(), {insert(1)}, false, {{}, true});

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "25006");
}

TEST_F(OneShots, EachStatementHasItsOwnTimeout) {
  const auto done =
      agent->one_shot(agent->name_branch(), {{"SELECT pg_sleep(0)", {}, Millis(5'000)},
                                             {"SELECT pg_sleep(30)", {}, Millis(30)},
                                             insert(1)});

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "57014");
  EXPECT_EQ(done.result.error().sql->statement_number, 2);
}

// With PREPARE in the same batch it may have worked before the results are seen to be too large:
// then the vote is YES all the same, and they are dropped.
TEST_F(OneShots, ResultsOfAllStatementsTogetherAreLimited) {
  limit_results();
  const BranchId id = agent->name_branch();
  const Statement large{"SELECT repeat('x', 30000)"};
  agent->start_one_shot(id, {{insert(1), large, large, large, large}, {}});

  const auto done = agent->await<branch::PrepareDone>(id);

  EXPECT_FALSE(done.results);
  EXPECT_EQ(prepared_count(), done.result ? 1 : 0);
  if (!done.result) {
    EXPECT_EQ(done.result.error().sql->sqlstate, "54000");
  }
}

TEST_F(OneShots, ResultsTooLargeAreANoWhenTheyAreAwaitedBeforePrepare) {
  limit_results();
  const BranchId id = agent->name_branch();
  const Statement large{"SELECT repeat('x', 60000)"};
  agent->start_one_shot(id, {{large, large}, {}});

  const auto lost = agent->await<branch::ConnectionLost>(id);

  EXPECT_EQ(lost.why.sql->sqlstate, "54000");
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(OneShots, ResultsTooLargeAreTheReasonWhereRowsAreExpected) {
  limit_results();
  const BranchId id = agent->name_branch();
  const Statement large{"SELECT repeat('x', 60000)"};
  agent->start_one_shot(id, {{insert(1, 1), large, large}, {}});

  const auto done = agent->await<branch::PrepareDone>(id);

  const auto* in_vain = done.result ? std::get_if<branch::PreparedInVain>(&*done.result) : nullptr;
  ASSERT_TRUE(!done.result || in_vain != nullptr) << "its rows were not counted";
  const Error& why = in_vain != nullptr ? in_vain->why : done.result.error();
  EXPECT_EQ(why.sql->sqlstate, "54000") << "whether PREPARE was through or not";
  EXPECT_EQ(prepared_count(), in_vain != nullptr ? 1 : 0);
}

TEST_F(OneShots, ExpectedRowsThatDoNotComeAreTheReasonThoughPrepareFailsToo) {
  const auto done = agent->one_shot(
      agent->name_branch(), {{"CREATE TEMPORARY TABLE gone (n int)"}, insert(1), withdrawal()});

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().code, ErrorCode::kRowCount);
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(OneShots, StaleBallotSendsNothing) {
  const BranchId id = agent->open();
  agent->may_send = false;

  const auto done = agent->vote(
      {id, kBallot, false, std::make_shared<const OneShotBranch>(OneShotBranch{{insert(1)}, {}})});

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().code, ErrorCode::kStaleBallot);
  agent->roll_back(id);
  EXPECT_EQ(agent->value(agent->open(), "SELECT count(*) FROM t"), "0");
}

TEST_F(OneShots, CancelEndsAWaitForALock) {
  const auto [holder, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const BranchId id = agent->name_branch();
  agent->start_one_shot(id, {{insert(1)}, {}});
  ASSERT_TRUE(loop.run_until(
      [&] { return admin.value("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; }));

  agent->database.carry_out(branch::RunCancel{id});

  const auto done = agent->await<branch::PrepareDone>(id);
  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "57014");
  agent->release(id);
  const BranchId next = agent->open();
  EXPECT_EQ(agent->value(next, "SELECT 1"), "1") << "no stray cancel hits the next branch";
}

TEST_F(OneShots, CancelAlsoEndsAStatementThatTheVoteWaitsFor) {
  const auto [holder, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const BranchId id = agent->open();
  agent->start_statement(id, insert(1));
  agent->start_prepare(id);
  ASSERT_TRUE(loop.run_until(
      [&] { return admin.value("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; }));

  agent->database.carry_out(branch::RunCancel{id});

  EXPECT_FALSE(agent->await<branch::PrepareDone>(id).result);
}

TEST_F(OneShots, CancelOfWhatIsDoneHarmsNobody) {
  const BranchId id = agent->name_branch();
  agent->start_one_shot(id, {{insert(1)}, {}});

  agent->database.carry_out(branch::RunCancel{id});

  const auto done = agent->await<branch::PrepareDone>(id);
  EXPECT_EQ(prepared_count(), done.result ? 1 : 0) << "whichever came first, the vote is true";
  agent->release(id);
  EXPECT_EQ(agent->value(agent->open(), "SELECT 1"), "1");
}

TEST_F(OneShots, LostConnectionIsSettledLikeAnyPrepare) {
  const BranchId id = agent->name_branch();
  agent->start_one_shot(id, {{insert(1)}, {}});
  admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'assent_work'");

  const auto done = agent->await<branch::PrepareDone>(id);

  EXPECT_EQ(prepared_count(), done.result ? 1 : 0);
}

}  // namespace
}  // namespace assent::postgres
