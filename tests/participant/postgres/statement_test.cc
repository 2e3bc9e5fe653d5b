#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Statements : public DatabaseTest {
 protected:
  std::unique_ptr<Life> agent = enrolled();
};

SqlError sql_error(const branch::StatementDone& done) {
  EXPECT_FALSE(done.result);
  EXPECT_EQ(done.result.error().code, ErrorCode::kSql);
  return done.result.error().sql.value();
}

TEST_F(Statements, ResultHasTypedColumnsTextValuesAndNulls) {
  const BranchId id = agent->open();

  const auto done =
      agent->run(id, "SELECT 7 AS seven, NULL::text AS nothing, 'x' || $1 AS word", {Value("y")});

  const StatementResult& result = *done.result.value();
  EXPECT_THAT(result.columns,
              ElementsAre(Column{"seven", 23}, Column{"nothing", 25}, Column{"word", 25}));
  EXPECT_THAT(result.rows, ElementsAre(ElementsAre(Value("7"), std::nullopt, Value("xy"))));
  EXPECT_EQ(result.row_count, 1);
  EXPECT_EQ(result.command_tag, "SELECT 1");
  EXPECT_TRUE(done.transaction_open);
}

TEST_F(Statements, RowCountIsOfAffectedRows) {
  const BranchId id = agent->open();

  const auto inserted =
      agent->run(id, "INSERT INTO t SELECT i, $1 FROM generate_series(1, 3) i", {Value("5")});
  const auto set = agent->run(id, "SET LOCAL work_mem = '1MB'");

  EXPECT_EQ(inserted.result.value()->row_count, 3);
  EXPECT_EQ(inserted.result.value()->command_tag, "INSERT 0 3");
  EXPECT_EQ(set.result.value()->row_count, 0);
}

// No database sees a deadlock that goes through two of them.
TEST_F(DatabaseTest, AStatementDoesNotWaitForALockForEver) {
  DatabaseOptions impatient = options();
  impatient.lock_timeout = Millis(50);
  const auto agent = enrolled(impatient);
  const BranchId holder = agent->open();
  agent->run(holder, "LOCK TABLE t");
  const BranchId waiter = agent->open();

  const auto refused = agent->run(waiter, "INSERT INTO t VALUES (1, 1)");

  EXPECT_EQ(sql_error(refused).sqlstate, "55P03");
  EXPECT_TRUE(retryable(refused.result.error()));
  EXPECT_EQ(agent->value(holder, "SHOW lock_timeout"), "50ms");
}

TEST_F(Statements, BranchIsOneTransactionUntilRolledBack) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(agent->value(id, "SELECT count(*) FROM t"), "1");
  EXPECT_EQ(content(), "");

  agent->roll_back(id);

  EXPECT_EQ(content(), "");
  const BranchId next = agent->open();
  EXPECT_EQ(agent->value(next, "SELECT count(*) FROM t"), "0");
}

TEST_F(Statements, ErrorCarriesPostgresOwnWords) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");

  const auto done = agent->run(id, "INSERT INTO t VALUES (1, 2)");

  const SqlError error = sql_error(done);
  EXPECT_EQ(error.sqlstate, "23505");
  EXPECT_THAT(error.message, HasSubstr("duplicate key"));
  EXPECT_THAT(error.detail, HasSubstr("(id)=(1)"));
  EXPECT_EQ(error.constraint_name, "t_pkey");
  EXPECT_EQ(error.statement_number, 2);
  EXPECT_TRUE(done.transaction_open) << "a failed transaction is open until it is rolled back";
}

TEST_F(Statements, SyntaxErrorNamesThePosition) {
  const BranchId id = agent->open();

  const SqlError error = sql_error(agent->run(id, "SELECT 1 FROMM t"));

  EXPECT_EQ(error.sqlstate, "42601");
  EXPECT_EQ(error.position, 16);
}

TEST_F(Statements, Row02SecondStatementInOneMessageIsRefused) {
  const BranchId id = agent->open();

  const SqlError error = sql_error(agent->run(id, "SELECT 1; SELECT 2"));

  EXPECT_EQ(error.sqlstate, "42601");
}

TEST_F(Statements, PipelinedStatementsAreAnsweredInOrder) {
  const BranchId id = agent->open();
  agent->start_statement(id, {"INSERT INTO t VALUES (1, 1)", {}, {}});
  agent->start_statement(id, {"SELECT $1", {Value(std::string("\0", 1))}, {}});
  agent->start_statement(id, {"SELECT count(*) FROM t", {}, {}});

  const auto first = agent->await<branch::StatementDone>(id);
  const auto second = agent->await<branch::StatementDone>(id);
  const auto third = agent->await<branch::StatementDone>(id);

  EXPECT_EQ(first.number, 1U);
  EXPECT_TRUE(first.result);
  EXPECT_EQ(second.number, 2U);
  EXPECT_EQ(second.result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(third.result.value()->rows.at(0).at(0), "1");
}

TEST_F(Statements, RefusedStatementKeepsTheBranchFromBeingPrepared) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  agent->run(id, "SELECT $1", {Value(std::string("a\0b", 3))});

  const auto vote = agent->prepare(id);

  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(Statements, TimeoutCutsAStatementAndOnlyThat) {
  const BranchId id = agent->open();
  agent->run(id, "SAVEPOINT s");

  const SqlError error = sql_error(agent->run(id, "SELECT pg_sleep(10)", {}, Millis(20)));

  EXPECT_EQ(error.sqlstate, "57014");
  EXPECT_TRUE(agent->run(id, "ROLLBACK TO s", {}, Millis(20)).result)
      << "a failed transaction takes ROLLBACK TO SAVEPOINT, whatever the timeout";
  EXPECT_TRUE(agent->run(id, "SELECT pg_sleep(0.05)").result) << "the limit was the statement's";
}

TEST_F(Statements, CopyFromTheClientIsRefusedAndTheConnectionGoesOn) {
  const BranchId id = agent->open();

  const SqlError error = sql_error(agent->run(id, "COPY t FROM STDIN"));

  EXPECT_EQ(error.sqlstate, "0A000");
  agent->roll_back(id);
  const BranchId next = agent->open();
  EXPECT_EQ(agent->value(next, "SELECT 1"), "1");
  EXPECT_EQ(agent->database.counters().connections_lost, 0U);
}

TEST_F(Statements, CopyToTheClientIsRefusedAndNeverPrepared) {
  const BranchId id = agent->open();

  const SqlError error =
      sql_error(agent->run(id, "COPY (INSERT INTO t VALUES (1, 1) RETURNING id) TO STDOUT"));
  const auto vote = agent->prepare(id);

  EXPECT_EQ(error.sqlstate, "0A000");
  EXPECT_FALSE(vote);
  EXPECT_EQ(prepared_count(), 0);
  agent->release(id);
  const BranchId next = agent->open();
  EXPECT_EQ(agent->value(next, "SELECT count(*) FROM t"), "0");
  EXPECT_EQ(agent->database.counters().connections_lost, 0U);
}

TEST_F(Statements, LargeCopyToTheClientIsDroppedPieceByPiece) {
  const BranchId id = agent->open();

  const SqlError error = sql_error(
      agent->run(id, "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 5000)) TO STDOUT"));

  EXPECT_EQ(error.sqlstate, "0A000");
  EXPECT_EQ(agent->value(id, "SELECT 1"), "1");
}

TEST_F(Statements, PrepareBehindACopyInFlightWaitsForItsRefusal) {
  const BranchId id = agent->open();
  agent->start_statement(id, {"COPY (SELECT 1) TO STDOUT", {}, {}});

  const auto vote = agent->prepare(id);

  EXPECT_FALSE(vote);
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(Statements, LargeStatementAndResultPass) {
  const BranchId id = agent->open();
  const std::string megabytes(4 << 20, 'x');

  const auto done = agent->run(id, "SELECT $1 || 'y'", {Value(megabytes)});

  EXPECT_EQ(done.result.value()->rows.at(0).at(0)->size(), megabytes.size() + 1);
}

TEST_F(Statements, EndOfTheTransactionBehindOurBackIsTold) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");

  const auto done = agent->run(id, "ROLLBACK");

  EXPECT_FALSE(done.transaction_open);
}

}  // namespace
}  // namespace assent::postgres
