// Commits in one phase and settles (R12): a test for each point of ADR 0005 that the office keeps.
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

using Branches = std::vector<RequestedBranch>;

const Branches kRequest = {Stage::reader("a"), Stage::branch("b")};

// b allows commits in one phase, in its second life.
struct OnePhaseStage : Stage {
  explicit OnePhaseStage(state::StateOptions state_options = {}) : Stage({}, state_options) {
    enrol("b", /*one_phase=*/true);
    one[0].epoch = Epoch(2);
    request[1].epoch = Epoch(2);
  }

  // Nobody knows what became of the commit in b, nobody waits for it, and its time is over.
  void fall_below_the_floor() {
    prepare_lost("b");
    pass(kTimeout + Millis(1'000));
    prepare_lost("b");
    now.log = kLogStart + Millis(20'000);
    execute_other(state::Forgotten{});
    pass(Millis(60'000));
  }

  Branches one = {branch("b")};
  Branches request = kRequest;
};

// ── the way through ─────────────────────────────────────────────────────────────────────────────

TEST(OnePhase, ASingleWriterIsToldToCommitAtOnce) {
  OnePhaseStage s;
  EXPECT_EQ(s.commit(1, s.one), "prepare b/2.1 ONE PHASE");
  EXPECT_EQ(s.committed("b"), "reply 1 COMMITTED in one phase");
  EXPECT_EQ(s.office->counters().one_phase, 1u);
  EXPECT_EQ(s.office->counters().committed, 0u);
  EXPECT_EQ(s.office->driven_count(), 0u);
  EXPECT_EQ(s.pass(Millis(10'000)), "") << "nothing is logged, nothing is forgotten";
  EXPECT_EQ(s.state.record_count(), 0u);
}

TEST(OnePhase, R11TheReadersAreAskedFirst) {
  OnePhaseStage s;
  EXPECT_EQ(s.commit(1, s.request), "prepare a");
  EXPECT_EQ(s.read_only("a"), "prepare b/2.1 ONE PHASE");
  EXPECT_EQ(s.committed("b"), "reply 1 COMMITTED in one phase read-only a");
}

TEST(OnePhase, AOneShotCommitsInOnePhaseAndBringsItsResults) {
  OnePhaseStage s;
  EXPECT_EQ(s.commit(1, {Stage::one_shot_reader("a"), Stage::one_shot("b")}),
            "prepare a/1.1#1 one-shot from 1");
  EXPECT_EQ(s.read_only("a"), "prepare b/2.1#1 one-shot from 1 ONE PHASE");
  EXPECT_EQ(s.committed("b"), "reply 1 COMMITTED in one phase read-only a results a b");
}

TEST(OnePhase, R11AWrongHintMeansTwoPhases) {
  OnePhaseStage s;
  s.commit(1, s.request);
  EXPECT_EQ(s.yes("a"), "prepare b/2.1");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED a b/2.1");
}

TEST(OnePhase, AParticipantThatDoesNotAllowItPreparesAtOnce) {
  Stage s;
  EXPECT_EQ(s.commit(1, kRequest), "prepare a; prepare b");
}

TEST(OnePhase, TwoThatMayHaveWrittenPrepareAtOnce) {
  OnePhaseStage s;
  EXPECT_EQ(s.commit(1, {Stage::branch("a"), s.one[0]}), "prepare a; prepare b/2.1");
}

TEST(OnePhase, AWriterThatHadOnlyReadMakesATransactionOfReaders) {
  OnePhaseStage s;
  s.commit(1, s.request);
  s.read_only("a");
  EXPECT_EQ(s.read_only("b"), "propose COMMITTED");
  EXPECT_EQ(s.execute(), "reply 1 COMMITTED read-only a b");
}

TEST(OnePhase, AWriterThatIsPreparedGoesOnInTwoPhases) {
  OnePhaseStage s;
  s.commit(1, s.request);
  s.read_only("a");
  EXPECT_EQ(s.yes("b"), "propose COMMITTED b/2.1");
  EXPECT_EQ(s.execute(), "finish b/2.1 COMMIT");
  EXPECT_EQ(s.finished("b"), "reply 1 COMMITTED read-only a");
}

TEST(OnePhase, ALostOneIsSentAgainForEver) {
  OnePhaseStage s;
  s.commit(1, s.one);
  s.prepare_lost("b");
  EXPECT_EQ(s.pass(Millis(50)), "prepare b/2.1 ONE PHASE");
  s.prepare_lost("b");
  EXPECT_EQ(s.feed(AgentUp{"b"}), "prepare b/2.1 ONE PHASE");
  s.pass(Millis(60'000));
  s.prepare_lost("b");
  EXPECT_EQ(s.pass(Millis(1'000)), "prepare b/2.1 ONE PHASE");
}

// ── ADR 0005, 1: a statement runs once ──────────────────────────────────────────────────────────

TEST(Adr5Point1, ALostOneShotIsSentAgainUnderItsOwnSerial) {
  OnePhaseStage s;
  s.commit(1, {Stage::one_shot("b")});
  s.prepare_lost("b");
  EXPECT_EQ(s.pass(Millis(50)), "prepare b/2.1#1 one-shot from 1 ONE PHASE");
}

// ── 5: no abort past a commit ───────────────────────────────────────────────────────────────────

TEST(Adr5Point5, AFirstRequestWhoseWriterWasNotAskedAbortsAtOnce) {
  OnePhaseStage s;
  s.commit(1, s.request);
  EXPECT_EQ(s.no("a"), "propose ABORTED a b/2.1 because SQL");
}

TEST(Adr5Point5, ARepeatSettlesBeforeItAborts) {
  OnePhaseStage s;
  s.repeat(1, s.request);
  EXPECT_EQ(s.no("a"), "settle b");
  EXPECT_EQ(s.settled("b", false), "propose ABORTED a b/2.1 because SQL");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK?; finish b/2.1 ROLLBACK?; reply 1 ABORTED because SQL");
  EXPECT_EQ(s.office->counters().settles, 1u);
}

TEST(Adr5Point5, ARepeatOfWhatCommittedSaysSo) {
  OnePhaseStage s;
  s.repeat(1, s.request);
  s.no("a");
  EXPECT_EQ(s.settled("b", true), "reply 1 COMMITTED in one phase read-only a");
  EXPECT_EQ(s.state.record_count(), 0u);
}

// The earlier office may have had the switch on.
TEST(Adr5Point5, ARepeatSettlesWhereOnePhaseIsOffByNow) {
  Stage s;
  EXPECT_EQ(s.repeat(1, kRequest), "prepare a; prepare b");
  EXPECT_EQ(s.no("a"), "settle b");
}

TEST(Adr5Point5, ARepeatsDeadlineSettlesToo) {
  OnePhaseStage s;
  s.repeat(1, s.request);
  EXPECT_EQ(s.pass(kTimeout), "settle b");
  EXPECT_EQ(s.settled("b", false), "propose ABORTED a b/2.1 because DEADLINE");
}

TEST(Adr5Point5, ARepeatWithoutAWriterHasNothingToSettle) {
  OnePhaseStage s;
  s.repeat(1, {Stage::branch("a"), s.one[0]});
  EXPECT_EQ(s.no("a"), "propose ABORTED a b/2.1 because SQL");
}

TEST(Adr5Point5, AnAbortSettlesUnlessCommitWasNeverAskedFor) {
  OnePhaseStage s;
  EXPECT_EQ(s.abort_unsure(1, s.request), "settle b");
  EXPECT_EQ(s.settled("b", false), "propose ABORTED a b/2.1 because BRANCH_ENDED");
  EXPECT_EQ(s.execute(), "finish a ROLLBACK?; finish b/2.1 ROLLBACK?; reply 1 abort: ABORTED");
  OnePhaseStage never;
  EXPECT_EQ(never.abort(1, never.request), "propose ABORTED a b/2.1 because BRANCH_ENDED");
}

TEST(Adr5Point5, AnAbortOfWhatCommittedSaysSoAndTouchesNothing) {
  OnePhaseStage s;
  s.abort_unsure(1, s.request);
  EXPECT_EQ(s.settled("b", true), "reply 1 abort: COMMITTED");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Adr5Point5, ACommitThatJoinsASettlingAbortLearnsWhatStands) {
  OnePhaseStage s;
  s.abort_unsure(1, s.one);
  EXPECT_EQ(s.repeat(2, s.request), "");
  EXPECT_EQ(s.settled("b", true),
            "reply 1 abort: COMMITTED; reply 2 COMMITTED in one phase read-only a");
}

TEST(Adr5Point5, ASettleIsSentAgainForEver) {
  OnePhaseStage s;
  s.abort_unsure(1, s.one);
  for (const std::int64_t pause : {50, 100, 200, 400, 800, 1'000, 1'000}) {
    EXPECT_EQ(s.feed(SettleLost{"b", s.t}), "");
    EXPECT_EQ(s.feed(SettleLost{"b", s.t}), "") << "a duplicate";
    EXPECT_EQ(s.pass(Millis(pause - 1)), "");
    EXPECT_EQ(s.pass(Millis(1)), "settle b");
  }
  s.feed(SettleLost{"b", s.t});
  EXPECT_EQ(s.feed(AgentUp{"b"}), "settle b");
  EXPECT_EQ(s.feed(AgentUp{"b"}), "") << "it is in flight";
}

TEST(Adr5Point5, ALateVoteThatSaysCommittedSettlesItAsWell) {
  OnePhaseStage s;
  s.repeat(1, s.request);
  s.read_only("a");
  s.no("b");
  EXPECT_EQ(s.committed("b"), "reply 1 COMMITTED in one phase read-only a");
  EXPECT_EQ(s.settled("b", true), "");
}

TEST(Adr5Point5, ARepeatWhoseWriterRemembersTheCommitIsAnsweredByItsVote) {
  Stage s;
  s.repeat(1, kRequest);
  EXPECT_EQ(s.committed("b"), "reply 1 COMMITTED in one phase read-only a");
}

// A request that was sent first may be delivered last.
TEST(Adr5Point5, AFirstCopyThatComesLastIsARepeat) {
  OnePhaseStage s;
  s.repeat(1, s.request);
  s.read_only("a");
  s.committed("b");
  EXPECT_EQ(s.commit(2, s.request), "prepare a");
  EXPECT_EQ(s.no("a"), "settle b") << "a's agent has restarted meanwhile";
  EXPECT_EQ(s.settled("b", true), "reply 2 COMMITTED in one phase read-only a");
}

// ── 11: `first` is promised to one office ───────────────────────────────────────────────────────

// Its repeat committed in one phase in an office whose memory went with it.
TEST(Adr5Point11, AFirstCopyThatComesToALaterOfficeIsARepeat) {
  OnePhaseStage s;
  const std::uint64_t office = s.state.office_number();
  s.repeat(1, s.request);
  s.read_only("a");
  s.committed("b");
  s.restart();
  EXPECT_EQ(s.promise(2, s.request, office), "prepare a");
  EXPECT_EQ(s.no("a"), "settle b");
  EXPECT_EQ(s.settled("b", true), "reply 2 COMMITTED in one phase read-only a");
}

// ── 6: a definite NO ────────────────────────────────────────────────────────────────────────────

TEST(Adr5Point6, AFirstRequestsNoIsDefinite) {
  OnePhaseStage s;
  s.commit(1, s.request);
  s.read_only("a");
  EXPECT_EQ(s.no("b"), "propose ABORTED b/2.1 because SQL");
  EXPECT_EQ(s.execute(), "finish b/2.1 ROLLBACK?; reply 1 ABORTED because SQL");
}

// ── 7: an inventory may presume abort without settling ──────────────────────────────────────────

TEST(Adr5Point7, APresumedAbortDoesNotSettle) {
  OnePhaseStage s;
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a")}), "propose ABORTED a because UNAVAILABLE");
}

TEST(Adr5Point7, WhatIsPreparedBesidesAOnePhaseCommitRollsBack) {
  OnePhaseStage s;
  s.commit(1, s.request);
  s.read_only("a");
  EXPECT_EQ(s.inventory("a", {s.id(s.t, "a", 2)}), "");
  EXPECT_EQ(s.committed("b"), "finish a/1.2 ROLLBACK?; reply 1 COMMITTED in one phase read-only a");
  s.feed(FinishArrived{s.id(s.t, "a", 2)});
  EXPECT_EQ(s.office->driven_count(), 0u);
}

// ── 8: a deadline does not abort ────────────────────────────────────────────────────────────────

TEST(Adr5Point8, AtTheDeadlineTheOutcomeIsUnknownAndAskingAgainBringsIt) {
  OnePhaseStage s;
  s.commit(1, s.one);
  EXPECT_EQ(s.pass(kTimeout), "") << "a little grace";
  EXPECT_EQ(s.pass(Millis(1'000)), "reply 1 error OUTCOME_UNKNOWN");
  EXPECT_EQ(s.pass(Millis(60'000)), "") << "the driver goes on";
  EXPECT_EQ(s.repeat(2, s.one), "");
  EXPECT_EQ(s.committed("b"), "reply 2 COMMITTED in one phase");
}

TEST(Adr5Point8, WhatCertainlyNeverReachedTheWriterIsAbortedAtTheDeadline) {
  OnePhaseStage s;
  s.commit(1, s.one);
  s.prepare_unsent("b");
  s.pass(kTimeout - Millis(1));
  s.prepare_unsent("b");
  EXPECT_EQ(s.pass(Millis(1)), "propose ABORTED b/2.1 because DEADLINE");
}

TEST(Adr5Point8, OneLossThatProvesNothingKeepsItFromBeingAborted) {
  OnePhaseStage s;
  s.commit(1, s.one);
  s.prepare_lost("b");
  s.pass(Millis(1'000));
  s.prepare_unsent("b");
  s.pass(kTimeout);
  s.prepare_unsent("b");
  EXPECT_EQ(s.committed("b"), "");
}

TEST(Adr5Point8, AClientsAbortWaitsForTheWriterNoLongerThanItsPatience) {
  OnePhaseStage s;
  s.commit(1, s.one);
  EXPECT_EQ(s.abort_unsure(2, s.one), "");
  EXPECT_EQ(s.pass(Millis(11'000)), "reply 1 error OUTCOME_UNKNOWN; reply 2 error OUTCOME_UNKNOWN");
  EXPECT_EQ(s.abort(3, s.one), "");
  EXPECT_EQ(s.no("b"), "propose ABORTED b/2.1 because SQL");
  EXPECT_EQ(s.execute(), "finish b/2.1 ROLLBACK?; reply 3 abort: ABORTED");
}

TEST(Adr5Point8, ASettlesCallersLeaveToo) {
  OnePhaseStage s;
  s.repeat(1, s.request);
  EXPECT_EQ(s.pass(kTimeout + Millis(1'000)), "settle b; reply 1 error OUTCOME_UNKNOWN");
  EXPECT_EQ(s.settled("b", false), "propose ABORTED a b/2.1 because DEADLINE");
}

TEST(Adr5Point8, ResultsOfCallersThatLeftAreGone) {
  OnePhaseStage s;
  const Branches request = {Stage::one_shot_reader("a"), Stage::one_shot("b")};
  s.commit(1, request);
  s.read_only("a");
  s.pass(kTimeout + Millis(1'000));
  s.repeat(2, request);
  EXPECT_EQ(s.committed("b"), "reply 2 COMMITTED in one phase read-only a results gone");
}

// ── 10: rows go at the floor ────────────────────────────────────────────────────────────────────

TEST(Adr5Point10, BelowTheFloorASettleThatFindsNoRowLeavesItUnknown) {
  OnePhaseStage s({.retention = Millis(5'000)});
  s.abort_unsure(1, s.one);
  s.now.log = kLogStart + Millis(5'000);
  s.execute_other(state::Forgotten{});
  EXPECT_EQ(s.settled("b", false), "propose ABORTED b/2.1 because BRANCH_ENDED");
  EXPECT_EQ(s.execute(), "reply 1 error OUTCOME_UNKNOWN") << "it may have committed long ago";
}

TEST(Adr5Point10, BelowTheFloorADriverWithoutCallersLeaves) {
  OnePhaseStage s({.retention = Millis(5'000)});
  s.commit(1, s.one);
  s.fall_below_the_floor();
  EXPECT_EQ(s.office->driven_count(), 0U);
}

// Seed 63 of the whole system's simulation: its serial kept the low-water mark down for as long as
// the office lasted.
TEST(Adr5Point10, R5BelowTheFloorADriversSerialLeavesWithIt) {
  OnePhaseStage s({.retention = Millis(5'000)});
  s.commit(1, {Stage::one_shot("b")});
  s.fall_below_the_floor();
  s.office->check_invariants();
  EXPECT_EQ(s.office->driven_count(), 0U);
}

}  // namespace
}  // namespace assent::commit
