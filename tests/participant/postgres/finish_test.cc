#include "tests/participant/postgres/database_fixture.h"
#include "tests/participant/postgres/lost_landmarks.h"

namespace assent::postgres {
namespace {

using branch::FinishResult;

class Finish : public DatabaseTest {
 protected:
  // A stranger with enough rights ends the branch by hand.
  void end_by_hand(const char* how, const BranchId& id) {
    admin.query(std::string(how) + " PREPARED '" + gid(id) + "'");
  }

  std::unique_ptr<Life> agent = enrolled();
};

TEST_F(Finish, CommitMakesTheBranchVisible) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);

  EXPECT_EQ(content(), "1=1");
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(Finish, RollbackLeavesNothing) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  EXPECT_EQ(agent->finish(id, Outcome::kAborted, evidence), FinishResult::kDone);

  EXPECT_EQ(content(), "");
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(Finish, Row08RepeatedFinishIsSettledByEvidence) {
  const auto [committed, one] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const auto [aborted, two] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  agent->finish(committed, Outcome::kCommitted, one);
  agent->finish(aborted, Outcome::kAborted, two);

  EXPECT_EQ(agent->finish(committed, Outcome::kCommitted, one), FinishResult::kDone);
  EXPECT_EQ(agent->finish(aborted, Outcome::kAborted, two), FinishResult::kDone);
}

TEST_F(Finish, Row08RollbackByHandIsAHeuristicRollback) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  end_by_hand("ROLLBACK", id);

  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kHeuristicRollback);
}

TEST_F(Finish, Row08CommitByHandIsAHeuristicCommit) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  end_by_hand("COMMIT", id);

  EXPECT_EQ(agent->finish(id, Outcome::kAborted, evidence), FinishResult::kHeuristicCommit);
}

// "Committed" may be said of another transaction of that number; "not committed" is true in every
// history.
TEST_F(Finish, EvidenceOfAnotherHistoryIsAHazardUnlessItsXidIsNotCommitted) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  agent->finish(id, Outcome::kCommitted, evidence);
  Evidence other_server = evidence;
  other_server.system_identifier += 1;
  Evidence other_timeline = evidence;
  other_timeline.timeline += 1;
  Evidence wal_went_back = evidence;
  wal_went_back.wal_position += 1ULL << 40;
  Evidence future = evidence;
  future.xid += 1'000'000;

  for (const Evidence& wrong : {other_server, other_timeline, wal_went_back}) {
    EXPECT_EQ(agent->finish(id, Outcome::kCommitted, wrong), FinishResult::kHazard);
    EXPECT_EQ(agent->finish(id, Outcome::kAborted, wrong), FinishResult::kHazard);
  }
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, future), FinishResult::kHazard);
  EXPECT_EQ(agent->finish(id, Outcome::kAborted, future), FinishResult::kDone);
}

TEST_F(Finish, WhatAnOlderLifePreparedAndEndedIsSettledByTheNext) {
  const auto [committed, one] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const auto [aborted, two] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  agent->finish(committed, Outcome::kCommitted, one);
  agent->finish(aborted, Outcome::kAborted, two);
  agent = enrolled();

  EXPECT_EQ(agent->finish(committed, Outcome::kCommitted, one), FinishResult::kDone);
  EXPECT_EQ(agent->finish(committed, Outcome::kAborted, one), FinishResult::kHeuristicCommit);
  EXPECT_EQ(agent->finish(aborted, Outcome::kAborted, two), FinishResult::kDone);
  EXPECT_EQ(agent->finish(aborted, Outcome::kCommitted, two), FinishResult::kHeuristicRollback);
}

TEST_F(Finish, CommittedXidThatNoLandmarkCoversProvesNothingBeforeTheFence) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  agent->finish(id, Outcome::kCommitted, evidence);
  const Epoch old = agent->epoch;
  agent.reset();
  lose_landmarks(admin, loop);
  const auto next = life();
  ASSERT_TRUE(next->identify());
  ASSERT_TRUE(next->claim(old, old.next()));

  const auto before = next->finish(id, Outcome::kCommitted, evidence);
  ASSERT_TRUE(next->fence());
  const auto after = next->finish(id, Outcome::kCommitted, evidence);

  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(after, FinishResult::kDone);
}

TEST_F(Finish, XidThatIsNotAtItsEndIsAskedForAgain) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  BranchId never = agent->name_branch();

  const auto committed = agent->finish(never, Outcome::kCommitted, evidence);
  const auto aborted = agent->finish(never, Outcome::kAborted, evidence);

  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kUnavailable);
  ASSERT_FALSE(aborted);
  EXPECT_EQ(aborted.error().code, ErrorCode::kUnavailable);
  agent->finish(id, Outcome::kAborted, evidence);
}

TEST_F(Finish, XidThatIsNotAtItsEndMayBeAnothersWhereTheBranchMayBeLost) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const BranchId lost = agent->name_branch();
  agent.reset();
  lose_landmarks(admin, loop);
  agent = enrolled();

  EXPECT_FALSE(agent->finish(lost, Outcome::kCommitted, evidence));
  EXPECT_EQ(agent->finish(lost, Outcome::kCommitted, evidence, true), FinishResult::kHazard);
  EXPECT_EQ(agent->finish(lost, Outcome::kAborted, evidence, true), FinishResult::kHazard);
  EXPECT_EQ(agent->finish(id, Outcome::kAborted, evidence, true), FinishResult::kDone);
}

TEST_F(Finish, MissingGidWithoutEvidenceIsRolledBackOnceNobodyCanPrepareIt) {
  const BranchId ours = agent->name_branch();
  BranchId older = ours;
  older.epoch = Epoch(agent->epoch.value - 1);

  EXPECT_EQ(agent->finish(ours, Outcome::kAborted, std::nullopt), FinishResult::kDone);
  EXPECT_EQ(agent->finish(older, Outcome::kAborted, std::nullopt), FinishResult::kDone);
  EXPECT_EQ(agent->finish(ours, Outcome::kCommitted, std::nullopt), FinishResult::kHazard);
}

TEST_F(Finish, AbsenceOfAnOlderLifesGidProvesNothingBeforeTheFence) {
  const auto next = life();
  ASSERT_TRUE(next->identify());
  ASSERT_TRUE(next->claim(agent->epoch, agent->epoch.next()));
  const BranchId older = agent->name_branch();

  const auto before = next->finish(older, Outcome::kAborted, std::nullopt);
  ASSERT_TRUE(next->fence());
  const auto after = next->finish(older, Outcome::kAborted, std::nullopt);

  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(after, FinishResult::kDone);
}

TEST_F(Finish, Row07StrangersGidIsLeftAlone) {
  const BranchId id = agent->name_branch();
  admin.query("BEGIN; INSERT INTO t VALUES (9, 9); PREPARE TRANSACTION '" + gid(id) + "'");

  EXPECT_EQ(agent->finish(id, Outcome::kAborted, std::nullopt), FinishResult::kDone);

  EXPECT_EQ(prepared_count(), 1) << "the stranger's own";
  end_by_hand("ROLLBACK", id);
}

TEST_F(Finish, Row07GidOfAnotherDatabaseIsLeftAlone) {
  const BranchId id = agent->name_branch();
  testing::Admin elsewhere(server.socket_directory(), "postgres", "assent_work");
  elsewhere.query("BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION '" + gid(id) + "'");

  EXPECT_EQ(agent->finish(id, Outcome::kAborted, std::nullopt), FinishResult::kDone);

  elsewhere.query("ROLLBACK PREPARED '" + gid(id) + "'");
}

TEST_F(Finish, StaleBallotSendsNothing) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  agent->may_send = false;

  const auto result = agent->finish(id, Outcome::kCommitted, evidence);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kStaleBallot);
  EXPECT_EQ(prepared_count(), 1);
}

TEST_F(Finish, WorkConnectionsAllBusyDoNotKeepOthersFromEnding) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  for (int i = 0; i < 4; ++i) {
    const BranchId waiting = agent->open();
    agent->start_statement(waiting, {"UPDATE t SET n = 2 WHERE id = 1; ", {}, {}});
    agent->start_statement(waiting, {"INSERT INTO t VALUES (1, 5)", {}, {}});
  }
  loop.run_for(std::chrono::milliseconds(20));

  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
}

TEST_F(Finish, ManyAtOnceAllEnd) {
  std::vector<std::pair<BranchId, Evidence>> branches;
  for (int i = 0; i < 20; ++i) {
    branches.push_back(agent->prepared("INSERT INTO t VALUES (" + std::to_string(i) + ", 0)"));
  }
  for (const auto& [id, evidence] : branches) {
    agent->database.carry_out(branch::RunFinish{id, kBallot, Outcome::kCommitted, evidence});
  }

  for (const auto& [id, evidence] : branches) {
    EXPECT_EQ(agent->await<branch::FinishDone>(id).result, FinishResult::kDone);
  }

  EXPECT_EQ(prepared_count(), 0);
  EXPECT_EQ(admin.value("SELECT count(*) FROM t"), "20");
}

}  // namespace
}  // namespace assent::postgres
