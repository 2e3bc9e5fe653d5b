// The rows by which prepared branches tell that they have committed (postgres.outcome_row).
#include <sys/wait.h>

#include <csignal>

#include "tests/participant/postgres/database_fixture.h"
#include "tests/participant/postgres/lost_landmarks.h"

namespace assent::postgres {
namespace {

using branch::FinishResult;
using ::testing::HasSubstr;

class OutcomeRow : public DatabaseTest {
 protected:
  [[nodiscard]] DatabaseOptions with_rows() const {
    DatabaseOptions out = options();
    out.outcome_row = true;
    return out;
  }

  // Of the lives until now no landmark tells how far they came.
  void end_life_without_landmarks() {
    agent.reset();
    lose_landmarks(admin, loop);
  }
  std::unique_ptr<Life> life_on(testing::PostgresServer& other) {
    DatabaseOptions there = with_rows();
    there.socket_directory = other.socket_directory();
    return enrolled(there);
  }
  // The primary is gone; an agent's next life finds its asynchronous standby in its place.
  std::unique_ptr<Life> life_on_promoted_copy() {
    copy->start_as_standby();
    copy->promote();
    return life_on(*copy);
  }
  // A copy on the same timeline that has given `xid` to a transaction which committed.
  std::unique_ptr<Life> life_on_restored_copy(std::uint64_t xid) {
    copy->start();
    testing::Admin there = copy->admin(name);
    while (std::stoull(there.value("SELECT pg_current_xact_id()")) < xid) {
    }
    return life_on(*copy);
  }
  std::string rows() { return admin.value("SELECT count(*) FROM assent.branch_outcome"); }
  std::string row(const BranchId& id) {
    return admin.value("SELECT count(*) FROM assent.branch_outcome WHERE branch = '" +
                       to_string(id) + "'");
  }

  std::unique_ptr<testing::PostgresServer> copy;
  std::unique_ptr<Life> agent = enrolled(with_rows());
};

TEST_F(OutcomeRow, StandsExactlyWhenTheBranchHasCommitted) {
  const auto [committed, one] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const auto [aborted, two] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  EXPECT_EQ(rows(), "0") << "both are prepared";

  agent->finish(committed, Outcome::kCommitted, one);
  agent->finish(aborted, Outcome::kAborted, two);

  EXPECT_EQ(row(committed), "1");
  EXPECT_EQ(rows(), "1");
}

TEST_F(OutcomeRow, IsNotWrittenUnlessConfigured) {
  agent = enrolled();
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");

  agent->finish(id, Outcome::kCommitted, evidence);

  EXPECT_EQ(rows(), "0");
}

TEST_F(OutcomeRow, OfAOneShotStandsAsWell) {
  const BranchId id = agent->name_branch();
  const auto vote = agent->one_shot(id, {{"INSERT INTO t VALUES (1, 1)", {}, {}}});
  ASSERT_TRUE(vote.result) << vote.result.error().message;

  agent->finish(id, Outcome::kCommitted, std::get<Evidence>(*vote.result));

  EXPECT_EQ(row(id), "1");
}

TEST_F(OutcomeRow, CannotBeWrittenInAReadOnlyTransactionThatHasAnXid) {
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  agent->run(id, "SET TRANSACTION READ ONLY");

  const auto vote = agent->prepare(id);

  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().sql->sqlstate, "25006");
  EXPECT_THAT(vote.error().message, HasSubstr("postgres.outcome_row"));
  EXPECT_EQ(prepared_count(), 0);
}

TEST_F(OutcomeRow, ClientSqlMayNotWriteOne) {
  const BranchId id = agent->open();

  const auto call = agent->run(id, "SELECT assent.record_branch('x', 'guess')");
  agent->run(id, "ROLLBACK TO SAVEPOINT none");
  agent->roll_back(id);
  const BranchId other = agent->open();
  const auto insert = agent->run(other, "INSERT INTO assent.branch_outcome VALUES ('x')");

  for (const auto& done : {call, insert}) {
    ASSERT_FALSE(done.result);
    EXPECT_EQ(done.result.error().sql->sqlstate, "42501");
  }
  agent->roll_back(other);
}

// Nothing but the row tells it from a transaction that got its xid in another history.
TEST_F(OutcomeRow, CommitBehindTheLastLandmarkIsDoneAfterAPromotion) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  end_life_without_landmarks();
  copy = testing::PostgresServer::backup_of(server);

  const auto next = life_on_promoted_copy();

  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kHeuristicCommit);
}

TEST_F(OutcomeRow, BranchThatAPromotionLostIsAHazardWhenCommittedAndDoneWhenAborted) {
  copy = testing::PostgresServer::backup_of(server);
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);

  const auto next = life_on_restored_copy(evidence.xid);

  EXPECT_EQ(
      copy->admin(name).value("SELECT pg_xact_status('" + std::to_string(evidence.xid) + "')"),
      "committed");
  EXPECT_EQ(next->finish(id, Outcome::kCommitted, evidence), FinishResult::kHazard);
  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kDone);
}

TEST_F(OutcomeRow, EndByHandIsToldAsSuch) {
  const auto [rolled_back, one] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  const auto [committed, two] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  admin.query("ROLLBACK PREPARED '" + gid(rolled_back) + "'");
  admin.query("COMMIT PREPARED '" + gid(committed) + "'");

  EXPECT_EQ(agent->finish(rolled_back, Outcome::kCommitted, one), FinishResult::kHeuristicRollback);
  EXPECT_EQ(agent->finish(committed, Outcome::kAborted, two), FinishResult::kHeuristicCommit);
}

// No evidence: the branch's vote never reached whoever aborts its transaction.
TEST_F(OutcomeRow, CommitByHandIsToldWithoutEvidence) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  admin.query("COMMIT PREPARED '" + gid(id) + "'");
  agent = enrolled(with_rows());

  EXPECT_EQ(agent->finish(id, Outcome::kAborted, std::nullopt), FinishResult::kHeuristicCommit);
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, std::nullopt), FinishResult::kDone);
}

TEST_F(OutcomeRow, AbsenceSaysNothingOfALifeThatWroteNone) {
  agent = enrolled();
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);
  end_life_without_landmarks();
  copy = testing::PostgresServer::backup_of(server);

  const auto next = life_on_promoted_copy();

  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kHazard);
}

TEST_F(OutcomeRow, OldRowsGoWithTheFloorAndTheirAbsenceSaysNothing) {
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  ASSERT_EQ(agent->finish(id, Outcome::kCommitted, evidence), FinishResult::kDone);

  agent->database.drop_outcomes(id.transaction.time() + Millis(660'001));
  ASSERT_TRUE(loop.run_until([&] { return rows() == "0"; }));
  const auto [later, later_evidence] = agent->prepared("INSERT INTO t VALUES (2, 2)");
  end_life_without_landmarks();
  copy = testing::PostgresServer::backup_of(server);
  const auto next = life_on_promoted_copy();

  EXPECT_EQ(next->finish(id, Outcome::kAborted, evidence), FinishResult::kHazard)
      << "it is committed, and its row is gone";
  EXPECT_EQ(next->finish(later, Outcome::kCommitted, later_evidence), FinishResult::kDone);
}

TEST_F(OutcomeRow, PreflightWarnsOfAnAsynchronousStandbyWithoutRows) {
  const pid_t receiver = server.start_program({"/usr/lib/postgresql/15/bin/pg_receivewal",
                                               "--directory=.", "--no-sync", "--username=postgres",
                                               "--host=" + server.socket_directory()});
  ASSERT_TRUE(loop.run_until(
      [&] { return admin.value("SELECT count(*) FROM pg_stat_replication") == "1"; }));
  const auto standbys = [&](const DatabaseOptions& with) {
    Life looking(loop, with);
    const auto findings = looking.call<std::vector<Finding>>(
        [&](auto done) { looking.database.doctor(std::move(done)); });
    return *std::ranges::find(*findings, "standbys", &Finding::check);
  };

  const Finding off = standbys(options());
  const Finding on = standbys(with_rows());
  ::kill(receiver, SIGKILL);
  ::waitpid(receiver, nullptr, 0);

  EXPECT_EQ(off.verdict, Verdict::kWarning);
  EXPECT_THAT(off.remedy, HasSubstr("postgres.outcome_row"));
  EXPECT_EQ(on.verdict, Verdict::kGood);
}

}  // namespace
}  // namespace assent::postgres
