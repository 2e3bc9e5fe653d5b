#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Prepare : public DatabaseTest {
 protected:
  BranchId working() {
    const BranchId id = agent->open();
    agent->run(id, "INSERT INTO t VALUES (1, 1)");
    return id;
  }

  std::unique_ptr<Life> agent = enrolled();
};

TEST_F(Prepare, YesIsPreparedAndItsEvidenceIsTrue) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const std::string xid = agent->value(id, "SELECT pg_current_xact_id()");

  const auto vote = agent->prepare(id);

  const Evidence evidence = vote.value();
  EXPECT_EQ(std::to_string(evidence.xid), xid);
  EXPECT_EQ(admin.value("SELECT system_identifier FROM pg_control_system()"),
            std::to_string(static_cast<std::int64_t>(evidence.system_identifier)));
  EXPECT_EQ(evidence.timeline, 1U);
  const std::string now = admin.value("SELECT pg_current_wal_lsn() - '0/0'");
  EXPECT_LE(evidence.wal_position, std::stoull(now));
  EXPECT_EQ(admin.value("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"),
            gid(id));
}

TEST_F(Prepare, WalPositionOfTheEvidenceIsBehindThePrepareRecord) {
  const BranchId id = working();
  const std::string before = admin.value("SELECT pg_current_wal_insert_lsn() - '0/0'");

  const Evidence evidence = agent->prepare(id).value();

  EXPECT_GT(evidence.wal_position, std::stoull(before));
}

TEST_F(Prepare, Row01PrepareOfFailedTransactionIsNo) {
  const BranchId id = working();
  agent->run(id, "SELECT 1 / 0");

  const auto vote = agent->prepare(id);

  EXPECT_FALSE(vote);
  EXPECT_EQ(prepared_count(), 0);
  agent->release(id);
  EXPECT_EQ(agent->value(agent->open(), "SELECT count(*) FROM t"), "0");
}

TEST_F(Prepare, Row02PrepareOutsideOfATransactionIsNo) {
  const BranchId id = working();
  agent->run(id, "ROLLBACK");

  const auto vote = agent->prepare(id);

  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().code, ErrorCode::kBranchEnded);
}

TEST_F(Prepare, Row02BranchWithoutStatementsIsNo) {
  const auto vote = agent->prepare(agent->open());

  EXPECT_FALSE(vote);
}

TEST_F(Prepare, Row03FailedPrepareEndsTheBranchAndTheSessionIsUsable) {
  const BranchId id = agent->open();
  agent->run(id, "CREATE TEMP TABLE passing (i int)");

  const auto vote = agent->prepare(id);

  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().sql->sqlstate, "0A000") << "row 12: temporary objects";
  EXPECT_EQ(vote.error().sql->statement_number, 0);
  agent->release(id);
  EXPECT_EQ(agent->value(agent->open(), "SELECT 1"), "1");
}

TEST_F(Prepare, Row04StrangersGidIsNo) {
  const BranchId id = working();
  admin.query("BEGIN; INSERT INTO t VALUES (9, 9); PREPARE TRANSACTION '" + gid(id) + "'");

  const auto vote = agent->prepare(id);

  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().sql->sqlstate, "42710");
  admin.query("ROLLBACK PREPARED '" + gid(id) + "'");
}

TEST_F(Prepare, Row13DeferredConstraintIsNo) {
  admin.query(
      "CREATE TABLE child (id int REFERENCES t DEFERRABLE INITIALLY DEFERRED);"
      "GRANT INSERT ON child TO assent_work");
  const BranchId id = agent->open();
  EXPECT_TRUE(agent->run(id, "INSERT INTO child VALUES (77)").result);

  const auto vote = agent->prepare(id);

  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().sql->sqlstate, "23503");
}

// The owner of a prepared transaction is the current role, and only that role may finish it.
TEST_F(Prepare, Row07RoleSetByClientSqlDoesNotOwnThePreparedTransaction) {
  admin.query(
      "DO $$ BEGIN CREATE ROLE app; EXCEPTION WHEN duplicate_object THEN END $$;"
      "GRANT app TO assent_work; GRANT INSERT ON t TO app");
  const BranchId id = agent->open();
  agent->run(id, "SET ROLE app");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");

  const auto vote = agent->prepare(id);

  ASSERT_TRUE(vote);
  EXPECT_EQ(admin.value("SELECT owner FROM pg_prepared_xacts WHERE gid = '" + gid(id) + "'"),
            "assent_work");
  admin.query("REVOKE app FROM assent_work");
}

TEST_F(Prepare, SearchPathOfClientSqlCannotFakeTheEvidence) {
  admin.query(
      "CREATE SCHEMA fake;"
      "CREATE FUNCTION fake.pg_current_xact_id() RETURNS xid8 LANGUAGE sql AS 'SELECT ''9''::xid8';"
      "CREATE FUNCTION fake.pg_current_wal_flush_lsn() RETURNS pg_lsn LANGUAGE sql AS "
      "'SELECT ''FFFF/0''::pg_lsn';"
      "GRANT USAGE ON SCHEMA fake TO assent_work");
  const BranchId id = agent->open();
  agent->run(id, "SET search_path = fake, pg_catalog, public");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");

  const Evidence evidence = agent->prepare(id).value();

  EXPECT_NE(evidence.xid, 9U);
  EXPECT_LT(evidence.wal_position, 0xFFFF'0000'0000U);
}

TEST_F(Prepare, StaleBallotSendsNothingAndLeavesTheBranchOpen) {
  const BranchId id = working();
  agent->may_send = false;

  const auto stale = agent->prepare(id);

  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, ErrorCode::kStaleBallot);
  EXPECT_EQ(prepared_count(), 0);
  agent->may_send = true;
  EXPECT_TRUE(agent->prepare(id)) << "another ballot may prepare it";
}

TEST_F(Prepare, ListHasExactlyOurs) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const std::string ours = gid(agent->name_branch());
  testing::Admin stranger(server.socket_directory(), name, "postgres");
  BranchId elsewhere = agent->name_branch();
  elsewhere.participant = "stock";
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  stranger.query("BEGIN; INSERT INTO t VALUES (2, 2); PREPARE TRANSACTION '" + ours + "'");
  worker.query("BEGIN; INSERT INTO t VALUES (3, 3); PREPARE TRANSACTION '" +
               make_gid("test", elsewhere) + "'");
  worker.query("BEGIN; INSERT INTO t VALUES (4, 4); PREPARE TRANSACTION '" +
               make_gid("other", agent->name_branch()) + "'");
  worker.query("BEGIN; INSERT INTO t VALUES (5, 5); PREPARE TRANSACTION 'assent:nonsense'");

  const auto listed = agent->list_prepared();

  EXPECT_THAT(listed.value(), ElementsAre(id));
  EXPECT_EQ(prepared_count(), 5);
  stranger.query("ROLLBACK PREPARED '" + ours + "'");
}

TEST_F(Prepare, ListLeavesOutWhatIsBeingFinished) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  std::optional<Result<std::vector<BranchId>>> listed;
  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});

  agent->start_list([&](auto result) { listed = std::move(result); });

  ASSERT_TRUE(loop.run_until([&] { return listed.has_value(); }));
  EXPECT_THAT(listed->value(), IsEmpty());
}

}  // namespace
}  // namespace assent::postgres
