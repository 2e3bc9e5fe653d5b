// What operators are shown of a database: prepared transactions, locks, who waits.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class View : public DatabaseTest {
 protected:
  View() : agent(enrolled(options())) {}

  PreparedView look() {
    return agent->call<PreparedView>([this](auto done) { agent->database.look(std::move(done)); })
        .value();
  }
  TraceView trace(const TransactionId& transaction) {
    return agent
        ->call<TraceView>([&](auto done) { agent->database.trace(transaction, std::move(done)); })
        .value();
  }
  void wait_until_waiting(const std::string& pid) {
    ASSERT_TRUE(loop.run_until([&] {
      return admin.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = " + pid) == "1";
    }));
  }

  std::unique_ptr<Life> agent;
};

TEST_F(View, PreparedBranchIsOursWithItsLocks) {
  const auto [branch, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const PreparedView seen = look();
  EXPECT_LE(1, seen.slots_used);
  EXPECT_LT(seen.slots_used, seen.slots_max);
  ASSERT_THAT(seen.transactions, SizeIs(1));
  const PreparedTransaction& one = seen.transactions.front();
  EXPECT_EQ(one.gid, gid(branch));
  EXPECT_EQ(one.belonging, Belonging::kOurs);
  EXPECT_EQ(one.parsed->branch, branch);
  EXPECT_EQ(one.xid, static_cast<std::uint32_t>(evidence.xid));
  EXPECT_THAT(one.locks, ::testing::Contains(Field(&HeldLock::object, "t")));
  EXPECT_THAT(one.waiters, IsEmpty());
  agent->finish(branch, Outcome::kAborted, evidence);
  EXPECT_THAT(look().transactions, IsEmpty());
}

// The second one waits for the first, who waits for the prepared transaction.
TEST_F(View, WhoWaitsForItIsToldAndWhoWaitsBehind) {
  const auto [branch, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  agent->finish(branch, Outcome::kCommitted, evidence);
  const auto [holder, proof] = agent->prepared("UPDATE t SET n = 2 WHERE id = 1");
  testing::Admin first = server.admin(name);
  testing::Admin second = server.admin(name);
  first.send("UPDATE t SET n = 3 WHERE id = 1");
  wait_until_waiting(std::to_string(first.backend_pid()));
  second.send("UPDATE t SET n = 4 WHERE id = 1");
  wait_until_waiting(std::to_string(second.backend_pid()));

  const std::vector<PreparedTransaction> seen = trace(holder.transaction).prepared;

  ASSERT_THAT(seen, SizeIs(1));
  EXPECT_THAT(seen.front().waiters,
              ::testing::UnorderedElementsAre(Field(&LockWaiter::pid, first.backend_pid()),
                                              Field(&LockWaiter::pid, second.backend_pid())));
  for (const LockWaiter& one : seen.front().waiters) EXPECT_EQ(one.object, "a row of t");
  agent->finish(holder, Outcome::kAborted, proof);
}

TEST_F(View, StrangersAndForeignOnesAreToldApart) {
  const BranchId branch = agent->name_branch();
  admin.query("BEGIN");
  admin.query("INSERT INTO t VALUES (7, 7)");
  admin.query("PREPARE TRANSACTION '" + gid(branch) + "'");
  admin.query("BEGIN");
  admin.query("INSERT INTO t VALUES (8, 8)");
  admin.query("PREPARE TRANSACTION 'jta-17'");
  const PreparedView seen = look();
  EXPECT_THAT(seen.transactions,
              ElementsAre(Field(&PreparedTransaction::belonging, Belonging::kStranger),
                          Field(&PreparedTransaction::belonging, Belonging::kForeign)));
  EXPECT_THAT(trace(branch.transaction).prepared,
              ElementsAre(Field(&PreparedTransaction::belonging, Belonging::kStranger)));
  admin.query("ROLLBACK PREPARED '" + gid(branch) + "'");
  admin.query("ROLLBACK PREPARED 'jta-17'");
}

TEST_F(View, OutcomeRowIsTold) {
  const BranchId branch = agent->name_branch();
  EXPECT_FALSE(trace(branch.transaction).outcome);
  agent->settle(branch.transaction);
  const TraceView seen = trace(branch.transaction);
  ASSERT_TRUE(seen.outcome);
  EXPECT_FALSE(seen.outcome->committed);
  EXPECT_LT(1'600'000'000'000, seen.outcome->decided_at_ms);
}

}  // namespace
}  // namespace assent::postgres
