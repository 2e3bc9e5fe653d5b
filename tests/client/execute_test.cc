#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assent/client.h"
#include "base/ids.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Execute : public testing::Test {
 protected:
  fake::Cluster cluster_;
  Client client_ = Client::connect(cluster_.options()).value();
  Transaction transaction_ = client_.start();

  static Error sql_error(std::string sqlstate, int statement) {
    Error error{ErrorCode::kSql, "duplicate key value"};
    SqlError& said = error.sql.emplace();
    said.sqlstate = std::move(sqlstate);
    said.message = error.message;
    said.detail = "Key (id)=(7) already exists.";
    said.constraint_name = "accounts_pkey";
    said.statement_number = statement;
    return error;
  }
};

TEST_F(Execute, TheFirstStatementOpensTheBranchAndOthersNameIt) {
  ASSERT_TRUE(transaction_.execute("orders", "UPDATE a"));
  ASSERT_TRUE(transaction_.execute("orders", "UPDATE b"));

  const auto requests = cluster_.orders.execute.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].transaction, transaction_.id());
  EXPECT_EQ(requests[0].participant, "orders");
  EXPECT_EQ(requests[0].statement.sql, "UPDATE a");
  EXPECT_EQ(requests[0].statement_number, 1);
  EXPECT_TRUE(requests[0].__isset.start);
  EXPECT_FALSE(requests[0].__isset.branch);
  EXPECT_EQ(requests[0].start.idle_timeout_ms, 60'000);
  EXPECT_EQ(requests[1].statement_number, 2);
  EXPECT_FALSE(requests[1].__isset.start);
  EXPECT_EQ(requests[1].branch.epoch, 3);
  EXPECT_EQ(requests[1].branch.attempt, 7);
}

TEST_F(Execute, EachBranchHasItsOwnNonceAndNumbers) {
  ASSERT_TRUE(transaction_.execute("orders", "UPDATE a"));
  ASSERT_TRUE(transaction_.execute("stock", "UPDATE b"));

  const auto one = cluster_.orders.execute.requests().at(0);
  const auto other = cluster_.stock.execute.requests().at(0);
  EXPECT_EQ(other.statement_number, 1);
  EXPECT_NE(one.start.nonce, other.start.nonce);
  EXPECT_FALSE(one.start.nonce.empty());
  EXPECT_LE(one.start.nonce.size(), 64U);
}

TEST_F(Execute, PassesParametersAndNull) {
  ASSERT_TRUE(transaction_.execute("orders", "SELECT $1, $2, $3", {0.1, nullptr, ""}));

  const auto parameters = cluster_.orders.execute.requests().at(0).statement.parameters;
  ASSERT_EQ(parameters.size(), 3U);
  EXPECT_EQ(parameters[0].text, "0.1");
  EXPECT_FALSE(parameters[1].__isset.text);
  EXPECT_TRUE(parameters[2].__isset.text);
  EXPECT_EQ(parameters[2].text, "");
}

TEST_F(Execute, PassesTheNumberOfRowsThatIsExpected) {
  ASSERT_TRUE(transaction_.execute("orders", "UPDATE a", {}, 1));
  ASSERT_TRUE(transaction_.execute("orders", "UPDATE b"));

  const auto requests = cluster_.orders.execute.requests();
  EXPECT_EQ(requests.at(0).statement.expected_rows, 1);
  EXPECT_FALSE(requests.at(1).statement.__isset.expected_rows);
}

TEST_F(Execute, OpensABranchAsItsOptionsSay) {
  transaction_.branch("orders", {.isolation = Isolation::kSerializable, .read_only = true});
  transaction_.branch("stock", {});
  ASSERT_TRUE(transaction_.execute("orders", "SELECT a"));
  ASSERT_TRUE(transaction_.execute("stock", "UPDATE b"));

  const auto mode = cluster_.orders.execute.requests().at(0).start.mode;
  EXPECT_EQ(mode.isolation, wire::Isolation::SERIALIZABLE);
  EXPECT_TRUE(mode.__isset.read_only && mode.read_only);
  EXPECT_FALSE(cluster_.stock.execute.requests().at(0).start.__isset.mode);
}

TEST_F(Execute, AnswersRowsWithTheirTypes) {
  auto reply = fake::executed();
  auto& result = reply.result;
  result.command_tag = "SELECT 1";
  result.columns.resize(2);
  result.columns[0].name = "id";
  result.columns[0].type_oid = 23;
  result.columns[1].name = "note";
  result.rows.resize(1);
  result.rows[0].values.resize(2);
  result.rows[0].values[0].__set_text("42");
  cluster_.orders.execute.next(reply);

  const auto rows = transaction_.execute("orders", "SELECT id, note FROM t");

  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->row_count(), 1);
  EXPECT_EQ(rows->command_tag(), "SELECT 1");
  EXPECT_EQ(rows->columns()[0].type_oid, 23U);
  EXPECT_EQ(rows->integer(0, "id"), 42);
  EXPECT_EQ(rows->is_null(0, "note"), true);
}

TEST_F(Execute, RefusesRowsThatDoNotFitTheirColumns) {
  auto reply = fake::executed();
  reply.result.rows.resize(1);
  reply.result.rows[0].values.resize(2);
  cluster_.orders.execute.next(reply);
  EXPECT_EQ(transaction_.execute("orders", "SELECT 1").error().code, ErrorCode::kInternal);
}

// ── repeats (R13) ───────────────────────────────────────────────────────────────────────────────

TEST_F(Execute, RepeatsTheOpeningWithItsNonceWhenTheAnswerIsLost) {
  cluster_.orders.execute.next(fake::Disconnect{});

  const auto rows = transaction_.execute("orders", "UPDATE a", {1});

  ASSERT_TRUE(rows) << rows.error().message;
  const auto requests = cluster_.orders.execute.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0], requests[1]);
}

TEST_F(Execute, RepeatsALaterStatementUnderItsNumberWhenTheAnswerIsLost) {
  ASSERT_TRUE(transaction_.execute("orders", "UPDATE a"));
  cluster_.orders.execute.next(fake::Disconnect{});
  cluster_.orders.execute.next(fake::Disconnect{});

  ASSERT_TRUE(transaction_.execute("orders", "UPDATE b"));
  ASSERT_TRUE(transaction_.execute("orders", "UPDATE c"));

  const auto requests = cluster_.orders.execute.requests();
  ASSERT_EQ(requests.size(), 5U);
  EXPECT_EQ(requests[1].statement_number, 2);
  EXPECT_EQ(requests[2], requests[1]);
  EXPECT_EQ(requests[3], requests[1]);
  EXPECT_EQ(requests[4].statement_number, 3);
}

TEST_F(Execute, WaitsForAnAgentThatIsBusyOrCutOffFromItsDatabase) {
  cluster_.orders.execute.next(Error{ErrorCode::kOverloaded, "no free connection"});
  cluster_.orders.execute.next(Error{ErrorCode::kUnavailable, "PostgreSQL is starting"});

  ASSERT_TRUE(transaction_.execute("orders", "UPDATE a"));

  const auto requests = cluster_.orders.execute.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[2], requests[0]);
}

TEST_F(Execute, FollowsAnAgentThatServesAtAnotherAddress) {
  auto moved = cluster_.hello();
  moved.participants[0].client_address = cluster_.stock.port.address();
  cluster_.first.hello.always([moved](const auto&) { return moved; });
  cluster_.orders.port.close();

  ASSERT_TRUE(transaction_.execute("orders", "UPDATE a"));

  EXPECT_EQ(cluster_.stock.execute.requests().at(0).participant, "orders");
}

TEST_F(Execute, SaysThatTheFateIsUnknownWhenNoAnswerComesInTime) {
  auto options = cluster_.options();
  options.statement_timeout_ms = 1;
  auto transaction = Client::connect(options).value().start();
  cluster_.orders.execute.always([](const auto&) { return fake::Silence{}; });

  const auto rows = transaction.execute("orders", "UPDATE a");

  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(cluster_.orders.execute.requests().at(0).statement.timeout_ms, 1);
}

TEST_F(Execute, ALostAnswerOutweighsALaterRefusalToConnect) {
  auto options = cluster_.options();
  options.statement_timeout_ms = 1;
  auto transaction = Client::connect(options).value().start();
  cluster_.orders.execute.next(fake::Disconnect{});
  cluster_.orders.execute.always([](const auto&) {
    return Error{ErrorCode::kUnavailable, "PostgreSQL is starting"};
  });

  const auto rows = transaction.execute("orders", "UPDATE a");

  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kOutcomeUnknown);
}

// ── errors ──────────────────────────────────────────────────────────────────────────────────────

TEST_F(Execute, NamesTheParticipantsThatThereAre) {
  const auto rows = transaction_.execute("order", "UPDATE a");
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kUnknownParticipant);
  EXPECT_THAT(rows.error().message, HasSubstr("orders, stock"));
  EXPECT_EQ(cluster_.first.hello.requests().size(), 2U) << "it asks before it refuses";
}

TEST_F(Execute, GivesPostgresqlsOwnWords) {
  cluster_.orders.execute.next(sql_error("23505", 1));

  const auto rows = transaction_.execute("orders", "INSERT a");

  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kSql);
  EXPECT_EQ(rows.error().participant, "orders");
  EXPECT_THAT(rows.error().message, StartsWith("statement 1: "));
  EXPECT_EQ(rows.error().sql, sql_error("23505", 1).sql);
}

TEST_F(Execute, AfterAFailedFirstStatementNothingElseIsSent) {
  cluster_.orders.execute.next(sql_error("23505", 1));
  const auto failed = transaction_.execute("orders", "INSERT a");

  const auto rows = transaction_.execute("stock", "UPDATE b");

  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error(), failed.error());
  EXPECT_TRUE(cluster_.stock.execute.requests().empty());
}

TEST_F(Execute, ARollbackToASavepointMendsASqlError) {
  ASSERT_TRUE(transaction_.execute("orders", "SAVEPOINT s"));
  cluster_.orders.execute.next(sql_error("23505", 2));
  ASSERT_FALSE(transaction_.execute("orders", "INSERT a"));
  ASSERT_TRUE(transaction_.execute("orders", "ROLLBACK TO SAVEPOINT s"));

  EXPECT_TRUE(transaction_.commit().committed());

  EXPECT_EQ(cluster_.orders.execute.requests().at(2).statement_number, 3);
  EXPECT_EQ(cluster_.first.commit.requests().at(0).branches.at(0).statements, 3);
}

TEST_F(Execute, RefusesStatementsAfterTheEnd) {
  ASSERT_TRUE(transaction_.execute("orders", "UPDATE a"));
  ASSERT_TRUE(transaction_.commit().committed());
  EXPECT_EQ(transaction_.execute("orders", "UPDATE b").error().code, ErrorCode::kBranchEnded);
  EXPECT_EQ(cluster_.orders.execute.requests().size(), 1U);
}

TEST_F(Execute, TakesTheTimeAnewWhenItsIdIsRefusedForIt) {
  auto later = cluster_.hello();
  later.now_ms += 3'600'000;
  cluster_.first.hello.always([later](const auto&) { return later; });
  cluster_.orders.execute.next(Error{ErrorCode::kClock, "the id is from the future"});

  EXPECT_EQ(transaction_.execute("orders", "UPDATE a").error().code, ErrorCode::kClock);

  const auto id = parse_transaction_id(client_.start().id());
  ASSERT_TRUE(id);
  EXPECT_GE(id->time(), LogTime(later.now_ms));
}

}  // namespace
}  // namespace assent
