// Databases that lost what they had acknowledged: a standby was promoted, or an older copy
// restored.
#include <gtest/gtest.h>

#include <string>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

// T number 1 is committed at a and b, confirmed, and forgotten; its record is kept.
void commit_and_forget(Stage& s) {
  s.commit_and_finish();
  s.pass(Millis(200));
  s.execute();
  ASSERT_TRUE(s.state.find(s.t)->forgotten());
  ASSERT_EQ(s.office->driven_count(), 0u);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

// ── votes ───────────────────────────────────────────────────────────────────────────────────────

TEST(Break, AVoteThatMayBeLostDoesNotCommit) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.restore("b");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED a b") << "the vote was on its way";
  EXPECT_EQ(s.execute(), "propose ABORTED a b because UNAVAILABLE");
  EXPECT_EQ(s.execute(),
            "finish a ROLLBACK; finish b ROLLBACK maybe lost; reply 1 ABORTED because UNAVAILABLE");
  EXPECT_EQ(s.office->counters().committed, 0u);
  EXPECT_EQ(s.office->counters().aborted, 1u);
  EXPECT_NE(s.state.find(s.t)->reason.message.find("'b'"), std::string::npos);
}

TEST(Break, AVoteThatSurvivedCommits) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.restore("b", /*landmark=*/77);
  EXPECT_EQ(s.execute(), "finish a COMMIT; finish b COMMIT kept");
}

TEST(Break, AVoteOutlivesARestartOfItsAgent) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.enrol("b", false);
  EXPECT_EQ(s.execute(), "finish a COMMIT; finish b COMMIT");
}

// ── commits ─────────────────────────────────────────────────────────────────────────────────────

TEST(Break, ACommitThatMayBeLostIsCarriedOutOnceMore) {
  Stage s;
  commit_and_forget(s);
  s.restore("a");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "finish a COMMIT maybe lost") << "with the record's evidence";
  EXPECT_EQ(s.finished("a", FinishResult::kHazard), "propose HEURISTIC a HAZARD; warn");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "") << "once for each break";
  s.execute();
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.commit(2), "reply 2 COMMITTED heuristic a");
}

TEST(Break, WhatIsToldAlreadyIsNotAskedAboutAgain) {
  Stage s;
  commit_and_forget(s);
  s.restore("a");
  s.feed(AgentUp{"a"});
  s.finished("a", FinishResult::kHazard);
  s.execute();
  s.restore("a");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "") << "another transaction may have its number by now";
  s.restart();
  EXPECT_EQ(s.feed(AgentUp{"a"}), "");
  s.restore("b");
  EXPECT_EQ(s.feed(AgentUp{"b"}), "finish b COMMIT maybe lost")
      << "of the other branch nothing is told";
}

// Its PREPARE is there. Its COMMIT PREPARED may be lost alone, and somebody have rolled it back.
TEST(Break, OneWhosePrepareSurvivedIsCarriedOutOnceMoreToo) {
  Stage s;
  commit_and_forget(s);
  s.restore("a", /*landmark=*/77);
  EXPECT_EQ(s.feed(AgentUp{"a"}), "finish a COMMIT kept");
  EXPECT_EQ(s.finished("a", FinishResult::kHeuristicRollback),
            "propose HEURISTIC a ROLLBACK; warn");
  s.execute();
  s.restore("b", /*landmark=*/76);
  EXPECT_EQ(s.feed(AgentUp{"b"}), "finish b COMMIT maybe lost");
}

TEST(Break, ARestartOfItsAgentIsNone) {
  Stage s;
  commit_and_forget(s);
  s.enrol("a", false);
  EXPECT_EQ(s.feed(AgentUp{"a"}), "");
}

// Its confirmation came from the history that is lost.
TEST(Break, OneThatIsStillDrivenIsSentAgain) {
  Stage s;
  s.commit_decided();
  s.finished("a");
  s.restore("a");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "finish a COMMIT maybe lost");
  s.finished("b");
  EXPECT_EQ(s.office->driven_count(), 1u);
  EXPECT_EQ(s.finished("a"), "reply 1 COMMITTED");
}

TEST(Break, OneThatWaitsToBeForgottenIsSentAgainFirst) {
  Stage s;
  s.commit_and_finish();
  s.restore("a");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "finish a COMMIT maybe lost");
  EXPECT_EQ(s.pass(Millis(1'000)), "");
  s.finished("a");
  EXPECT_EQ(s.pass(Millis(200)), "propose FORGOTTEN 1");
}

TEST(Break, AnAbortIsOwedNothing) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.no("b");
  s.execute();
  s.finished("a");
  s.finished("b");
  s.restore("a");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "");
}

TEST(Break, TheNextOfficeLooksAsWell) {
  Stage s;
  commit_and_forget(s);
  s.restore("a");
  EXPECT_EQ(s.restart(), "finish a COMMIT maybe lost");
  EXPECT_EQ(s.feed(AgentUp{"a"}), "");
}

TEST(Break, OfLongAgoIsNotLookedInto) {
  Stage s({}, {.retention = Millis(100'000)});
  s.restore("a");
  s.pass(Millis(100'000));
  s.execute_other(state::Forgotten{});
  s.restart();
  EXPECT_FALSE(s.office->next_deadline().has_value());
}

class ManyCommits : public ::testing::Test {
 protected:
  // Commits of one branch each, all forgotten.
  static void make(Stage& s, std::uint64_t count) {
    state::Forgotten forgotten;
    for (std::uint64_t number = 1; number <= count; ++number) {
      const TransactionId t = s.transaction(number);
      s.execute_other(
          state::Committed{t, 1, {{"a", Epoch(1), Attempt(number), Stage::evidence("a")}}});
      forgotten.transactions.push_back(t);
    }
    s.execute_other(forgotten);
  }
};

TEST_F(ManyCommits, DoNotStandInTheWayOfWhatIsPrepared) {
  Stage s;
  make(s, 150);
  s.restore("a");
  EXPECT_EQ(count(s.feed(AgentUp{"a"}), "finish"), 64u) << "so many wait for a at once";
  EXPECT_EQ(s.pass(Millis(10)), "");
  const auto finish = [&s](std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t number = first; number <= last; ++number) {
      s.feed(FinishArrived{s.id(s.transaction(number), "a", number), FinishResult::kDone});
    }
  };
  finish(1, 30);
  EXPECT_EQ(count(s.pass(Millis(10)), "finish"), 30u);
  finish(31, 94);
  EXPECT_EQ(count(s.pass(Millis(10)), "finish"), 56u);
  finish(95, 150);
  EXPECT_EQ(s.pass(Millis(1'000)), "");
  EXPECT_FALSE(s.office->next_deadline().has_value());
}

TEST_F(ManyCommits, OfOneParticipantDoNotKeepAnotherWaiting) {
  Stage s;
  commit_and_forget(s);
  make(s, 150);
  s.restore("a");
  s.feed(AgentUp{"a"});
  s.restore("b");
  EXPECT_EQ(s.feed(AgentUp{"b"}), "");
  EXPECT_EQ(s.pass(Millis(10)), "finish b COMMIT maybe lost");
}

// They wait for b, whose agent is away: a has answered.
TEST_F(ManyCommits, ThatWaitForAnotherParticipantHoldNobodyUp) {
  Stage s;
  for (std::uint64_t number = 1; number <= 70; ++number) {
    s.execute_other(state::Committed{s.transaction(number),
                                     1,
                                     {{"a", Epoch(1), Attempt(number), Stage::evidence("a")},
                                      {"b", Epoch(1), Attempt(number), Stage::evidence("b")}}});
  }
  const TransactionId last = s.transaction(71);
  s.execute_other(state::Committed{last, 1, {{"a", Epoch(1), Attempt(71), Stage::evidence("a")}}});
  s.execute_other(state::Forgotten{{last}});
  s.restart();
  s.restore("a");
  s.feed(AgentUp{"a"});
  for (std::uint64_t number = 1; number <= 70; ++number) {
    s.feed(FinishArrived{s.id(s.transaction(number), "a", number), FinishResult::kDone});
  }
  EXPECT_EQ(count(s.pass(Millis(10)), "a/1.71 COMMIT maybe lost"), 1u);
  EXPECT_EQ(s.office->driven_count(), 71u);
}

TEST_F(ManyCommits, OfWhichThePreparesSurvivedComeLastAndFewAtATime) {
  Stage s;
  make(s, 20);
  const TransactionId lost = s.transaction(99);
  Evidence later = Stage::evidence("a");
  later.wal_position = 100;
  s.execute_other(state::Committed{lost, 1, {{"a", Epoch(1), Attempt(99), later}}});
  s.execute_other(state::Forgotten{{lost}});
  s.restore("a", /*landmark=*/77);
  const std::string sent = s.feed(AgentUp{"a"});
  EXPECT_EQ(sent.find("finish a/1.99 COMMIT maybe lost"), 0u) << sent;
  EXPECT_EQ(count(sent, "kept"), 3u) << sent;
}

TEST_F(ManyCommits, LeaveRoomForClients) {
  OfficeOptions options;
  options.transactions_max = 20;
  Stage s(options);
  make(s, 15);
  s.restore("a");
  s.feed(AgentUp{"a"});
  s.pass(Millis(100));
  EXPECT_EQ(s.office->driven_count(), 10u);
  for (std::uint64_t number = 1; number <= 10; ++number) {
    s.feed(FinishArrived{s.id(s.transaction(number), "a", number), FinishResult::kDone});
  }
  s.pass(Millis(10));
  EXPECT_EQ(s.office->driven_count(), 5u);
}

// ── answers of a life that is over ──────────────────────────────────────────────────────────────

TEST(OldLife, DoesNotConfirm) {
  Stage s;
  s.commit_decided();
  s.finished("a");
  s.restore("b", /*landmark=*/77);
  EXPECT_EQ(s.feed(FinishArrived{s.id(s.t, "b"), FinishResult::kDone, Epoch(1)}), "");
  EXPECT_EQ(s.pass(Millis(50)), "finish b COMMIT kept");
  EXPECT_EQ(s.feed(FinishArrived{s.id(s.t, "b"), FinishResult::kDone, Epoch(2)}),
            "reply 1 COMMITTED");
}

TEST(OldLife, DoesNotSettle) {
  Stage s;
  s.enrol("a", /*one_phase=*/true);
  s.repeat(1, {Stage::branch("a")});
  s.no("a");
  EXPECT_EQ(s.feed(SettleArrived{"a", s.t, true, Epoch(1)}), "");
  EXPECT_EQ(s.pass(Millis(50)), "settle a");
  EXPECT_EQ(s.feed(SettleArrived{"a", s.t, true, Epoch(2)}), "reply 1 COMMITTED in one phase");
}

// An isolated primary has committed, and its standby serves.
TEST(OldLife, DoesNotCommitInOnePhase) {
  Stage s;
  s.enrol("a", /*one_phase=*/true);
  RequestedBranch branch = Stage::branch("a");
  branch.epoch = Epoch(2);
  EXPECT_EQ(s.commit(1, {branch}), "prepare a/2.1 ONE PHASE");
  s.restore("a");
  EXPECT_EQ(s.committed("a"), "settle a") << "the standby's agent reads the row";
  EXPECT_EQ(s.committed("a"), "") << "once";
  EXPECT_EQ(s.feed(SettleArrived{"a", s.t, true, Epoch(3)}), "reply 1 COMMITTED in one phase");
}

TEST(OldLife, CommitsInOnePhaseWhereNothingWasLost) {
  Stage s;
  s.enrol("a", /*one_phase=*/true);
  RequestedBranch branch = Stage::branch("a");
  branch.epoch = Epoch(2);
  s.commit(1, {branch});
  s.enrol("a", /*one_phase=*/true);
  EXPECT_EQ(s.committed("a"), "reply 1 COMMITTED in one phase");
}

// The first request may have reached the life that is over; the next one has no trace of it.
TEST(OldLife, MayHaveCommittedInOnePhaseWhatTheNextOneDoesNotKnow) {
  Stage s;
  s.enrol("a", /*one_phase=*/true);
  RequestedBranch branch = Stage::branch("a");
  branch.epoch = Epoch(2);
  s.commit(1, {branch});
  s.prepare_lost("a");
  s.restore("a");
  s.pass(Millis(60));
  EXPECT_EQ(s.no("a"), "settle a");
  EXPECT_EQ(s.feed(SettleArrived{"a", s.t, false, Epoch(3)}),
            "propose ABORTED a/2.1 because OUTCOME_UNKNOWN");
}

TEST(OldLife, ShowsNoInventory) {
  Stage s;
  s.enrol("a", false);
  const BranchId branch = s.id(s.t, "a");
  EXPECT_EQ(s.feed(InventoryArrived{"a", s.now.mono, {{branch}}, {}, Epoch(1)}), "");
  EXPECT_EQ(s.feed(InventoryArrived{"a", s.now.mono, {{branch}}, {}, Epoch(2)}),
            "propose ABORTED a because UNAVAILABLE");
}

// ── commits in one phase ────────────────────────────────────────────────────────────────────────

class LostRow : public ::testing::Test {
 protected:
  LostRow() { s.enrol("a", /*one_phase=*/true); }

  // A repeat of T's commit, whose first copy an earlier office may have had committed.
  void repeat_until_settled() {
    EXPECT_EQ(s.repeat(1, {Stage::branch("a")}), "prepare a ONE PHASE");
    EXPECT_EQ(s.no("a"), "settle a");
  }

  Stage s;
};

TEST_F(LostRow, IsNoAbort) {
  s.restore("a");
  EXPECT_EQ(s.repeat(1, {Stage::branch("a")}), "prepare a") << "this life allows one phase no more";
  EXPECT_EQ(s.no("a"), "settle a");
  EXPECT_EQ(s.settled("a", false), "propose ABORTED a because OUTCOME_UNKNOWN");
  EXPECT_EQ(s.execute(),
            "propose HEURISTIC a HAZARD; finish a ROLLBACK? maybe lost; reply 1 error "
            "OUTCOME_UNKNOWN; warn");
  s.finished("a");
  EXPECT_EQ(s.office->driven_count(), 1u) << "not forgotten before an operator is told";
  s.execute();
  EXPECT_EQ(s.office->driven_count(), 0u);
  const state::Heuristic* kept = s.state.heuristics().find(s.t);
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(kept->kind(), state::HeuristicKind::kHazard);
  EXPECT_EQ(s.repeat(2, {Stage::branch("a")}), "reply 2 error OUTCOME_UNKNOWN");
  EXPECT_EQ(s.abort_unsure(3, {Stage::branch("a")}), "reply 3 error OUTCOME_UNKNOWN");
}

TEST_F(LostRow, IsToldByTheNextOfficeIfThisOneEndsBefore) {
  s.restore("a");
  s.repeat(1, {Stage::branch("a")});
  s.no("a");
  s.settled("a", false);
  EXPECT_EQ(s.restart(/*executed=*/1),
            "propose HEURISTIC a HAZARD; finish a ROLLBACK? maybe lost; warn");
  s.execute();
  EXPECT_EQ(s.restart(), "finish a ROLLBACK? maybe lost") << "told once";
}

TEST_F(LostRow, AnAbortHearsOfItToo) {
  s.restore("a");
  EXPECT_EQ(s.abort_unsure(1, {Stage::branch("a")}), "settle a");
  s.settled("a", false);
  EXPECT_NE(s.execute().find("reply 1 error OUTCOME_UNKNOWN"), std::string::npos);
}

TEST_F(LostRow, OfAOneShotThatIsNotRunAgain) {
  s.restore("a");
  EXPECT_EQ(s.repeat(1, {Stage::one_shot("a")}), "settle a");
  EXPECT_EQ(s.settled("a", false), "propose ABORTED because OUTCOME_UNKNOWN");
  EXPECT_EQ(s.execute(), "propose HEURISTIC a/0.0 HAZARD; reply 1 error OUTCOME_UNKNOWN; warn");
  s.execute();
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.restart(), "") << "it is kept already";
}

TEST_F(LostRow, IsNotMissedAfterARestart) {
  s.enrol("a", /*one_phase=*/true);
  repeat_until_settled();
  EXPECT_EQ(s.settled("a", false), "propose ABORTED a because SQL") << "nothing was lost";
}

TEST_F(LostRow, OfABranchOfTheNewHistoryIsThere) {
  s.restore("a");
  RequestedBranch branch = Stage::branch("a");
  branch.epoch = s.state.participant("a")->epoch;
  s.repeat(1, {branch});
  s.no("a");
  EXPECT_EQ(s.settled("a", false), "propose ABORTED a/3.1 because SQL");
}

TEST_F(LostRow, OfAOneShotThatCameLaterIsThere) {
  s.restore("a");
  const TransactionId later = s.transaction(2, kLogStart + Millis(60'001));
  s.now.log = kLogStart + Millis(60'001);
  s.feed(CommitAsked{Token(1), later, {Stage::one_shot("a")}});
  EXPECT_EQ(s.feed(SettleArrived{"a", later, false}), "propose ABORTED because UNAVAILABLE");
}

}  // namespace
}  // namespace assent::commit
