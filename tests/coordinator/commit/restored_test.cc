// What an office does about branches of before the coordinator was restored from a backup (R15).
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

TEST(Restored, R15NothingIsPresumedOfWhatWasPreparedBefore) {
  Stage s;
  s.restore_coordinator({"a", "b"});
  const TransactionId lost = s.transaction(1, s.now.log + Millis(10));
  EXPECT_EQ(s.inventory("a", {s.id(lost, "a")}), "propose HEURISTIC a HAZARD; warn")
      << "whatever its time is";
  s.execute();
  EXPECT_EQ(s.inventory("a", {s.id(lost, "a")}), "") << "it is told once";
  EXPECT_EQ(s.inventory("b", {{lost, "b", Epoch(2), Attempt(1)}}),
            "propose ABORTED b/2.1 because UNAVAILABLE")
      << "a life that enrolled since is as any other";
}

TEST(Restored, R15BeforeAParticipantHasEnrolledNothingOfItIsPresumed) {
  Stage s;
  s.restore_coordinator({});
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "propose HEURISTIC a HAZARD; warn");
}

TEST(Restored, R15WhatTheBackupDecidedIsCarriedOut) {
  Stage s;
  s.commit_decided();
  s.restore_coordinator({"a", "b"});
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "") << "it is on its way already";
  EXPECT_EQ(s.office->driven_count(), 1u);
}

TEST(Restored, AnOperatorsDecisionIsCarriedOutAtTheNextInventory) {
  for (const Outcome outcome : {Outcome::kCommitted, Outcome::kAborted}) {
    Stage s;
    s.restore_coordinator({"a", "b"});
    s.inventory("a", {s.id(s.t, "a")});
    s.execute();
    s.execute_other(state::HeuristicResolved{s.t, outcome, "op", "seen"});
    const bool commit = outcome == Outcome::kCommitted;
    EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}),
              commit ? "finish a COMMIT?" : "finish a ROLLBACK?");
    EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "") << "it is being carried out";
    s.feed(FinishArrived{s.id(s.t, "a"), FinishResult::kDone});
    s.execute();
    const state::Heuristic& kept = *s.state.heuristics().find(s.t);
    EXPECT_EQ(kept.kind(), state::HeuristicKind::kSettled);
    EXPECT_EQ(kept.outcome, outcome);
    EXPECT_EQ(s.office->driven_count(), 0u);
  }
}

TEST(Restored, ABranchThatIsFoundLaterWaitsForAnotherDecision) {
  Stage s;
  s.restore_coordinator({"a", "b"});
  s.inventory("a", {s.id(s.t, "a")});
  s.execute();
  s.execute_other(state::HeuristicResolved{s.t, Outcome::kCommitted, "op", "seen"});
  EXPECT_EQ(s.inventory("b", {s.id(s.t, "b")}), "propose HEURISTIC b HAZARD; warn");
}

// Somebody may end it between the decision and its finish: the evidence tells how.
TEST(Restored, WhatIsLeftToAnOperatorKeepsItsEvidence) {
  Stage s;
  s.restore_coordinator({"a", "b"});
  const FoundBranch found{s.id(s.t, "a"), Stage::evidence("a")};
  s.feed(InventoryArrived{"a", s.now.mono, {found}});
  s.execute();
  EXPECT_EQ(s.state.heuristics().find(s.t)->branches.front().branch.evidence, Stage::evidence("a"));
  s.execute_other(state::HeuristicResolved{s.t, Outcome::kAborted, "op", "seen"});
  EXPECT_EQ(s.feed(InventoryArrived{"a", s.now.mono, {found}}), "finish a ROLLBACK");
}

}  // namespace
}  // namespace assent::commit
