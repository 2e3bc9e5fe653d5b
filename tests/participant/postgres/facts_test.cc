// Rows of POSTGRES.md that no other file here covers, each against the real server.
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

// ── durability, timeouts, locks ─────────────────────────────────────────────────────────────────

class Durability : public Facts {};

TEST_F(Durability, SynchronousCommitOffStillFlushesAPrepare) {
  const BranchId id = agent->open();
  agent->run(id, "SET synchronous_commit = off");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const Evidence evidence = agent->prepare(id).value();
  agent->release(id);

  server.stop_immediately();
  server.start();
  admin = server.admin(name);

  EXPECT_EQ(prepared_count(), 1);
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

TEST_F(Durability, TimeoutsNeverTouchAPreparedBranch) {
  const BranchId id = agent->open();
  for (const char* setting : {"idle_in_transaction_session_timeout", "statement_timeout"}) {
    agent->run(id, std::string("SET ") + setting + " = 30");
  }
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const auto evidence = agent->prepare(id);
  agent->release(id);

  loop.run_for(100ms);

  EXPECT_EQ(prepared_count(), 1);
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence.value()), FinishResult::kDone);
}

TEST_F(Durability, IdleTimeoutOfTheServerLosesAnOpenBranch) {
  const BranchId id = agent->open();
  agent->run(id, "SET idle_in_transaction_session_timeout = 20");

  const auto lost = agent->await<branch::ConnectionLost>(id);

  EXPECT_EQ(lost.why.code, ErrorCode::kUnavailable);
}

TEST_F(Durability, LocksOfAPreparedBranchSurviveAKillOfTheServer) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  server.stop_immediately();
  server.start();
  admin = server.admin(name);

  admin.query("SET lock_timeout = 50");
  EXPECT_THROW(admin.query("INSERT INTO t VALUES (1, 2)"), std::runtime_error);
  EXPECT_EQ(agent->finish(id, Outcome::kAborted, evidence), FinishResult::kDone);
}

TEST_F(Durability, LockTimeoutNamesThePreparedBranchThatHoldsTheLock) {
  DatabaseOptions impatient = options();
  impatient.lock_timeout = Millis(400);
  agent.reset();
  agent = enrolled(impatient);
  const auto [holder, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  const auto done = agent->run(agent->open(), "INSERT INTO t VALUES (1, 2)");

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "55P03");
  EXPECT_THAT(done.result.error().message, HasSubstr(gid(holder)));
  EXPECT_TRUE(retryable(done.result.error()));
}

TEST_F(Durability, LockTimeoutNamesTheLiveBranchThatHoldsTheLock) {
  DatabaseOptions impatient = options();
  impatient.lock_timeout = Millis(400);
  agent.reset();
  agent = enrolled(impatient);
  const BranchId holder = agent->open();
  agent->run(holder, "INSERT INTO t VALUES (1, 1)");

  const auto done = agent->run(agent->open(), "INSERT INTO t VALUES (1, 2)");

  ASSERT_FALSE(done.result);
  EXPECT_THAT(done.result.error().message, HasSubstr(to_string(holder.transaction)));
}

TEST_F(Durability, ResultLargerThanAllowedEndsTheBranchAndNotTheMemory) {
  DatabaseOptions small = options();
  small.result_max_bytes = 1u << 20;
  agent.reset();
  agent = enrolled(small);
  const BranchId id = agent->open();

  agent->start_statement(id, {"SELECT repeat('x', 1000) FROM generate_series(1, 10000000)", {}});

  const auto lost = agent->await<branch::ConnectionLost>(id);
  EXPECT_EQ(lost.why.code, ErrorCode::kSql);
  EXPECT_EQ(lost.why.sql->sqlstate, "54000");
  EXPECT_THAT(lost.why.sql->hint, HasSubstr("result_max_bytes"));
  EXPECT_EQ(agent->value(agent->open(), "SELECT length(repeat('x', 500000))"), "500000");
}

TEST_F(Durability, ResultOfOneLargeValueIsLimitedToo) {
  DatabaseOptions small = options();
  small.result_max_bytes = 1u << 20;
  agent.reset();
  agent = enrolled(small);
  const BranchId id = agent->open();

  agent->start_statement(id, {"SELECT repeat('x', 50000000)", {}});

  EXPECT_EQ(agent->await<branch::ConnectionLost>(id).why.sql->sqlstate, "54000");
}

TEST_F(Durability, ResultWithinTheLimitPassesWhole) {
  DatabaseOptions small = options();
  small.result_max_bytes = 2u << 20;
  agent.reset();
  agent = enrolled(small);

  const auto done =
      agent->run(agent->open(), "SELECT repeat('x', 1000) FROM generate_series(1, 1500)");

  ASSERT_TRUE(done.result) << done.result.error().message;
  EXPECT_EQ(done.result.value()->rows.size(), 1500U);
}

}  // namespace
}  // namespace assent::postgres
