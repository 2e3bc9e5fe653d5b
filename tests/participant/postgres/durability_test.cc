// What PostgreSQL keeps of a prepared transaction, whatever happens to the server, and what that
// costs.
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>

#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using branch::FinishResult;
using ::testing::HasSubstr;

// Puts the WAL of a stopped server onto a small file system of its own. The namespace keeps the
// mount to this process, which needs the rights of root for it.
class SmallWalDisk {
 public:
  explicit SmallWalDisk(const testing::PostgresServer& server)
      : wal_(server.data_directory() + "/pg_wal") {
    namespace fs = std::filesystem;
    const std::string aside = wal_ + ".aside";
    if (unshare(CLONE_NEWNS) != 0) return;
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
    fs::rename(wal_, aside);
    fs::create_directory(wal_);
    if (mount("none", wal_.c_str(), "tmpfs", 0, "size=24m") != 0) return;
    made_ = std::system(("cp -a " + aside + "/. " + wal_).c_str()) == 0;
  }
  ~SmallWalDisk() { umount2(wal_.c_str(), MNT_DETACH); }
  SmallWalDisk(const SmallWalDisk&) = delete;
  SmallWalDisk& operator=(const SmallWalDisk&) = delete;

  [[nodiscard]] bool made() const { return made_; }
  void enlarge() { EXPECT_EQ(mount("none", wal_.c_str(), "tmpfs", MS_REMOUNT, "size=256m"), 0); }

 private:
  const std::string wal_;
  bool made_ = false;
};

class Durability : public DatabaseTest {
 protected:
  // As a crash would end it, and up again.
  void crash() {
    server.stop_immediately();
    server.start();
    admin = server.admin(name);
  }

  std::unique_ptr<Life> agent = enrolled();
};

TEST_F(Durability, SynchronousCommitOffStillFlushesAPrepare) {
  const BranchId id = agent->open();
  agent->run(id, "SET synchronous_commit = off");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const Evidence evidence = agent->prepare(id).value();
  agent->release(id);

  crash();

  EXPECT_EQ(prepared_count(), 1);
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

TEST_F(Durability, SynchronousCommitOffStillFlushesAFinish) {
  admin.query("ALTER ROLE assent_work SET synchronous_commit = off");
  agent = enrolled();
  const auto [committed, one] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const auto [aborted, two] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  EXPECT_EQ(agent->finish(committed, Outcome::kCommitted, one), FinishResult::kDone);
  EXPECT_EQ(agent->finish(aborted, Outcome::kAborted, two), FinishResult::kDone);

  crash();

  admin.query("ALTER ROLE assent_work RESET synchronous_commit");
  EXPECT_EQ(prepared_count(), 0) << "neither comes back as prepared";
  EXPECT_EQ(content(), "1=1");
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

TEST_F(Durability, PreparedBranchesAndTheirLocksSurviveAKillOfEverything) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  server.kill_everything();
  server.start();
  admin = server.admin(name);

  EXPECT_EQ(prepared_count(), 1);
  admin.query("SET lock_timeout = 50");
  EXPECT_EQ(admin.answer("INSERT INTO t VALUES (1, 2)"), "55P03");
  EXPECT_EQ(agent->finish(id, Outcome::kAborted, evidence), FinishResult::kDone);
  EXPECT_EQ(content(), "");
}

TEST_F(Durability, FullWalDiskStopsTheServerAndLosesNothingPrepared) {
  testing::PostgresServer small;
  small.admin("postgres").query("CREATE DATABASE " + name);
  small.install_schema(name);
  small.admin(name).query("CREATE TABLE t (id int, n int); GRANT ALL ON t TO assent_work");
  small.stop_cleanly();
  SmallWalDisk disk(small);
  if (!disk.made()) GTEST_SKIP() << "needs the right to mount a file system";
  small.start();
  DatabaseOptions with = options();
  with.socket_directory = small.socket_directory();
  with.finish_retry = Millis(200);
  agent = enrolled(with);
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  small.admin(name).answer(
      "CREATE TABLE much AS SELECT repeat('x', 1000) FROM generate_series(1, 40000)");
  ASSERT_TRUE(small.await_end()) << "it panics, and cannot recover without space";
  const auto down = agent->finish(id, Outcome::kCommitted, evidence);
  disk.enlarge();
  small.start();

  ASSERT_FALSE(down);
  EXPECT_EQ(down.error().code, ErrorCode::kUnavailable) << "to be repeated";
  EXPECT_THAT(small.log(), HasSubstr("PANIC"));
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  EXPECT_EQ(small.admin(name).value("SELECT n FROM t"), "1");
  agent.reset();
}

// ── vacuum ──────────────────────────────────────────────────────────────────────────────────────

TEST_F(Durability, OnePreparedBranchKeepsEveryDeadRowFromVacuum) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (0, 0)");
  admin.query("CREATE TABLE other AS SELECT generate_series(1, 100) AS i");
  admin.query("DELETE FROM other");
  const auto dead_rows_left = [&] {
    admin.query("SET client_min_messages = info");
    admin.query("VACUUM (VERBOSE, TRUNCATE off) other");
    return admin.notices();
  };
  EXPECT_THAT(dead_rows_left(), HasSubstr("100 are dead but not yet removable"));
  EXPECT_LE(std::stoi(admin.value("SELECT age(transaction) FROM pg_prepared_xacts")), 10)
      << "the oldest of these ages is the horizon of all dead rows";

  agent->finish(id, Outcome::kCommitted, evidence);

  EXPECT_TRUE(loop.run_until([&] {
    return ::testing::Matches(HasSubstr("100 removed, 0 remain"))(dead_rows_left());
  })) << "with the branch gone they go";
}

// ── many ────────────────────────────────────────────────────────────────────────────────────────

TEST_F(Durability, ThousandPreparedBranchesAreListedAndEnded) {
  server.stop_cleanly();
  server.start("max_prepared_transactions=1010");
  admin = server.admin(name);
  std::vector<std::pair<BranchId, Evidence>> branches;
  for (int i = 0; i < 1'000; ++i) {
    branches.push_back(agent->prepared("INSERT INTO t VALUES (" + std::to_string(i) + ", 0)"));
  }

  const auto begin = std::chrono::steady_clock::now();
  const auto listed = agent->list_prepared();
  const auto look = std::chrono::steady_clock::now() - begin;
  for (const auto& [id, evidence] : branches) {
    agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  }
  for (const auto& [id, evidence] : branches) {
    EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
  }

  RecordProperty("list_microseconds", std::to_string(look / 1us));
  EXPECT_EQ(listed.value().size(), 1'000U);
  EXPECT_EQ(prepared_count(), 0);
  server.stop_cleanly();
  server.start();
  admin = server.admin(name);
}

}  // namespace
}  // namespace assent::postgres
