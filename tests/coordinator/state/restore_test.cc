// A state that goes on from a backup (R15).
#include <gtest/gtest.h>

#include <memory>

#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

constexpr LogTime kBackedUp{1'000'000};
constexpr LogTime kRestored{5'000'000};
constexpr std::uint64_t kBackup = 0xabcdef;
constexpr Ballot kBefore{Incarnation(1), Round(9), ReplicaId(1)};
constexpr Ballot kAfter{Incarnation(2), Round(1), ReplicaId(2)};

// As docs/adr/0008 has it.
constexpr std::uint64_t kEpochsLostMax = 500;

class RestoreTest : public ::testing::Test {
 protected:
  RestoreTest() {
    run(kBackedUp, OfficeTaken{kBefore});
    run(kBackedUp, GroupFounded{{{ReplicaId(1), 77, false, "a:1", "b:1", ""}}});
    run(kBackedUp, life("orders", "first", 0));
    run(kBackedUp, committed(decided_, "orders", Epoch(1)));
    restore();
  }

  CommandResult run(LogTime time, Command command) {
    CommandResult result =
        state_->execute(state_->executed().next(), Entry{time, {std::move(command)}}).front();
    state_->check_invariants();
    return result;
  }
  void restore() {
    state_ = copy();
    state_->restore(kBackup);
    state_->check_invariants();
  }
  [[nodiscard]] std::unique_ptr<StateMachine> copy() const {
    state_->begin_snapshot();
    auto out = std::make_unique<StateMachine>(StateOptions{});
    while (const auto chunk = state_->next_chunk(10)) EXPECT_TRUE(out->load(*chunk));
    return out;
  }
  void take_office() { run(kRestored, OfficeTaken{kAfter}); }

  static Enrolled life(std::string participant, std::string nonce, std::uint64_t stored_epoch) {
    return {std::move(participant),
            std::move(nonce),
            Epoch(stored_epoch),
            {77, 16384},
            3,
            100,
            "a:1",
            "b:2",
            false,
            Tracking::kEveryBreak};
  }
  // The epoch issued; 0 when refused.
  std::uint64_t enrol(const Enrolled& life) {
    const CommandResult result = run(kRestored, life);
    const auto* issued = std::get_if<EpochIssued>(&result);
    return issued == nullptr ? 0 : issued->epoch.value;
  }
  static Committed committed(const TransactionId& transaction, std::string participant,
                             Epoch epoch) {
    return {transaction, 1, {{std::move(participant), epoch, Attempt(1), {9, 77, 3, 90}}}};
  }
  [[nodiscard]] Epoch quarantined_below() const {
    return state_->participant("orders")->quarantined_below;
  }

  const TransactionId decided_ = make_transaction_id(kBackedUp, 1, 1, 1);
  std::unique_ptr<StateMachine> state_ = std::make_unique<StateMachine>(StateOptions{});
};

TEST_F(RestoreTest, BallotsAreOfANewIncarnation) {
  EXPECT_EQ(state_->restoration().incarnation, Incarnation(2));
  EXPECT_EQ(state_->restoration().backup, kBackup);
  restore();
  EXPECT_EQ(state_->restoration().incarnation, Incarnation(3)) << "though it never led";
}

TEST_F(RestoreTest, ThatStateIsTheSameInASnapshot) {
  take_office();
  enrol(life("orders", "second", 40));
  EXPECT_EQ(copy()->state_hash(), state_->state_hash());
}

TEST_F(RestoreTest, NoGroupIsFoundedAndItsDisksAreForgotten) {
  EXPECT_TRUE(state_->membership().empty());
}

TEST_F(RestoreTest, PromisesToOfficesOfTheLostLogFitNone) {
  take_office();
  EXPECT_LT(kOfficesLostMax, state_->office_number());
}

// The lost log had decided ids ahead of its own time; it ended before this office began.
TEST_F(RestoreTest, TheFirstOfficeRaisesTheFloorAboveAllThatWasLost) {
  take_office();
  EXPECT_EQ(state_->floor(), kRestored + kIdsAhead);
  EXPECT_EQ(state_->time(), state_->floor());
  const TransactionId lost = make_transaction_id(kRestored + kIdsAhead, 5, 1, 1);
  EXPECT_TRUE(std::holds_alternative<BelowFloor>(run(kRestored, Aborted{lost, 1, {}, {}})));
  const TransactionId born_since = make_transaction_id(state_->time() + Millis(1), 5, 1, 1);
  EXPECT_TRUE(std::holds_alternative<TookEffect>(run(kRestored, Aborted{born_since, 1, {}, {}})));
}

TEST_F(RestoreTest, LaterOfficesDoNot) {
  take_office();
  const LogTime floor = state_->floor();
  run(kRestored, OfficeTaken{{Incarnation(2), Round(2), ReplicaId(1)}});
  EXPECT_EQ(state_->floor(), floor);
  EXPECT_EQ(state_->restoration().ahead, kIdsAhead);
}

TEST_F(RestoreTest, WhatTheBackupKnowsStaysDecided) {
  take_office();
  ASSERT_NE(state_->find(decided_), nullptr);
  EXPECT_EQ(state_->find(decided_)->outcome, Outcome::kCommitted);
  EXPECT_EQ(state_->unforgotten().size(), 1u) << "its branches are told again";
}

// The database has epoch 40 when the life looks; the lost log may have issued 41 and more to
// others.
TEST_F(RestoreTest, EpochsGoOnAboveAllThatTheLostLogMayHaveIssued) {
  take_office();
  EXPECT_EQ(quarantined_below(), kNotSinceRestore);
  const std::uint64_t next = 40 + kEpochsLostMax + 1;
  EXPECT_EQ(enrol(life("orders", "second", 40)), next);
  EXPECT_EQ(quarantined_below(), Epoch(next));
  EXPECT_EQ(enrol(life("orders", "third", next)), next + 1);
  EXPECT_EQ(quarantined_below(), Epoch(next)) << "once for each restore";
}

TEST_F(RestoreTest, EnrolmentsOfEarlierVersionsAreExecutedAsTheyWere) {
  take_office();
  Enrolled older = life("orders", "second", 40);
  older.tracks_history = Tracking::kLandmarks;
  EXPECT_EQ(enrol(older), 41u);
  EXPECT_EQ(quarantined_below(), Epoch(41));
}

TEST_F(RestoreTest, ALifeThatTheBackupKnowsHasToEnrolAnew) {
  take_office();
  EXPECT_EQ(enrol(life("orders", "first", 1)), 1 + kEpochsLostMax + 1);
}

TEST_F(RestoreTest, AParticipantThatTheBackupDoesNotKnowMayHaveWorked) {
  take_office();
  Enrolled later = life("stock", "one", 7);
  later.identity = {78, 16384};
  EXPECT_EQ(enrol(later), 7 + kEpochsLostMax + 1);
  EXPECT_EQ(state_->participant("stock")->quarantined_below, Epoch(7 + kEpochsLostMax + 1));
}

TEST_F(RestoreTest, AnotherClustersDatabaseIsStillRefusedOnceItHasEnrolled) {
  take_office();
  enrol(life("orders", "second", 40));
  EXPECT_EQ(enrol(life("orders", "third", 50 + kEpochsLostMax)), 0u);
}

// Whatever the clocks say: its branches may have been decided otherwise.
TEST_F(RestoreTest, NothingIsDecidedAboutBranchesOfBefore) {
  take_office();
  enrol(life("orders", "second", 40));
  const TransactionId late = make_transaction_id(state_->time() + Millis(1), 8, 1, 1);
  EXPECT_TRUE(
      std::holds_alternative<BelowFloor>(run(kRestored, committed(late, "orders", Epoch(40)))));
  EXPECT_TRUE(std::holds_alternative<TookEffect>(
      run(kRestored, committed(late, "orders", Epoch(41 + kEpochsLostMax)))));
}

// ── what an operator decides ────────────────────────────────────────────────────────────────────

class ResolveTest : public RestoreTest {
 protected:
  ResolveTest() { take_office(); }

  void leave_to_operator(const std::string& participant) {
    run(kRestored, HeuristicFound{lost_,
                                  Outcome::kAborted,
                                  0,
                                  {participant, Epoch(1), Attempt(1), {}},
                                  FinishResult::kHazard});
  }
  CommandResult resolve(const TransactionId& transaction, Outcome outcome) {
    return run(kRestored, HeuristicResolved{transaction, outcome, "op", "seen"});
  }
  [[nodiscard]] std::optional<Outcome> resolved(const std::string& participant) const {
    return state_->heuristics().find(lost_)->resolved({participant, Epoch(1), Attempt(1), {}});
  }

  const TransactionId lost_ = make_transaction_id(kBackedUp + Millis(5), 2, 1, 1);
};

TEST_F(ResolveTest, IsKeptWithWhoAndWhy) {
  leave_to_operator("orders");
  EXPECT_TRUE(std::holds_alternative<TookEffect>(resolve(lost_, Outcome::kCommitted)));
  const Heuristic& kept = *state_->heuristics().find(lost_);
  EXPECT_EQ(*kept.resolution, (Resolution{Outcome::kCommitted, "op", "seen", state_->time(), 1}));
  EXPECT_EQ(copy()->state_hash(), state_->state_hash());
}

TEST_F(ResolveTest, HoldsOnlyForTheBranchesThatWereKnown) {
  leave_to_operator("orders");
  resolve(lost_, Outcome::kCommitted);
  leave_to_operator("stock");
  EXPECT_EQ(resolved("orders"), Outcome::kCommitted);
  EXPECT_EQ(resolved("stock"), std::nullopt);
}

TEST_F(ResolveTest, StandsOnceItIsMade) {
  leave_to_operator("orders");
  resolve(lost_, Outcome::kAborted);
  EXPECT_TRUE(std::holds_alternative<TookEffect>(resolve(lost_, Outcome::kAborted))) << "repeated";
  const CommandResult other = resolve(lost_, Outcome::kCommitted);
  ASSERT_TRUE(std::holds_alternative<AlreadyDecided>(other));
  EXPECT_EQ(std::get<AlreadyDecided>(other).outcome, Outcome::kAborted);
}

TEST_F(ResolveTest, CannotContradictTheLog) {
  EXPECT_TRUE(std::holds_alternative<AlreadyDecided>(resolve(decided_, Outcome::kAborted)));
}

TEST_F(ResolveTest, NeedsSomethingThatWasLeftToAnOperator) {
  EXPECT_TRUE(std::holds_alternative<NothingKept>(resolve(lost_, Outcome::kAborted)));
}

TEST_F(ResolveTest, OfARecordThatHasLeftTheRecordsOutcomeStands) {
  run(kRestored, HeuristicFound{lost_,
                                Outcome::kCommitted,
                                2,
                                {"orders", Epoch(1), Attempt(1), {}},
                                FinishResult::kHeuristicRollback});
  EXPECT_TRUE(std::holds_alternative<AlreadyDecided>(resolve(lost_, Outcome::kAborted)));
  EXPECT_EQ(resolved("orders"), std::nullopt);
}

// An abort of which one branch was told otherwise, and another branch is found after the restore.
TEST_F(ResolveTest, OfARecordThatHasLeftTheOutcomeIsConfirmedForABranchItDidNotKnow) {
  const DecidedBranch stock{"stock", Epoch(1), Attempt(1), {}};
  run(kRestored,
      HeuristicFound{lost_, Outcome::kAborted, 1, stock, FinishResult::kHeuristicCommit});
  leave_to_operator("orders");
  EXPECT_TRUE(std::holds_alternative<TookEffect>(resolve(lost_, Outcome::kAborted)));
  EXPECT_EQ(resolved("orders"), Outcome::kAborted);
}

// It listed all that it meant (R5).
TEST_F(ResolveTest, OfARecordThatHasLeftNoCommitIsConfirmed) {
  const DecidedBranch stock{"stock", Epoch(1), Attempt(1), {}};
  run(kRestored,
      HeuristicFound{lost_, Outcome::kCommitted, 2, stock, FinishResult::kHeuristicRollback});
  leave_to_operator("orders");
  resolve(lost_, Outcome::kCommitted);
  EXPECT_EQ(resolved("orders"), std::nullopt) << "it says so already, and means the others";
}

}  // namespace
}  // namespace assent::state
