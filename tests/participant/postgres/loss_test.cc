#include <signal.h>

#include <filesystem>

#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using branch::FinishResult;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The agent reaches the server through a proxy, which can hold answers back and cut connections.
class Loss : public DatabaseTest {
 protected:
  Loss() {
    DatabaseOptions through = options();
    through.socket_directory = proxy.directory();
    through.finish_retry = Millis(300);
    agent = enrolled(through);
  }

  pid_t backend_of(const BranchId& id) {
    return std::stoi(agent->value(id, "SELECT pg_backend_pid()"));
  }

  testing::Proxy proxy{loop.context(), server.socket_directory()};
  std::unique_ptr<Life> agent;
};

TEST_F(Loss, BackendKilledDuringAStatementLosesTheBranch) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const pid_t backend = backend_of(id);
  agent->start_statement(id, {"SELECT pg_sleep(60)", {}, {}});
  loop.run_for(20ms);

  admin.query("SELECT pg_terminate_backend(" + std::to_string(backend) + ")");

  const auto lost = agent->await<branch::ConnectionLost>(id);
  EXPECT_EQ(lost.why.code, ErrorCode::kUnavailable);
  EXPECT_FALSE(agent->take<branch::StatementDone>(id)) << "the loss is the answer";
  EXPECT_EQ(agent->value(agent->open(), "SELECT count(*) FROM t"), "0");
}

TEST_F(Loss, RollbackOfALostBranchEnds) {
  const BranchId id = agent->open();
  agent->start_statement(id, {"SELECT pg_sleep(60)", {}, {}});
  loop.run_for(20ms);
  agent->database.carry_out(branch::RunRollback{id});

  proxy.cut_clients();

  agent->await<branch::ConnectionLost>(id);
}

// Its transaction is aborted while the backend is stopped with PREPARE in its socket: no cancel
// reaches it.
TEST_F(Loss, PrepareThatHeedsNoCancelIsSettledByTheEndOfItsBackend) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const pid_t backend = backend_of(id);
  kill(backend, SIGSTOP);
  agent->start_prepare(id);

  agent->database.carry_out(branch::RunCancel{id});
  const bool given_up =
      loop.run_until([&] { return agent->database.counters().connections_lost > 0; });
  const bool early = agent->take<branch::PrepareDone>(id).has_value();
  kill(backend, SIGCONT);

  EXPECT_TRUE(given_up);
  EXPECT_FALSE(early) << "a stopped backend may yet prepare";
  const auto done = agent->await<branch::PrepareDone>(id);
  EXPECT_EQ(
      admin.value("SELECT count(*) FROM pg_stat_activity WHERE pid = " + std::to_string(backend)),
      "0");
  EXPECT_EQ(prepared_count(), done.result ? 1 : 0) << "it may have come first";
  agent->release(id);
  EXPECT_EQ(agent->finish(id, Outcome::kAborted, std::nullopt), FinishResult::kDone);
  EXPECT_EQ(prepared_count(), 0);
}

// The same of a statement in front of the PREPARE: nothing was sent that could take effect.
TEST_F(Loss, StatementThatHeedsNoCancelEndsItsPreparingBranch) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const pid_t backend = backend_of(id);
  kill(backend, SIGSTOP);
  agent->start_statement(id, {"SELECT 1", {}, {}});
  agent->start_prepare(id);

  agent->database.carry_out(branch::RunCancel{id});
  agent->await<branch::ConnectionLost>(id);
  kill(backend, SIGCONT);

  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(Loss, PrepareThatWorkedButWasNotAnsweredIsYes) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const std::string xid = agent->value(id, "SELECT pg_current_xact_id()");
  proxy.hold_answers();
  agent->start_prepare(id);
  ASSERT_TRUE(loop.run_until([&] { return prepared_count() == 1; }));

  proxy.cut_clients();

  const auto done = agent->await<branch::PrepareDone>(id);
  ASSERT_TRUE(done.result) << done.result.error().message;
  const Evidence evidence = std::get<Evidence>(*done.result);
  EXPECT_EQ(std::to_string(evidence.xid), xid) << "extended from the view's 32 bits";
  agent->release(id);
  EXPECT_THAT(agent->list_prepared().value(), ElementsAre(id));
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  EXPECT_EQ(content(), "1=1");
}

TEST_F(Loss, OneShotThatWasPreparedButWhoseRowsAreLostIsNoYes) {
  const BranchId id = agent->open();
  proxy.hold_answers();
  const OneShotBranch work{{{"INSERT INTO t VALUES (1, 1)", {}, Millis(0), 1}}, {}};
  agent->database.carry_out(
      branch::RunPrepare{id, kBallot, false, std::make_shared<const OneShotBranch>(work)});
  ASSERT_TRUE(loop.run_until([&] { return prepared_count() == 1; }));

  proxy.cut_clients();

  const auto done = agent->await<branch::PrepareDone>(id);
  const auto& in_vain = std::get<branch::PreparedInVain>(done.result.value());
  EXPECT_EQ(in_vain.why.code, ErrorCode::kUnavailable);
  agent->release(id);
  EXPECT_EQ(agent->finish(id, Outcome::kAborted, in_vain.evidence), FinishResult::kDone);
  EXPECT_EQ(content(), "");
}

TEST_F(Loss, OnePhaseCommitThatWorkedButWasNotAnsweredIsCommitted) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  proxy.hold_answers();
  agent->start_prepare(id, true);
  ASSERT_TRUE(loop.run_until([&] { return content() == "1=1"; }));

  proxy.cut_clients();

  const auto done = agent->await<branch::PrepareDone>(id);
  ASSERT_TRUE(done.result) << done.result.error().message;
  EXPECT_TRUE(std::holds_alternative<branch::CommittedOnePhase>(*done.result));
}

// The backend is stopped with PREPARE in its socket when the agent loses the connection: until it
// is gone nobody knows, and afterwards the answer stands.
TEST_F(Loss, PrepareInTheSocketOfAStoppedBackendIsAnsweredWhenThatIsGone) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const pid_t backend = backend_of(id);
  kill(backend, SIGSTOP);
  agent->start_prepare(id);
  loop.run_for(50ms);
  proxy.cut_clients();
  loop.run_for(300ms);
  const bool early = agent->take<branch::PrepareDone>(id).has_value();

  kill(backend, SIGCONT);

  EXPECT_FALSE(early) << "a stopped backend may yet prepare";
  const auto done = agent->await<branch::PrepareDone>(id);
  EXPECT_EQ(done.result.has_value(), prepared_count() == 1);
  const int prepared = prepared_count();
  loop.run_for(50ms);
  EXPECT_EQ(prepared_count(), prepared) << "after the answer nothing changes any more";
}

TEST_F(Loss, ServerCrashDuringPrepareIsSettledWhenItIsBack) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const BranchId other = agent->open();
  agent->run(other, "INSERT INTO t VALUES (2, 2)");
  const pid_t backend = backend_of(other);
  kill(backend, SIGSTOP);
  agent->start_prepare(other);  // never executed
  proxy.hold_answers();
  agent->start_prepare(id);  // executed, not answered
  ASSERT_TRUE(loop.run_until([&] { return prepared_count() == 1; }));

  kill(backend, SIGKILL);
  server.stop_immediately();
  proxy.cut_clients();
  loop.run_for(300ms);
  EXPECT_FALSE(agent->take<branch::PrepareDone>(id));
  server.start();

  EXPECT_TRUE(agent->await<branch::PrepareDone>(id).result);
  EXPECT_FALSE(agent->await<branch::PrepareDone>(other).result);
  admin = server.admin(name);
  EXPECT_EQ(prepared_count(), 1);
}

// Pauses between tries grow during an outage, and everybody waits for what is settled after it.
TEST_F(Loss, APrepareIsSettledAtOnceWhenTheServerIsBackAfterLong) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  proxy.hold_answers();
  agent->start_prepare(id);  // executed, not answered
  ASSERT_TRUE(loop.run_until([&] { return prepared_count() == 1; }));
  const auto socket = *std::filesystem::directory_iterator(proxy.directory());
  const std::filesystem::path away = proxy.directory() + "/away";
  std::filesystem::rename(socket, away);
  proxy.cut_clients();
  loop.run_for(3'400ms);
  EXPECT_FALSE(agent->take<branch::PrepareDone>(id));

  bool back = false;
  agent->database.on_reconnected([&] { back = true; });
  std::filesystem::rename(away, socket);
  ASSERT_TRUE(loop.run_until([&] { return back; }));
  const auto begun = std::chrono::steady_clock::now();

  EXPECT_TRUE(agent->await<branch::PrepareDone>(id).result);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 700ms);
}

TEST_F(Loss, CommitThatWorkedButWasNotAnsweredIsDone) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const auto [warm, warm_evidence] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  agent->finish(warm, Outcome::kCommitted, warm_evidence);
  proxy.hold_answers();
  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  ASSERT_TRUE(loop.run_until([&] { return prepared_count() == 0; }));

  proxy.cut_clients();

  EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
}

TEST_F(Loss, FinishDuringAnOutageEndsInAnErrorThatCanBeRepeated) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  server.stop_immediately();

  const auto during = agent->finish(id, Outcome::kCommitted, evidence);
  server.start();
  const auto after = agent->finish(id, Outcome::kCommitted, evidence);

  ASSERT_FALSE(during);
  EXPECT_EQ(during.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(after, FinishResult::kDone);
}

TEST_F(Loss, RestartedServerIsServedAgain) {
  const BranchId lost = agent->open();
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  server.stop_immediately();
  agent->await<branch::ConnectionLost>(lost);
  const BranchId refused = agent->name_branch();
  agent->database.carry_out(branch::Acquire{refused});
  EXPECT_EQ(agent->await<branch::ConnectionRefused>(refused).why.code, ErrorCode::kUnavailable);
  server.start();

  EXPECT_THAT(agent->list_prepared().value(), ElementsAre(id)) << "prepared survives the crash";

  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  EXPECT_EQ(agent->value(agent->open(), "SELECT n FROM t"), "1");
  EXPECT_THAT(agent->list_prepared().value(), IsEmpty());
}

}  // namespace
}  // namespace assent::postgres
