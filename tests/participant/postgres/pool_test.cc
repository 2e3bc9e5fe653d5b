#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

class Pool : public DatabaseTest {
 protected:
  std::unique_ptr<Life> agent = enrolled();

  std::vector<BranchId> open_all() {
    std::vector<BranchId> out;
    for (std::size_t i = 0; i < agent->options.work_connections; ++i) out.push_back(agent->open());
    return out;
  }
};

TEST_F(Pool, OneMoreThanItHoldsWaitsAndIsRefusedAsOverloaded) {
  const auto branches = open_all();
  const BranchId one_more = agent->name_branch();

  agent->database.carry_out(branch::Acquire{one_more});

  const auto refused = agent->await<branch::ConnectionRefused>(one_more);
  EXPECT_EQ(refused.why.code, ErrorCode::kOverloaded);
  EXPECT_TRUE(retryable(refused.why));
  EXPECT_EQ(agent->database.counters().work_busy, 4U);
}

TEST_F(Pool, NeverHoldsMoreConnectionsThanItMay) {
  const auto branches = open_all();
  for (int i = 0; i < 10; ++i) agent->database.carry_out(branch::Acquire{agent->name_branch()});
  EXPECT_EQ(agent->database.counters().work_waiting, 10U);

  loop.run_for(100ms);

  EXPECT_EQ(admin.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'assent_work'"
                        " AND datname = current_database()"),
            "4");
}

TEST_F(Pool, ReleasedConnectionGoesToTheFirstThatWaits) {
  const auto branches = open_all();
  const BranchId first = agent->name_branch();
  const BranchId second = agent->name_branch();
  agent->database.carry_out(branch::Acquire{first});
  agent->database.carry_out(branch::Acquire{second});

  agent->roll_back(branches.front());

  agent->await<branch::ConnectionGranted>(first);
  EXPECT_FALSE(agent->take<branch::ConnectionGranted>(second));
}

TEST_F(Pool, RollbackOfAWaitingBranchEndsItsWait) {
  const auto branches = open_all();
  const BranchId waiting = agent->name_branch();
  agent->database.carry_out(branch::Acquire{waiting});

  agent->database.carry_out(branch::RunRollback{waiting});

  agent->await<branch::RollbackDone>(waiting);
  agent->roll_back(branches.front());
  loop.run_for(20ms);
  EXPECT_FALSE(agent->take<branch::ConnectionGranted>(waiting));
}

TEST_F(Pool, Row15NothingOfTheSessionIsLeftForTheNextBranch) {
  const BranchId id = agent->open();
  const std::string pid = agent->value(id, "SELECT pg_backend_pid()");
  agent->run(id, "SET work_mem = '77MB'");
  agent->run(id, "SET application_name = 'mine'");
  agent->run(id, "SELECT pg_advisory_lock(42)");
  agent->run(id, "PREPARE mine AS SELECT 1");
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  const auto vote = agent->prepare(id);
  ASSERT_TRUE(vote) << vote.error().message;
  agent->release(id);

  const BranchId next = agent->open();

  ASSERT_EQ(agent->value(next, "SELECT pg_backend_pid()"), pid) << "the warm session comes first";
  EXPECT_NE(agent->value(next, "SHOW work_mem"), "77MB");
  EXPECT_EQ(agent->value(next, "SHOW application_name"), "assent " + to_string(next.transaction));
  EXPECT_EQ(agent->value(next, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
  EXPECT_EQ(agent->value(next, "SELECT count(*) FROM pg_prepared_statements"), "0");
}

// Functions leave in a session what no statement's word tells.
TEST_F(Pool, Row15NothingThatAFunctionLeavesIsThereForTheNextBranch) {
  admin.query("CREATE SEQUENCE numbers; GRANT USAGE ON SEQUENCE numbers TO assent_work");
  admin.query(
      "CREATE FUNCTION leave() RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
      " PERFORM set_config('work_mem', '77MB', false);"
      " PERFORM set_config('search_path', 'pg_catalog', false);"
      " PERFORM pg_advisory_lock(42); PERFORM nextval('public.numbers');"
      " RETURN 1; END $$");
  for (int turn = 0; turn < 5; ++turn) {
    const BranchId id = agent->open();
    agent->run(id, "INSERT INTO public.t VALUES (" + std::to_string(turn) + ", public.leave())");
    const auto vote = agent->prepare(id);
    ASSERT_TRUE(vote) << vote.error().message;
    agent->release(id);
    if (turn < 3) continue;  // until what cleans the session is kept prepared, too

    const BranchId next = agent->open();

    EXPECT_EQ(agent->value(next, "SELECT count(*) > 0 FROM pg_prepared_statements"), "t")
        << "it is the session, cleaned with the vote and not discarded";
    EXPECT_NE(agent->value(next, "SHOW work_mem"), "77MB");
    EXPECT_NE(agent->value(next, "SHOW search_path"), "pg_catalog");
    EXPECT_EQ(agent->value(next, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
    EXPECT_EQ(agent->value(next, "SELECT count(*) FROM pg_listening_channels()"), "0");
    EXPECT_EQ(agent->run(next, "SELECT lastval()").result.error().sql->sqlstate, "55000");
    agent->roll_back(next);
  }
}

TEST_F(Pool, StatementThatDropsWhatIsKeptPreparedFailsNobody) {
  for (int turn = 0; turn < 4; ++turn) {
    for (const std::string drops : {"SELECT 1", "DEALLOCATE ALL"}) {
      const BranchId id = agent->open();
      agent->run(id, drops);
      const std::string number = std::to_string(2 * turn + (drops == "SELECT 1" ? 0 : 1));
      ASSERT_TRUE(agent->run(id, "INSERT INTO t VALUES ($1, 1)", {number}).result);
      const auto vote = agent->prepare(id);
      ASSERT_TRUE(vote) << vote.error().message;
      agent->release(id);
    }
  }
}

// Nothing tells the agent; the branch that misses a statement is not prepared, and the session is
// good again behind it.
TEST_F(Pool, FunctionThatDropsWhatIsKeptPreparedFailsTheBranchThatMissesIt) {
  admin.query(
      "CREATE FUNCTION drops() RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
      " EXECUTE 'DEALLOCATE ALL'; RETURN 1; END $$");
  int prepared = 0;
  for (int turn = 0; turn < 6; ++turn) {
    const BranchId id = agent->open();
    const auto done =
        agent->run(id, "INSERT INTO t VALUES (" + std::to_string(turn) + ", drops())");
    Result<Evidence> vote = failure(ErrorCode::kSql, "no vote");
    if (done.result) {
      vote = agent->prepare(id);
    } else {
      vote = tl::unexpected(done.result.error());
    }
    if (vote) {
      ++prepared;
      agent->release(id);
    } else {
      EXPECT_EQ(vote.error().sql->sqlstate, "26000");
      if (done.result) agent->release(id);
      if (!done.result) agent->roll_back(id);
    }
  }

  EXPECT_GE(prepared, 3);
  EXPECT_EQ(admin.value("SELECT count(*) FROM pg_prepared_xacts"), std::to_string(prepared));
}

TEST_F(Pool, Row15SessionLocksAreDroppedAtReleaseAndNotAtTheNextUse) {
  const BranchId id = agent->open();
  agent->run(id, "SELECT pg_advisory_lock(42)");

  agent->roll_back(id);

  EXPECT_TRUE(loop.run_until([&] {
    return admin.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0";
  }));
}

TEST_F(Pool, RollbackCancelsTheRunningStatement) {
  const BranchId id = agent->open();
  agent->start_statement(id, {"SELECT pg_sleep(60)", {}, {}});
  agent->start_statement(id, {"SELECT pg_sleep(60)", {}, {}});
  ASSERT_TRUE(loop.run_until([&] {
    return admin.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1";
  }));

  agent->roll_back(id);

  EXPECT_EQ(agent->take<branch::StatementDone>(id)->result.error().sql->sqlstate, "57014");
  EXPECT_EQ(agent->database.counters().connections_lost, 0U);
}

// A cancel may hit the BEGIN of a branch: what is pipelined behind it must not run without one.
TEST_F(Pool, NothingOfAPipelineThatIsRolledBackStays) {
  for (int i = 0; i < 150; ++i) {
    const BranchId id = agent->open();
    agent->start_statement(id, {"SELECT 1"});
    agent->start_statement(id, {"INSERT INTO t VALUES (1, 1) ON CONFLICT DO NOTHING"});
    agent->roll_back(id);
    ASSERT_EQ(content(), "") << "try " << i;
  }
}

TEST_F(Pool, StatementsBehindTheFirstAreSentWhenItsBeginHasWorked) {
  const BranchId id = agent->open();
  agent->start_statement(id, {"SELECT pg_sleep(0.05)"});
  for (int i = 0; i < 3; ++i) agent->start_statement(id, {"SELECT " + std::to_string(i)});

  for (std::uint32_t number = 1; number <= 4; ++number) {
    EXPECT_EQ(agent->await<branch::StatementDone>(id).number, number);
  }
  agent->roll_back(id);
}

TEST_F(Pool, StatementsBehindAFirstThatFailsAreAnsweredToo) {
  const BranchId id = agent->open();
  agent->start_statement(id, {"SELECT 1 / 0"});
  agent->start_statement(id, {"SELECT 1"});

  EXPECT_FALSE(agent->await<branch::StatementDone>(id).result);
  EXPECT_FALSE(agent->await<branch::StatementDone>(id).result) << "the transaction has failed";
  agent->roll_back(id);
}

TEST_F(Pool, CancelNeverHitsTheNextBranch) {
  for (int i = 0; i < 50; ++i) {
    const BranchId id = agent->open();
    agent->start_statement(id, {"SELECT pg_sleep(0.002)", {}, {}});
    loop.run_for(std::chrono::milliseconds(i % 5));
    agent->roll_back(id);

    const BranchId next = agent->open();
    EXPECT_EQ(agent->value(next, "SELECT 1 FROM pg_sleep(0.002)"), "1");
    agent->roll_back(next);
  }
  EXPECT_EQ(agent->database.counters().connections_lost, 0U);
}

TEST_F(Pool, StatementThatIgnoresCancelsDiesWithItsBackend) {
  admin.query(
      "CREATE FUNCTION stubborn() RETURNS void LANGUAGE plpgsql AS $$ BEGIN LOOP BEGIN"
      " PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$");
  const BranchId id = agent->open();
  agent->start_statement(id, {"SELECT stubborn()", {}, {}});
  ASSERT_TRUE(loop.run_until([&] {
    return admin.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1";
  }));

  agent->database.carry_out(branch::RunRollback{id});

  agent->await<branch::ConnectionLost>(id);
  EXPECT_TRUE(loop.run_until([&] {
    return admin.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0";
  }));
}

TEST_F(Pool, IdleConnectionThatDiesIsReplaced) {
  const BranchId id = agent->open();
  const std::string pid = agent->value(id, "SELECT pg_backend_pid()");
  agent->roll_back(id);
  admin.query("SELECT pg_terminate_backend(" + pid + ")");
  ASSERT_TRUE(loop.run_until([&] { return agent->database.counters().connections_lost == 1; }));

  EXPECT_EQ(agent->value(agent->open(), "SELECT 1"), "1");
}

TEST_F(Pool, NothingIsCalledBackAfterClose) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const BranchId running = agent->open();
  agent->start_statement(running, {"SELECT 1", {}, {}});
  agent->database.carry_out(branch::Acquire{agent->name_branch()});
  agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  bool called = false;
  agent->start_list([&](const auto&) { called = true; });
  agent->inputs.clear();

  agent->database.close();
  loop.run_for(100ms);

  EXPECT_TRUE(agent->inputs.empty());
  EXPECT_FALSE(called);
  EXPECT_TRUE(loop.run_until([&] {
    return admin.value(
               "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'assent%'"
               " AND datname = current_database()") == "0";
  }));
}

}  // namespace
}  // namespace assent::postgres
