// What the model's server as a whole goes through, and what cannot be scripted against one real
// server. Tests name the facts of docs/postgres.md that they keep.
#include "tests/simulation/postgres/model_fixture.h"

namespace assent::model {
namespace {

using simulation::kMillisecond;
using simulation::kSecond;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Model = ModelTest;

TEST_F(Model, CommitsAndShowsIt) {
  Client one = client();
  EXPECT_EQ(one.run("BEGIN"), "BEGIN");
  EXPECT_EQ(one.run("UPDATE account SET balance = balance + $1 WHERE id = $2", {"10", "1"}),
            "UPDATE 1");
  EXPECT_EQ(server->balances().at(1), 100);
  EXPECT_EQ(one.run("COMMIT"), "COMMIT");
  EXPECT_EQ(server->balances().at(1), 110);
  server->check_invariants();
}

TEST_F(Model, UnknownStatementsAreNamed) {
  Client one = client();
  EXPECT_EQ(one.run("VACUUM  account;"), "42601");
  EXPECT_THAT(server->unknown_statements(), ElementsAre("VACUUM account"));
}

// "kill -9 of everything: prepared transactions and their locks are there afterwards".
TEST_F(Model, PreparedTransactionsAndTheirLocksSurviveACrash) {
  prepare("a", kAddTen);
  server->crash();
  restart();

  EXPECT_THAT(gids(), ElementsAre("a"));
  Client other = client("assent_work", "-c lock_timeout=50");
  EXPECT_EQ(other.run(kAddTen), "55P03");
  EXPECT_EQ(other.run("COMMIT PREPARED 'a'"), "COMMIT PREPARED");
  EXPECT_EQ(server->balances().at(1), 110);
  server->check_invariants();
}

// An xid that stands in no flushed record is given out again after a crash.
TEST_F(Model, XidsThatWereNotFlushedAreReissued) {
  Client one = client();
  one.run("BEGIN");
  const std::string lost_xid = one.value("SELECT pg_current_xact_id()");
  server->crash();
  restart();

  Client other = client();
  other.run("BEGIN");
  EXPECT_EQ(other.value("SELECT pg_current_xact_id()"), lost_xid);
  EXPECT_TRUE(one.lost());
}

// "A PREPARE can land after the agent that sent it is dead": it does with some dice, and does not
// with others, and the backend is seen until that is certain.
TEST_F(Model, StoppedBackendPreparesAfterItsAgentIsDead) {
  int landed = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    server = std::make_unique<Server>(scheduler, simulation::Dice(seed, 1), options());
    Client agent = client();
    agent.run("BEGIN");
    agent.run(kAddTen);
    server->stop(agent.session());
    agent.start("PREPARE TRANSACTION 'late'");
    server->hang_up(agent.session());
    run_for(kSecond);
    ASSERT_THAT(gids(), IsEmpty());
    ASSERT_THAT(server->sessions(), ElementsAre(agent.session()));

    server->go_on(agent.session());
    run_for(kSecond);
    landed += gids().empty() ? 0 : 1;
    EXPECT_THAT(server->sessions(), IsEmpty());
  }
  EXPECT_THAT(landed, ::testing::AllOf(::testing::Gt(0), ::testing::Lt(20)));
}

TEST_F(Model, StoppedBackendHearsItsTerminationBeforeItsSocket) {
  Client agent = client();
  agent.run("BEGIN");
  agent.run(kAddTen);
  server->stop(agent.session());
  agent.start("PREPARE TRANSACTION 'late'");
  server->terminate(agent.session());
  run_for(kSecond);
  EXPECT_THAT(server->sessions(), ElementsAre(agent.session()));  // the fence waits

  server->go_on(agent.session());
  run_for(kSecond);
  EXPECT_THAT(server->sessions(), IsEmpty());
  EXPECT_THAT(gids(), IsEmpty());
}

}  // namespace
}  // namespace assent::model
