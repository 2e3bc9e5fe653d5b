// What of this life's branches is prepared, what is not any more, and what is none of ours.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using branch::FinishResult;
using branch::PreparedBranch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class InventoryTest : public DatabaseTest {
 protected:
  PreparedBranch prepared(int key) {
    const auto [id, evidence] =
        agent->prepared("INSERT INTO t VALUES (" + std::to_string(key) + ", 1)");
    return {id, evidence};
  }
  void end_by_hand(const char* how, const BranchId& id) {
    admin.query(std::string(how) + " PREPARED '" + gid(id) + "'");
  }
  // Somebody who logs in as that role prepares a transaction under the branch's name.
  void prepare_by_hand(const std::string& role, const BranchId& id, int key) {
    testing::Admin(server.socket_directory(), name, role)
        .query("BEGIN; INSERT INTO t VALUES (" + std::to_string(key) +
               ", 9); PREPARE TRANSACTION '" + gid(id) + "'");
  }
  Finding doctor() {
    const auto findings = agent->call<std::vector<Finding>>(
        [&](auto done) { agent->database.doctor(std::move(done)); });
    return *std::ranges::find(*findings, "strangers", &Finding::check);
  }

  std::unique_ptr<Life> agent = enrolled();
};

TEST_F(InventoryTest, TellsTheEvidenceOfWhatIsPrepared) {
  const PreparedBranch one = prepared(1);

  const Inventory expected = agent->inventory({one}).value();
  const Inventory found = agent->inventory().value();

  EXPECT_THAT(expected.prepared, ElementsAre(one));
  ASSERT_EQ(found.prepared.size(), 1U);
  EXPECT_EQ(found.prepared[0].branch, one.branch);
  EXPECT_EQ(found.prepared[0].evidence.xid, one.evidence.xid);
  EXPECT_EQ(found.prepared[0].evidence.timeline, one.evidence.timeline);
  EXPECT_EQ(found.prepared[0].evidence.system_identifier, one.evidence.system_identifier);
  EXPECT_GE(found.prepared[0].evidence.wal_position, one.evidence.wal_position);
}

TEST_F(InventoryTest, TellsForHowLongEachHasBeenPreparedAndHowFarItHoldsVacuumBack) {
  const PreparedBranch old = prepared(1);
  admin.query("SELECT pg_sleep(0.05)");
  for (int i = 0; i < 5; ++i) admin.query("SELECT pg_current_xact_id()");
  const PreparedBranch young = prepared(2);

  const Inventory found = agent->inventory({old, young}).value();

  ASSERT_EQ(found.prepared.size(), 2U);
  ASSERT_EQ(found.ages.size(), 2U);
  const std::size_t first = found.prepared[0].branch == old.branch ? 0 : 1;
  const PreparedAge& of_old = found.ages[first];
  const PreparedAge& of_young = found.ages[1 - first];
  EXPECT_GE(of_old.age, Millis(50));
  EXPECT_LE(of_young.age, of_old.age);
  EXPECT_GE(of_old.xid_age, of_young.xid_age + 6) << "those in between, and the younger itself";
  EXPECT_GE(of_young.xid_age, 1);
}

TEST_F(InventoryTest, TellsWhatWasExpectedAndEndedByHand) {
  const PreparedBranch here = prepared(1);
  const PreparedBranch committed = prepared(2);
  const PreparedBranch rolled_back = prepared(3);
  end_by_hand("COMMIT", committed.branch);
  end_by_hand("ROLLBACK", rolled_back.branch);

  const Inventory found = agent->inventory({here, committed, rolled_back}).value();

  EXPECT_THAT(found.prepared, ElementsAre(here));
  EXPECT_THAT(found.ended, ::testing::UnorderedElementsAre(committed, rolled_back));
}

TEST_F(InventoryTest, SaysNothingOfWhatIsBeingFinished) {
  const PreparedBranch one = prepared(1);
  agent->database.carry_out(
      branch::RunFinish{one.branch, kBallot, Outcome::kCommitted, one.evidence});

  const Inventory found = agent->inventory({one}).value();

  EXPECT_THAT(found.prepared, IsEmpty());
  EXPECT_THAT(found.ended, IsEmpty());
}

// A later life knows it by no more than what this inventory has shown.
TEST_F(InventoryTest, EvidenceOfAnOlderLifesBranchSettlesHowItEnded) {
  const PreparedBranch committed = prepared(1);
  const PreparedBranch rolled_back = prepared(2);
  agent = enrolled();
  const Inventory found = agent->inventory().value();
  ASSERT_EQ(found.prepared.size(), 2U);
  end_by_hand("COMMIT", committed.branch);
  end_by_hand("ROLLBACK", rolled_back.branch);

  for (const PreparedBranch& one : found.prepared) {
    const bool by_commit = one.branch == committed.branch;
    EXPECT_EQ(agent->finish(one.branch, Outcome::kAborted, one.evidence),
              by_commit ? FinishResult::kHeuristicCommit : FinishResult::kDone);
  }
}

TEST_F(InventoryTest, StrangersUnderOurNameAreLeftAloneCountedAndTold) {
  const PreparedBranch ours = prepared(1);
  const BranchId other = agent->name_branch();
  EXPECT_EQ(doctor().verdict, Verdict::kGood);
  prepare_by_hand("postgres", other, 2);

  const Inventory found = agent->inventory({ours}).value();

  EXPECT_THAT(found.prepared, ElementsAre(ours));
  EXPECT_EQ(agent->database.counters().strangers, 1U);
  EXPECT_EQ(doctor().verdict, Verdict::kWarning);
  EXPECT_THAT(doctor().found, HasSubstr(gid(other) + " of postgres"));
  end_by_hand("ROLLBACK", other);
}

TEST_F(InventoryTest, AnotherXidUnderTheNameOfABranchOfThisLifeIsAStrangers) {
  const PreparedBranch ours = prepared(1);
  end_by_hand("COMMIT", ours.branch);
  prepare_by_hand("assent_work", ours.branch, 2);

  const Inventory found = agent->inventory({ours}).value();

  EXPECT_THAT(found.prepared, IsEmpty());
  EXPECT_THAT(found.ended, ElementsAre(ours));
  EXPECT_EQ(agent->database.counters().strangers, 1U);
}

TEST_F(InventoryTest, AnotherXidUnderTheNameOfAnOlderLifesBranchIsNotTouched) {
  const PreparedBranch ours = prepared(1);
  end_by_hand("COMMIT", ours.branch);
  prepare_by_hand("assent_work", ours.branch, 2);
  agent = enrolled();

  const auto result = agent->finish(ours.branch, Outcome::kAborted, ours.evidence);

  EXPECT_EQ(result, FinishResult::kHeuristicCommit) << "as its own xid says";
  EXPECT_EQ(prepared_count(), 1) << "the stranger's own";
}

// postgres.work_role was changed while an older life's branch was prepared.
TEST_F(InventoryTest, BranchOfAFormerWorkRoleIsNeverTakenForDone) {
  const PreparedBranch ours = prepared(1);
  admin.query(
      "CREATE ROLE other_work LOGIN; GRANT other_work TO assent_agent;"
      "GRANT USAGE ON SCHEMA assent TO other_work;"
      "GRANT SELECT ON ALL TABLES IN SCHEMA assent TO other_work;"
      "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA assent TO other_work");
  DatabaseOptions changed = options();
  changed.work_role = "other_work";
  agent.reset();
  agent = enrolled(changed);

  const auto with = agent->finish(ours.branch, Outcome::kAborted, ours.evidence);
  const auto without = agent->finish(ours.branch, Outcome::kAborted, std::nullopt);

  EXPECT_EQ(doctor().verdict, Verdict::kWarning);
  agent = enrolled();
  admin.query("DROP OWNED BY other_work; DROP ROLE other_work");
  ASSERT_FALSE(with);
  EXPECT_EQ(with.error().code, ErrorCode::kUnavailable) << "it can be ended once the role is back";
  EXPECT_EQ(without, FinishResult::kHazard);
  EXPECT_EQ(agent->finish(ours.branch, Outcome::kAborted, ours.evidence), FinishResult::kDone);
}

}  // namespace
}  // namespace assent::postgres
