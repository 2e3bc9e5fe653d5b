// Whole branches that travel with the commit: their attempts, their results, their repeats; and
// branches that leave as readers.
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

using Branches = std::vector<RequestedBranch>;

const Branches kBoth = {Stage::one_shot("a"), Stage::one_shot("b")};

// ── attempts ────────────────────────────────────────────────────────────────────────────────────

TEST(OneShots, R5TheLeaderIssuesTheAttemptInTheParticipantsPresentEpoch) {
  Stage s;
  s.enrol("b", false);
  EXPECT_EQ(s.commit(1, kBoth), "prepare a/1.1#1 one-shot from 1; prepare b/2.1#1 one-shot from 1");
  EXPECT_EQ(s.office->counters().one_shots, 2u);
}

TEST(OneShots, R5EveryOfficeHasItsOwnNumber) {
  Stage s;
  s.restart();
  EXPECT_EQ(s.commit(1, {Stage::one_shot("a")}), "prepare a/1.2#1 one-shot from 1");
}

TEST(OneShots, R5TheLowWaterMarkRisesWhenTransactionsAreDone) {
  Stage s;
  const auto ask = [&](std::uint64_t number) {
    return s.feed(CommitAsked{Token(number),
                              s.transaction(number),
                              {Stage::one_shot("a")},
                              Acknowledge::kApplied,
                              kTimeout,
                              s.state.office_number()});
  };
  const auto leave = [&](std::uint64_t number) {
    const BranchId branch{s.transaction(number), "a", Epoch(1), one_shot_attempt({1, number})};
    s.feed(VoteArrived{branch, VoteReadOnly{}});
    s.execute();
  };
  ask(1);
  EXPECT_EQ(ask(2), "prepare a/1.1#2 one-shot from 1");
  leave(2);
  EXPECT_EQ(ask(3), "prepare a/1.1#3 one-shot from 1") << "1 is live";
  leave(1);
  EXPECT_EQ(ask(4), "prepare a/1.1#4 one-shot from 3");
}

TEST(OneShots, R5ARepeatedPrepareHasTheSameAttemptAndThePresentMark) {
  Stage s;
  s.commit(1, {Stage::one_shot("a")});
  const TransactionId other = s.transaction(2);
  s.feed(CommitAsked{Token(2),
                     other,
                     {Stage::one_shot("a")},
                     Acknowledge::kApplied,
                     kTimeout,
                     s.state.office_number()});
  s.feed(PrepareLost{{other, "a", Epoch(1), one_shot_attempt({1, 2})}, Error{}});
  s.feed(VoteArrived{{s.t, "a", Epoch(1), one_shot_attempt({1, 1})}, VoteReadOnly{}});
  s.execute();
  EXPECT_NE(s.pass(Millis(50)).find("prepare a/1.1#2 one-shot from 2"), std::string::npos);
}

TEST(OneShots, ADecisionNamesTheIssuedAttempts) {
  Stage s;
  s.commit(1, kBoth);
  s.yes("a");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED a/1.1#1 b/1.1#1");
  EXPECT_EQ(s.execute(), "finish a/1.1#1 COMMIT; finish b/1.1#1 COMMIT");
}

// ── results ─────────────────────────────────────────────────────────────────────────────────────

TEST(OneShots, TheAnswerBringsTheResultsInTheOrderOfTheRequest) {
  Stage s;
  s.commit(1, {Stage::one_shot("b"), Stage::branch("c"), Stage::one_shot("a")});
  s.yes("a");
  s.read_only("b");
  s.yes("c");
  s.execute();
  s.finished("a");
  EXPECT_EQ(s.finished("c"), "reply 1 COMMITTED read-only b results b a");
}

TEST(OneShots, AnAbortBringsNoResults) {
  Stage s;
  s.commit(1, kBoth);
  s.yes("a");
  s.no("b");
  EXPECT_EQ(s.execute(),
            "finish a/1.1#1 ROLLBACK; finish b/1.1#1 ROLLBACK?; reply 1 ABORTED because SQL");
}

TEST(OneShots, WithoutOneOfTheResultsNoneIsGiven) {
  Stage s;
  s.commit(1, kBoth);
  s.yes("a");
  s.feed(VoteArrived{{s.t, "b", Epoch(1), one_shot_attempt({1, 1})}, VoteReadOnly{nullptr}});
  s.execute();
  EXPECT_EQ(s.finished("a"), "reply 1 COMMITTED read-only b results gone");
}

TEST(OneShots, R9ALateJoinerLearnsThatTheResultsAreGone) {
  Stage s;
  s.commit(1, Acknowledge::kDecided, kBoth);
  s.yes("a");
  s.yes("b");
  EXPECT_NE(s.execute().find("reply 1 COMMITTED pending a b results a b"), std::string::npos);
  EXPECT_EQ(s.repeat(2, kBoth), "") << "APPLIED waits";
  s.finished("a");
  EXPECT_EQ(s.finished("b"), "reply 2 COMMITTED results gone");
}

TEST(OneShots, R9ResultsAreKeptForACallerThatStillWaits) {
  Stage s;
  s.commit(1, kBoth);
  s.feed(CommitAsked{Token(2), s.t, kBoth, Acknowledge::kDecided, kTimeout});
  s.yes("a");
  s.yes("b");
  s.execute();
  s.finished("a");
  EXPECT_EQ(s.finished("b"), "reply 1 COMMITTED results a b");
}

TEST(OneShots, R9ARecordAnswersThatTheResultsAreGone) {
  Stage s;
  s.commit(1, kBoth);
  s.yes("a");
  s.read_only("b");
  s.execute();
  s.finished("a");
  EXPECT_EQ(s.repeat(2, kBoth), "reply 2 COMMITTED read-only b results gone");
  s.restart();
  EXPECT_EQ(s.repeat(3, kBoth), "") << "the new office carries it out again";
  EXPECT_EQ(s.feed(FinishArrived{{s.t, "a", Epoch(1), one_shot_attempt({1, 1})}}),
            "reply 3 COMMITTED read-only b results gone");
}

// ── ADR 0005, 2: a repeat is not run ────────────────────────────────────────────────────────────

TEST(OneShots, R9ARepeatThatNobodyDrivesIsNotRun) {
  Stage s;
  EXPECT_EQ(s.repeat(1, kBoth), "propose ABORTED because UNAVAILABLE");
  EXPECT_EQ(s.execute(), "reply 1 ABORTED because UNAVAILABLE");
  EXPECT_EQ(s.office->counters().one_shots, 0u);
  EXPECT_NE(s.state.find(s.t)->request_hash, 0u) << "another request is told ID_REUSED";
}

TEST(OneShots, R9ARepeatIsNotRunAndItsOpenBranchesRollBack) {
  Stage s;
  EXPECT_EQ(s.repeat(1, {Stage::one_shot("a"), Stage::branch("b")}),
            "propose ABORTED b because UNAVAILABLE");
  EXPECT_EQ(s.execute(), "finish b ROLLBACK?; reply 1 ABORTED because UNAVAILABLE");
}

TEST(OneShots, R9ARepeatWithAWriterIsSettledBeforeItIsAborted) {
  Stage s;
  const Branches request = {Stage::one_shot("a"), Stage::one_shot_reader("b")};
  EXPECT_EQ(s.repeat(1, request), "settle a");
  EXPECT_EQ(s.settled("a", false), "propose ABORTED because UNAVAILABLE");
  EXPECT_EQ(s.execute(), "reply 1 ABORTED because UNAVAILABLE");
}

TEST(OneShots, R9ARepeatThatHadCommittedInOnePhaseSaysSo) {
  Stage s;
  const Branches request = {Stage::one_shot("a"), Stage::one_shot_reader("b")};
  s.repeat(1, request);
  EXPECT_EQ(s.settled("a", true), "reply 1 COMMITTED in one phase read-only b results gone");
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.state.record_count(), 0u);
}

// ── ADR 0005, 11: `first` is promised to one office ─────────────────────────────────────────────

TEST(OneShots, R9AFirstCopyThatComesToALaterOfficeIsNotRun) {
  Stage s;
  const std::uint64_t office = s.state.office_number();
  s.restart();
  EXPECT_EQ(s.promise(1, kBoth, office), "reply 1 error NOT_LEADER");
  EXPECT_EQ(s.office->driven_count(), 0u) << "nothing was done";
  EXPECT_EQ(s.promise(2, kBoth, office + 1),
            "prepare a/1.2#1 one-shot from 1; prepare b/1.2#1 one-shot from 1")
      << "the promise, made anew";
}

TEST(OneShots, TheRefusalNamesThePresentOffice) {
  Stage s;
  s.restart();
  const Effects effects =
      s.office->step(s.now, CommitAsked{Token(1), s.t, kBoth, Acknowledge::kApplied, kTimeout, 1});
  ASSERT_EQ(effects.replies.size(), 1u);
  EXPECT_EQ(std::get<Error>(effects.replies[0].answer).office, 2u);
}

TEST(OneShots, R9WhatIsDrivenOrDecidedAnswersAFirstCopyOfAnyOffice) {
  Stage s;
  s.restart();
  s.promise(1, kBoth, 2);
  EXPECT_EQ(s.promise(2, kBoth, 1), "") << "it joins";
  s.yes("a");
  s.yes("b");
  s.execute();
  s.finished("a");
  s.finished("b");
  EXPECT_EQ(s.promise(3, kBoth, 1), "reply 3 COMMITTED results gone");
}

TEST(OneShots, R9ARepeatOfWhatIsDrivenJoins) {
  Stage s;
  s.commit(1, kBoth);
  EXPECT_EQ(s.repeat(2, kBoth), "");
  s.yes("a");
  s.yes("b");
  s.execute();
  s.finished("a");
  EXPECT_EQ(s.finished("b"), "reply 1 COMMITTED results a b; reply 2 COMMITTED results a b");
}

TEST(OneShots, ARepeatOfInteractiveBranchesIsDriven) {
  Stage s;
  EXPECT_EQ(s.repeat(1, {Stage::branch("a"), Stage::branch("b")}), "prepare a; prepare b");
}

TEST(OneShots, R9OtherStatementsAreAnotherRequest) {
  Stage s;
  s.commit(1, kBoth);
  EXPECT_EQ(s.repeat(2, {Stage::one_shot("a", "SELECT 2"), Stage::one_shot("b")}),
            "reply 2 error ID_REUSED");
}

// ── readers that leave ──────────────────────────────────────────────────────────────────────────

TEST(Readers, R11AReaderIsNeitherFinishedNorPending) {
  Stage s;
  s.commit(1, Acknowledge::kDecided);
  s.read_only("a");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED b");
  EXPECT_EQ(s.execute(), "finish b COMMIT; reply 1 COMMITTED pending b read-only a");
  s.finished("b");
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.office->counters().read_only_votes, 1u);
}

TEST(Readers, R11NothingIsToldBeforeTheCommitOfReadersTookEffect) {
  Stage s;
  s.commit(1);
  s.read_only("a");
  EXPECT_EQ(s.read_only("b"), "propose COMMITTED");
  EXPECT_EQ(s.execute(), "reply 1 COMMITTED read-only a b");
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.repeat(2, {Stage::branch("a"), Stage::branch("b")}),
            "reply 2 COMMITTED read-only a b");
  s.restart();
  EXPECT_EQ(s.repeat(3, {Stage::branch("a"), Stage::branch("b")}),
            "reply 3 COMMITTED read-only a b");
}

TEST(Readers, AnAbortDoesNotRollBackWhoHasLeft) {
  Stage s;
  s.commit(1);
  s.read_only("a");
  EXPECT_EQ(s.no("b"), "propose ABORTED b because SQL");
  EXPECT_EQ(s.execute(), "finish b ROLLBACK?; reply 1 ABORTED because SQL");
}

TEST(Readers, ALateReaderNeedsNoRollback) {
  Stage s;
  s.commit(1);
  s.no("b");
  s.read_only("a");
  EXPECT_EQ(s.execute(), "finish b ROLLBACK?; reply 1 ABORTED because SQL");
  s.finished("b");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Readers, R5ARecordThatListsAReaderIsFollowed) {
  Stage s;
  s.commit(1);
  s.read_only("a");
  s.no("b");
  s.execute_other(state::Committed{s.t, 0, {{"a", Epoch(1), Attempt(1), Stage::evidence("a")}}});
  EXPECT_EQ(s.execute().substr(0, 15), "finish a COMMIT");
}

}  // namespace
}  // namespace assent::commit
