// The diagnosis: facts in, explanation out. A line of the table for each situation that must be
// told apart; then what people must find in the words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/explain/explanation.h"

namespace assent::explain {
namespace {

using commit::BranchStage;
using commit::DrivenStage;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr LogTime kNow{1'800'000'000'000};

// A transaction of two participants, made ten seconds ago, of which nobody knows anything yet.
class Situations : public testing::Test {
 protected:
  Situations() {
    facts_.transaction = make_transaction_id(kNow - Millis(10'000), 1, 2, 3);
    facts_.asked = to_string(*facts_.transaction);
    facts_.log = Viewpoint{
        "demo",    ReplicaId(2),          true, kNow, kNow - Millis(600'000), Millis(600'000), 3,
        Slot(100), kNow - Millis(60'000), false};
    for (const char* name : {"db1", "db2"}) {
      Participant& one = facts_.participants.emplace_back();
      one.name = name;
      one.epoch = Epoch(4);
      one.live = true;
      one.heard_ago = Millis(200);
      one.agent = AgentSays{Epoch(4), kNow, {}, {}, {}, {}, {}};
    }
  }

  Participant& at(const std::string& name) { return facts_.participants[name == "db1" ? 0 : 1]; }
  BranchId branch(const std::string& participant, std::uint64_t epoch = 4) const {
    return {*facts_.transaction, participant, Epoch(epoch), Attempt(1)};
  }
  static state::DecidedBranch decided(const std::string& participant, std::uint64_t epoch = 4) {
    return {participant, Epoch(epoch), Attempt(1), Evidence{700, 1, 1, 4'096}};
  }

  // ── what the log says ───────────────────────────────────────────────────────────────────────

  Record& record(Outcome outcome, std::uint64_t slot = 150, std::uint64_t forgotten_in = 0) {
    Record& out = facts_.record.emplace();
    out.outcome = outcome;
    out.branches = {decided("db1"), decided("db2")};
    out.decided_in = Slot(slot);
    out.decided_at = kNow - Millis(5'000);
    out.forgotten_in = Slot(forgotten_in);
    return out;
  }
  void aborted(ErrorCode code, const std::string& participant, bool presumed = false) {
    Record& out = record(Outcome::kAborted, 150, 160);
    out.reason = Error{code, "why it was aborted", participant};
    out.presumed = presumed;
  }
  commit::DrivenView& driven(DrivenStage stage, BranchStage first, BranchStage second) {
    commit::DrivenView& out = facts_.driven.emplace();
    out.stage = stage;
    out.branches = {{branch("db1"), first, "", std::nullopt, FinishResult::kDone},
                    {branch("db2"), second, "", Millis(400), FinishResult::kDone}};
    return out;
  }
  state::Heuristic& heuristic(FinishResult result, std::uint64_t listed = 2,
                              std::uint64_t epoch = 4) {
    state::Heuristic& out = facts_.heuristic.emplace();
    out.outcome = Outcome::kCommitted;
    out.listed = listed;
    out.found_at = kNow - Millis(1'000);
    out.branches = {{decided("db2", epoch), result}};
    return out;
  }

  // ── what the databases say ──────────────────────────────────────────────────────────────────

  Prepared& prepared(const std::string& participant, std::uint64_t epoch = 4) {
    Prepared& out = at(participant).agent->prepared.emplace_back();
    out.parsed = Gid{"demo", branch(participant, epoch)};
    out.gid = make_gid("demo", out.parsed->branch);
    out.owner = "assent_work";
    out.database = "app";
    out.xid = 700;
    out.age = Millis(3'000);
    out.belonging = Belonging::kOurs;
    return out;
  }
  Remembered& remembered(const std::string& participant, const std::string& state) {
    Remembered& out = at(participant).agent->branch.emplace();
    out.branch = branch(participant);
    out.state = state;
    out.opened_ago = Millis(9'000);
    return out;
  }
  void down(const std::string& participant) {
    at(participant).agent.reset();
    at(participant).unreached = "Connection refused";
  }
  void database_down(const std::string& participant) {
    at(participant).agent->database_error = "the server closed the connection";
  }

  void old() { facts_.transaction = make_transaction_id(kNow - Millis(3'600'000), 1, 2, 3); }

  [[nodiscard]] Explanation explained() const { return explain(facts_); }
  [[nodiscard]] Cause cause() const { return explained().cause; }

  Facts facts_;
};

// ── the table ───────────────────────────────────────────────────────────────────────────────────

TEST_F(Situations, NothingIsKnownOfIt) {
  EXPECT_EQ(cause(), Cause::kUnknown);
  old();
  EXPECT_EQ(cause(), Cause::kExpired);
}

TEST_F(Situations, NothingIsKnownAndNotEverybodyWasAsked) {
  down("db2");
  EXPECT_EQ(cause(), Cause::kNotReached) << "it may be prepared there";
  EXPECT_THAT(explained().commands, ElementsAre(Field(&Command::text, HasSubstr("agent of db2"))));
  facts_.log->leads = false;
  EXPECT_EQ(cause(), Cause::kNotReached) << "whoever leads next may know it";
  EXPECT_THAT(explained().headline, HasSubstr("no replica leads"));
  EXPECT_THAT(explained().commands,
              ElementsAre(Field(&Command::text, HasSubstr("assentctl status"))));
  facts_.log->leads = true;
  old();
  EXPECT_EQ(cause(), Cause::kNotReached);
}

TEST_F(Situations, NoReplicaAnswers) {
  facts_.log.reset();
  facts_.log_unreached = "Connection refused";
  EXPECT_EQ(cause(), Cause::kNotReached);
  EXPECT_THAT(explained().missing, Contains(HasSubstr("no replica")));
}

TEST_F(Situations, NoReplicaLeads) {
  facts_.log->leads = false;
  EXPECT_EQ(cause(), Cause::kNoLeader);
  prepared("db1");
  EXPECT_EQ(cause(), Cause::kNoLeader);
  record(Outcome::kCommitted, 150, 160);
  EXPECT_EQ(cause(), Cause::kDone) << "what a follower has executed is decided";
}

TEST_F(Situations, BranchesAreOpenAndNobodyHasAskedToCommit) {
  remembered("db1", "open").idle_ends_in = Millis(30'000);
  EXPECT_EQ(cause(), Cause::kOpen);
  EXPECT_THAT(explained().next, Contains(HasSubstr("rolled back in 30 s")));
  EXPECT_FALSE(explained().needs_somebody);
}

TEST_F(Situations, ClientWasGoneBeforeItsCommit) {
  remembered("db1", "ended").because = "it was idle for 500 ms";
  EXPECT_EQ(cause(), Cause::kClientGone);
  EXPECT_THAT(explained().why, HasSubstr("idle for 500 ms"));
  EXPECT_FALSE(explained().needs_somebody);
}

TEST_F(Situations, LeaderAsksAndAllAnswer) {
  driven(DrivenStage::kPreparing, BranchStage::kVoted, BranchStage::kAsked);
  EXPECT_EQ(cause(), Cause::kLive);
  facts_.driven->stage = DrivenStage::kProposing;
  facts_.driven->outcome = Outcome::kCommitted;
  EXPECT_EQ(cause(), Cause::kLive);
}

TEST_F(Situations, ParticipantIsDownBeforeTheDecision) {
  driven(DrivenStage::kPreparing, BranchStage::kVoted, BranchStage::kAsked).deadline_in =
      Millis(7'000);
  prepared("db1");
  down("db2");
  EXPECT_EQ(cause(), Cause::kParticipantDownBefore);
  EXPECT_THAT(explained().next, Contains(HasSubstr("in 7.0 s at the latest")));
  EXPECT_THAT(explained().commands, Contains(Field(&Command::text, HasSubstr("the agent of db2"))));
}

TEST_F(Situations, DatabaseIsDownAndItsAgentIsNot) {
  driven(DrivenStage::kPreparing, BranchStage::kVoted, BranchStage::kAsked);
  database_down("db2");
  EXPECT_EQ(cause(), Cause::kParticipantDownBefore);
  EXPECT_THAT(explained().commands,
              ElementsAre(Field(&Command::text, HasSubstr("the PostgreSQL server of db2"))));
}

TEST_F(Situations, DownParticipantThatHasVotedHoldsNothingUp) {
  driven(DrivenStage::kPreparing, BranchStage::kAsked, BranchStage::kVoted);
  down("db2");
  EXPECT_EQ(cause(), Cause::kLive);
}

TEST_F(Situations, DeadlineHasPassedWhileAParticipantWasDown) {
  aborted(ErrorCode::kDeadline, "db2");
  EXPECT_EQ(cause(), Cause::kParticipantDownBefore);
  EXPECT_FALSE(explained().needs_somebody) << "it is over";
}

TEST_F(Situations, ParticipantIsDownAfterTheDecision) {
  record(Outcome::kCommitted);
  driven(DrivenStage::kFinishing, BranchStage::kEnded, BranchStage::kEnding);
  EXPECT_EQ(cause(), Cause::kFinishing);
  down("db2");
  EXPECT_EQ(cause(), Cause::kParticipantDownAfter);
  EXPECT_EQ(explained().outcome, Outcome::kCommitted);
  EXPECT_TRUE(explained().needs_somebody);
}

TEST_F(Situations, LeaderWasLostBeforeTheDecision) {
  prepared("db1");
  EXPECT_EQ(cause(), Cause::kLeaderLostBefore);
  EXPECT_FALSE(explained().outcome) << "a transaction without a record is undecided (R3)";
  aborted(ErrorCode::kUnavailable, "db1", /*presumed=*/true);
  EXPECT_EQ(cause(), Cause::kLeaderLostBefore);
  EXPECT_EQ(explained().outcome, Outcome::kAborted);
}

TEST_F(Situations, LeaderWasLostAfterTheDecision) {
  record(Outcome::kCommitted, /*slot=*/90);
  driven(DrivenStage::kFinishing, BranchStage::kEnded, BranchStage::kEnding);
  EXPECT_EQ(cause(), Cause::kLeaderLostAfter);
  facts_.driven.reset();
  facts_.record->forgotten_in = Slot(110);
  EXPECT_EQ(cause(), Cause::kLeaderLostAfter) << "the present leader has carried it out";
  facts_.record->forgotten_in = Slot(95);
  EXPECT_EQ(cause(), Cause::kDone) << "it was applied before the leader was lost";
}

TEST_F(Situations, SomebodyHasEndedABranchByHand) {
  record(Outcome::kCommitted, 150, 160);
  heuristic(FinishResult::kHeuristicRollback);
  EXPECT_EQ(cause(), Cause::kEndedByHand);
  EXPECT_THAT(explained().headline, HasSubstr("db2 was rolled back by hand"));
  EXPECT_THAT(explained().commands, Contains(Field(&Command::text, HasSubstr("heuristic forget"))));
  heuristic(FinishResult::kHeuristicCommit);
  EXPECT_EQ(cause(), Cause::kEndedByHand);
}

TEST_F(Situations, PromotedStandbyLacksABranch) {
  record(Outcome::kCommitted, 150, 160);
  heuristic(FinishResult::kHazard, 2, /*epoch=*/3);
  EXPECT_EQ(cause(), Cause::kHazard) << "its database's history has no break";
  at("db2").broken_below = Epoch(4);
  at("db2").broken_at = kNow - Millis(2'000);
  EXPECT_EQ(cause(), Cause::kHistoryLost);
  EXPECT_THAT(explained().timeline,
              Contains(Field(&Event::what, HasSubstr("promoted or restored"))));
  EXPECT_TRUE(explained().needs_somebody);
}

TEST_F(Situations, CommitInOnePhaseMayBeLostWithItsHistory) {
  Record& settled = record(Outcome::kAborted, 150, 160);
  settled.reason = Error{ErrorCode::kOutcomeUnknown, "may have committed in one phase", "db2"};
  EXPECT_EQ(cause(), Cause::kHistoryLost);
  EXPECT_FALSE(explained().outcome) << "ABORTED is not what its client was told (R10)";
  heuristic(FinishResult::kHazard, /*listed=*/0).branches[0].branch.evidence = Evidence{};
  EXPECT_EQ(cause(), Cause::kHistoryLost);
  EXPECT_THAT(explained().headline, HasSubstr("may have committed in one phase at db2"));
  for (const Command& one : explained().commands) {
    EXPECT_THAT(one.text, testing::Not(HasSubstr("resolve"))) << "nothing of it is prepared";
  }
}

TEST_F(Situations, AbortedBecauseAVoteMayBeLost) {
  aborted(ErrorCode::kUnavailable, "db2");
  EXPECT_EQ(cause(), Cause::kRefused);
  at("db2").broken_below = Epoch(4);
  at("db2").broken_at = kNow - Millis(8'000);
  EXPECT_EQ(cause(), Cause::kHistoryLost);
}

TEST_F(Situations, OneThatWasLostHasEndedWellSince) {
  record(Outcome::kCommitted, 150, 160);
  heuristic(FinishResult::kDone);
  EXPECT_EQ(cause(), Cause::kSettled);
}

TEST_F(Situations, SomebodyElseHasPreparedUnderOurName) {
  Prepared& one = prepared("db1");
  one.belonging = Belonging::kStranger;
  one.owner = "mallory";
  EXPECT_EQ(cause(), Cause::kStranger);
  EXPECT_THAT(explained().commands, Contains(Field(&Command::text, HasSubstr("mallory"))));
  EXPECT_TRUE(explained().needs_somebody);
}

TEST_F(Situations, AnotherXidUnderOurNameIsAStranger) {
  record(Outcome::kCommitted);
  driven(DrivenStage::kFinishing, BranchStage::kEnded, BranchStage::kEnding);
  prepared("db2").xid = 701;
  EXPECT_EQ(cause(), Cause::kStranger);
  at("db2").agent->prepared[0].xid = 700;
  EXPECT_EQ(cause(), Cause::kFinishing);
}

TEST_F(Situations, BranchOfAnotherDatabaseInOneServerIsNoStranger) {
  prepared("db1");
  Prepared seen = at("db1").agent->prepared[0];
  seen.belonging = Belonging::kForeign;  // as the agent of db2 sees it
  at("db2").agent->prepared = {seen};
  EXPECT_EQ(cause(), Cause::kLeaderLostBefore);
}

TEST_F(Situations, GidThatIsNoneOfOurs) {
  facts_.transaction.reset();
  facts_.asked = "jta-17";
  EXPECT_THAT(explained().headline, HasSubstr("not prepared"));
  Prepared& one = at("db1").agent->prepared.emplace_back();
  one.gid = "jta-17";
  one.owner = "shop";
  EXPECT_EQ(cause(), Cause::kForeign);
  EXPECT_THAT(explained().commands,
              Contains(Field(&Command::text, HasSubstr("ROLLBACK PREPARED 'jta-17'"))));
}

TEST_F(Situations, OnePhaseIsUnknownWhileItsWriterIsDown) {
  commit::DrivenView& one = driven(DrivenStage::kOnePhase, BranchStage::kAsked, BranchStage::kLeft);
  one.writer = "db1";
  EXPECT_EQ(cause(), Cause::kLive);
  database_down("db1");
  EXPECT_EQ(cause(), Cause::kOnePhaseUnknown);
  EXPECT_FALSE(explained().outcome);
  facts_.driven->stage = DrivenStage::kSettling;
  EXPECT_EQ(cause(), Cause::kOnePhaseUnknown);
}

TEST_F(Situations, OutcomeRowTellsThatOnePhaseHasCommitted) {
  at("db1").agent->outcome = {true, kNow - Millis(4'000)};
  EXPECT_EQ(cause(), Cause::kOnePhase);
  EXPECT_EQ(explained().outcome, Outcome::kCommitted);
  at("db1").agent->outcome->committed = false;
  EXPECT_EQ(cause(), Cause::kRefused);
}

TEST_F(Situations, RestoredCoordinatorHasNoRecord) {
  at("db2").quarantined_below = Epoch(4);
  prepared("db2", 3);
  EXPECT_EQ(cause(), Cause::kRestored) << "the leader has not looked there yet";
  heuristic(FinishResult::kHazard, /*listed=*/0, 3);
  EXPECT_EQ(cause(), Cause::kRestored);
  EXPECT_FALSE(explained().outcome);
  EXPECT_THAT(explained().commands,
              Contains(Field(&Command::text, HasSubstr("assentctl resolve"))));
  facts_.heuristic->resolution =
      state::Resolution{Outcome::kCommitted, "ann", "db1 has it", kNow, 1};
  EXPECT_EQ(cause(), Cause::kResolved);
}

TEST_F(Situations, WhatAnOperatorHasDecidedIsOverWhenItsBranchesHaveEnded) {
  state::Heuristic& kept = heuristic(FinishResult::kHazard, /*listed=*/0, 3);
  kept.resolution = state::Resolution{Outcome::kCommitted, "ann", "db1 has it", kNow, 1};
  EXPECT_THAT(explained().next, ElementsAre("db2/3.1 ends so within seconds."));
  EXPECT_FALSE(explained().needs_somebody);
  at("db2").agent.reset();
  at("db2").unreached = "nobody listens there";
  EXPECT_THAT(explained().next, ElementsAre(HasSubstr("as soon as its agent is back")));
  EXPECT_THAT(explained().commands, ElementsAre(Field(&Command::text, HasSubstr("agent of db2"))));
  kept.branches[0].result = FinishResult::kDone;
  EXPECT_EQ(cause(), Cause::kResolved);
  EXPECT_THAT(explained().next, ElementsAre(HasSubstr("have ended so")));
  EXPECT_THAT(explained().commands,
              ElementsAre(Field(&Command::text, HasSubstr("heuristic forget"))));
}

TEST_F(Situations, ItsParticipantWasGivenUpBeforeItConfirmed) {
  record(Outcome::kAborted, 150, 160);
  heuristic(FinishResult::kHazard).branches[0].branch.evidence = Evidence{};  // it has not voted
  at("db2").agent.reset();
  at("db2").unreached = "nobody listens there";
  EXPECT_EQ(cause(), Cause::kHazard);
  EXPECT_THAT(explained().why, HasSubstr("gave its participant up"));
  EXPECT_THAT(explained().next, ElementsAre(HasSubstr("it ends as decided after all")));
  EXPECT_THAT(explained().commands, Contains(Field(&Command::text, HasSubstr("heuristic forget"))));
}

TEST_F(Situations, TooOldAndItsHistoryBroke) {
  old();
  at("db2").broken_below = Epoch(4);
  prepared("db2", 3);
  EXPECT_EQ(cause(), Cause::kUndecidable);
  at("db2").broken_below = Epoch(3);
  EXPECT_EQ(cause(), Cause::kLeaderLostBefore);
  EXPECT_THAT(explained().next, Contains(HasSubstr("too old to commit")));
}

TEST_F(Situations, RefusedByADatabase) {
  aborted(ErrorCode::kSql, "db2");
  EXPECT_EQ(cause(), Cause::kRefused);
  EXPECT_THAT(explained().why, HasSubstr("why it was aborted"));
}

TEST_F(Situations, AppliedEverywhere) {
  record(Outcome::kCommitted, 150, 160);
  const Explanation told = explained();
  EXPECT_EQ(told.cause, Cause::kDone);
  EXPECT_THAT(told.commands, IsEmpty());
  EXPECT_FALSE(told.needs_somebody);
}

// ── the words ───────────────────────────────────────────────────────────────────────────────────

TEST_F(Situations, TimelineIsInOrderAndTellsWhoSaysIt) {
  record(Outcome::kCommitted, 150, 160);
  remembered("db1", "ended");
  prepared("db2");
  std::vector<std::string> who;
  for (const Event& one : explained().timeline) who.push_back(one.who);
  EXPECT_THAT(who, ElementsAre("client", "db1", "db2", "log", "log"));
}

TEST_F(Situations, DecisionComesBehindWhatItFollowsThoughTheLogsClockIsBehind) {
  prepared("db1").age = Millis(1'000);
  record(Outcome::kCommitted).decided_at = kNow - Millis(1'300);
  const std::vector<Event> told = explained().timeline;
  EXPECT_EQ(told.back().who, "log");
  EXPECT_EQ(told.back().at, kNow - Millis(1'300)) << "as it is told";
}

TEST_F(Situations, WhoWaitsForItsLocksIsTold) {
  prepared("db1").waiters.push_back(
      {4711, "app", "shop", Millis(2'000), "a row of accounts", "ShareLock"});
  EXPECT_THAT(
      explained().waiting,
      ElementsAre("backend 4711 of app (shop) at db1 waits for a row of accounts, for 2.0 s"));
}

TEST_F(Situations, EveryCauseHasAHeadlineAndAReason) {
  const auto check = [this] {
    const Explanation told = explained();
    EXPECT_FALSE(told.headline.empty()) << name(told.cause);
    EXPECT_THAT(told.why, HasSubstr(".")) << name(told.cause);
  };
  check();
  prepared("db1");
  check();
  record(Outcome::kCommitted);
  check();
  driven(DrivenStage::kFinishing, BranchStage::kEnded, BranchStage::kEnding);
  check();
  down("db2");
  check();
  heuristic(FinishResult::kHazard);
  check();
}

}  // namespace
}  // namespace assent::explain
