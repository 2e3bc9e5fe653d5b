// Rows of postgres.md that no other file here covers, each against the real server.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using branch::FinishResult;
using ::testing::HasSubstr;

class Facts : public DatabaseTest {
 protected:
  // The vote of a branch of one statement.
  Result<Evidence> vote_after(const std::string& sql) {
    const BranchId id = agent->open();
    agent->run(id, "INSERT INTO t VALUES (1, 1)");
    EXPECT_TRUE(agent->run(id, sql).result) << sql;
    auto vote = agent->prepare(id);
    agent->release(id);
    return vote;
  }

  std::unique_ptr<Life> agent = enrolled();
};

TEST_F(Facts, Row02PrepareBesidesOtherStatementsWouldPrepareSoItIsRefused) {
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  EXPECT_EQ(worker.answer("PREPARE TRANSACTION 'alone'"), "ROLLBACK");
  EXPECT_THAT(worker.notices(), HasSubstr("no transaction in progress"));
  EXPECT_EQ(worker.answer("INSERT INTO t VALUES (1, 1); PREPARE TRANSACTION 'beside'"),
            "PREPARE TRANSACTION");
  worker.query("ROLLBACK PREPARED 'beside'");

  const auto done =
      agent->run(agent->open(), "INSERT INTO t VALUES (2, 2); PREPARE TRANSACTION 'beside'");

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "42601");
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(Facts, Row02ProcedureCannotEndTheTransactionOfItsBranch) {
  admin.query("CREATE PROCEDURE ending() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'");
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");

  const auto done = agent->run(id, "CALL ending()");

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "2D000");
  EXPECT_FALSE(agent->prepare(id));
  EXPECT_EQ(content(), "");
}

TEST_F(Facts, Row04GidIsTakenWhicheverDatabaseHasIt) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  testing::Admin elsewhere(server.socket_directory(), "postgres", "assent_work");
  elsewhere.query("BEGIN; SELECT 1; PREPARE TRANSACTION '" + gid(id) + "'");

  const auto vote = agent->prepare(id);

  elsewhere.query("ROLLBACK PREPARED '" + gid(id) + "'");
  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().sql->sqlstate, "42710");
  EXPECT_NE(gid(id).find(":" + options().participant + ":"), std::string::npos)
      << "two participants of one server never make the same gid";
}

TEST_F(Facts, Row05LongestGidIsTakenAndOneByteMoreIsNot) {
  const BranchId longest{agent->name_branch().transaction, std::string(63, 'p'), Epoch(~0ULL),
                         Attempt(~0ULL)};
  const std::string gid = make_gid(std::string(32, 'c'), longest);
  ASSERT_EQ(gid.size(), 199U);
  testing::Admin worker(server.socket_directory(), name, "assent_work");

  worker.query("BEGIN; INSERT INTO t VALUES (1, 1); PREPARE TRANSACTION '" + gid + "'");

  EXPECT_EQ(prepared_count(), 1);
  EXPECT_THROW(worker.query("BEGIN; SELECT 1; PREPARE TRANSACTION '" + gid + "x'"),
               std::runtime_error);
}

TEST_F(Facts, Row06GidOfAFinishedBranchIsNeverUsedAgain) {
  const auto [first, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(first, Outcome::kCommitted, evidence), FinishResult::kDone);

  const auto [second, other] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  const auto next = enrolled();
  const BranchId third = next->name_branch();

  EXPECT_NE(gid(first), gid(second));
  EXPECT_NE(gid(first).substr(gid(first).rfind(':')), gid(third).substr(gid(third).rfind(':')))
      << "another life, another epoch";
}

TEST_F(Facts, Row07OnlyTheRoleThatPreparedMayFinishEvenAmongItsMembers) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const std::string commit = "COMMIT PREPARED '" + gid(id) + "'";
  testing::Admin member(server.socket_directory(), name, "assent_agent");
  testing::Admin elsewhere(server.socket_directory(), "postgres", "assent_work");

  EXPECT_EQ(member.answer(commit), "42501") << "though it is a member of the work role";
  EXPECT_EQ(elsewhere.answer(commit), "0A000");
  EXPECT_EQ(member.value("SELECT gid FROM pg_prepared_xacts"), gid(id)) << "everybody sees it";

  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

TEST_F(Facts, Row08MissingGidLooksTheSameWithoutPreparedTransactionsAndIsSettledByEvidence) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  server.stop_cleanly();
  server.start("max_prepared_transactions=0");

  const auto again = agent->finish(id, Outcome::kCommitted, evidence);
  const auto opposite = agent->finish(id, Outcome::kAborted, evidence);
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  const std::string state = worker.answer("COMMIT PREPARED '" + gid(id) + "'");

  server.stop_cleanly();
  server.start();
  admin = server.admin(name);
  EXPECT_EQ(state, "42704");
  EXPECT_EQ(again, FinishResult::kDone);
  EXPECT_EQ(opposite, FinishResult::kHeuristicCommit);
}

TEST_F(Facts, Row09FinishIsSentAloneBecauseABlockRefusesIt) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  EXPECT_THROW(worker.query("BEGIN; COMMIT PREPARED '" + gid(id) + "'"), std::runtime_error);

  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

TEST_F(Facts, Row11ExhaustedSlotsAreARetryableNo) {
  const int slots = std::stoi(admin.value("SHOW max_prepared_transactions"));
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  for (int i = 0; i < slots; ++i) {
    worker.query("BEGIN; INSERT INTO t VALUES (" + std::to_string(100 + i) +
                 ", 1); PREPARE TRANSACTION 'fill" + std::to_string(i) + "'");
  }
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");

  const auto vote = agent->prepare(id);

  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().sql->sqlstate, "53200");
  EXPECT_TRUE(retryable(vote.error()));
  agent->release(id);
  EXPECT_EQ(agent->value(agent->open(), "SELECT count(*) FROM t"), "0") << "rolled back";
}

TEST_F(Facts, Row11ServerWithPreparedTransactionsDoesNotStartWithoutSlots) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  server.stop_cleanly();

  EXPECT_FALSE(server.try_start("max_prepared_transactions=0"));

  server.start();
  admin = server.admin(name);
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

TEST_F(Facts, Row12TemporaryTableThatIsOnlyReadCannotBePreparedEither) {
  admin.query("GRANT TEMPORARY ON DATABASE " + name + " TO assent_work");
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  worker.query("CREATE TEMP TABLE passing (i int)");
  worker.query("BEGIN; SELECT * FROM passing");

  EXPECT_EQ(worker.answer("PREPARE TRANSACTION 'reads'"), "0A000");

  const BranchId id = agent->open();
  agent->run(id, "CREATE TEMP TABLE passing (i int)");
  agent->roll_back(id);
  EXPECT_EQ(agent->value(agent->open(), "SELECT to_regclass('passing') IS NULL"), "t")
      << "no branch meets a temporary table of an earlier one";
}

TEST_F(Facts, Row12TemporaryTableIsNoAndNotRetryable) {
  const auto vote = vote_after("CREATE TEMP TABLE passing (i int)");

  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().sql->sqlstate, "0A000");
  EXPECT_THAT(vote.error().message, HasSubstr("temporary"));
  EXPECT_FALSE(retryable(vote.error()));
}

TEST_F(Facts, Row12ListenAndNotifyAreNo) {
  EXPECT_EQ(vote_after("LISTEN anything").error().sql->sqlstate, "0A000");
  EXPECT_EQ(vote_after("NOTIFY anything").error().sql->sqlstate, "0A000");
}

TEST_F(Facts, Row12CursorWithHoldIsNo) {
  const auto vote = vote_after("DECLARE c CURSOR WITH HOLD FOR SELECT 1");

  EXPECT_EQ(vote.error().sql->sqlstate, "0A000");
}

TEST_F(Facts, Row12ExportedSnapshotIsNo) {
  EXPECT_EQ(vote_after("SELECT pg_export_snapshot()").error().sql->sqlstate, "0A000");
}

TEST_F(Facts, Row13SerializationFailureAtPrepareIsARetryableNo) {
  admin.query("INSERT INTO t VALUES (1, 1), (2, 2)");
  const BranchMode serializable{IsolationLevel::kSerializable, {}};
  const auto cross = [&](const BranchId& id, int read, int write) {
    agent->database.carry_out(branch::RunStatement{
        id, 1, {"SELECT n FROM t WHERE id = " + std::to_string(read), {}}, serializable});
    EXPECT_TRUE(agent->await<branch::StatementDone>(id).result);
    agent->database.carry_out(branch::RunStatement{
        id, 2, {"UPDATE t SET n = 9 WHERE id = " + std::to_string(write), {}}, serializable});
  };
  const BranchId one = agent->open();
  const BranchId other = agent->open();
  cross(one, 1, 2);
  EXPECT_TRUE(agent->await<branch::StatementDone>(one).result);
  cross(other, 2, 1);
  const auto last = agent->await<branch::StatementDone>(other).result;

  const auto first_vote = agent->prepare(one);
  const auto second_vote = agent->prepare(other);

  ASSERT_FALSE(first_vote && second_vote) << "one of the two must give way";
  const Error why = first_vote ? second_vote.error() : first_vote.error();
  const std::string state = last ? why.sql->sqlstate : last.error().sql->sqlstate;
  EXPECT_EQ(state, "40001");
}

TEST_F(Facts, Row13CommitOfWhatIsPreparedNeverFailsToSerialize) {
  admin.query("INSERT INTO t VALUES (1, 1), (2, 2)");
  const BranchMode serializable{IsolationLevel::kSerializable, {}};
  const BranchId id = agent->open();
  agent->database.carry_out(
      branch::RunStatement{id, 1, {"SELECT n FROM t WHERE id = 1", {}}, serializable});
  agent->await<branch::StatementDone>(id);
  agent->run(id, "UPDATE t SET n = 9 WHERE id = 2");
  const Evidence evidence = agent->prepare(id).value();
  agent->release(id);
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  worker.query("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT n FROM t WHERE id = 2");

  const std::string rival = worker.answer("UPDATE t SET n = 9 WHERE id = 1; COMMIT");

  EXPECT_EQ(rival, "40001") << "who comes later gives way";
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

TEST_F(Facts, Row14TransactionLocksMoveToThePreparedBranch) {
  EXPECT_TRUE(vote_after("SELECT pg_advisory_xact_lock(14)"));

  EXPECT_EQ(admin.value("SELECT pg_try_advisory_lock(14)"), "f");
}

TEST_F(Facts, Row14BothKindsOfLockOnOneObjectAreNo) {
  const BranchId id = agent->open();
  agent->run(id, "SELECT pg_advisory_lock(15)");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  agent->run(id, "SELECT pg_advisory_xact_lock(15)");

  EXPECT_EQ(agent->prepare(id).error().sql->sqlstate, "0A000");
}

TEST_F(Facts, Row14SessionLockStaysWithItsSession) {
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  worker.query("BEGIN; SELECT pg_advisory_lock(16); INSERT INTO t VALUES (1, 1)");
  worker.query("PREPARE TRANSACTION 'locks'");
  EXPECT_EQ(admin.value("SELECT pg_try_advisory_lock(16)"), "f");
  worker.query("SELECT pg_advisory_unlock_all()");
  EXPECT_EQ(admin.value("SELECT pg_try_advisory_lock(16)"), "t") << "the prepared one has none";
  admin.query("SELECT pg_advisory_unlock_all()");
  worker.query("ROLLBACK PREPARED 'locks'");

  const BranchId id = agent->open();
  agent->run(id, "SELECT pg_advisory_lock(17)");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(admin.value("SELECT pg_try_advisory_lock(17)"), "f");
  ASSERT_TRUE(agent->prepare(id));
  agent->release(id);

  EXPECT_TRUE(loop.run_until([&] { return admin.value("SELECT pg_try_advisory_lock(17)") == "t"; }))
      << "prepared or not, the lock ends with the branch's use of the session";
  admin.query("SELECT pg_advisory_unlock_all()");
}

TEST_F(Facts, Row15SettingSurvivesPrepareAndRollbackButNotTheBranch) {
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  worker.query("BEGIN; SET work_mem = '77MB'; INSERT INTO t VALUES (1, 1)");
  worker.query("PREPARE TRANSACTION 'set'");
  worker.query("ROLLBACK PREPARED 'set'");
  EXPECT_EQ(worker.value("SHOW work_mem"), "77MB");

  const BranchId id = agent->open();
  const std::string backend = agent->value(id, "SELECT pg_backend_pid()");
  agent->run(id, "SET work_mem = '77MB'");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const Evidence evidence = agent->prepare(id).value();
  agent->release(id);
  agent->finish(id, Outcome::kAborted, evidence);

  const BranchId next = agent->open();
  ASSERT_EQ(agent->value(next, "SELECT pg_backend_pid()"), backend);
  EXPECT_EQ(agent->value(next, "SHOW work_mem"), "4MB");
}

TEST_F(Facts, Row16StandbyIsCalledTheWrongNode) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  server.stop_cleanly();
  server.start_as_standby();

  const auto identity = life()->identify();
  const auto finished = agent->finish(id, Outcome::kCommitted, evidence);

  server.stop_cleanly();
  server.start();
  admin = server.admin(name);
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(identity.error().message, HasSubstr("standby"));
  ASSERT_FALSE(finished) << "the empty view of a standby settles nothing";
  EXPECT_THAT(finished.error().message, HasSubstr("standby"));
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

TEST_F(Facts, Row17PreparingAReaderWouldCostAnXidAndASlot) {
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  worker.query("BEGIN READ ONLY; SELECT count(*) FROM t");
  ASSERT_EQ(worker.value("SELECT pg_current_xact_id_if_assigned() IS NULL"), "t");
  const std::string next = admin.value("SELECT pg_snapshot_xmax(pg_current_snapshot())");

  EXPECT_EQ(worker.answer("PREPARE TRANSACTION 'reader'"), "PREPARE TRANSACTION");

  EXPECT_EQ(admin.value("SELECT transaction FROM pg_prepared_xacts"), next);
}

TEST_F(Facts, BranchIsNamedInTheServersActivity) {
  const BranchId id = agent->open();
  agent->run(id, "SELECT 1");

  EXPECT_EQ(admin.value("SELECT application_name FROM pg_stat_activity WHERE state = "
                        "'idle in transaction' AND usename = 'assent_work'"),
            "assent " + to_string(id.transaction));
  agent->roll_back(id);
  EXPECT_EQ(admin.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%" +
                        to_string(id.transaction) + "%'"),
            "0")
      << "the next branch has its own name";
}

}  // namespace
}  // namespace assent::postgres
