// What happens to a server as a whole, and what no script on one real server reaches; each test
// names what docs/postgres.md says about it.
#include "tests/simulation/postgres/model_fixture.h"

namespace assent::model {
namespace {

using simulation::kMillisecond;
using simulation::kSecond;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using Kind = GidEvent::Kind;

constexpr char kPrepareA[] = "PREPARE TRANSACTION 'a'";

class Faults : public ModelTest {
 protected:
  void make_synchronous() {
    Options with = options();
    with.synchronous_standby = true;
    make(std::move(with));
  }
  [[nodiscard]] std::vector<Kind> story(const std::string& gid) const {
    std::vector<Kind> kinds;
    for (const GidEvent& event : server->gid_events()) {
      if (event.gid == gid) kinds.push_back(event.kind);
    }
    return kinds;
  }
  void promote() {
    server->promote();
    run_for(5 * kSecond);
    ASSERT_TRUE(server->is_up());
    server->check_invariants();
  }
  // The timeline in the name of the WAL file that a new session is told.
  std::string timeline() {
    Client control = client("assent_agent");
    const auto heard =
        control.run(postgres::Batch{{"SELECT pid, to_char(backend_start AT TIME ZONE 'UTC', 'x'), "
                                     "1, NULL, NULL FROM pg_stat_activity"
                                     " WHERE pid = pg_backend_pid()"}});
    return heard.value().answers.at(0).result.rows.at(0).at(4).value().substr(0, 8);
  }
};

// ── promotion: "an acknowledged COMMIT PREPARED can come back as prepared, an acknowledged PREPARE
// can be gone"

TEST_F(Faults, AsynchronousPromotionBringsACommittedTransactionBackAsPrepared) {
  prepare("a", kAddTen);
  run_for(kSecond);
  server->hold_standby(true);
  Client finisher = client();
  ASSERT_EQ(finisher.run("COMMIT PREPARED 'a'"), "COMMIT PREPARED");
  ASSERT_EQ(server->balances().at(1), 110);

  promote();

  EXPECT_THAT(gids(), ElementsAre("a"));
  EXPECT_EQ(server->balances().at(1), 100);
  EXPECT_TRUE(finisher.lost());
  EXPECT_THAT(story("a"), ElementsAre(Kind::kPrepared, Kind::kCommitted, Kind::kReappeared));
  Client again = client();
  EXPECT_EQ(again.run("COMMIT PREPARED 'a'"), "COMMIT PREPARED");
  EXPECT_EQ(server->balances().at(1), 110);
}

TEST_F(Faults, AsynchronousPromotionLosesAPrepareAndGivesItsXidToAnother) {
  server->hold_standby(true);
  prepare("a", kAddTen);
  const Xid lost = server->prepared().at(0).xid;

  promote();

  EXPECT_THAT(gids(), IsEmpty());
  EXPECT_THAT(story("a"), ElementsAre(Kind::kPrepared, Kind::kLost));
  Client other = client();
  const std::string status = "SELECT pg_xact_status('" + std::to_string(lost) + "'::text::xid8)";
  EXPECT_EQ(other.run(status), "22023") << "in the future again";
  other.run("UPDATE account SET balance = balance + 1 WHERE id = 2");
  EXPECT_EQ(other.value(status), "committed") << "which says nothing of 'a'";
}

TEST_F(Faults, CommittedTransactionWhosePrepareIsLostTooIsNotedAsLost) {
  server->hold_standby(true);
  prepare("a", kAddTen);
  ASSERT_EQ(client().run("COMMIT PREPARED 'a'"), "COMMIT PREPARED");
  promote();
  EXPECT_THAT(story("a"), ElementsAre(Kind::kPrepared, Kind::kCommitted, Kind::kLost));
  EXPECT_EQ(server->balances().at(1), 100);
}

TEST_F(Faults, PromotionWithoutTheLastRecordsLosesThemAlone) {
  prepare("a", kAddTen);
  ASSERT_EQ(client().run("COMMIT PREPARED 'a'"), "COMMIT PREPARED");
  server->promote_without(1);
  run_for(5 * kSecond);
  EXPECT_THAT(gids(), ElementsAre("a"));
}

// "pg_control_checkpoint() tells the old timeline after a promotion": the WAL file's name does not.
TEST_F(Faults, PromotedServerHasANewTimelineAndACrashedOneTheOld) {
  EXPECT_EQ(timeline(), "00000001");
  server->crash();
  restart();
  EXPECT_EQ(timeline(), "00000001");
  promote();
  EXPECT_EQ(timeline(), "00000002");
}

TEST_F(Faults, SynchronousPromotionLosesNothingThatWasAcknowledged) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Options with = options();
    with.synchronous_standby = true;
    server = std::make_unique<Server>(scheduler, simulation::Dice(seed, 2), with);
    prepare("a", kAddTen);
    prepare("b", "UPDATE account SET balance = balance + 10 WHERE id = 2");
    ASSERT_EQ(client().run("COMMIT PREPARED 'a'"), "COMMIT PREPARED");
    server->promote_without(100);
    run_for(5 * kSecond);
    EXPECT_THAT(gids(), ElementsAre("b"));
    EXPECT_EQ(server->balances().at(1), 110);
  }
}

// "pg_prepared_xacts shows a row before its PREPARE is on the synchronous standby; a small commit
// written afterwards waits for it".
TEST_F(Faults, ListedPrepareIsLostWithThePrimaryUnlessABarrierWasPassed) {
  make_synchronous();
  run_for(kSecond);
  Client agent = client();
  agent.run("BEGIN");
  agent.run(kAddTen);
  server->hold_standby(true);
  agent.start(kPrepareA);
  run_for(kSecond);
  ASSERT_THAT(gids(), ElementsAre("a"));
  Client control = client("assent_agent");
  const auto barrier = control.start("SELECT pg_logical_emit_message(true, 'assent', 'barrier')");
  run_for(kSecond);
  EXPECT_FALSE(barrier->has_value());

  promote();
  EXPECT_THAT(gids(), IsEmpty());
}

// "a cancelled wait for the standby is a success with a warning".
TEST_F(Faults, CancelledWaitForTheStandbyIsASuccessWithAWarning) {
  make_synchronous();
  Client agent = client();
  agent.run("BEGIN");
  agent.run(kAddTen);
  server->hold_standby(true);
  const auto heard = agent.start(kPrepareA);
  run_for(kSecond);
  ASSERT_FALSE(heard->has_value());
  server->cancel(agent.session());
  run_for(kSecond);
  ASSERT_TRUE(heard->has_value());
  EXPECT_EQ((*heard)->answers.at(0).tag(), "PREPARE TRANSACTION");
  EXPECT_EQ((*heard)->answers.at(0).warnings.size(), 1U);
}

// Row 16: "on a standby pg_prepared_xacts is empty and COMMIT PREPARED gives 25006".
TEST_F(Faults, StandbyShowsNothingPreparedAndFinishesNothing) {
  prepare("a", kAddTen);
  Client standby(scheduler, *server, {"assent_work", "", "", true});
  EXPECT_EQ(standby.run("COMMIT PREPARED 'a'"), "25006");
  EXPECT_EQ(standby.run("SELECT gid, owner, database FROM pg_prepared_xacts ORDER BY gid COLLATE"
                        " \"C\""),
            "SELECT 0");
  EXPECT_EQ(standby.run(kAddTen), "25006");
  EXPECT_EQ(standby.run("SELECT pg_current_wal_flush_lsn()"), "55000");
}

// ── crashes

TEST_F(Faults, PrepareThatWasNotFlushedIsThereOrNotAfterACrash) {
  int landed = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    server = std::make_unique<Server>(scheduler, simulation::Dice(seed, 3), options());
    Client agent = client();
    agent.run("BEGIN");
    agent.run(kAddTen);
    server->stall_flushes(true);
    const auto heard = agent.start(kPrepareA);
    run_for(kSecond);
    ASSERT_FALSE(heard->has_value());
    ASSERT_THAT(gids(), IsEmpty());
    server->crash();
    landed += gids().empty() ? 0 : 1;
    server->check_invariants();
  }
  EXPECT_THAT(landed, ::testing::AllOf(::testing::Gt(0), ::testing::Lt(40)));
}

TEST_F(Faults, AcknowledgedCommitSurvivesACrashUnlessItDidNotWait) {
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    server = std::make_unique<Server>(scheduler, simulation::Dice(seed, 4), options());
    Client agent = client();
    ASSERT_EQ(agent.run(kAddTen), "UPDATE 1");
    agent.run("SET synchronous_commit TO off");
    ASSERT_EQ(agent.run("UPDATE account SET balance = balance + 10 WHERE id = 2"), "UPDATE 1");
    server->crash();
    ASSERT_EQ(server->balances().at(1), 110);
    lost += server->balances().at(2) == 100 ? 1 : 0;
  }
  EXPECT_GT(lost, 0);
}

TEST_F(Faults, ServerThatIsDownOrFullTakesNoConnection) {
  Options with = options();
  with.connections_max = 2;
  make(std::move(with));
  Client one = client();
  Client two = client();
  EXPECT_FALSE(client().connected());
  server->crash();
  EXPECT_FALSE(client().connected());
  restart();
  EXPECT_TRUE(client().connected());
}

TEST_F(Faults, ProcessIdsAreUsedAgainButNotWithTheirStart) {
  bool again = false;
  for (std::uint64_t seed = 1; seed <= 20 && !again; ++seed) {
    server = std::make_unique<Server>(scheduler, simulation::Dice(seed, 5), options());
    const int before = server->pid(client().session());
    server->crash();
    restart();
    again = server->pid(client().session()) == before;
  }
  EXPECT_TRUE(again);
}

// ── an old backup: the same server, whose WAL has gone back

TEST_F(Faults, RestoredBackupHasThePreparedTransactionsOfItsTime) {
  prepare("a", kAddTen);
  const auto backup = server->back_up();
  ASSERT_EQ(client().run("COMMIT PREPARED 'a'"), "COMMIT PREPARED");
  prepare("b", "UPDATE account SET balance = balance + 10 WHERE id = 2");
  const Xid lost = server->prepared().at(0).xid;

  server->restore(backup, false);
  run_for(5 * kSecond);

  EXPECT_THAT(gids(), ElementsAre("a"));
  EXPECT_THAT(story("b"), ElementsAre(Kind::kPrepared, Kind::kLost));
  EXPECT_EQ(server->timeline(), 1U);
  Client other = client();
  other.run("BEGIN");
  EXPECT_LE(std::stoull(other.value("SELECT pg_current_xact_id()")), lost) << "given out again";
  server->restore(backup, true);
  EXPECT_EQ(server->timeline(), 2U);
}

// ── processes

TEST_F(Faults, StoppedBackendKeepsItsLocksAndItsTimeoutsWait) {
  Client holder = client();
  holder.run("BEGIN");
  holder.run(kAddTen);
  server->stop(holder.session());
  Client waiter = client("assent_work", "-c lock_timeout=200");
  EXPECT_EQ(waiter.run(kAddTen), "55P03");
  server->terminate(holder.session());
  EXPECT_EQ(waiter.run(kAddTen), "55P03") << "a stopped process hears nothing";
  server->go_on(holder.session());
  EXPECT_EQ(waiter.run(kAddTen), "UPDATE 1");
  EXPECT_TRUE(holder.lost());
}

TEST_F(Faults, CancelOfAnIdleOrStoppedBackendHitsNothingThatIsSentLater) {
  Client agent = client();
  agent.run("BEGIN");
  server->cancel(agent.session());
  EXPECT_EQ(agent.run(kAddTen), "UPDATE 1");
  server->stop(agent.session());
  server->cancel(agent.session());
  const auto heard = agent.start("SELECT 1");
  server->go_on(agent.session());
  run_for(kSecond);
  ASSERT_TRUE(heard->has_value());
  EXPECT_EQ(Client::told(**heard), "SELECT 1");
}

TEST_F(Faults, TerminationDuringAFlushComesWhenItIsOver) {
  Client agent = client();
  agent.run("BEGIN");
  agent.run(kAddTen);
  server->stall_flushes(true);
  agent.start(kPrepareA);
  run_for(kSecond);
  server->terminate(agent.session());
  run_for(kSecond);
  EXPECT_THAT(server->sessions(), ElementsAre(agent.session()));
  server->stall_flushes(false);
  run_for(kSecond);
  EXPECT_THAT(server->sessions(), IsEmpty());
  EXPECT_THAT(gids(), ElementsAre("a"));
  EXPECT_TRUE(agent.lost());
}

TEST_F(Faults, ClientThatVanishedLeavesItsBackend) {
  Client agent = client();
  agent.run("BEGIN");
  agent.run(kAddTen);
  run_for(100 * kSecond);
  EXPECT_THAT(server->sessions(), ElementsAre(agent.session()));
}

// ── somebody else

// Row 7: "anybody may prepare under our gid".
TEST_F(Faults, OthersPrepareAndFinishByHand) {
  prepare("a", kAddTen);
  EXPECT_TRUE(server->prepare_by_hand("b", "stranger", "orders"));
  EXPECT_TRUE(server->prepare_by_hand("c", "assent_work", "elsewhere"));
  EXPECT_FALSE(server->prepare_by_hand("a", "stranger", "orders"));
  Client agent = client();
  EXPECT_EQ(agent.run("COMMIT PREPARED 'b'"), "42501");
  EXPECT_EQ(agent.run("COMMIT PREPARED 'c'"), "0A000");
  EXPECT_TRUE(server->finish_by_hand("a", false));
  EXPECT_EQ(agent.run("COMMIT PREPARED 'a'"), "42704");
  EXPECT_THAT(story("a"), ElementsAre(Kind::kPrepared, Kind::kRolledBack));
}

TEST_F(Faults, XidsThatAreTooOldHaveNoStatus) {
  Client agent = client();
  agent.run("BEGIN");
  const std::string xid = agent.value("SELECT pg_current_xact_id()");
  agent.run("COMMIT");
  server->forget_xids_before(std::stoull(xid) + 1);
  EXPECT_EQ(agent.value("SELECT pg_xact_status('" + xid + "'::text::xid8)"), "");
}

// ── the same seed, the same answers

std::string story_of(std::uint64_t seed) {
  simulation::Scheduler scheduler;
  Options with;
  with.balances = {{1, 1'000}, {2, 1'000}};
  Server server(scheduler, simulation::Dice(seed, 9), with);
  simulation::Dice dice(seed, 10);
  std::string told;
  for (int round = 0; round < 60; ++round) {
    Client one(scheduler, server, {"assent_work", "", "-c lock_timeout=100"});
    if (!one.connected()) server.start();
    if (one.connected()) {
      const std::string gid = "g" + std::to_string(dice.below(8));
      one.start(postgres::Batch{{"BEGIN"}, {kAddTen}, {"PREPARE TRANSACTION '" + gid + "'"}});
      one.start("COMMIT PREPARED 'g" + std::to_string(dice.below(8)) + "'");
      scheduler.run_until(scheduler.now() + dice.between(0, 20'000));
      server.hang_up(one.session());
    }
    if (dice.percent(5)) server.crash();
    scheduler.run_until(scheduler.now() + dice.between(0, 200'000));
    server.check_invariants();
  }
  for (const GidEvent& event : server.gid_events()) {
    told += std::to_string(event.at) + event.gid + std::to_string(static_cast<int>(event.kind));
  }
  return told + std::to_string(scheduler.steps());
}

TEST(Determinism, SameSeedSameStory) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(story_of(seed), story_of(seed));
  EXPECT_NE(story_of(1), story_of(2));
}

}  // namespace
}  // namespace assent::model
