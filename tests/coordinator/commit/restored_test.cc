// What an office does about branches of before the coordinator was restored from a backup (R15).
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

// Of the first life since the restore; the one before had epoch 1.
constexpr Epoch kSince{502};

TEST(Restored, R15NothingIsPresumedOfWhatWasPreparedBefore) {
  Stage s;
  s.restore_coordinator({"a", "b"});
  const TransactionId lost = s.transaction(1, s.now.log + Millis(10));
  EXPECT_EQ(s.inventory("a", {s.id(lost, "a")}), "propose HEURISTIC a HAZARD; warn")
      << "whatever its time is";
  s.execute();
  EXPECT_EQ(s.inventory("a", {s.id(lost, "a")}), "") << "it is told once";
  EXPECT_EQ(s.inventory("b", {{lost, "b", kSince, Attempt(1)}}),
            "propose ABORTED b/502.1 because UNAVAILABLE")
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

// One of its two branches is being ended as he decided; the other is found then.
TEST(Restored, R15ADriverOfAnOperatorsDecisionTakesInNoOtherBranch) {
  Stage s;
  s.restore_coordinator({"a", "b"});
  s.inventory("a", {s.id(s.t, "a")});
  s.inventory("b", {s.id(s.t, "b")});
  s.execute();
  s.execute_other(state::HeuristicResolved{s.t, Outcome::kCommitted, "op", "seen"});
  ASSERT_EQ(s.inventory("a", {s.id(s.t, "a")}), "finish a COMMIT?");
  EXPECT_EQ(s.inventory("b", {s.id(s.t, "b")}), "") << "not by this driver";
  s.feed(FinishArrived{s.id(s.t, "a"), FinishResult::kDone});
  s.execute();
  ASSERT_EQ(s.office->driven_count(), 0u);
  s.pass(Millis(1));
  EXPECT_EQ(s.inventory("b", {s.id(s.t, "b")}), "finish b COMMIT?");
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

// Its id is of now, and its client has opened a branch at an agent that had not heard yet.
TEST(Restored, R15WhatNamesABranchOfBeforeIsNotBegun) {
  Stage s;
  s.restore_coordinator({"a", "b"});
  const TransactionId fresh = s.transaction(2, s.now.log + Millis(10));
  const std::vector<RequestedBranch> branches{Stage::branch("a")};
  EXPECT_EQ(s.feed(CommitAsked{Token(1), fresh, branches}), "reply 1 error EXPIRED");
  EXPECT_EQ(s.feed(AbortAsked{Token(2), fresh, branches}), "reply 2 error EXPIRED");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Restored, R15AOneShotBeginsOnlyWhereAnAgentHasEnrolledSince) {
  Stage s;
  s.restore_coordinator({"a"});
  const TransactionId fresh = s.transaction(2, s.now.log + Millis(10));
  const std::vector<RequestedBranch> branches{Stage::one_shot("a"), Stage::one_shot("b")};
  const auto ask = [&](std::uint64_t token) {
    CommitAsked asked{Token(token), fresh, branches, Acknowledge::kApplied, kTimeout};
    asked.first_in = s.state.office_number();
    return s.feed(asked);
  };
  EXPECT_EQ(ask(1), "reply 1 error UNAVAILABLE");
  s.enrol("b", /*one_phase=*/false);
  EXPECT_NE(ask(2).find("prepare a"), std::string::npos);
}

// It is undecided, and its abort does not fail for what it must not list.
TEST(Restored, R15ADriverTakesInNoBranchOfBefore) {
  Stage s;
  s.restore_coordinator({"a", "b"});
  const TransactionId fresh = s.transaction(2, s.now.log + Millis(10));
  const BranchId found{fresh, "b", kSince, Attempt(1)};
  ASSERT_EQ(s.inventory("b", {found}), "propose ABORTED b/502.1 because UNAVAILABLE");
  EXPECT_EQ(s.inventory("a", {s.id(fresh, "a")}), "");
  EXPECT_EQ(s.feed(AbortAsked{Token(1), fresh, {Stage::branch("a")}}), "");
  EXPECT_EQ(s.execute(), "finish b/502.1 ROLLBACK?; reply 1 abort: ABORTED");
  EXPECT_EQ(s.inventory("a", {s.id(fresh, "a")}), "finish a ROLLBACK?")
      << "now the log says how it ends";
}

// It was removed and has enrolled again, so that its branches are taken for those of a lost log.
TEST(Restored, R3ARefusedDecisionAboveTheFloorRollsNothingBack) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.feed(DecisionExecuted{s.t, state::BelowFloor{}}), "reply 1 error EXPIRED");
  EXPECT_EQ(s.office->driven_count(), 0u);
  s.pass(Millis(1));
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "propose ABORTED a because UNAVAILABLE");
}

}  // namespace
}  // namespace assent::commit
