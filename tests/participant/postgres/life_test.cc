#include <signal.h>

#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class LifeOfAnAgent : public DatabaseTest {};

TEST_F(LifeOfAnAgent, IdentityIsTheServersOwn) {
  const auto agent = life();

  const Position position = agent->identify().value();

  EXPECT_EQ(std::to_string(static_cast<std::int64_t>(position.system_identifier)),
            admin.value("SELECT system_identifier FROM pg_control_system()"));
  EXPECT_EQ(std::to_string(position.database_oid),
            admin.value("SELECT oid FROM pg_database WHERE datname = current_database()"));
  EXPECT_EQ(position.timeline, 1U);
  EXPECT_GT(position.wal_position, 0U);
}

TEST_F(LifeOfAnAgent, UnreachableServerIsUnavailable) {
  DatabaseOptions nowhere = options();
  nowhere.socket_directory = "/nonexistent";
  Life agent(loop, nowhere);

  const auto identity = agent.identify();

  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(identity.error().message, HasSubstr("/nonexistent"));
  EXPECT_EQ(identity.error().message.find('\n'), std::string::npos) << "it goes into one line";
}

TEST_F(LifeOfAnAgent, MissingSchemaNamesTheRemedy) {
  server.uninstall_schema(name);

  const auto identity = life()->identify();

  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(identity.error().message, HasSubstr("install.sql"));
}

TEST_F(LifeOfAnAgent, SchemaCanBeInstalledAgain) {
  const auto agent = enrolled();

  server.install_schema(name);

  EXPECT_EQ(agent->stored_epoch(), agent->epoch) << "a second run changes nothing";
}

TEST_F(LifeOfAnAgent, SuperuserIsRefusedAsWorkRole) {
  admin.query("ALTER ROLE assent_work SUPERUSER");

  const auto identity = life()->identify();

  admin.query("ALTER ROLE assent_work NOSUPERUSER");
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LifeOfAnAgent, WorkRoleThatMayWriteTheEpochIsRefused) {
  admin.query("GRANT UPDATE ON assent.epoch TO assent_work");

  const auto identity = life()->identify();

  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LifeOfAnAgent, DatabaseOfAnotherParticipantIsRefused) {
  enrolled();
  DatabaseOptions other = options();
  other.participant = "stock";
  Life agent(loop, other);

  const auto identity = agent.identify();

  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::kIdentityMismatch);
}

TEST_F(LifeOfAnAgent, AClaimThatMeetsAnEarlierLifesLateOneIsTriedAgain) {
  const auto dead = life();
  const auto next = life();
  ASSERT_TRUE(dead->identify());
  ASSERT_TRUE(next->identify());
  ASSERT_EQ(next->stored_epoch(), Epoch(0));
  ASSERT_TRUE(dead->claim(Epoch(0), Epoch(5))) << "it was under way when its agent died";

  const auto early = next->claim(Epoch(0), Epoch(6));

  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kUnavailable) << "it is not displaced: 5 is before 6";
  EXPECT_TRUE(next->claim(next->stored_epoch(), Epoch(6)));
}

TEST_F(LifeOfAnAgent, EpochIsSetByCompareAndSet) {
  const auto first = life();
  const auto second = life();
  ASSERT_TRUE(first->identify());
  ASSERT_TRUE(second->identify());
  EXPECT_EQ(first->stored_epoch(), Epoch(0));

  EXPECT_TRUE(first->claim(Epoch(0), Epoch(5)));
  const auto late = second->claim(Epoch(0), Epoch(4));

  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDisplaced);
  EXPECT_EQ(second->stored_epoch(), Epoch(5));
  EXPECT_TRUE(first->claim(Epoch(0), Epoch(5))) << "a repeated claim whose answer was lost";
}

TEST_F(LifeOfAnAgent, ClientSqlCannotWriteTheSchema) {
  const auto agent = enrolled();
  for (const std::string sql :
       {"UPDATE assent.epoch SET epoch = 99", "DELETE FROM assent.epoch",
        "CREATE TABLE assent.x (i int)", "SET ROLE assent_agent",
        "SET SESSION AUTHORIZATION assent_agent", "DROP SCHEMA assent CASCADE"}) {
    const BranchId id = agent->open();

    const auto done = agent->run(id, sql);

    EXPECT_FALSE(done.result) << sql;
    agent->roll_back(id);
  }
}

// Why each mapped role has a pool of its own that is logged in as that role.
TEST_F(LifeOfAnAgent, SetRoleIsNoBorderForClientSql) {
  admin.query(
      "DO $$ BEGIN CREATE ROLE app; EXCEPTION WHEN duplicate_object THEN END $$;"
      "GRANT app TO assent_work");
  const auto agent = enrolled();
  for (const std::string escape : {"RESET ROLE", "DO $$ BEGIN EXECUTE 'RESET ROLE'; END $$"}) {
    const BranchId id = agent->open();
    agent->run(id, "SET ROLE app");

    EXPECT_TRUE(agent->run(id, escape).result);

    EXPECT_EQ(agent->value(id, "SELECT current_user"), "assent_work") << escape;
    EXPECT_TRUE(agent->run(id, "INSERT INTO t VALUES (1, 1)").result);
    agent->roll_back(id);
  }
  admin.query("REVOKE app FROM assent_work");
}

// The older agent is dead, its backend stopped with a PREPARE in its socket (postgres.md, "The
// fence"). Client SQL had done what drops session locks before.
TEST_F(LifeOfAnAgent, FenceWaitsForAnOrphanThatCouldPrepareStill) {
  auto dead = enrolled();
  const BranchId id = dead->open();
  const pid_t orphan = std::stoi(dead->value(id, "SELECT pg_backend_pid()"));
  dead->run(id, "SELECT pg_advisory_unlock_all()");
  dead->run(id, "SAVEPOINT s");
  dead->run(id, "DISCARD ALL");
  dead->run(id, "ROLLBACK TO s");
  dead->run(id, "INSERT INTO t VALUES (1, 1)");
  kill(orphan, SIGSTOP);
  dead->start_prepare(id);
  loop.run_for(20ms);
  const Epoch old = dead->epoch;
  dead.reset();
  const auto agent = life();
  ASSERT_TRUE(agent->identify());
  ASSERT_TRUE(agent->claim(old, old.next()));
  std::optional<Result<void>> fenced;

  agent->database.fence_older_lives([&](Result<void> result) { fenced = result; });
  loop.run_for(200ms);
  const bool early = fenced.has_value();
  kill(orphan, SIGCONT);

  EXPECT_FALSE(early) << "a stopped backend may yet prepare";
  EXPECT_TRUE(loop.run_until([&] { return fenced.has_value(); }));
  EXPECT_TRUE(*fenced);
  const int prepared = prepared_count();
  loop.run_for(50ms);
  EXPECT_EQ(prepared_count(), prepared) << "after the fence nothing appears any more";
  EXPECT_EQ(agent->list_prepared().value().size(), static_cast<std::size_t>(prepared));
}

TEST_F(LifeOfAnAgent, FenceEndsBackendsOfBothRolesAndNobodyElse) {
  testing::Admin control(server.socket_directory(), name, "assent_agent");
  testing::Admin work(server.socket_directory(), name, "assent_work");
  testing::Admin elsewhere(server.socket_directory(), "postgres", "assent_work");

  const auto agent = enrolled();

  EXPECT_THROW(control.query("SELECT 1"), std::runtime_error);
  EXPECT_THROW(work.query("SELECT 1"), std::runtime_error);
  EXPECT_EQ(admin.value("SELECT 1"), "1");
  EXPECT_EQ(elsewhere.value("SELECT 1"), "1");
}

// A connection of ours whose loss has not been noticed yet: after a restart of the server its
// process id may be a stranger's.
class Relabelled : public Connection {
 public:
  explicit Relabelled(std::shared_ptr<Connection> real) : real_(std::move(real)) {}

  void send(Batch batch, Completion completion) override {
    real_->send(std::move(batch), std::move(completion));
  }
  void set_on_lost(Lost on_lost) override { real_->set_on_lost(std::move(on_lost)); }
  void fail(const Error& why) override { real_->fail(why); }
  void close() override { real_->close(); }
  [[nodiscard]] bool is_open() const override { return real_->is_open(); }
  [[nodiscard]] int backend_pid() const override { return pid.value_or(real_->backend_pid()); }
  [[nodiscard]] bool maybe_in_transaction() const override { return real_->maybe_in_transaction(); }
  [[nodiscard]] bool in_failed_transaction() const override {
    return real_->in_failed_transaction();
  }

  std::optional<int> pid;

 private:
  const std::shared_ptr<Connection> real_;
};

// Holds the first answers back until it is told to let them go.
class Held : public Relabelled {
 public:
  Held(std::shared_ptr<Connection> real, bool hold) : Relabelled(std::move(real)), hold_(hold) {}

  void send(Batch batch, Completion completion) override {
    const auto answered = [this, completion](Result<Answers> answers) {
      if (!std::exchange(hold_, false)) return completion(std::move(answers));
      held_ = [completion, answers] { completion(answers); };
    };
    Relabelled::send(std::move(batch), answered);
  }
  [[nodiscard]] bool holds() const { return held_ != nullptr; }
  void let_go() { std::exchange(held_, nullptr)(); }

 private:
  bool hold_;
  std::function<void()> held_;
};

// A session is greeted: the server tells the landmark, which moves on before the agent hears that.
TEST_F(LifeOfAnAgent, LandmarkThatMovesOnDuringAGreetingIsNoneThatWentBack) {
  std::shared_ptr<Held> greeted;
  bool hold = false;
  Life agent(loop, options(), [&](auto& on, const auto& with, Opened opened) {
    LibpqConnection::open(on, with, [&, opened = std::move(opened)](auto connection) {
      if (!connection) return opened(std::move(connection));
      auto held = std::make_shared<Held>(*connection, hold);
      if (hold) greeted = held;
      opened(std::move(held));
    });
  });
  agent.enrol();
  const auto await_landmark_beyond = [&](const std::string& position) {
    std::string now = position;
    EXPECT_TRUE(loop.run_until([&] {
      now = admin.value("SELECT max(wal_position) FROM assent.landmark");
      return now != position;
    }));
    return now;
  };
  const std::string claimed = await_landmark_beyond("");
  const auto [id, evidence] = agent.prepared("INSERT INTO t VALUES (1, 1)");
  await_landmark_beyond(claimed);  // its connection stands
  hold = true;
  agent.database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  ASSERT_TRUE(loop.run_until([&] { return greeted && greeted->holds(); }));
  hold = false;

  agent.prepared("INSERT INTO t VALUES (2, 2)");
  const std::string before = admin.value("SELECT max(wal_position) FROM assent.landmark");
  // The answer to one write is heard before the next.
  await_landmark_beyond(await_landmark_beyond(before));
  greeted->let_go();

  EXPECT_EQ(agent.await<branch::FinishDone>(id).result, branch::FinishResult::kDone);
  EXPECT_FALSE(agent.over);
}

TEST_F(LifeOfAnAgent, FenceEndsAnOrphanThatHasTheProcessIdOfAConnectionOfOurs) {
  testing::Admin orphan(server.socket_directory(), name, "assent_work");
  std::vector<std::shared_ptr<Relabelled>> ours;
  Life agent(loop, options(), [&](auto& on, const auto& with, Opened opened) {
    LibpqConnection::open(on, with, [&ours, opened = std::move(opened)](auto connection) {
      if (!connection) return opened(std::move(connection));
      ours.push_back(std::make_shared<Relabelled>(*connection));
      opened(ours.back());
    });
  });
  ASSERT_TRUE(agent.identify());
  ASSERT_TRUE(agent.claim(agent.stored_epoch(), Epoch(1)));
  agent.finish(agent.name_branch(), Outcome::kAborted, std::nullopt);
  ours.back()->pid = orphan.backend_pid();

  ASSERT_TRUE(agent.fence());

  EXPECT_THROW(orphan.query("SELECT 1"), std::runtime_error);
}

TEST_F(LifeOfAnAgent, DisplacedLifeIsToldAndServesNoMore) {
  const auto old = enrolled();
  const BranchId id = old->open();

  const auto agent = enrolled();

  old->await<branch::ConnectionLost>(id);
  EXPECT_TRUE(loop.run_until([&] { return old->over.has_value(); }));
  EXPECT_EQ(old->over->code, ErrorCode::kDisplaced);
  const BranchId late = old->name_branch();
  old->database.carry_out(branch::Acquire{late});
  EXPECT_EQ(old->await<branch::ConnectionRefused>(late).why.code, ErrorCode::kDisplaced);
  EXPECT_FALSE(agent->over);
}

// What waited for the database can be ended now: the leader wants to know.
TEST_F(LifeOfAnAgent, AControlConnectionThatStandsAgainIsTold) {
  const auto agent = enrolled();
  int told = 0;
  agent->database.on_reconnected([&] { ++told; });

  admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'assent_agent' "
      "AND datname = current_database()");

  EXPECT_TRUE(loop.run_until([&] { return told > 0; }));
  EXPECT_EQ(agent->stored_epoch(), agent->epoch);
  EXPECT_EQ(told, 1);
}

TEST_F(LifeOfAnAgent, EpochThatWentBackEndsTheLife) {
  const auto agent = enrolled();
  admin.query("UPDATE assent.epoch SET epoch = 0");
  const BranchId id = agent->name_branch();

  agent->database.carry_out(branch::Acquire{id});

  EXPECT_EQ(agent->await<branch::ConnectionRefused>(id).why.code, ErrorCode::kIdentityMismatch);
  ASSERT_TRUE(agent->over);
  EXPECT_EQ(agent->over->code, ErrorCode::kIdentityMismatch) << "and not displaced: it may restart";
}

TEST_F(LifeOfAnAgent, LandmarkFollowsWhatIsPreparedAndEnded) {
  const auto agent = enrolled();
  const std::string claimed = admin.value("SELECT wal_position FROM assent.landmark");
  const auto beyond = [&](const std::string& position) {
    return admin.value("SELECT wal_position >= '" + position + "' AND timeline = 1 AND epoch = " +
                       to_string(agent->epoch) + " FROM assent.landmark") == "t";
  };

  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const std::string prepared = admin.value("SELECT pg_current_wal_lsn()");
  EXPECT_TRUE(loop.run_until([&] { return beyond(prepared); }));
  agent->finish(id, Outcome::kCommitted, evidence);
  const std::string ended = admin.value("SELECT pg_current_wal_lsn()");

  EXPECT_TRUE(loop.run_until([&] { return beyond(ended); }));
  EXPECT_NE(claimed, "");
}

// An agent may do nothing else all day, and must notice old data all the same. What it wrote for
// other reasons lasts for no more than some of the rounds.
TEST_F(LifeOfAnAgent, LandmarkFollowsWhatIsCommittedInOnePhase) {
  const auto agent = enrolled();
  for (int round = 1; round <= 4; ++round) {
    const BranchId id = agent->open();
    agent->run(id, "INSERT INTO t VALUES (" + std::to_string(round) + ", 1)");
    ASSERT_TRUE(agent->vote({id, kBallot, true}).result);
    const std::string committed = admin.value("SELECT pg_current_wal_lsn()");
    EXPECT_TRUE(loop.run_until([&] {
      return admin.value("SELECT wal_position >= '" + committed + "' FROM assent.landmark") == "t";
    })) << "round "
        << round;
  }
}

TEST_F(LifeOfAnAgent, LandmarkThatWentBackEndsTheLife) {
  const auto agent = enrolled();
  admin.query("UPDATE assent.landmark SET wal_position = '0/1'");
  const BranchId id = agent->name_branch();

  agent->database.carry_out(branch::Acquire{id});

  EXPECT_EQ(agent->await<branch::ConnectionRefused>(id).why.code, ErrorCode::kIdentityMismatch);
  ASSERT_TRUE(agent->over);
  EXPECT_THAT(agent->over->message, HasSubstr("landmark"));
}

TEST_F(LifeOfAnAgent, RestartsOfTheServerDoNotEndTheLife) {
  const auto agent = enrolled();
  for (const bool cleanly : {true, false}) {
    const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

    cleanly ? server.stop_cleanly() : server.stop_immediately();
    server.start();
    ASSERT_TRUE(loop.run_until([&] { return agent->list_prepared().has_value(); }));

    EXPECT_FALSE(agent->over);
    EXPECT_EQ(agent->finish(id, Outcome::kAborted, evidence), branch::FinishResult::kDone);
  }
  admin = server.admin(name);
}

TEST_F(LifeOfAnAgent, Row11NoPreparedTransactionsAllowedNamesTheRemedy) {
  server.stop_cleanly();  // recovery would find prepared transactions in the WAL and give up
  server.start("max_prepared_transactions=0");

  const auto identity = life()->identify();

  server.stop_immediately();
  server.start();
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(identity.error().message, HasSubstr("max_prepared_transactions"));
}

}  // namespace
}  // namespace assent::postgres
