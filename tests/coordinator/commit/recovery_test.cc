// What is sent again, what an inventory leads to, and how an office takes over.
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

void prepare_lost(Stage& s, const char* participant, std::string* text = nullptr) {
  std::string effect =
      s.feed(PrepareLost{s.id(s.t, participant), Error{ErrorCode::kUnavailable, "down"}});
  if (text != nullptr) *text = std::move(effect);
}

// ── sending again ───────────────────────────────────────────────────────────────────────────────

TEST(Resend, APrepareIsSentAgainWithDoublingPausesUntilTheDeadline) {
  Stage s;
  s.commit(1, Acknowledge::kApplied, {Stage::branch("a")}, Millis(10'000));
  for (const std::int64_t pause : {50, 100, 200, 400, 800, 1'000, 1'000}) {
    prepare_lost(s, "a");
    EXPECT_EQ(s.pass(Millis(pause - 1)), "");
    EXPECT_EQ(s.pass(Millis(1)), "prepare a");
  }
  prepare_lost(s, "a");
  s.pass(Millis(1'000));
  EXPECT_EQ(s.pass(Millis(10'000)), "propose ABORTED a because DEADLINE");
  s.execute();
  EXPECT_NE(s.state.find(s.t)->reason.message.find("down"), std::string::npos)
      << "the reason says why nobody voted";
}

TEST(Resend, AFinishIsSentAgainForEver) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  s.finished("a");
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(s.feed(FinishLost{s.id(s.t, "b")}), "");
    EXPECT_NE(s.pass(Millis(1'000)).find("finish b COMMIT"), std::string::npos);
  }
  s.finished("b");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Resend, AnAgentThatIsUpGetsAtOnceWhatWaitsForIt) {
  Stage s;
  s.commit(1);
  prepare_lost(s, "a");
  prepare_lost(s, "b");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "prepare a");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "") << "it is in flight";
  EXPECT_EQ(s.pass(Millis(50)), "prepare b");
}

TEST(Resend, ADuplicateLossDoesNotSendTwice) {
  Stage s;
  s.commit(1);
  prepare_lost(s, "a");
  prepare_lost(s, "a");
  EXPECT_EQ(s.pass(Millis(900)), "prepare a");
}

TEST(Resend, AnEventOfATransactionThatIsNotDrivenIsIgnored) {
  Stage s;
  std::string text;
  prepare_lost(s, "a", &text);
  EXPECT_EQ(text, "");
  EXPECT_EQ(s.yes("a"), "");
  EXPECT_EQ(s.finished("a"), "");
  EXPECT_EQ(s.feed(FinishLost{s.id(s.t, "a")}), "");
  EXPECT_EQ(s.feed(DecisionExecuted{s.t, state::TookEffect{}}), "");
  EXPECT_EQ(s.feed(Tick{}), "");
}

// ── forgetting ──────────────────────────────────────────────────────────────────────────────────

TEST(Forget, WaitsForCompanyAndIsBatched) {
  Stage s;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const TransactionId t = s.transaction(number);
    s.feed(AbortAsked{Token(number), t, {}, /*never_committed=*/true});
    s.execute();
  }
  EXPECT_EQ(s.state.unforgotten().size(), 2u) << "the first went along with the second's abort";
  EXPECT_EQ(s.pass(Millis(200)), "propose FORGOTTEN 2");
  s.execute();
  EXPECT_TRUE(s.state.unforgotten().empty());
  EXPECT_FALSE(s.office->next_deadline().has_value());
}

TEST(Forget, GoesAlongWithTheNextProposal) {
  Stage s;
  s.commit_and_finish();
  EXPECT_EQ(s.feed(AbortAsked{Token(2), s.transaction(2), {}, /*never_committed=*/true}),
            "propose ABORTED because BRANCH_ENDED; propose FORGOTTEN 1");
}

TEST(Forget, IsProposedAtMostSoOften) {
  Stage s;
  int forgottens = 0;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    const std::string text =
        s.feed(AbortAsked{Token(number), s.transaction(number), {}, /*never_committed=*/true});
    if (text.find("FORGOTTEN") != std::string::npos) ++forgottens;
    s.execute();
    if (s.pass(Millis(10)).find("FORGOTTEN") != std::string::npos) ++forgottens;
  }
  EXPECT_LE(forgottens, 6) << "in 1,000 ms, every 200 ms";
  EXPECT_GE(forgottens, 4);
}

TEST(Forget, NotBeforeEveryBranchHasConfirmed) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  s.finished("a");
  EXPECT_EQ(s.pass(Millis(60'000)), "reply 1 COMMITTED pending b");
  EXPECT_EQ(s.state.unforgotten().size(), 1u);
}

// ── taking office ───────────────────────────────────────────────────────────────────────────────

TEST(TakeOffice, GoesOnWithWhatIsDecidedAndNotForgotten) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  s.finished("a");
  EXPECT_EQ(s.restart(), "finish a COMMIT; finish b COMMIT") << "with the record's evidence";
  s.finished("a");
  s.finished("b");
  EXPECT_EQ(s.pass(Millis(200)), "propose FORGOTTEN 1");
  s.execute();
  EXPECT_EQ(s.restart(), "");
}

TEST(TakeOffice, RollsBackWhatIsAbortedAndNotForgotten) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.no("b");
  s.execute();
  EXPECT_EQ(s.restart(), "finish a ROLLBACK; finish b ROLLBACK?");
}

TEST(TakeOffice, AProposalThatReachedTheLogIsCarriedOut) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.restart(/*executed=*/1), "finish a COMMIT; finish b COMMIT");
  EXPECT_EQ(s.commit(2, Acknowledge::kDecided), "reply 2 COMMITTED pending a b");
}

TEST(TakeOffice, AProposalThatWasLostLeavesTUndecided) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.restart(/*executed=*/0), "");
  EXPECT_EQ(s.commit(2), "prepare a; prepare b") << "it may still commit";
  s.yes("a");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED a b");
}

TEST(TakeOffice, R3OnlyInventoriesEndWhatIsUndecided) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.restart();
  EXPECT_EQ(s.pass(Millis(600'000)), "");
  EXPECT_EQ(s.state.find(s.t), nullptr);
}

// ── inventories ─────────────────────────────────────────────────────────────────────────────────

TEST(Inventory, R8LiveWorkIsLeftAlone) {
  Stage s;
  s.commit(1);
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "");
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "");
  s.execute();
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "") << "its commit is on the way";
}

TEST(Inventory, AnUndecidedBranchIsPresumedAborted) {
  Stage s;
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "propose ABORTED a because UNAVAILABLE");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK?");
  EXPECT_EQ(s.office->counters().presumed_aborted, 1u);
  EXPECT_EQ(s.state.find(s.t)->request_hash, 0u);
  s.finished("a");
  EXPECT_EQ(s.commit(1), "finish b ROLLBACK?; reply 1 ABORTED because UNAVAILABLE")
      << "it fits every request, and the branch that recovery did not know is rolled back";
}

// Its evidence goes through the log: whoever ends the branch by hand before the rollback comes is
// found out, also by a later office.
TEST(Inventory, R7APresumedAbortHasTheEvidenceOfWhatWasFound) {
  Stage s;
  const Evidence evidence = Stage::evidence("a");
  EXPECT_EQ(s.feed(InventoryArrived{"a", s.now.mono, {{s.id(s.t, "a"), evidence}}}),
            "propose ABORTED a because UNAVAILABLE");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK");
  EXPECT_EQ(s.state.find(s.t)->branches.at(0).evidence, evidence);
}

TEST(Inventory, AnUndecidedBranchThatEndedUnheardIsPresumedAborted) {
  Stage s;
  EXPECT_EQ(s.ended(s.id(s.t, "a"), Stage::evidence("a")), "propose ABORTED a because UNAVAILABLE");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK");
  EXPECT_EQ(s.finished("a", FinishResult::kHeuristicCommit), "propose HEURISTIC a COMMIT; warn");
}

TEST(Inventory, ADecidedBranchThatEndedUnheardIsFinishedAsTheRecordSays) {
  Stage s;
  s.commit_and_finish();
  s.pass(Millis(10));
  EXPECT_EQ(s.ended(s.id(s.t, "a"), Stage::evidence("a")), "finish a COMMIT");
  EXPECT_EQ(s.finished("a"), "");
  s.pass(Millis(10));
  EXPECT_EQ(s.ended(s.id(s.t, "b", 2), Stage::evidence("b")), "finish b/1.2 ROLLBACK");
}

TEST(Inventory, R8ABranchOfLiveWorkThatEndedUnheardIsLeftToItsDriver) {
  Stage s;
  s.commit(1);
  s.yes("a");
  EXPECT_EQ(s.ended(s.id(s.t, "a"), Stage::evidence("a")), "");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED a b");
}

TEST(Inventory, R8AnotherXidUnderTheNameOfADecidedBranchIsAStrangers) {
  Stage s;
  s.commit_and_finish();
  s.pass(Millis(10));
  Evidence another = Stage::evidence("a");
  ++another.xid;
  const InventoryArrived found{"a", s.now.mono, {{s.id(s.t, "a"), another}}};
  EXPECT_EQ(s.feed(found), "warn");
  EXPECT_EQ(s.feed(found), "") << "once is enough";
}

TEST(Inventory, OrphansForWhomThereIsNoRoomWaitForTheNextInventory) {
  OfficeOptions options;
  options.transactions_max = 1;
  Stage s(options);
  const BranchId first = s.id(s.t, "a");
  const BranchId second = s.id(s.transaction(2), "a");
  EXPECT_EQ(s.inventory("a", {first, second}), "propose ABORTED a because UNAVAILABLE");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK?");
  s.finished("a");
  s.pass(Millis(10));
  EXPECT_EQ(s.inventory("a", {second}),
            "propose ABORTED a because UNAVAILABLE; propose FORGOTTEN 1");
}

TEST(Inventory, R1ADecisionThatCameFirstWins) {
  Stage s;
  s.inventory("a", {s.id(s.t, "a")});
  s.execute_other(state::Committed{s.t, 99, {{"a", Epoch(1), Attempt(1), Stage::evidence("a")}}});
  EXPECT_EQ(s.execute(), "finish a COMMIT");
  EXPECT_EQ(s.office->counters().presumed_aborted, 0u);
}

TEST(Inventory, BranchesOfOnePresumedAbortAreFoundOneAfterTheOther) {
  Stage s;
  s.inventory("a", {s.id(s.t, "a")});
  EXPECT_EQ(s.inventory("b", {s.id(s.t, "b")}), "");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK?; finish b ROLLBACK?");
}

TEST(Inventory, AListedBranchOfACommittedRecordCommits) {
  Stage s;
  s.commit_and_finish();
  s.pass(Millis(10));
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "finish a COMMIT")
      << "a database that failed over replays what it had acknowledged";
  s.finished("a");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Inventory, R5AnotherAttemptOfACommittedRecordRollsBack) {
  Stage s;
  s.commit_and_finish();
  s.pass(Millis(10));
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a", 2)}), "finish a/1.2 ROLLBACK?");
}

TEST(Inventory, R5AnotherAttemptOfALiveTransactionRollsBackOnceItIsDecided) {
  Stage s;
  s.commit(1);
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a", 2)}), "");
  s.yes("a");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED a b") << "the stray is not in the decision";
  EXPECT_EQ(s.execute(), "finish a COMMIT; finish b COMMIT; finish a/1.2 ROLLBACK?");
  s.finished("a");
  EXPECT_EQ(s.finished("b"), "reply 1 COMMITTED") << "the client does not wait for a stray";
  EXPECT_EQ(s.office->driven_count(), 1u);
  s.feed(FinishArrived{s.id(s.t, "a", 2), FinishResult::kDone});
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Inventory, R5APartOfARecordIsFollowedBranchByBranch) {
  Stage s;
  s.commit_and_finish();
  s.pass(Millis(10));
  s.inventory("a", {s.id(s.t, "a", 2)});
  EXPECT_EQ(s.inventory("b", {s.id(s.t, "b"), s.id(s.t, "b", 3)}),
            "finish b COMMIT; finish b/1.3 ROLLBACK?");
}

TEST(Inventory, AStaleOneDoesNoHarm) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.pass(Millis(10));
  const MonoTime asked = s.now.mono;
  s.execute();
  s.pass(Millis(10));
  s.finished("a");
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}, asked), "") << "a has confirmed since";
  s.finished("b");
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}, asked), "") << "T has finished since";
}

TEST(Inventory, R14AStaleOneOfWhatHasLeftDoesNoHarm) {
  Stage s({}, {.retention = Millis(5'000)});
  s.commit(1);
  s.yes("a");
  s.yes("b");
  const MonoTime asked = s.now.mono;
  s.execute();
  s.finished("a");
  s.finished("b");
  s.pass(Millis(5'000));
  s.execute();
  ASSERT_EQ(s.state.find(s.t), nullptr);
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}, asked), "");
}

TEST(Inventory, R14BelowTheFloorWithoutARecordItIsRolledBackDirectly) {
  Stage s;
  const TransactionId old = s.transaction(1, kLogStart - Millis(600'000));
  EXPECT_EQ(s.inventory("a", {s.id(old, "a")}), "finish a ROLLBACK?");
  EXPECT_EQ(s.inventory("b", {s.id(old, "b")}), "finish b ROLLBACK?");
  s.feed(FinishArrived{s.id(old, "a"), FinishResult::kDone});
  s.feed(FinishArrived{s.id(old, "b"), FinishResult::kDone});
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.pass(Millis(1'000)), "") << "there is no record to forget";
}

// It may have been committed and confirmed, its record gone, and the database restored since.
TEST(Inventory, R14OfAHistoryThatMayBeLostItIsLeftToAnOperator) {
  Stage s({}, {.retention = Millis(5'000)});
  s.commit_and_finish();
  s.pass(Millis(200));
  s.execute();
  s.pass(Millis(5'000));
  s.execute_other(state::Forgotten{});
  ASSERT_EQ(s.state.find(s.t), nullptr);
  s.restore("a");
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "propose HEURISTIC a HAZARD; warn");
  s.execute();
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "") << "it is told once";
  EXPECT_EQ(s.inventory("b", {s.id(s.t, "b", 2)}), "finish b/1.2 ROLLBACK?")
      << "the other database lost nothing";
}

// A driver that rolls back what is safe to roll back does not take in what is not.
TEST(Inventory, R14WhatIsLeftToAnOperatorIsNotTakenInByADriverOfTheSameTransaction) {
  Stage s({}, {.retention = Millis(5'000)});
  s.commit_and_finish();
  s.pass(Millis(200));
  s.execute();
  s.pass(Millis(5'000));
  s.execute_other(state::Forgotten{});
  s.restore("a");
  ASSERT_EQ(s.inventory("b", {s.id(s.t, "b", 2)}), "finish b/1.2 ROLLBACK?");
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "propose HEURISTIC a HAZARD; warn");
}

TEST(Inventory, R14BelowTheFloorARecordStillRules) {
  Stage s({}, {.retention = Millis(5'000)});
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  s.now.log = kLogStart + Millis(60'000);
  s.execute_other(state::Forgotten{});
  s.restart();
  EXPECT_EQ(s.feed(FinishLost{s.id(s.t, "a")}), "");
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "");
  EXPECT_EQ(s.pass(Millis(50)), "finish a COMMIT");
}

// While a stray is driven the record may leave; what it listed has committed and must stay so.
TEST(Inventory, R14AStraysDriverKnowsWhatTheRecordListed) {
  Stage s({}, {.retention = Millis(5'000)});
  s.commit_and_finish();
  s.pass(Millis(200));
  s.execute();
  s.inventory("b", {s.id(s.t, "b", 2)});
  s.pass(Millis(5'000));
  s.execute_other(state::Forgotten{});
  ASSERT_EQ(s.state.find(s.t), nullptr);
  ASSERT_EQ(s.office->driven_count(), 1u);
  EXPECT_EQ(s.abort(2, {Stage::branch("a"), Stage::branch("c")}),
            "finish c ROLLBACK?; reply 2 abort: COMMITTED");
  EXPECT_EQ(s.inventory("b", {s.id(s.t, "b")}), "finish b COMMIT")
      << "a database that failed over replays what it had acknowledged";
}

TEST(Inventory, R14WithoutARecordOnlyWhatIsPreparedIsRolledBack) {
  Stage s;
  const TransactionId old = s.transaction(1, kLogStart - Millis(600'000));
  s.inventory("a", {s.id(old, "a")});
  EXPECT_EQ(s.feed(AbortAsked{Token(1), old, {Stage::branch("b")}, /*never_committed=*/true}),
            "reply 1 error EXPIRED");
  EXPECT_EQ(s.feed(CommitAsked{Token(2), old, {Stage::branch("b")}}), "reply 2 error EXPIRED");
}

TEST(Inventory, R14APresumedAbortThatFallsBelowTheFloorRollsBackDirectly) {
  Stage s({}, {.retention = Millis(5'000)});
  s.inventory("a", {s.id(s.t, "a")});
  s.now.log = kLogStart + Millis(5'000);
  EXPECT_EQ(s.execute(), "finish a ROLLBACK?");
  EXPECT_EQ(s.state.record_count(), 0u);
}

TEST(Inventory, R8StrangersAreLeftAloneAndNamedOnce) {
  Stage s;
  BranchId never_issued = s.id(s.t, "a");
  never_issued.epoch = Epoch(2);
  EXPECT_EQ(s.inventory("a", {never_issued}), "warn");
  EXPECT_EQ(s.inventory("a", {never_issued}), "");
  const BranchId future = s.id(s.transaction(1, kLogStart + Millis(60'001)), "a");
  EXPECT_EQ(s.inventory("a", {future}), "warn");
  EXPECT_EQ(s.inventory("nobody", {s.id(s.t, "nobody")}), "warn");
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "b")}), "") << "not a's to tell";
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Inventory, ABranchOfAnEarlierLifeIsOurs) {
  Stage s;
  s.execute_other(state::Enrolled{"a", "m", Epoch(1), {1, 1}, 1, 1, "host:1", "host:2"});
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "propose ABORTED a because UNAVAILABLE");
}

// A finish in flight while the coordinator is replaced: nothing is lost, nothing is guessed.
TEST(Inventory, WhatAnEarlierOfficePreparedIsEndedByTheNext) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.restart();
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "propose ABORTED a because UNAVAILABLE");
  EXPECT_EQ(s.commit(2), "") << "a client that repeats its commit waits for the same decision";
  EXPECT_EQ(s.execute(),
            "finish a ROLLBACK?; finish b ROLLBACK?; reply 2 ABORTED because UNAVAILABLE");
}

}  // namespace
}  // namespace assent::commit
