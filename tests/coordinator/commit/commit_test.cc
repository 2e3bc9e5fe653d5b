// What a client gets for commit: outcomes, refusals, repeats.
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

using Branches = std::vector<RequestedBranch>;

// ── the way through ─────────────────────────────────────────────────────────────────────────────

TEST(Commit, AppliedIsAnsweredWhenEveryBranchHasConfirmed) {
  Stage s;
  EXPECT_EQ(s.commit(1), "prepare a; prepare b");
  EXPECT_EQ(s.yes("a"), "");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED a b");
  EXPECT_EQ(s.execute(), "finish a COMMIT; finish b COMMIT");
  EXPECT_EQ(s.finished("b"), "");
  EXPECT_EQ(s.finished("a"), "reply 1 COMMITTED");
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.office->counters().committed, 1u);
}

TEST(Commit, DecidedIsAnsweredWhenTheDecisionTookEffect) {
  Stage s;
  s.commit(1, Acknowledge::kDecided);
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.execute(), "finish a COMMIT; finish b COMMIT; reply 1 COMMITTED pending a b");
}

TEST(Commit, R7TheRecordHoldsTheEvidenceOfEveryBranch) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  const auto& branches = s.state.find(s.t)->branches;
  ASSERT_EQ(branches.size(), 2u);
  EXPECT_EQ(branches[0].evidence, Stage::evidence("a"));
  EXPECT_EQ(branches[1].evidence, Stage::evidence("b"));
}

TEST(Commit, AppliedAtItsDeadlineListsWhatIsPending) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  s.finished("a");
  EXPECT_EQ(s.office->pending(s.t), std::vector<std::string>{"b"});
  EXPECT_EQ(s.pass(kTimeout), "reply 1 COMMITTED pending b");
  EXPECT_EQ(s.finished("b"), "");
  EXPECT_TRUE(s.office->pending(s.t).empty());
}

TEST(Commit, ANoAbortsAndSaysWhy) {
  Stage s;
  s.commit(1);
  s.yes("a");
  EXPECT_EQ(s.no("b"), "propose ABORTED a b because SQL");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK; finish b ROLLBACK?; reply 1 ABORTED because SQL");
  EXPECT_EQ(s.state.find(s.t)->reason.participant, "b");
  EXPECT_EQ(s.office->counters().aborted, 1u);
  EXPECT_EQ(s.office->counters().presumed_aborted, 0u);
}

TEST(Commit, TheDeadlineAbortsAndNamesWhoWasSilent) {
  Stage s;
  s.commit(1);
  s.yes("a");
  EXPECT_EQ(s.pass(Millis(999)), "");
  EXPECT_EQ(s.pass(Millis(1)), "propose ABORTED a b because DEADLINE");
  s.execute();
  EXPECT_EQ(s.state.find(s.t)->reason.participant, "b");
}

TEST(Commit, R3NothingIsToldOrRolledBackBeforeTheAbortTookEffect) {
  Stage s;
  s.commit(1);
  s.no("a");
  EXPECT_EQ(s.pass(Millis(60'000)), "");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK?; finish b ROLLBACK?; reply 1 ABORTED because SQL");
}

TEST(Commit, R3NothingIsToldWhileTheCommitsFateIsUnknown) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.pass(Millis(60'000)), "");
  EXPECT_EQ(s.no("b"), "");
  EXPECT_EQ(s.abort(2), "");
  EXPECT_EQ(s.execute(),
            "finish a COMMIT; finish b COMMIT; reply 1 COMMITTED pending a b; "
            "reply 2 abort: COMMITTED");
}

TEST(Commit, R1ARecordThatCameFirstIsFollowed) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute_other(state::Aborted{s.t, 0, Error{ErrorCode::kUnavailable, "presumed"}, {}});
  EXPECT_EQ(s.execute(),
            "finish a ROLLBACK; finish b ROLLBACK; reply 1 ABORTED because UNAVAILABLE");
  EXPECT_EQ(s.office->counters().committed, 0u);
}

TEST(Commit, R5ARecordThatCameFirstCommitsOnlyWhatItLists) {
  Stage s;
  s.commit(1);
  s.no("a");
  s.execute_other(state::Committed{s.t,
                                   99,
                                   {{"a", Epoch(1), Attempt(1), Stage::evidence("a")},
                                    {"c", Epoch(1), Attempt(4), Stage::evidence("c")}}});
  EXPECT_EQ(s.execute(),
            "finish a COMMIT; finish b ROLLBACK?; finish c/1.4 COMMIT; reply 1 error ID_REUSED");
}

TEST(Commit, R14BelowTheFloorItCanNeverCommit) {
  Stage s({}, {.retention = Millis(5'000)});
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.now.log = kLogStart + Millis(5'000);
  EXPECT_EQ(s.execute(), "finish a ROLLBACK; finish b ROLLBACK; reply 1 error EXPIRED");
  EXPECT_EQ(s.state.record_count(), 0u);
  s.finished("a");
  s.finished("b");
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.pass(Millis(1'000)), "") << "there is no record to forget";
}

TEST(Commit, R14ADecisionWhoseRecordHasLeftIsNotGuessedAt) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.feed(DecisionExecuted{s.t, state::AlreadyDecided{Outcome::kCommitted}}),
            "reply 1 error EXPIRED");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

// Rows that are counted behind PREPARE (ADR 0012).
TEST(Commit, R7ANoOfWhatIsPreparedIsRolledBackByItsEvidence) {
  Stage s;
  s.commit(1);
  s.yes("b");
  const Evidence evidence = s.evidence("a");
  EXPECT_EQ(s.feed(VoteArrived{s.id(s.t, "a"), VoteNo{{ErrorCode::kRowCount, "no"}, evidence}}),
            "propose ABORTED a b because ROW_COUNT");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK; finish b ROLLBACK; reply 1 ABORTED because ROW_COUNT");
  EXPECT_EQ(s.state.find(s.t)->branches.front().evidence, evidence);
  EXPECT_EQ(s.finished("a", FinishResult::kDone), "");
  EXPECT_EQ(s.feed(VoteArrived{s.id(s.t, "a"), VoteNo{{ErrorCode::kRowCount, "no"}, evidence}}), "")
      << "late, and of use to nobody";
}

TEST(Commit, AReasonIsCutToABoundedLength) {
  Stage s;
  s.commit(1);
  Error huge{ErrorCode::kSql, std::string(999, 'x') + "\xC3\xA9"};
  huge.sql = SqlError{};
  huge.sql->detail = std::string(1 << 20, 'd');
  s.feed(VoteArrived{s.id(s.t, "a"), VoteNo{huge}});
  s.execute();
  EXPECT_EQ(s.state.find(s.t)->reason.message, std::string(999, 'x')) << "no half character";
  EXPECT_EQ(s.state.find(s.t)->reason.sql->detail.size(), 1'000u);
}

// ── heuristic ends ──────────────────────────────────────────────────────────────────────────────

TEST(Commit, AHeuristicEndIsReportedAndDoesNotBlock) {
  Stage s;
  s.commit_decided();
  EXPECT_EQ(s.finished("a", FinishResult::kHeuristicRollback),
            "propose HEURISTIC a ROLLBACK; warn");
  EXPECT_EQ(s.finished("b"), "reply 1 COMMITTED heuristic a");
  EXPECT_EQ(s.office->counters().heuristic, 1u);
  s.execute();
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Commit, AHeuristicEndIsInTheLogBeforeTheTransactionIsForgotten) {
  Stage s;
  s.commit_decided();
  s.finished("a", FinishResult::kHeuristicRollback);
  s.finished("b");
  EXPECT_EQ(s.pass(Millis(1'000)), "") << "nothing is forgotten yet";
  EXPECT_EQ(s.office->driven_count(), 1u);
  s.execute();
  EXPECT_EQ(s.pass(Millis(1'000)), "propose FORGOTTEN 1");
  EXPECT_EQ(s.state.heuristics().find(s.t)->kind(), state::HeuristicKind::kMixed);
}

TEST(Commit, EveryLaterOfficeKnowsOfAHeuristicEnd) {
  Stage s;
  s.commit_decided();
  s.finished("a", FinishResult::kHeuristicRollback);
  s.restart();  // before it was in the log: the branch is asked again
  EXPECT_EQ(s.finished("a", FinishResult::kHeuristicRollback),
            "propose HEURISTIC a ROLLBACK; warn");
  s.restart(1);
  EXPECT_EQ(s.finished("a", FinishResult::kHeuristicRollback), "warn") << "it is in the log";
  s.finished("b");
  EXPECT_EQ(s.repeat(2, {Stage::branch("a"), Stage::branch("b")}), "reply 2 COMMITTED heuristic a");
}

// What is kept outlives the record, and a status that is asked for then tells T's outcome by it.
TEST(Commit, R10WhatIsKeptOfAStrayNamesTheTransactionsOutcome) {
  Stage s;
  s.commit_decided();
  s.inventory("a", {s.id(s.t, "a", 2)});
  s.feed(FinishArrived{s.id(s.t, "a", 2), FinishResult::kHeuristicCommit});
  s.execute();
  const state::Heuristic* kept = s.state.heuristics().find(s.t);
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(kept->outcome, Outcome::kCommitted);
  EXPECT_EQ(kept->listed, 2u);
}

// It may have been committed once, and forgotten: EXPIRED is what may be said of it.
TEST(Commit, R10OfATransactionWithoutARecordNoOutcomeIsKept) {
  Stage s({}, {.retention = Millis(5'000)});
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.now.log = s.now.log + Millis(60'000);
  s.execute();
  s.feed(FinishArrived{s.id(s.t, "a"), FinishResult::kHazard});
  s.execute();
  ASSERT_EQ(s.state.find(s.t), nullptr);
  ASSERT_NE(s.state.heuristics().find(s.t), nullptr);
  EXPECT_EQ(s.state.heuristics().find(s.t)->listed, 0u);
}

TEST(Commit, AHazardThatEndsWellBeforeItIsInTheLogIsToldTwice) {
  Stage s;
  s.commit_decided();
  s.finished("a", FinishResult::kHazard);
  s.pass(Millis(1));
  s.inventory("a", {s.id(s.t, "a")});
  EXPECT_EQ(s.finished("a"), "propose HEURISTIC a DONE");
  s.finished("b");
  EXPECT_EQ(s.office->driven_count(), 1u);
  s.execute();
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.state.heuristics().find(s.t)->kind(), state::HeuristicKind::kSettled);
}

TEST(Commit, AHazardThatEndsWellIsInTheLog) {
  Stage s;
  s.commit_decided();
  EXPECT_EQ(s.finished("a", FinishResult::kHazard), "propose HEURISTIC a HAZARD; warn");
  s.execute();
  s.pass(Millis(1));
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "finish a COMMIT") << "it is prepared after all";
  EXPECT_EQ(s.finished("a"), "propose HEURISTIC a DONE");
  EXPECT_EQ(s.finished("b"), "reply 1 COMMITTED heuristic a");
  EXPECT_EQ(s.execute(), "");
  EXPECT_EQ(s.repeat(2, {Stage::branch("a"), Stage::branch("b")}), "reply 2 COMMITTED");
}

// ── repeats ─────────────────────────────────────────────────────────────────────────────────────

TEST(Commit, R9ARepeatWhilePreparingJoins) {
  Stage s;
  s.commit(1);
  EXPECT_EQ(s.commit(2, Acknowledge::kDecided), "");
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.execute(), "finish a COMMIT; finish b COMMIT; reply 2 COMMITTED pending a b");
  s.finished("a");
  EXPECT_EQ(s.finished("b"), "reply 1 COMMITTED");
}

TEST(Commit, ACallerThatJoinsHasItsOwnDeadline) {
  Stage s;
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  s.commit(2, Acknowledge::kApplied, {Stage::branch("a"), Stage::branch("b")}, Millis(100));
  EXPECT_EQ(s.pass(Millis(100)), "reply 2 COMMITTED pending a b");
  EXPECT_EQ(s.pass(Millis(900)), "reply 1 COMMITTED pending a b");
}

TEST(Commit, TheEarliestDeadlineOfAllCallersEndsThePreparing) {
  Stage s;
  s.commit(1);
  s.commit(2, Acknowledge::kApplied, {Stage::branch("a"), Stage::branch("b")}, Millis(100));
  s.commit(3, Acknowledge::kApplied, {Stage::branch("a"), Stage::branch("b")}, Millis(9'000));
  EXPECT_EQ(s.pass(Millis(100)), "propose ABORTED a b because DEADLINE");
}

TEST(Commit, R9ARepeatAfterTheEndIsAnsweredFromTheRecord) {
  Stage s;
  s.commit_and_finish();
  EXPECT_EQ(s.commit(2), "reply 2 COMMITTED");
  s.pass(Millis(1'000));
  s.execute();
  EXPECT_EQ(s.commit(3), "reply 3 COMMITTED");
}

TEST(Commit, R9ARepeatMayNameItsBranchesInAnotherOrder) {
  Stage s;
  s.commit_and_finish();
  EXPECT_EQ(s.commit(2, Acknowledge::kApplied, {Stage::branch("b"), Stage::branch("a")}),
            "reply 2 COMMITTED");
}

TEST(Commit, R9AnotherRequestUnderTheSameIdIsRefused) {
  const auto others = [] {
    Branches more_statements = {Stage::branch("a"), Stage::branch("b")};
    more_statements[0].statements = 3;
    return std::vector<Branches>{
        {Stage::branch("a")},
        {Stage::branch("a"), Stage::branch("b", 2)},
        {Stage::branch("a"), Stage::branch("b"), Stage::branch("c")},
        more_statements,
    };
  }();
  for (const Branches& other : others) {
    Stage live;
    live.commit(1);
    EXPECT_EQ(live.commit(2, Acknowledge::kApplied, other), "reply 2 error ID_REUSED");
    Stage ended;
    ended.commit_and_finish();
    EXPECT_EQ(ended.commit(2, Acknowledge::kApplied, other), "reply 2 error ID_REUSED");
  }
}

TEST(Commit, R10AnAbortIsForEver) {
  Stage s;
  s.commit(1);
  s.no("a");
  s.execute();
  EXPECT_EQ(s.commit(2), "reply 2 ABORTED because SQL");
  s.finished("a");
  s.finished("b");
  EXPECT_EQ(s.commit(3), "reply 3 ABORTED because SQL");
  s.restart();
  s.finished("a");
  s.finished("b");
  EXPECT_EQ(s.commit(4), "reply 4 ABORTED because SQL");
}

TEST(Commit, CallersOfOneTransactionAreBounded) {
  Stage s;
  for (std::uint64_t token = 1; token <= 64; ++token) s.commit(token);
  EXPECT_EQ(s.commit(65), "reply 65 error OVERLOADED");
}

// ── refusals ────────────────────────────────────────────────────────────────────────────────────

TEST(Commit, MalformedRequestsAreRefused) {
  Stage s;
  Branches many;
  for (int i = 0; i < 65; ++i) many.push_back(Stage::branch("p" + std::to_string(i)));
  RequestedBranch no_epoch = Stage::branch("a");
  no_epoch.epoch = Epoch(0);
  const std::vector<Branches> bad = {
      {},
      many,
      {Stage::branch("a"), Stage::branch("a", 2)},
      {Stage::branch("A")},
      {Stage::branch("")},
      {Stage::branch("a", 0)},
      {no_epoch},
  };
  for (const Branches& branches : bad) {
    EXPECT_EQ(s.commit(1, Acknowledge::kApplied, branches), "reply 1 error INVALID_ARGUMENT");
  }
  for (const std::int64_t timeout : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{600'001}}) {
    EXPECT_EQ(s.commit(1, Acknowledge::kApplied, {Stage::branch("a")}, Millis(timeout)),
              "reply 1 error INVALID_ARGUMENT");
  }
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Commit, AnUnknownParticipantIsRefused) {
  Stage s;
  EXPECT_EQ(s.commit(1, Acknowledge::kApplied, {Stage::branch("a"), Stage::branch("nobody")}),
            "reply 1 error UNKNOWN_PARTICIPANT");
}

TEST(Commit, R17AnIdFromTheFutureIsRefused) {
  Stage s;
  const auto asked = [&](Millis ahead) {
    return s.feed(CommitAsked{Token(1), s.transaction(1, kLogStart + ahead), {Stage::branch("a")}});
  };
  EXPECT_EQ(asked(Millis(60'001)), "reply 1 error CLOCK");
  EXPECT_EQ(asked(Millis(60'000)), "prepare a");
}

TEST(Commit, R14AnIdAtTheFloorWithoutARecordIsRefused) {
  Stage s({}, {.retention = Millis(5'000)});
  s.execute_other(state::Forgotten{});
  const auto asked = [&](Millis behind) {
    return s.feed(
        CommitAsked{Token(1), s.transaction(1, kLogStart - behind), {Stage::branch("a")}});
  };
  EXPECT_EQ(asked(Millis(5'000)), "reply 1 error EXPIRED");
  EXPECT_EQ(asked(Millis(4'999)), "prepare a");
}

TEST(Commit, R14ARecordBelowTheFloorStillAnswers) {
  Stage s({}, {.retention = Millis(5'000)});
  s.commit(1);
  s.yes("a");
  s.yes("b");
  s.execute();
  s.now.log = kLogStart + Millis(60'000);
  s.execute_other(state::Forgotten{});
  EXPECT_EQ(s.commit(2, Acknowledge::kDecided), "reply 2 COMMITTED pending a b");
}

TEST(Commit, OneTransactionTooManyIsRefusedAtOnce) {
  OfficeOptions options;
  options.transactions_max = 2;
  Stage s(options);
  const auto asked = [&](std::uint64_t number) {
    return s.feed(CommitAsked{Token(number), s.transaction(number), {Stage::branch("a")}});
  };
  EXPECT_EQ(asked(1), "prepare a");
  EXPECT_EQ(asked(2), "prepare a");
  EXPECT_EQ(asked(3), "reply 3 error OVERLOADED");
  EXPECT_EQ(asked(1), "") << "a repeat needs no room";
}

}  // namespace
}  // namespace assent::commit
