#include "coordinator/state/state_machine.h"

#include <gtest/gtest.h>

namespace assent::state {
namespace {

constexpr Millis kRetention{1'000};

// A state machine with a small vocabulary. Time begins at 10'000, so the floor begins at 9'000.
class StateMachineTest : public ::testing::Test {
 protected:
  CommandResult run(Command command, LogTime time = LogTime(10'000)) {
    const Slot slot = state_.executed().next();
    CommandResult result = state_.execute(slot, Entry{time, {std::move(command)}}).front();
    state_.check_invariants();
    return result;
  }
  void pass_to(LogTime time) {
    state_.execute(state_.executed().next(), Entry{time, {}});
    state_.check_invariants();
  }
  static TransactionId transaction(std::int64_t time, std::uint64_t number = 1) {
    return make_transaction_id(LogTime(time), number, number, 7);
  }
  static Committed commit(TransactionId id) {
    return {id, 42, {{"orders", Epoch(1), Attempt(1), Evidence{1, 2, 3, 4}}}};
  }
  static Aborted abort(TransactionId id) {
    return {id, 0, Error{ErrorCode::kDeadline, "late"}, {}};
  }
  template <class T>
  static bool is(const CommandResult& result) {
    return std::holds_alternative<T>(result);
  }

  StateMachine state_{StateOptions{.retention = kRetention}};
  const TransactionId t_ = transaction(10'000);
};

TEST_F(StateMachineTest, ADecisionMakesARecord) {
  EXPECT_TRUE(is<TookEffect>(run(commit(t_))));
  const TransactionRecord* record = state_.find(t_);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->outcome, Outcome::kCommitted);
  EXPECT_EQ(record->request_hash, 42u);
  EXPECT_EQ(record->branches, commit(t_).branches);
  EXPECT_EQ(record->decided_in, Slot(1));
  EXPECT_FALSE(record->forgotten());
}

TEST_F(StateMachineTest, R1TheFirstDecisionStands) {
  run(abort(t_));
  const CommandResult second = run(commit(t_));
  ASSERT_TRUE(is<AlreadyDecided>(second));
  EXPECT_EQ(std::get<AlreadyDecided>(second).outcome, Outcome::kAborted);
  EXPECT_EQ(state_.find(t_)->outcome, Outcome::kAborted);
  EXPECT_EQ(state_.find(t_)->request_hash, 0u);
}

TEST_F(StateMachineTest, R1EqualDecisionsDoNotTakeEffectTwice) {
  run(commit(t_));
  EXPECT_TRUE(is<AlreadyDecided>(run(commit(t_))));
  EXPECT_EQ(state_.find(t_)->decided_in, Slot(1));
}

TEST_F(StateMachineTest, R1CommandsOfOneEntryAreExecutedInOrder) {
  const auto results = state_.execute(Slot(1), Entry{LogTime(10'000), {commit(t_), abort(t_)}});
  EXPECT_TRUE(is<TookEffect>(results[0]));
  EXPECT_TRUE(is<AlreadyDecided>(results[1]));
}

TEST_F(StateMachineTest, R14NoRecordIsMadeAtOrBelowTheFloor) {
  for (const std::int64_t time : {1, 8'999, 9'000}) {
    EXPECT_TRUE(is<BelowFloor>(run(commit(transaction(time)))));
    EXPECT_TRUE(is<BelowFloor>(run(abort(transaction(time)))));
  }
  EXPECT_EQ(state_.record_count(), 0u);
  EXPECT_TRUE(is<TookEffect>(run(commit(transaction(9'001)))));
}

TEST_F(StateMachineTest, R14TheFloorOfAnEntryHoldsForItsOwnCommands) {
  EXPECT_TRUE(is<BelowFloor>(run(commit(t_), LogTime(11'000))));
}

TEST_F(StateMachineTest, R14TimeAndFloorNeverGoBack) {
  pass_to(LogTime(20'000));
  pass_to(LogTime(5'000));
  EXPECT_EQ(state_.time(), LogTime(20'000));
  EXPECT_EQ(state_.floor(), LogTime(19'000));
}

TEST_F(StateMachineTest, R14ARecordBelowTheFloorStaysUntilItIsForgotten) {
  run(commit(t_));
  pass_to(LogTime(50'000));
  ASSERT_NE(state_.find(t_), nullptr);
  EXPECT_TRUE(is<AlreadyDecided>(run(abort(t_), LogTime(50'000))));
  run(Forgotten{{t_}}, LogTime(50'000));
  EXPECT_EQ(state_.find(t_), nullptr);
}

TEST_F(StateMachineTest, R14AForgottenRecordStaysUntilItIsBelowTheFloor) {
  run(commit(t_));
  run(Forgotten{{t_}});
  ASSERT_NE(state_.find(t_), nullptr);
  EXPECT_TRUE(state_.find(t_)->forgotten());
  pass_to(LogTime(10'999));
  EXPECT_NE(state_.find(t_), nullptr);
  pass_to(LogTime(11'000));
  EXPECT_EQ(state_.find(t_), nullptr);
}

TEST_F(StateMachineTest, R14WhatHasLeftIsNeverDecidedAgain) {
  run(commit(t_));
  run(Forgotten{{t_}});
  pass_to(LogTime(11'000));
  EXPECT_TRUE(is<BelowFloor>(run(abort(t_), LogTime(5'000))));
  EXPECT_EQ(state_.find(t_), nullptr);
}

TEST_F(StateMachineTest, RecordsLeaveInTheOrderOfTheirIds) {
  for (const std::int64_t time : {10'300, 10'100, 10'200}) run(abort(transaction(time)));
  run(Forgotten{{transaction(10'300), transaction(10'100), transaction(10'200)}});
  pass_to(LogTime(11'200));
  EXPECT_EQ(state_.record_count(), 1u);
  EXPECT_NE(state_.find(transaction(10'300)), nullptr);
}

TEST_F(StateMachineTest, R14WithTooManyForgottenRecordsTheFloorRisesOverTheOldest) {
  StateMachine state{
      {.retention = Millis(5'000), .forgotten_max = 2, .retention_min = Millis(100)}};
  Entry entry{LogTime(10'000), {}};
  for (const std::int64_t time : {9'300, 9'100, 9'200}) {
    entry.commands.push_back(abort(transaction(time)));
    entry.commands.push_back(Forgotten{{transaction(time)}});
  }
  state.execute(Slot(1), entry);
  state.check_invariants();
  EXPECT_EQ(state.record_count(), 2u);
  EXPECT_EQ(state.floor(), LogTime(9'100));
  EXPECT_TRUE(is<BelowFloor>(
      state.execute(Slot(2), {LogTime(10'000), {commit(transaction(9'100))}}).front()));
}

// Else a burst of ids from the near future would expire every transaction at work.
TEST_F(StateMachineTest, R14ThatFloorStaysBelowTheIdsOfTransactionsAtWork) {
  StateMachine state{
      {.retention = Millis(5'000), .forgotten_max = 0, .retention_min = Millis(100)}};
  const TransactionId young = transaction(9'950);
  state.execute(Slot(1), {LogTime(10'000), {abort(young), Forgotten{{young}}}});
  state.check_invariants();
  EXPECT_EQ(state.floor(), LogTime(9'900));
  EXPECT_EQ(state.record_count(), 1u);
}

// ── records that a break holds back ─────────────────────────────────────────────────────────────

// A life of a participant that was promoted since the last one.
Enrolled promoted(std::string nonce, std::uint32_t timeline) {
  const Epoch stored(timeline - 1);
  Enrolled life{"orders", std::move(nonce), stored, {77, 5}, timeline, 100, "a:1", "b:2"};
  life.tracks_history = Tracking::kEveryBreak;
  life.landmark = 0;
  return life;
}

TEST_F(StateMachineTest, RecordsStayForAMinuteAfterABreak) {
  run(promoted("a", 1));
  run(commit(t_));
  run(Forgotten{{t_}});
  run(promoted("b", 2), LogTime(10'500));
  pass_to(LogTime(70'499));
  state_.check_invariants();
  EXPECT_NE(state_.find(t_), nullptr);
  EXPECT_LT(t_.time(), state_.floor());
  EXPECT_TRUE(is<BelowFloor>(run(commit(transaction(10'000, 2)), LogTime(70'499))))
      << "the floor waits for nobody";
  StateMachine copy(StateOptions{.retention = Millis(1'000)});
  state_.begin_snapshot();
  while (auto chunk = state_.next_chunk(10)) ASSERT_TRUE(copy.load(*chunk));
  EXPECT_EQ(copy.state_hash(), state_.state_hash());
  for (StateMachine* state : {&state_, &copy}) {
    state->execute(state->executed().next(), Entry{LogTime(70'500), {}});
    state->check_invariants();
    EXPECT_EQ(state->find(t_), nullptr);
  }
}

TEST_F(StateMachineTest, RecordsThatABreakHoldsBackAreBounded) {
  StateMachine state{{.retention = Millis(1'000), .forgotten_max = 2}};
  state.execute(Slot(1), {LogTime(10'000), {promoted("a", 1), promoted("b", 2)}});
  Entry entry{LogTime(10'000), {}};
  for (const std::int64_t time : {9'300, 9'100, 9'200}) {
    entry.commands.push_back(abort(transaction(time)));
    entry.commands.push_back(Forgotten{{transaction(time)}});
  }
  state.execute(Slot(2), entry);
  state.execute(Slot(3), {LogTime(12'000), {}});
  state.check_invariants();
  EXPECT_EQ(state.record_count(), 2u);
}

TEST_F(StateMachineTest, ForgettingTwiceOrTheUnknownIsANoOp) {
  run(commit(t_));
  run(Forgotten{{t_, t_, transaction(10'000, 2)}});
  run(Forgotten{{t_}});
  EXPECT_EQ(state_.record_count(), 1u);
  EXPECT_TRUE(state_.unforgotten().empty());
}

TEST_F(StateMachineTest, UnforgottenAreThoseWhoseBranchesHaveNotAllConfirmed) {
  const TransactionId other = transaction(10'000, 2);
  run(commit(t_));
  run(abort(other));
  run(Forgotten{{t_}});
  EXPECT_EQ(state_.unforgotten(), std::vector<TransactionId>{other});
}

TEST_F(StateMachineTest, TheOfficeIsTheHighestBallotTaken) {
  const Ballot first{Incarnation(1), Round(1), ReplicaId(1)};
  const Ballot second{Incarnation(1), Round(2), ReplicaId(1)};
  run(OfficeTaken{second});
  EXPECT_EQ(state_.office(), second);
  run(OfficeTaken{first});
  EXPECT_EQ(state_.office(), second);
}

TEST_F(StateMachineTest, R5EveryOfficeHasItsOwnNumber) {
  EXPECT_EQ(state_.office_number(), 0u);
  run(OfficeTaken{{Incarnation(1), Round(2), ReplicaId(1)}});
  EXPECT_EQ(state_.office_number(), 1u);
  run(OfficeTaken{{Incarnation(1), Round(1), ReplicaId(2)}});
  EXPECT_EQ(state_.office_number(), 2u) << "one of a lower ballot, executed late, counts too";
}

TEST_F(StateMachineTest, ACommitOfReadersListsNoBranch) {
  EXPECT_TRUE(is<TookEffect>(run(Committed{t_, 42, {}})));
  EXPECT_EQ(state_.find(t_)->outcome, Outcome::kCommitted);
  EXPECT_TRUE(is<AlreadyDecided>(run(abort(t_))));
}

using StateMachineDeathTest = StateMachineTest;

TEST_F(StateMachineDeathTest, R1SlotsAreExecutedStrictlyInOrder) {
  EXPECT_DEATH(state_.execute(Slot(2), Entry{}), "strictly in order");
  state_.execute(Slot(1), Entry{});
  EXPECT_DEATH(state_.execute(Slot(1), Entry{}), "strictly in order");
}

// Two replicas that took the same entries in have equal hashes, whatever order their hash maps
// have.
TEST_F(StateMachineTest, EqualEntriesGiveEqualHashes) {
  StateMachine other{StateOptions{.retention = kRetention}};
  for (std::uint64_t i = 0; i < 500; ++i) {
    const Entry entry{LogTime(10'000), {commit(transaction(10'000, i)), Forgotten{{}}}};
    state_.execute(state_.executed().next(), entry);
    other.execute(other.executed().next(), *decode_entry(encode(entry)));
    ASSERT_EQ(state_.state_hash(), other.state_hash());
  }
}

TEST_F(StateMachineTest, HashesTellStatesApart) {
  const auto hash_after = [](std::vector<Command> commands) {
    StateMachine state{StateOptions{.retention = kRetention}};
    state.execute(Slot(1), Entry{LogTime(10'000), std::move(commands)});
    return state.state_hash();
  };
  const Enrolled life{"orders", "n", Epoch(0), {1, 2}, 1, 1, "a:1", "b:2"};
  Enrolled one_phase = life;
  one_phase.one_phase = true;
  const OfficeTaken taken{{Incarnation(1), Round(1), ReplicaId(1)}};
  const std::set<std::uint64_t> hashes = {
      hash_after({}),          hash_after({commit(t_)}),
      hash_after({abort(t_)}), hash_after({commit(t_), Forgotten{{t_}}}),
      hash_after({life}),      hash_after({one_phase}),
      hash_after({taken}),     hash_after({taken, taken}),
  };
  EXPECT_EQ(hashes.size(), 8u);
}

}  // namespace
}  // namespace assent::state
