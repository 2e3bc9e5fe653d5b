// Who waits for whom, and how long.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::HasSubstr;

// Deadlocks are looked for long before a wait ends.
class Locks : public DatabaseTest {
 protected:
  Locks() {
    admin.query("ALTER ROLE assent_work SET deadlock_timeout = 20");
    DatabaseOptions impatient = options();
    impatient.lock_timeout = Millis(400);
    agent = enrolled(impatient);
  }
  ~Locks() override { admin.query("ALTER ROLE assent_work RESET deadlock_timeout"); }

  std::unique_ptr<Life> agent;
};

TEST_F(Locks, LockOfAPreparedBranchHasNoProcessAndIsFoundByItsXid) {
  const auto [holder, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  testing::Admin waiter = server.admin(name);
  waiter.send("INSERT INTO t VALUES (1, 2)");
  const std::string pid = std::to_string(waiter.backend_pid());
  ASSERT_TRUE(loop.run_until([&] {
    return admin.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = " + pid) == "1";
  }));

  EXPECT_EQ(admin.value("SELECT pg_blocking_pids(" + pid + ")"), "{0}");
  const std::string of_prepared = " FROM pg_locks l JOIN pg_prepared_xacts p ON ";
  EXPECT_EQ(admin.value("SELECT count(*)" + of_prepared +
                        "l.virtualtransaction = '-1/' || p.transaction"),
            "0")
      << "the manual's join";
  EXPECT_EQ(admin.value("SELECT count(DISTINCT p.gid)" + of_prepared +
                        "l.pid IS NULL AND l.locktype = 'transactionid'"
                        " AND l.transactionid = p.transaction"),
            "1");
  agent->finish(holder, Outcome::kAborted, evidence);
}

// What would be a deadlock among live transactions: each waits for the other, one in a way that
// PostgreSQL does not see, because a prepared branch waits for its decision.
TEST_F(Locks, DeadlockDetectorSeesNothingThroughAPreparedBranchAndLockTimeoutEndsIt) {
  const BranchId holder = agent->open();
  agent->run(holder, "INSERT INTO t VALUES (1, 1)");
  const BranchId waiter = agent->open();
  agent->run(waiter, "INSERT INTO t VALUES (2, 2)");
  const Evidence evidence = agent->prepare(holder).value();
  agent->release(holder);

  const auto done = agent->run(waiter, "INSERT INTO t VALUES (1, 3)");

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "55P03") << "and not 40P01";
  EXPECT_THAT(done.result.error().message, HasSubstr(gid(holder)));
  agent->finish(holder, Outcome::kCommitted, evidence);
}

TEST_F(Locks, DeadlockWithinOneDatabaseIsPostgresOwnToEnd) {
  const BranchId one = agent->open();
  const BranchId other = agent->open();
  agent->run(one, "INSERT INTO t VALUES (1, 1)");
  agent->run(other, "INSERT INTO t VALUES (2, 2)");
  agent->start_statement(one, {"INSERT INTO t VALUES (2, 1)", {}, {}});
  agent->start_statement(other, {"INSERT INTO t VALUES (1, 2)", {}, {}});

  std::optional<branch::StatementDone> refused;
  ASSERT_TRUE(loop.run_until([&] {
    for (const BranchId& id : {one, other}) {
      auto done = agent->take<branch::StatementDone>(id);
      if (done && !done->result) refused = std::move(done);
    }
    return refused.has_value();
  }));

  EXPECT_EQ(refused->result.error().sql->sqlstate, "40P01");
  EXPECT_TRUE(retryable(refused->result.error()));
}

TEST_F(Locks, LockTimeoutNamesThePreparedBranchThatHoldsTheLock) {
  const auto [holder, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  const auto done = agent->run(agent->open(), "INSERT INTO t VALUES (1, 2)");

  ASSERT_FALSE(done.result);
  EXPECT_EQ(done.result.error().sql->sqlstate, "55P03");
  EXPECT_THAT(done.result.error().message, HasSubstr(gid(holder)));
  EXPECT_TRUE(retryable(done.result.error()));
}

TEST_F(Locks, LockTimeoutNamesTheLiveBranchThatHoldsTheLock) {
  const BranchId holder = agent->open();
  agent->run(holder, "INSERT INTO t VALUES (1, 1)");

  const auto done = agent->run(agent->open(), "INSERT INTO t VALUES (1, 2)");

  ASSERT_FALSE(done.result);
  EXPECT_THAT(done.result.error().message, HasSubstr(to_string(holder.transaction)));
}

}  // namespace
}  // namespace assent::postgres
