// What is kept of branches that ended otherwise than decided.
#include "coordinator/state/heuristics.h"

#include <gtest/gtest.h>

#include <string>

#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

const TransactionId kT = make_transaction_id(LogTime(1'000), 1, 1, 1);

HeuristicFound found(const std::string& participant, FinishResult result,
                     Outcome outcome = Outcome::kCommitted, std::uint64_t listed = 2) {
  return {kT, outcome, listed, {participant, Epoch(1), Attempt(1), {7, 1, 1, 70}}, result};
}

class HeuristicsTest : public ::testing::Test {
 protected:
  void find(const HeuristicFound& command) { heuristics_.found(Slot(5), LogTime(9), command); }
  [[nodiscard]] HeuristicKind kind() const { return heuristics_.find(kT)->kind(); }

  Heuristics heuristics_;
};

TEST_F(HeuristicsTest, NothingIsKeptOfWhatEndedAsDecided) {
  find(found("a", FinishResult::kDone));
  EXPECT_EQ(heuristics_.find(kT), nullptr);
}

TEST_F(HeuristicsTest, SomeOfTheBranchesAreMixed) {
  find(found("a", FinishResult::kHeuristicRollback));
  EXPECT_EQ(kind(), HeuristicKind::kMixed);
  EXPECT_EQ(heuristics_.find(kT)->found_in, Slot(5));
  EXPECT_EQ(heuristics_.find(kT)->found_at, LogTime(9));
}

TEST_F(HeuristicsTest, AllOfTheBranchesAreOneOutcome) {
  find(found("a", FinishResult::kHeuristicRollback));
  find(found("b", FinishResult::kHeuristicRollback));
  EXPECT_EQ(kind(), HeuristicKind::kRollback);
  EXPECT_TRUE(heuristics_.forget(kT));
  find(found("a", FinishResult::kHeuristicCommit, Outcome::kAborted, 1));
  EXPECT_EQ(kind(), HeuristicKind::kCommit);
}

TEST_F(HeuristicsTest, ABranchThatIsNotListedAndWasCommittedIsMixed) {
  find(found("a", FinishResult::kHeuristicCommit, Outcome::kCommitted, 1));
  EXPECT_EQ(kind(), HeuristicKind::kMixed);
}

TEST_F(HeuristicsTest, WithoutARecordNobodyKnowsOfTheOthers) {
  find(found("a", FinishResult::kHeuristicCommit, Outcome::kAborted, 0));
  EXPECT_EQ(kind(), HeuristicKind::kMixed);
}

TEST_F(HeuristicsTest, AHazardHidesTheRest) {
  find(found("a", FinishResult::kHeuristicRollback));
  find(found("b", FinishResult::kHazard));
  EXPECT_EQ(kind(), HeuristicKind::kHazard);
}

TEST_F(HeuristicsTest, AHazardMayEndWellAndIsToldAllTheSame) {
  find(found("a", FinishResult::kHazard));
  find(found("a", FinishResult::kDone));
  EXPECT_EQ(kind(), HeuristicKind::kSettled);
  ASSERT_EQ(heuristics_.find(kT)->branches.size(), 1u);
}

TEST_F(HeuristicsTest, AHazardThatEndedWellIsOneAgainWhenItsDatabaseLosesTheEnd) {
  find(found("a", FinishResult::kHazard));
  find(found("a", FinishResult::kDone));
  find(found("a", FinishResult::kHazard));
  EXPECT_EQ(kind(), HeuristicKind::kHazard);
  ASSERT_EQ(heuristics_.find(kT)->branches.size(), 1u);
}

TEST_F(HeuristicsTest, WhatSomebodyDidStands) {
  find(found("a", FinishResult::kHeuristicRollback));
  find(found("a", FinishResult::kDone));
  find(found("a", FinishResult::kHazard));
  EXPECT_EQ(heuristics_.find(kT)->branches[0].result, FinishResult::kHeuristicRollback);
}

TEST_F(HeuristicsTest, TheSameTwiceIsOnce) {
  find(found("a", FinishResult::kHazard));
  const Heuristics before = heuristics_;
  find(found("a", FinishResult::kHazard));
  EXPECT_EQ(heuristics_, before);
}

TEST_F(HeuristicsTest, MemoryIsBoundedAndWhatDoesNotFitIsCounted) {
  for (std::uint64_t i = 0; i < Heuristics::kMax + 3; ++i) {
    HeuristicFound one = found("a", FinishResult::kHazard);
    one.transaction = make_transaction_id(LogTime(1'000), i, i, 1);
    find(one);
  }
  EXPECT_EQ(heuristics_.kept().size(), Heuristics::kMax);
  EXPECT_EQ(heuristics_.untold(), 3u);
  heuristics_.check_invariants();
}

// ── in the state ────────────────────────────────────────────────────────────────────────────────

TEST(HeuristicsInTheState, AreKeptWhenTheRecordHasLeft) {
  StateMachine state({.retention = Millis(100)});
  const auto execute = [&](LogTime time, Command command) {
    return state.execute(state.executed().next(), {time, {std::move(command)}}).front();
  };
  execute(LogTime(1'010), Committed{kT, 1, {found("a", FinishResult::kHazard).branch}});
  execute(LogTime(1'020), found("a", FinishResult::kHazard));
  execute(LogTime(1'030), Forgotten{{kT}});
  execute(LogTime(2'000), Forgotten{});
  EXPECT_EQ(state.find(kT), nullptr);
  ASSERT_NE(state.heuristics().find(kT), nullptr);
  EXPECT_EQ(state.heuristics().find(kT)->outcome, Outcome::kCommitted);

  const auto forgotten = execute(LogTime(2'001), HeuristicForgotten{kT, "op", "mended by hand"});
  EXPECT_TRUE(std::holds_alternative<TookEffect>(forgotten));
  EXPECT_EQ(state.heuristics().find(kT), nullptr);
  const auto again = execute(LogTime(2'002), HeuristicForgotten{kT, "op", "mended by hand"});
  EXPECT_TRUE(std::holds_alternative<NothingKept>(again));
  state.check_invariants();
}

}  // namespace
}  // namespace assent::state
