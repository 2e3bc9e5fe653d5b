// Participants that take no new branches: drained, being removed, or over their in-doubt budget.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/commit/stage.h"

namespace assent::commit {
namespace {

using ::testing::HasSubstr;

constexpr BudgetLimits kSmall{.age_ms = {1'000, 5'000}, .number = {0, 0}, .horizon = {0, 0}};

std::string drain(Stage& s, const std::string& participant) {
  s.execute_other(state::ParticipantDrained{participant, "op", "upgrade"});
  const auto refuses = s.office->refuses(participant);
  return refuses ? refuses->message : "";
}

// An inventory of one branch of another transaction that has been prepared for so long.
void show(Stage& s, const std::string& participant, Millis age) {
  InventoryArrived arrived{participant, s.now.mono, {}, {}};
  arrived.prepared.push_back(
      {s.id(s.transaction(9), participant), Stage::evidence(participant), PreparedAge{age, 3}});
  s.feed(arrived);
}

TEST(Drained, ItsOneShotsAreRefusedBeforeAnythingRuns) {
  Stage s;
  EXPECT_THAT(drain(s, "b"), HasSubstr("drained by op (upgrade)"));
  EXPECT_EQ(s.commit(1, {Stage::one_shot("a"), Stage::one_shot("b")}), "reply 1 error UNAVAILABLE");
  EXPECT_EQ(s.office->driven_count(), 0u);
}

TEST(Drained, BranchesThatAreOpenGoOnToTheirEnds) {
  Stage s;
  drain(s, "b");
  EXPECT_EQ(s.commit(1), "prepare a; prepare b");
  EXPECT_EQ(s.office->driven_at("b"), 1u);
  s.yes("a");
  s.yes("b");
  s.execute();
  s.finished("a");
  EXPECT_EQ(s.office->driven_at("a"), 0u);
  EXPECT_EQ(s.office->driven_at("b"), 1u);
  s.finished("b");
  EXPECT_EQ(s.office->driven_at("b"), 0u);
}

TEST(Drained, OthersAreNotConcerned) {
  Stage s;
  drain(s, "b");
  EXPECT_FALSE(s.office->refuses("a"));
  EXPECT_THAT(s.commit(1, {Stage::one_shot("a"), Stage::one_shot("c")}), HasSubstr("prepare a"));
}

TEST(Drained, ANextOfficeRefusesToo) {
  Stage s;
  drain(s, "b");
  s.restart();
  EXPECT_TRUE(s.office->refuses("b"));
  s.execute_other(state::ParticipantResumed{"b", "op", "done"});
  EXPECT_FALSE(s.office->refuses("b"));
}

TEST(Drained, ARepeatOfWhatIsDrivenHearsItsOutcome) {
  Stage s;
  s.commit(1, {Stage::one_shot("a"), Stage::one_shot("b")});
  drain(s, "b");
  EXPECT_EQ(s.commit(2, {Stage::one_shot("a"), Stage::one_shot("b")}), "");
  s.yes("a");
  s.yes("b");
  EXPECT_EQ(s.office->driven_count(), 1u);
}

// It begins nothing: what an earlier copy did is found out, and told (R9).
TEST(Drained, ARepeatThatNobodyDrivesIsSettledAndNotRefused) {
  Stage s;
  s.enrol("a", /*one_phase=*/true);
  drain(s, "a");
  EXPECT_EQ(s.repeat(1, {Stage::one_shot("a")}), "settle a");
}

TEST(Removal, AnIdThatIsTooOldIsTheAnswerWhoeverLeaves) {
  Stage s;
  drain(s, "b");
  s.feed(ParticipantLeaves{"b"});
  s.execute_other(state::Forgotten{});  // the floor rises with the log's time
  EXPECT_EQ(s.feed(AbortAsked{Token(1),
                              s.transaction(1, kLogStart - Millis(600'000)),
                              {Stage::branch("b")},
                              /*never_committed=*/true}),
            "reply 1 error EXPIRED");
}

TEST(InDoubtBudget, AboveTheSecondLimitNewOneShotsAreRefusedUntilItHasFallen) {
  Stage s({.budget = kSmall});
  show(s, "b", Millis(5'000));
  EXPECT_EQ(s.commit(1, {Stage::one_shot("a"), Stage::one_shot("b")}), "reply 1 error OVERLOADED");
  show(s, "b", Millis(4'000));
  EXPECT_EQ(s.commit(2, {Stage::one_shot("b")}), "reply 2 error OVERLOADED")
      << "it has not fallen enough";
  show(s, "b", Millis(900));
  EXPECT_THAT(s.commit(3, {Stage::one_shot("b")}), HasSubstr("prepare b"));
}

TEST(InDoubtBudget, TheShellIsToldOfEachChange) {
  Stage s({.budget = kSmall});
  InventoryArrived arrived{"b", s.now.mono, {}, {}};
  arrived.prepared.push_back(
      {s.id(s.transaction(9), "b"), Stage::evidence("b"), PreparedAge{Millis(1'500), 3}});
  const Effects effects = s.office->step(s.now, arrived);
  ASSERT_EQ(effects.budget_changes.size(), 1u);
  EXPECT_EQ(effects.budget_changes.front().to, BudgetLevel::kAlarm);
  EXPECT_EQ(effects.budget_changes.front().participant, "b");
  EXPECT_TRUE(s.office->step(s.now, arrived).budget_changes.empty());
}

TEST(InDoubtBudget, NothingIsKnownOfAnAgentThatTellsNoAges) {
  Stage s({.budget = kSmall});
  s.inventory("b", {s.id(s.transaction(9), "b")});
  EXPECT_EQ(s.office->budget().standing("b"), nullptr);
}

TEST(Removal, WhoNamesTheParticipantIsRefusedUntilTheLogHasAnswered) {
  Stage s;
  drain(s, "b");
  s.feed(ParticipantLeaves{"b"});
  EXPECT_EQ(s.commit(1), "reply 1 error UNKNOWN_PARTICIPANT");
  EXPECT_EQ(s.abort(2, {Stage::branch("b")}), "reply 2 error UNKNOWN_PARTICIPANT");
  s.feed(ParticipantLeaves{"b", /*over=*/true});
  EXPECT_EQ(s.commit(3), "prepare a; prepare b") << "it was not removed";
}

TEST(Removal, WhatIsFoundOfOneThatWasRemovedIsLeftAlone) {
  Stage s;
  drain(s, "b");
  s.execute_other(state::ParticipantRemoved{"b", "op", "gone"});
  s.feed(ParticipantLeaves{"b", /*over=*/true});
  EXPECT_EQ(s.commit(1), "reply 1 error UNKNOWN_PARTICIPANT");
  EXPECT_THAT(s.inventory("b", {s.id(s.t, "b")}), HasSubstr("warn"));
  EXPECT_EQ(s.office->driven_count(), 0u);
}

}  // namespace
}  // namespace assent::commit
