// With a synchronous standby that is named and never comes: PREPARE and COMMIT PREPARED wait for it
// until the setting is taken back.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using branch::FinishResult;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kLongEnough = 150ms;

class Replication : public DatabaseTest {
 protected:
  ~Replication() override { replicate(); }

  void set_standby(const std::string& standby) {
    admin.query("ALTER SYSTEM SET synchronous_standby_names = '" + standby + "'");
    admin.query("SELECT pg_reload_conf()");
    EXPECT_TRUE(loop.run_until(
        [&] { return server.admin(name).value("SHOW synchronous_standby_names") == standby; }));
  }
  void hold_replication() { set_standby("nobody"); }
  // As if the standby had everything: whoever waits goes on.
  void replicate() { set_standby(""); }

  // The barrier commits at the Sync of its batch, so the warning comes behind its answer.
  void expect_cancelled_barrier_is_no_success() {
    agent->prepared("INSERT INTO t VALUES (1, 1)");
    hold_replication();
    std::optional<Result<std::vector<BranchId>>> listed;
    agent->start_list(
        [&](Result<std::vector<BranchId>> branches) { listed = std::move(branches); });
    const std::string backend = waiting_backend("SELECT pg_logical_emit_message");
    admin.query("SELECT pg_cancel_backend(" + backend + ")");
    EXPECT_TRUE(loop.run_until([&] { return listed.has_value(); }));
    replicate();

    ASSERT_TRUE(listed.has_value());
    ASSERT_FALSE(*listed) << "the standby does not have what it would have told";
    EXPECT_EQ(listed->error().code, ErrorCode::kUnavailable);
  }

  // Waits for a backend that waits for the standby in a command like this.
  std::string waiting_backend(const std::string& command) {
    const std::string found =
        " FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '" + command + "%'";
    EXPECT_TRUE(loop.run_until([&] { return admin.value("SELECT count(*)" + found) != "0"; }));
    return admin.value("SELECT pid" + found);
  }

  std::unique_ptr<Life> agent = enrolled();
};

TEST_F(Replication, CancelledWaitOfAPrepareIsNoYesBeforeTheStandbyHasIt) {
  const BranchId id = agent->open();
  agent->run(id, "SET client_min_messages = error");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  hold_replication();
  agent->start_prepare(id);
  const std::string backend = waiting_backend("PREPARE TRANSACTION");

  admin.query("SELECT pg_cancel_backend(" + backend + ")");
  loop.run_for(kLongEnough);
  const bool early = agent->take<branch::PrepareDone>(id).has_value();
  replicate();

  EXPECT_FALSE(early);
  EXPECT_TRUE(agent->await<branch::PrepareDone>(id).result);
  EXPECT_EQ(prepared_count(), 1);
}

TEST_F(Replication, PrepareWaitsThoughClientSqlSaidOtherwise) {
  const BranchId id = agent->open();
  agent->run(id, "SET synchronous_commit = off");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  hold_replication();

  agent->start_prepare(id);
  loop.run_for(kLongEnough);
  const bool early = agent->take<branch::PrepareDone>(id).has_value();
  replicate();

  EXPECT_FALSE(early);
  EXPECT_TRUE(agent->await<branch::PrepareDone>(id).result);
}

TEST_F(Replication, CancelledWaitOfACommitIsNotDoneBeforeTheStandbyHasIt) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  hold_replication();
  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  const std::string backend = waiting_backend("COMMIT PREPARED");

  admin.query("SELECT pg_cancel_backend(" + backend + ")");
  loop.run_for(kLongEnough);
  const bool early = agent->take<branch::FinishDone>(id).has_value();
  replicate();

  EXPECT_FALSE(early);
  EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
}

TEST_F(Replication, Row10BusyGidIsTriedAgain) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  hold_replication();
  testing::Admin orphan(server.socket_directory(), name, "assent_work");
  orphan.query("SET synchronous_commit = on");
  orphan.send("COMMIT PREPARED '" + gid(id) + "'");
  waiting_backend("COMMIT PREPARED");

  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  loop.run_for(kLongEnough);
  const bool early = agent->take<branch::FinishDone>(id).has_value();
  replicate();

  EXPECT_FALSE(early);
  EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
  EXPECT_EQ(content(), "1=1");
}

// Seen in the server alone: what the agent must not take for success.
TEST_F(Replication, StatementTimeoutCutsACommitPreparedIntoSuccessAndAWarning) {
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  worker.query("BEGIN; INSERT INTO t VALUES (1, 1)");
  worker.query("PREPARE TRANSACTION 'cut'");
  hold_replication();
  worker.query("SET synchronous_commit = on");
  worker.query("SET statement_timeout = 50");

  EXPECT_EQ(worker.answer("COMMIT PREPARED 'cut'"), "COMMIT PREPARED");

  EXPECT_THAT(worker.notices(), HasSubstr("might not have been replicated"));
  EXPECT_EQ(content(), "1=1");
}

TEST_F(Replication, StatementTimeoutDoesNotBoundAPrepare) {
  const BranchId id = agent->open();
  agent->run(id, "SET statement_timeout = 50");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  hold_replication();

  agent->start_prepare(id);
  const std::string backend = waiting_backend("PREPARE TRANSACTION");
  loop.run_for(kLongEnough);
  const std::string still = waiting_backend("PREPARE TRANSACTION");
  const bool early = agent->take<branch::PrepareDone>(id).has_value();
  replicate();

  EXPECT_EQ(still, backend) << "three times its limit";
  EXPECT_FALSE(early);
  EXPECT_TRUE(agent->await<branch::PrepareDone>(id).result);
}

TEST_F(Replication, StatementTimeoutOfTheWorkRoleDoesNotCutTheAgentsFinish) {
  admin.query("ALTER ROLE assent_work SET statement_timeout = 50");
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  hold_replication();

  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  const std::string backend = waiting_backend("COMMIT PREPARED");
  loop.run_for(kLongEnough);
  const std::string still = waiting_backend("COMMIT PREPARED");
  admin.query("ALTER ROLE assent_work RESET statement_timeout");
  replicate();

  EXPECT_EQ(still, backend);
  EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
}

TEST_F(Replication, SynchronousCommitOffNoLongerWaitsForTheStandby) {
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  worker.query("SET synchronous_commit = off");
  hold_replication();
  worker.query("BEGIN; INSERT INTO t VALUES (1, 1)");

  EXPECT_EQ(worker.answer("PREPARE TRANSACTION 'one'"), "PREPARE TRANSACTION");
  EXPECT_EQ(worker.answer("COMMIT PREPARED 'one'"), "COMMIT PREPARED");
  worker.query("BEGIN; INSERT INTO t VALUES (2, 2)");
  EXPECT_EQ(worker.answer("PREPARE TRANSACTION 'two'"), "PREPARE TRANSACTION");
  EXPECT_EQ(worker.answer("ROLLBACK PREPARED 'two'"), "ROLLBACK PREPARED");
  EXPECT_EQ(worker.notices(), "");
}

TEST_F(Replication, CancelledWaitOfARollbackIsNotDoneBeforeTheStandbyHasIt) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  hold_replication();
  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kAborted, evidence});
  const std::string backend = waiting_backend("ROLLBACK PREPARED");

  admin.query("SELECT pg_cancel_backend(" + backend + ")");
  loop.run_for(kLongEnough);
  const bool early = agent->take<branch::FinishDone>(id).has_value();
  replicate();

  EXPECT_FALSE(early);
  EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
}

TEST_F(Replication, CancelledWaitOfABarrierIsNotTakenForSuccess) {
  expect_cancelled_barrier_is_no_success();
}

TEST_F(Replication, CancelledWaitOfABarrierIsHeardOfWhenItsAnswerHasBeenReadAlready) {
  testing::Proxy proxy(loop.context(), server.socket_directory());
  DatabaseOptions through = options();
  through.socket_directory = proxy.directory();
  agent = enrolled(through);
  proxy.deliver_singly();

  expect_cancelled_barrier_is_no_success();
  agent.reset();
}

TEST_F(Replication, CancelledWaitOfAOnePhaseCommitIsNotTakenForSuccess) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  hold_replication();
  agent->start_prepare(id, true);
  const std::string backend = waiting_backend("COMMIT");

  admin.query("SELECT pg_cancel_backend(" + backend + ")");
  loop.run_for(kLongEnough);
  const bool early = agent->take<branch::PrepareDone>(id).has_value();
  replicate();

  EXPECT_FALSE(early);
  const auto done = agent->await<branch::PrepareDone>(id);
  ASSERT_TRUE(done.result);
  EXPECT_TRUE(std::holds_alternative<branch::CommittedOnePhase>(*done.result)) << "its row stands";
}

// A wait whose statement was told synchronous_commit = local is none.
TEST_F(Replication, BarrierWaitsWhateverTheRolesDefaultIs) {
  admin.query("ALTER ROLE assent_agent SET synchronous_commit = local");
  agent = enrolled();
  hold_replication();
  EXPECT_EQ(admin.value("SHOW synchronous_commit"), "local");
  admin.query("SELECT pg_logical_emit_message(true, 'test', 'barrier')");
  std::optional<Result<std::vector<BranchId>>> listed;

  agent->start_list([&](auto result) { listed = std::move(result); });
  loop.run_for(kLongEnough);
  const bool early = listed.has_value();
  admin.query("ALTER ROLE assent_agent RESET synchronous_commit");
  replicate();

  EXPECT_FALSE(early);
  EXPECT_TRUE(loop.run_until([&] { return listed.has_value(); }));
}

// What a YES and a confirmation promise does not depend on the default of the work role's sessions.
TEST_F(Replication, PrepareAndFinishesWaitWhateverTheRolesDefaultIs) {
  for (const std::string weak : {"off", "local", "remote_write"}) {
    admin.query("ALTER ROLE assent_work SET synchronous_commit = " + weak);
    agent = enrolled();
    const BranchId id = agent->open();
    agent->run(id, "INSERT INTO t VALUES (1, 1)");
    const auto [committed, one] = agent->prepared("INSERT INTO t VALUES (2, 2)");
    const auto [aborted, two] = agent->prepared("INSERT INTO t VALUES (3, 3)");
    hold_replication();

    agent->start_prepare(id);
    agent->database.carry_out(branch::RunFinish{committed, kBallot, Outcome::kCommitted, one});
    agent->database.carry_out(branch::RunFinish{aborted, kBallot, Outcome::kAborted, two});
    loop.run_for(kLongEnough);

    EXPECT_FALSE(agent->take<branch::PrepareDone>(id)) << weak;
    EXPECT_FALSE(agent->take<branch::FinishDone>(committed)) << weak;
    EXPECT_FALSE(agent->take<branch::FinishDone>(aborted)) << weak;
    replicate();
    const auto voted = agent->await<branch::PrepareDone>(id);
    ASSERT_TRUE(voted.result);
    EXPECT_EQ(agent->await<branch::FinishDone>(committed).result, FinishResult::kDone);
    EXPECT_EQ(agent->await<branch::FinishDone>(aborted).result, FinishResult::kDone);
    agent->release(id);
    agent->finish(id, Outcome::kAborted, std::get<Evidence>(*voted.result));
    admin.query("DELETE FROM t");
  }
  admin.query("ALTER ROLE assent_work RESET synchronous_commit");
}

// Stronger than what is needed, and asked for by the operator: readers of a standby rely on it.
TEST_F(Replication, RemoteApplyStaysWhatItIs) {
  admin.query("ALTER ROLE assent_work SET synchronous_commit = remote_apply");
  agent = enrolled();
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  hold_replication();
  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  const std::string backend = waiting_backend("COMMIT PREPARED");
  const BranchId next = agent->open();
  agent->run(next, "INSERT INTO t VALUES (2, 2)");

  agent->start_prepare(next);

  EXPECT_NE(waiting_backend("PREPARE TRANSACTION"), backend);
  EXPECT_EQ(waiting_backend("COMMIT PREPARED"), backend) << "both wait for what nobody has applied";
  admin.query("ALTER ROLE assent_work RESET synchronous_commit");
  replicate();
  EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
  EXPECT_TRUE(agent->await<branch::PrepareDone>(next).result);
}

TEST_F(Replication, Row10GidWhosePrepareStillWaitsIsBusyAndTriedAgain) {
  const BranchId id = agent->name_branch();
  testing::Admin orphan(server.socket_directory(), name, "assent_work");
  orphan.query("SET synchronous_commit = on");
  orphan.query("BEGIN; INSERT INTO t VALUES (1, 1)");
  hold_replication();
  orphan.send("PREPARE TRANSACTION '" + gid(id) + "'");
  waiting_backend("PREPARE TRANSACTION");
  testing::Admin worker(server.socket_directory(), name, "assent_work");
  EXPECT_EQ(worker.answer("ROLLBACK PREPARED '" + gid(id) + "'"), "55000");

  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kAborted, std::nullopt});
  loop.run_for(kLongEnough);
  const bool early = agent->take<branch::FinishDone>(id).has_value();
  replicate();

  EXPECT_FALSE(early);
  EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
  EXPECT_EQ(prepared_count(), 0);
}

// Seed 305 of the whole system's simulation: a standby that was promoted, and had all that was ever
// acknowledged, was behind what its agent had told at enrolment, and was refused for ever.
TEST_F(Replication, R16ThePositionThatIsToldIsOnTheStandby) {
  Life next(loop, options());
  std::optional<Result<Position>> told;
  hold_replication();
  next.database.identify([&](Result<Position> position) { told = std::move(position); });
  waiting_backend("SELECT pg_logical_emit_message");
  EXPECT_FALSE(told.has_value());

  replicate();

  EXPECT_TRUE(loop.run_until([&] { return told.has_value(); }));
  EXPECT_TRUE(told->has_value());
}

TEST_F(Replication, UnreplicatedPrepareIsNotListed) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  hold_replication();
  agent->start_prepare(id);
  waiting_backend("PREPARE TRANSACTION");
  ASSERT_EQ(prepared_count(), 1) << "the view shows it already";
  std::optional<Result<std::vector<BranchId>>> listed;

  agent->start_list([&](auto result) { listed = std::move(result); });
  loop.run_for(kLongEnough);
  const bool early = listed.has_value();
  replicate();

  EXPECT_FALSE(early);
  EXPECT_TRUE(loop.run_until([&] { return listed.has_value(); }));
  EXPECT_THAT(listed->value(), ElementsAre(id));
}

}  // namespace
}  // namespace assent::postgres
