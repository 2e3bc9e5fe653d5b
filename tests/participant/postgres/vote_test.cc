// Branches that only read, and branches that commit in one phase.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::HasSubstr;

class Vote : public DatabaseTest {
 protected:
  static bool left(const branch::PrepareDone& done) {
    return done.result && std::holds_alternative<branch::LeftReadOnly>(*done.result);
  }
  static bool committed(const branch::PrepareDone& done) {
    return done.result && std::holds_alternative<branch::CommittedOnePhase>(*done.result);
  }
  branch::PrepareDone one_phase(const BranchId& id) { return agent->vote({id, kBallot, true}); }
  BranchId writing() {
    const BranchId id = agent->open();
    agent->run(id, "INSERT INTO t VALUES (1, 1)");
    return id;
  }
  std::string outcome(const BranchId& id) {
    return admin.value("SELECT max(committed::text) FROM assent.outcome WHERE transaction = '" +
                       to_string(id.transaction) + "'");
  }

  std::unique_ptr<Life> agent = enrolled();
};

using ReadOnly = Vote;

TEST_F(ReadOnly, Row17ReaderLeavesAtItsVoteAndIsNotPrepared) {
  const BranchId id = agent->open();
  agent->run(id, "SELECT count(*) FROM t");
  const std::string xmax = admin.value("SELECT pg_snapshot_xmax(pg_current_snapshot())");

  const auto vote = agent->vote({id, kBallot});

  EXPECT_TRUE(left(vote));
  EXPECT_EQ(prepared_count(), 0);
  EXPECT_EQ(admin.value("SELECT pg_snapshot_xmax(pg_current_snapshot())"), xmax) << "no xid";
  agent->release(id);
  EXPECT_EQ(agent->value(agent->open(), "SELECT 1"), "1") << "the session is usable";
}

TEST_F(ReadOnly, Row18UpdateOfNoRowLeavesToo) {
  const BranchId id = agent->open();
  agent->run(id, "UPDATE t SET n = 2 WHERE id = 77");

  EXPECT_TRUE(left(agent->vote({id, kBallot})));
}

TEST_F(ReadOnly, Row18BranchOfLocksAloneDropsThemAtItsVote) {
  const BranchId id = agent->open();
  agent->run(id, "LOCK TABLE t IN SHARE MODE");
  agent->run(id, "SELECT pg_advisory_xact_lock(7)");

  EXPECT_TRUE(left(agent->vote({id, kBallot})));

  EXPECT_EQ(admin.value("SELECT pg_try_advisory_lock(7)"), "t");
}

TEST_F(ReadOnly, Row18FunctionThatWritesIsNoReader) {
  admin.query(
      "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS "
      "'INSERT INTO t VALUES (5, 5) RETURNING 1'");
  const BranchId id = agent->open();
  agent->run(id, "SELECT sneak()");

  const auto vote = agent->vote({id, kBallot});

  ASSERT_TRUE(vote.result);
  EXPECT_TRUE(std::holds_alternative<Evidence>(*vote.result));
  EXPECT_EQ(prepared_count(), 1);
}

// COMMIT reads a cursor WITH HOLD to its end, and whatever that runs.
TEST_F(ReadOnly, CursorThatWouldWriteInItsCommitDoesNot) {
  admin.query(
      "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS "
      "'INSERT INTO t VALUES (5, 5) RETURNING 1'");
  const BranchId id = agent->open();
  agent->run(id, "DECLARE c CURSOR WITH HOLD FOR SELECT sneak()");

  const auto vote = agent->vote({id, kBallot});

  EXPECT_FALSE(vote.result);
  EXPECT_EQ(content(), "");
}

// SET TRANSACTION READ ONLY inside a savepoint ends with it, and COMMIT ends the savepoint first.
TEST_F(ReadOnly, Row12CursorWithHoldBehindASavepointIsNoReader) {
  admin.query(
      "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS "
      "'INSERT INTO t VALUES (5, 5) RETURNING 1'");
  const BranchId id = agent->open();
  agent->run(id, "SAVEPOINT s");
  agent->run(id, "DECLARE c CURSOR WITH HOLD FOR SELECT sneak()");

  const auto vote = agent->vote({id, kBallot});

  ASSERT_FALSE(vote.result);
  EXPECT_EQ(vote.result.error().sql->sqlstate, "0A000");
  EXPECT_EQ(content(), "");
}

// What it writes is in another database, and no xid of this one tells of it.
TEST_F(ReadOnly, Row12FunctionThatWritesToAForeignTableIsNoReader) {
  testing::Admin elsewhere = server.admin("postgres");
  elsewhere.query(
      "CREATE TABLE IF NOT EXISTS far (i int); TRUNCATE far; GRANT ALL ON far TO assent_work");
  admin.query("CREATE EXTENSION postgres_fdw");
  admin.query(
      "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'postgres', host '" +
      server.socket_directory() + "')");
  admin.query(
      "CREATE USER MAPPING FOR assent_work SERVER far OPTIONS (user 'assent_work',"
      " password_required 'false');"
      "CREATE FOREIGN TABLE far (i int) SERVER far; GRANT ALL ON far TO assent_work;"
      "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS 'INSERT INTO far VALUES (5) RETURNING "
      "1'");
  const BranchId writer = agent->open();
  ASSERT_TRUE(agent->run(writer, "SELECT sneak()").result);
  const BranchId reader = agent->open();
  ASSERT_TRUE(agent->run(reader, "SELECT count(*) FROM far").result);

  const auto wrote = agent->vote({writer, kBallot});
  const auto read = agent->vote({reader, kBallot});

  admin.query("DROP EXTENSION postgres_fdw CASCADE");
  ASSERT_FALSE(wrote.result);
  EXPECT_EQ(wrote.result.error().sql->sqlstate, "0A000");
  EXPECT_TRUE(left(read));
  EXPECT_EQ(elsewhere.value("SELECT count(*) FROM far"), "0");
}

TEST_F(ReadOnly, RowLockIsAWriteToPostgres) {
  admin.query("INSERT INTO t VALUES (1, 1)");
  const BranchId id = agent->open();
  agent->run(id, "SELECT n FROM t WHERE id = 1 FOR UPDATE");

  EXPECT_TRUE(std::holds_alternative<Evidence>(agent->vote({id, kBallot}).result.value()));
}

TEST_F(ReadOnly, SerializationFailureOfItsCommitIsNo) {
  admin.query("INSERT INTO t VALUES (1, 1), (2, 2)");
  const BranchId reader = agent->open();
  const BranchMode serializable{IsolationLevel::kSerializable, {}};
  agent->database.carry_out(
      branch::RunStatement{reader, 1, {"SELECT sum(n) FROM t", {}}, serializable});
  agent->await<branch::StatementDone>(reader);
  agent->run(reader, "SELECT 1 / 0");

  const auto vote = agent->vote({reader, kBallot});

  ASSERT_FALSE(vote.result) << "a failed transaction does not leave as a reader";
}

TEST_F(ReadOnly, TransactionThatEndedBehindOurBackIsNoReader) {
  const BranchId id = agent->open();
  agent->run(id, "SET client_min_messages = error");
  agent->run(id, "ROLLBACK");

  const auto vote = agent->vote({id, kBallot});

  ASSERT_FALSE(vote.result);
  EXPECT_EQ(vote.result.error().code, ErrorCode::kBranchEnded);
}

// ── one phase ───────────────────────────────────────────────────────────────────────────────────

using OnePhase = Vote;

TEST_F(OnePhase, CommitsWithItsRowAndWithoutBeingPrepared) {
  const BranchId id = writing();

  EXPECT_TRUE(committed(one_phase(id)));

  EXPECT_EQ(content(), "1=1");
  EXPECT_EQ(outcome(id), "true");
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(OnePhase, ReaderLeavesWithoutARow) {
  const BranchId id = agent->open();
  agent->run(id, "SELECT 1");

  EXPECT_TRUE(left(one_phase(id)));
  EXPECT_EQ(outcome(id), "");
}

TEST_F(OnePhase, FailureAtCommitIsNoAndLeavesNoRow) {
  admin.query(
      "CREATE TABLE child (id int REFERENCES t DEFERRABLE INITIALLY DEFERRED);"
      "GRANT INSERT ON child TO assent_work");
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO child VALUES (77)");

  const auto vote = one_phase(id);

  ASSERT_FALSE(vote.result);
  EXPECT_EQ(vote.result.error().sql->sqlstate, "23503");
  EXPECT_EQ(outcome(id), "");
}

TEST_F(OnePhase, AbortRowThatStandsMakesItNo) {
  const BranchId id = writing();
  EXPECT_FALSE(agent->settle(id.transaction).value());

  const auto vote = one_phase(id);

  EXPECT_FALSE(vote.result);
  EXPECT_EQ(content(), "");
  EXPECT_EQ(outcome(id), "false");
}

TEST_F(OnePhase, CommitRowThatStandsIsTheAnswer) {
  const BranchId first = writing();
  ASSERT_TRUE(committed(one_phase(first)));
  BranchId second = agent->name_branch();
  second.transaction = first.transaction;
  agent->database.carry_out(branch::Acquire{second});
  agent->await<branch::ConnectionGranted>(second);
  agent->run(second, "INSERT INTO t VALUES (2, 2)");

  EXPECT_TRUE(committed(one_phase(second))) << "the transaction is committed";
  EXPECT_EQ(content(), "1=1") << "once";
}

TEST_F(OnePhase, SettleAfterACommitSaysCommitted) {
  const BranchId id = writing();
  ASSERT_TRUE(committed(one_phase(id)));

  EXPECT_TRUE(agent->settle(id.transaction).value());
  EXPECT_TRUE(agent->settle(id.transaction).value()) << "for ever";
}

TEST_F(OnePhase, SettleOfAnUnknownTransactionIsForEver) {
  const BranchId id = agent->name_branch();

  EXPECT_FALSE(agent->settle(id.transaction).value());
  EXPECT_FALSE(agent->settle(id.transaction).value());
}

TEST_F(OnePhase, StaleBallotSettlesNothing) {
  const BranchId id = agent->name_branch();
  agent->may_send = false;

  const auto settled = agent->settle(id.transaction);

  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, ErrorCode::kStaleBallot);
  EXPECT_EQ(outcome(id), "");
}

// The connection on which the abort row would be sent takes time to open; meanwhile another leader
// is elected.
TEST_F(OnePhase, R4BallotThatEndsWhileTheSettlersConnectionIsOpenedSettlesNothing) {
  std::unique_ptr<Life> late;
  bool lost_office = false;
  const auto connect = [&](boost::asio::io_context& on, const ConnectionOptions& with,
                           Opened opened) {
    LibpqConnection::open(on, with, [&, opened = std::move(opened)](auto connection) {
      if (lost_office) late->may_send = false;
      opened(std::move(connection));
    });
  };
  late = std::make_unique<Life>(loop, options(), connect);
  late->enrol();
  const BranchId id = late->name_branch();
  lost_office = true;

  const auto settled = late->settle(id.transaction);

  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, ErrorCode::kStaleBallot);
  EXPECT_EQ(outcome(id), "");
}

// Not even the row that was to be written is there: an operator's trigger has dropped it here.
TEST_F(OnePhase, NoRowAtAllIsNoAbort) {
  const BranchId id = agent->name_branch();
  admin.query(
      "CREATE FUNCTION public.drop_row() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN RETURN NULL; END';"
      "CREATE TRIGGER drop_row BEFORE INSERT ON assent.outcome"
      " FOR EACH ROW EXECUTE FUNCTION public.drop_row()");

  const auto settled = agent->settle(id.transaction);

  admin.query("DROP FUNCTION public.drop_row() CASCADE");
  ASSERT_FALSE(settled) << "nothing forbids a commit";
  EXPECT_EQ(settled.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(agent->settle(id.transaction).value());
}

// The COMMIT waits in the socket of a stopped backend when its connection is lost.
TEST_F(OnePhase, CommitInTheSocketOfAStoppedBackendIsSettledWhenThatIsGone) {
  const BranchId id = writing();
  const std::string pid = admin.value(
      "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'assent %-%' AND state = "
      "'idle in transaction'");
  ASSERT_EQ(kill(std::stoi(pid), SIGSTOP), 0);
  agent->start_prepare(id, true);
  loop.run_for(std::chrono::milliseconds(50));
  admin.query("SELECT pg_terminate_backend(" + pid + ")");
  loop.run_for(std::chrono::milliseconds(50));
  ASSERT_EQ(kill(std::stoi(pid), SIGCONT), 0);

  const auto vote = agent->await<branch::PrepareDone>(id);

  EXPECT_EQ(committed(vote), content() == "1=1");
  EXPECT_EQ(outcome(id), committed(vote) ? "true" : "false") << "a row stands either way";
}

TEST_F(OnePhase, CommitThatWorkedButWasNotAnsweredIsCommitted) {
  admin.query(
      "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM pg_advisory_lock(99); PERFORM pg_advisory_unlock(99); RETURN NEW; END $$;"
      "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION hang()");
  const BranchId id = writing();
  admin.query("SELECT pg_advisory_lock(99)");
  agent->start_prepare(id, true);
  ASSERT_TRUE(loop.run_until([&] {
    return admin.value(
               "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND "
               "wait_event = 'advisory'") == "1";
  }));
  admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT'");

  const auto vote = agent->await<branch::PrepareDone>(id);

  EXPECT_FALSE(vote.result) << "its deferred trigger was interrupted before the commit record";
  EXPECT_EQ(content(), "");
  EXPECT_EQ(outcome(id), "false");
  admin.query("SELECT pg_advisory_unlock_all(); DROP TRIGGER slow ON t; DROP FUNCTION hang()");
}

TEST_F(OnePhase, ServerCrashDuringTheCommitIsSettledWhenItIsBack) {
  const BranchId id = writing();
  agent->start_prepare(id, true);
  loop.run_for(std::chrono::milliseconds(1));
  server.stop_immediately();
  loop.run_for(std::chrono::milliseconds(50));
  server.start();
  admin = server.admin(name);

  const auto vote = agent->await<branch::PrepareDone>(id);

  EXPECT_EQ(committed(vote), content() == "1=1");
  EXPECT_NE(outcome(id), committed(vote) ? "false" : "true");
}

TEST_F(OnePhase, ClientSqlCannotForgeAnOutcome) {
  const BranchId id = agent->open();

  const auto forged = agent->run(id, "SELECT assent.record_commit('any', 'key')");

  ASSERT_FALSE(forged.result);
  EXPECT_EQ(forged.result.error().sql->sqlstate, "42501");
  EXPECT_FALSE(agent->run(agent->open(), "INSERT INTO assent.outcome VALUES ('x', true)").result);
}

TEST_F(OnePhase, RoleAndPathOfClientSqlDoNotMatter) {
  admin.query(
      "DO $$ BEGIN CREATE ROLE app; EXCEPTION WHEN duplicate_object THEN END $$;"
      "GRANT app TO assent_work; GRANT INSERT ON t TO app");
  const BranchId id = agent->open();
  agent->run(id, "SET ROLE app");
  agent->run(id, "SET search_path = pg_temp");
  agent->run(id, "SET statement_timeout = 50");
  EXPECT_TRUE(agent->run(id, "INSERT INTO public.t VALUES (1, 1)").result);

  EXPECT_TRUE(committed(one_phase(id)));
  admin.query("REVOKE app FROM assent_work");
}

TEST_F(OnePhase, OldRowsGoWithTheFloorAndNoOthers) {
  const BranchId id = writing();
  ASSERT_TRUE(committed(one_phase(id)));
  const TransactionId later = make_transaction_id(id.transaction.time() + Millis(5), 1, 1, 1);
  ASSERT_FALSE(agent->settle(later).value());

  agent->database.drop_outcomes(id.transaction.time() + Millis(1));
  loop.run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(outcome(id), "true") << "a commit that is under way may outlive the floor for a while";
  agent = enrolled();
  agent->database.drop_outcomes(id.transaction.time() + Millis(660'001));

  EXPECT_TRUE(loop.run_until([&] { return outcome(id).empty(); }));
  EXPECT_EQ(admin.value("SELECT count(*) FROM assent.outcome"), "1");
}

}  // namespace
}  // namespace assent::postgres
