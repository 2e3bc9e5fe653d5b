// Servers that are copies of the participant's: what of the branches they have.
#include <filesystem>

#include "participant/postgres/answer.h"
#include "tests/participant/postgres/database_fixture.h"
#include "tests/participant/postgres/lost_landmarks.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using branch::FinishResult;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Failover : public DatabaseTest {
 protected:
  // An asynchronous standby that has received all until now, and nothing later.
  void take_copy() { copy = testing::PostgresServer::backup_of(server); }

  // The primary is gone; an agent's next life finds the promoted copy in its place.
  std::unique_ptr<Life> life_on_promoted_copy() {
    copy->start_as_standby();
    copy->promote();
    DatabaseOptions there = options();
    there.socket_directory = copy->socket_directory();
    return enrolled(there);
  }

  // The copy is started as it is, on the same timeline, as after the restore of a snapshot.
  std::unique_ptr<Life> life_on_restored_copy() {
    copy->start();
    DatabaseOptions there = options();
    there.socket_directory = copy->socket_directory();
    return enrolled(there);
  }

  // Until what was prepared by now is before this life's landmark.
  void await_landmark() {
    const std::string now = admin.value("SELECT pg_current_wal_lsn()");
    EXPECT_TRUE(loop.run_until([&] {
      return admin.value("SELECT max(wal_position) >= '" + now + "' FROM assent.landmark") == "t";
    }));
  }

  // Transactions that commit, until one had this number, and the WAL is longer than it ever was.
  void give_out_xids_until(std::uint64_t xid) {
    testing::Admin there = copy->admin(name);
    while (std::stoull(there.value("SELECT pg_current_xact_id()")) < xid) {
    }
    for (int segment = 0; segment < 3; ++segment) {
      there.query("SELECT pg_current_xact_id()");
      there.query("SELECT pg_switch_wal()");
    }
  }

  // A life that finds at one address first the server, and the copy once it has taken its place.
  std::unique_ptr<Life> life_at_a_moving_address() {
    std::filesystem::create_directory_symlink(server.socket_directory(), address);
    DatabaseOptions there = options();
    there.socket_directory = address;
    return enrolled(there);
  }
  void move_address() {
    std::filesystem::remove(address);
    std::filesystem::create_directory_symlink(copy->socket_directory(), address);
    admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename LIKE 'assent%'");
  }
  ~Failover() override { std::filesystem::remove(address); }

  std::string content_of_copy() {
    return copy->admin(name).value("SELECT coalesce(string_agg(id || '=' || n, ' '), '') FROM t");
  }

  const std::string address = server.socket_directory() + "/address";
  std::unique_ptr<testing::PostgresServer> copy;
  std::unique_ptr<Life> agent = enrolled();
};

TEST_F(Failover, BaseBackupCarriesPreparedBranches) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  take_copy();
  copy->start();

  EXPECT_EQ(copy->admin(name).value("SELECT gid FROM pg_prepared_xacts"), gid(id));
  agent->finish(id, Outcome::kAborted, evidence);
}

TEST_F(Failover, DumpCarriesNoPreparedBranch) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (7, 77)");

  const std::string dump = server.dump(name);

  EXPECT_THAT(dump, HasSubstr("CREATE TABLE public.t"));
  EXPECT_THAT(dump, Not(HasSubstr("7\t77")));
  EXPECT_THAT(dump, Not(HasSubstr(gid(id))));
  agent->finish(id, Outcome::kAborted, evidence);
}

TEST_F(Failover, AcknowledgedCommitThatCameBackAsPreparedIsReplayed) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  take_copy();
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);

  const auto next = life_on_promoted_copy();

  EXPECT_THAT(next->list_prepared().value(), ElementsAre(id));
  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  EXPECT_EQ(content_of_copy(), "1=1");
}

TEST_F(Failover, AcknowledgedPrepareThatIsGoneIsAHazardAndNeverDone) {
  take_copy();
  // The copy's own transactions, autovacuum's too, do not get as far.
  for (int i = 0; i < 100; ++i) admin.query("SELECT pg_current_xact_id()");
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  const auto next = life_on_promoted_copy();

  EXPECT_THAT(next->list_prepared().value(), IsEmpty());
  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kHazard);
  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kDone)
      << "nothing of it is committed, and nothing was to be";
  EXPECT_EQ(content_of_copy(), "");
  agent->finish(id, Outcome::kAborted, evidence);
}

TEST_F(Failover, RollbackThatThePromotedStandbyHasIsDone) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kAborted, evidence), FinishResult::kDone);
  take_copy();

  const auto next = life_on_promoted_copy();

  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kDone);
}

TEST_F(Failover, CommitBeforeALandmarkThatThePromotedStandbyHasIsDone) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  await_landmark();
  take_copy();

  const auto next = life_on_promoted_copy();

  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kHeuristicCommit);
}

// The standby has the commit; nothing there tells it from another transaction's of that xid.
TEST_F(Failover, CommitBehindTheLastLandmarkIsAHazardAfterAPromotion) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  agent.reset();
  lose_landmarks(admin, loop);
  take_copy();

  const auto next = life_on_promoted_copy();

  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kHazard);
  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence, false, Epoch(next->epoch.value - 1)),
            FinishResult::kHazard)
      << "what the log proves of another life's history proves nothing of this one";
  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence, false, next->epoch),
            FinishResult::kDone);
}

// Its COMMIT PREPARED is lost, and an operator ends what he finds prepared before an agent comes.
TEST_F(Failover, RollbackByHandOfACommitThatWasLostIsAHeuristicRollback) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  take_copy();
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  copy->start_as_standby();
  copy->promote();
  copy->admin(name).query("ROLLBACK PREPARED '" + gid(id) + "'");
  DatabaseOptions there = options();
  there.socket_directory = copy->socket_directory();
  agent.reset();

  const auto next = enrolled(there);

  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence, false, next->epoch),
            FinishResult::kHeuristicRollback);
}

// It knows where it left the old timeline, which proves it unless the log knows better.
TEST_F(Failover, AStandbyThatStreamedProvesAllThatItHad) {
  take_copy();
  const std::string from = "postgresql://postgres@/?host=" + server.socket_directory();
  ASSERT_TRUE(copy->try_start_as_standby("hot_standby=on primary_conninfo=" + from));
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  const Epoch last = agent->epoch;
  agent.reset();
  const std::string sent = admin.value("SELECT pg_current_wal_flush_lsn()");
  testing::Admin there = copy->admin(name);
  ASSERT_TRUE(loop.run_until(
      [&] { return there.value("SELECT pg_last_wal_replay_lsn() >= '" + sent + "'") == "t"; }));
  // What the standby has streamed is proven by nothing else.
  copy->promote();
  there.query("UPDATE assent.landmark SET wal_position = '0/1' WHERE epoch = " + to_string(last));

  DatabaseOptions options_there = options();
  options_there.socket_directory = copy->socket_directory();
  Life next(loop, options_there);
  ASSERT_TRUE(next.identify());
  const StoredLandmark left = next.stored_landmark(last);
  EXPECT_EQ(left.wal_position, 1u) << "the landmark itself stays";
  EXPECT_GE(left.left_at, parse_lsn(sent));
  next.enrol();
  EXPECT_EQ(next.finish(id, Outcome::kCommitted, evidence, /*maybe_lost=*/true),
            FinishResult::kHazard);
  EXPECT_EQ(next.finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

// Which was not promoted since its start does not know it any more, but it is written down.
TEST_F(Failover, WhereTheTimelineWasLeftIsWrittenDown) {
  take_copy();
  const std::string from = "postgresql://postgres@/?host=" + server.socket_directory();
  ASSERT_TRUE(copy->try_start_as_standby("hot_standby=on primary_conninfo=" + from));
  const std::string sent = admin.value("SELECT pg_current_wal_flush_lsn()");
  const Epoch last = agent->epoch;
  agent.reset();
  ASSERT_TRUE(loop.run_until([&] {
    return copy->admin(name).value("SELECT pg_last_wal_replay_lsn() >= '" + sent + "'") == "t";
  }));
  copy->promote();
  DatabaseOptions there = options();
  there.socket_directory = copy->socket_directory();
  const auto looked_at = [&] {
    Life life(loop, there);
    EXPECT_TRUE(life.identify());
    return life.stored_landmark(last).left_at;
  };
  const std::uint64_t switched = looked_at();
  EXPECT_GE(switched, parse_lsn(sent));
  copy->stop_immediately();
  copy->start();
  EXPECT_EQ(looked_at(), switched) << "a recovery of its own moves nothing";
}

TEST_F(Failover, RollbackByHandBeforeALandmarkIsAHeuristicRollbackOnThePromotedStandby) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  admin.query("ROLLBACK PREPARED '" + gid(id) + "'");
  await_landmark();
  take_copy();

  const auto next = life_on_promoted_copy();

  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kHeuristicRollback);
}

// Server and agent die together, with a commit that no landmark covers, and come back.
TEST_F(Failover, CommitBehindTheLastLandmarkIsDoneWhenTheServerLostNothing) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  agent.reset();
  lose_landmarks(admin, loop);
  server.kill_everything();
  server.start();
  admin = server.admin(name);

  agent = enrolled();

  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  EXPECT_EQ(agent->finish(id, Outcome::kAborted, evidence), FinishResult::kHeuristicCommit);
}

// The same as below, and the server has made a checkpoint since. Only the log knows that the life
// of the branch was further than what the next one found.
TEST_F(Failover, WhatTheLogSaysMayBeLostIsAHazardThoughTheCopyGrewAndWasStartedAgain) {
  take_copy();
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  copy->start();
  give_out_xids_until(evidence.xid);
  copy->admin(name).query("CHECKPOINT");
  DatabaseOptions there = options();
  there.socket_directory = copy->socket_directory();

  const auto next = enrolled(there);

  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence, true), FinishResult::kHazard);
  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence, true), FinishResult::kHazard);
  agent->finish(id, Outcome::kAborted, evidence);
}

// The WAL is longer than it was and the xid given out again before the first life comes.
TEST_F(Failover, LostPrepareIsAHazardThoughTheCopyGrewBeforeAnAgentCame) {
  take_copy();
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  copy->start();
  give_out_xids_until(evidence.xid);
  DatabaseOptions there = options();
  there.socket_directory = copy->socket_directory();

  const auto next = enrolled(there);

  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kHazard);
  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kHazard);
  agent->finish(id, Outcome::kAborted, evidence);
}

// The copy gives the branch's xid out again, to a transaction that commits.
TEST_F(Failover, LostPrepareWhoseXidWasGivenOutAgainIsAHazardAndNeverDone) {
  take_copy();
  admin.query("SELECT pg_switch_wal()");
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const auto next = life_on_restored_copy();
  testing::Admin there = copy->admin(name);

  give_out_xids_until(evidence.xid);

  EXPECT_EQ(there.value("SELECT pg_xact_status('" + std::to_string(evidence.xid) + "')"),
            "committed");
  EXPECT_EQ(there.value("SELECT timeline_id FROM pg_control_checkpoint()"), "1");
  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kHazard);
  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kHazard);
  agent->finish(id, Outcome::kAborted, evidence);
}

// The copy has the branch prepared, and its life ends it; then the log, which has learnt of the
// restore, asks for it once more.
TEST_F(Failover, WhatThisLifeHasEndedItselfIsNoHazardThoughTheLogSaysItMayBeLost) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  agent.reset();
  lose_landmarks(admin, loop);
  take_copy();
  const auto next = life_on_restored_copy();

  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence, true), FinishResult::kDone);
  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence, true), FinishResult::kDone);
  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence, true), FinishResult::kHeuristicCommit);
  agent = enrolled();
  agent->finish(id, Outcome::kAborted, evidence);
}

TEST_F(Failover, PromotionBehindTheSameAddressEndsTheLife) {
  agent = life_at_a_moving_address();
  take_copy();
  copy->start_as_standby();
  copy->promote();

  move_address();

  ASSERT_TRUE(loop.run_until([&] { return agent->over.has_value(); }));
  EXPECT_EQ(agent->over->code, ErrorCode::kIdentityMismatch);
  EXPECT_THAT(agent->over->message, HasSubstr("timeline 2"));
}

// It has the epoch of this life, and grows longer than the server ever was.
TEST_F(Failover, OldDataRestoredBehindTheSameAddressEndTheLife) {
  agent = life_at_a_moving_address();
  take_copy();
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  admin.query("SELECT pg_switch_wal()");
  const auto [later, later_evidence] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  copy->start();
  give_out_xids_until(later_evidence.xid);

  move_address();

  ASSERT_TRUE(loop.run_until([&] { return agent->over.has_value(); }));
  EXPECT_EQ(agent->over->code, ErrorCode::kIdentityMismatch);
  EXPECT_THAT(agent->over->message, HasSubstr("old data"));
}

// pg_control_checkpoint() tells the old timeline until the next checkpoint.
TEST_F(Failover, TimelineOfAPromotedServerIsRightAtOnce) {
  take_copy();

  const auto next = life_on_promoted_copy();

  EXPECT_EQ(next->identify().value().timeline, 2U);
  const auto [id, evidence] = next->prepared("INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(evidence.timeline, 2U);
}

TEST_F(Failover, Row11StandbyWithFewerSlotsCannotReplay) {
  take_copy();

  EXPECT_FALSE(copy->try_start_as_standby("max_prepared_transactions=1"));

  EXPECT_THAT(copy->log(), HasSubstr("max_prepared_transactions"));
}

}  // namespace
}  // namespace assent::postgres
