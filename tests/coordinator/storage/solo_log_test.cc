#include "coordinator/storage/solo_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/storage/entry_record.h"
#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kWall = 1'700'000'000'000;

TransactionId transaction(int number) {
  return make_transaction_id(LogTime(kWall), 0, static_cast<std::uint64_t>(number), 7);
}

state::Committed committed(int number, std::size_t branches = 1) {
  state::Committed command{.transaction = transaction(number), .request_hash = 1, .branches = {}};
  for (std::size_t i = 0; i < branches; ++i) {
    command.branches.push_back({.participant = "orders" + std::to_string(i),
                                .epoch = Epoch(1),
                                .attempt = Attempt(1),
                                .evidence = {}});
  }
  return command;
}

class Solo : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(open()); }

  [[nodiscard]] SoloLogOptions options() {
    SoloLogOptions options;
    options.log = small_segments(directory_.path(), loop_);
    options.entry_commands_max = 8;
    options.monotonic_now = [this] { return monotonic_; };
    options.wall_now_ms = [this] { return wall_; };
    options.post = loop_.poster();
    return options;
  }

  // Opens the log and waits for the office.
  void open() {
    bool taken = false;
    auto opened = SoloLog::open(options(), [&] { taken = true; });
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    log_ = std::move(*opened);
    ASSERT_TRUE(loop_.run_until([&] { return taken; }));
  }
  void reopen() {
    log_.reset();
    open();
  }

  // Proposes that T commits; the answer is noted under its number.
  void propose(int number) {
    log_->propose(committed(number), [this, number](const state::CommandResult& result) {
      EXPECT_TRUE(std::holds_alternative<state::TookEffect>(result)) << number;
      answered_.push_back(number);
    });
  }
  [[nodiscard]] bool answered(std::size_t count) {
    return loop_.run_until([this, count] { return answered_.size() >= count; });
  }

  void elapse(std::int64_t ms) {
    monotonic_ = monotonic_ + Millis(ms);
    wall_ += ms;
  }
  [[nodiscard]] std::uint64_t slots() const { return log_->state().executed().value; }

  ScratchDirectory directory_;
  TestLoop loop_;
  MonoTime monotonic_{5'000};
  std::int64_t wall_ = kWall;
  std::unique_ptr<SoloLog> log_;
  std::vector<int> answered_;
};

TEST_F(Solo, TakesOfficeInTheFirstSlot) {
  EXPECT_EQ(log_->ballot(), (Ballot{Incarnation(1), Round(1), ReplicaId(1)}));
  EXPECT_EQ(log_->state().office(), log_->ballot());
  EXPECT_EQ(slots(), 1u);
  EXPECT_EQ(log_->replayed(), 0u);
}

TEST_F(Solo, TheBallotGrowsAtEachOpening) {
  for (std::uint64_t round = 2; round <= 5; ++round) {
    reopen();
    EXPECT_EQ(log_->ballot(), (Ballot{Incarnation(1), Round(round), ReplicaId(1)}));
    EXPECT_EQ(log_->state().office(), log_->ballot());
    EXPECT_EQ(log_->replayed(), round - 1);
  }
}

TEST_F(Solo, TheBallotGrowsThoughTheOfficeWasNeverTaken) {
  log_.reset();
  bool taken = false;
  // Closed before the loop turns: OfficeTaken may or may not have reached the disk.
  log_ = *SoloLog::open(options(), [&] { taken = true; });
  loop_.run_posted();
  const Ballot abandoned = log_->ballot();
  log_.reset();
  loop_.run_posted();
  EXPECT_FALSE(taken);

  open();

  EXPECT_LT(abandoned, log_->ballot());
}

TEST_F(Solo, AnswersInTheOrderOfProposals) {
  for (int i = 0; i < 50; ++i) propose(i);

  ASSERT_TRUE(answered(50));

  EXPECT_TRUE(std::ranges::is_sorted(answered_));
}

TEST_F(Solo, ProposalsOfOneTurnShareASlotAndItsFlush) {
  const std::uint64_t flushes = log_->counters().flushes;
  for (int i = 0; i < 8; ++i) propose(i);

  ASSERT_TRUE(answered(8));

  EXPECT_EQ(slots(), 2u);
  EXPECT_EQ(log_->counters().flushes, flushes + 1);
}

TEST_F(Solo, ProposalsDuringAFlushShareTheNextSlot) {
  loop_.close_gate();
  propose(0);
  loop_.run_posted();
  ASSERT_TRUE(loop_.wait_until_held());
  for (int i = 1; i <= 5; ++i) propose(i);
  loop_.open_gate();

  ASSERT_TRUE(answered(6));

  EXPECT_EQ(slots(), 3u);
}

TEST_F(Solo, NothingIsAnsweredOrExecutedBeforeItIsDurable) {
  propose(1);
  EXPECT_THAT(answered_, IsEmpty());
  loop_.close_gate();
  loop_.run_posted();
  ASSERT_TRUE(loop_.wait_until_held()) << "durable now, and not told yet";
  loop_.run_posted();

  EXPECT_THAT(answered_, IsEmpty());
  EXPECT_EQ(log_->state().find(transaction(1)), nullptr);

  loop_.open_gate();
  ASSERT_TRUE(answered(1));
  EXPECT_NE(log_->state().find(transaction(1)), nullptr);
}

TEST_F(Solo, AnEntryHoldsNoMoreCommandsThanItsLimit) {
  for (int i = 0; i < 20; ++i) propose(i);

  ASSERT_TRUE(answered(20));

  EXPECT_EQ(slots(), 1u + 3u) << "8 + 8 + 4";
  EXPECT_TRUE(std::ranges::is_sorted(answered_));
}

TEST_F(Solo, AnEntryTooLargeForARecordIsHalvedInOrder) {
  std::vector<int> order;
  for (int i = 0; i < 8; ++i) {
    log_->propose(committed(i, 60),
                  [&order, i](const state::CommandResult&) { order.push_back(i); });
  }

  ASSERT_TRUE(loop_.run_until([&] { return order.size() == 8; }));

  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(slots(), 1u + 8u) << "no two of them fit";
  reopen();
  for (int i = 0; i < 8; ++i) {
    const auto* record = log_->state().find(transaction(i));
    ASSERT_NE(record, nullptr) << i;
    EXPECT_EQ(record->branches.size(), 60u);
  }
}

TEST_F(Solo, CallbacksMayProposeAgain) {
  std::function<void(int)> chain = [&](int number) {
    log_->propose(committed(number), [&, number](const state::CommandResult&) {
      answered_.push_back(number);
      if (number < 5) chain(number + 1);
    });
  };
  chain(0);

  ASSERT_TRUE(answered(6));

  EXPECT_THAT(answered_, ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST_F(Solo, CallbacksSeeTheStateThatHoldsTheirCommand) {
  bool seen = false;
  log_->propose(committed(1), [&](const state::CommandResult&) {
    seen = log_->state().find(transaction(1)) != nullptr;
    answered_.push_back(1);
  });
  ASSERT_TRUE(answered(1));
  EXPECT_TRUE(seen);
}

TEST_F(Solo, ACommandWithoutAListenerTakesEffectToo) {
  log_->propose(committed(1), nullptr);
  propose(2);
  ASSERT_TRUE(answered(1));
  EXPECT_NE(log_->state().find(transaction(1)), nullptr);
}

TEST_F(Solo, TheSecondDecisionOfATransactionIsToldOfTheFirst) {
  propose(1);
  ASSERT_TRUE(answered(1));
  state::CommandResult result;
  log_->propose(
      state::Aborted{
          .transaction = transaction(1), .request_hash = 1, .reason = {}, .branches = {}},
      [&](const state::CommandResult& told) {
        result = told;
        answered_.push_back(2);
      });
  ASSERT_TRUE(answered(2));

  ASSERT_TRUE(std::holds_alternative<state::AlreadyDecided>(result));
  EXPECT_EQ(std::get<state::AlreadyDecided>(result).outcome, Outcome::kCommitted);
}

TEST_F(Solo, MayBeClosedByACallbackAndCallsNobodyAfterwards) {
  propose(1);
  log_->propose(committed(2), [this](const state::CommandResult&) { log_.reset(); });
  propose(3);
  loop_.close_gate();
  loop_.run_posted();
  propose(4);
  loop_.open_gate();

  ASSERT_TRUE(loop_.run_until([this] { return log_ == nullptr; }));
  loop_.run_posted();

  EXPECT_THAT(answered_, ElementsAre(1));
  open();
  EXPECT_NE(log_->state().find(transaction(3)), nullptr) << "its slot was durable all the same";
  EXPECT_EQ(log_->state().find(transaction(4)), nullptr) << "it waited for the next entry";
}

TEST_F(Solo, ClosedBeforeTheCutItCallsNobody) {
  propose(1);
  log_.reset();
  loop_.run_posted();
  EXPECT_THAT(answered_, IsEmpty());
}

TEST_F(Solo, TheStateSurvivesReopening) {
  for (int i = 0; i < 100; ++i) propose(i);
  ASSERT_TRUE(answered(100));
  const std::uint64_t executed = slots();

  reopen();

  EXPECT_EQ(log_->replayed(), executed);
  EXPECT_EQ(log_->torn_bytes(), 0u);
  EXPECT_EQ(log_->state().record_count(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_NE(log_->state().find(transaction(i)), nullptr) << i;
  log_->state().check_invariants();
}

TEST_F(Solo, ASecondOpenerIsRefused) {
  const auto second = SoloLog::open(options(), [] {});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
}

TEST_F(Solo, TheLogOfAnotherReplicaIsRefused) {
  log_.reset();
  SoloLogOptions other = options();
  other.replica = ReplicaId(2);

  const auto opened = SoloLog::open(std::move(other), [] {});

  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kIdentityMismatch);
  EXPECT_THAT(opened.error().message, HasSubstr("written by replica 1, and this is replica 2"));
}

class SoloDeathTest : public Solo {};

TEST_F(SoloDeathTest, NothingIsProposedBeforeTheOfficeIsTaken) {
  log_.reset();
  EXPECT_DEATH(
      {
        auto opened = SoloLog::open(options(), [] {});
        (*opened)->propose(committed(1), nullptr);
      },
      "serves nothing before");
}

// ── the log's time (R17) ────────────────────────────────────────────────────────────────────────

TEST_F(Solo, TheFirstEntryHasTheTimeOfTheWallClock) {
  EXPECT_EQ(log_->state().time(), LogTime(kWall));
}

TEST_F(Solo, EntriesCarryTheTimeOfTheirCut) {
  elapse(250);
  EXPECT_EQ(log_->now(), LogTime(kWall + 250));
  propose(1);
  ASSERT_TRUE(answered(1));
  EXPECT_EQ(log_->state().time(), LogTime(kWall + 250));
}

TEST_F(Solo, TimeNeverGoesBackOverAnOpening) {
  elapse(10'000);
  propose(1);
  ASSERT_TRUE(answered(1));
  wall_ -= 60'000;

  reopen();

  EXPECT_EQ(log_->now(), LogTime(kWall + 10'000));
  EXPECT_EQ(log_->state().time(), LogTime(kWall + 10'000));
}

TEST_F(Solo, AWallClockThatIsWrongAtAnOpeningMovesNothing) {
  wall_ += 1'000'000'000;
  reopen();
  elapse(1'000);
  EXPECT_EQ(log_->now(), LogTime(kWall + 1'010));
}

// ── what cannot be replayed ─────────────────────────────────────────────────────────────────────

class SoloReplay : public Solo {
 protected:
  void SetUp() override {}

  void write(const std::vector<std::string>& payloads) {
    SegmentImage image(Sequence(1));
    image.batch(payloads);
    write_file(directory_.file(image.name()), image.bytes());
  }
  void expect_refused(const std::string& part) {
    const auto before = contents(directory_.path());
    const auto opened = SoloLog::open(options(), [] {});
    ASSERT_FALSE(opened.has_value());
    EXPECT_THAT(opened.error().message, HasSubstr(part));
    EXPECT_THAT(opened.error().message, HasSubstr("00000000000000000001.wal at offset "));
    EXPECT_EQ(contents(directory_.path()), before);
  }
  static std::string payload(std::uint64_t slot, std::uint64_t round) {
    const Ballot ballot{Incarnation(1), Round(round), ReplicaId(1)};
    const state::Entry entry{LogTime(kWall), {state::OfficeTaken{ballot}}};
    return encode_entry_record(Slot(slot), ballot, state::encode(entry));
  }
};

TEST_F(SoloReplay, SlotsThatDoNotFollowEachOtherAreRefused) {
  write({payload(1, 1), payload(3, 1)});
  expect_refused("slot 3 where slot 2 belongs");
}

TEST_F(SoloReplay, ABallotThatGoesBackIsRefused) {
  write({payload(1, 5), payload(2, 4)});
  expect_refused("ballot 1.4.1 follows the higher ballot 1.5.1");
}

TEST_F(SoloReplay, BytesThatAreNoEntryAreRefused) {
  write({payload(1, 1), "nonsense"});
  expect_refused("too short");
}

TEST_F(SoloReplay, TheNewBallotIsAboveTheHighestOfTheLog) {
  write({payload(1, 5), payload(2, 9)});
  ASSERT_NO_FATAL_FAILURE(open());
  EXPECT_EQ(log_->ballot(), (Ballot{Incarnation(1), Round(10), ReplicaId(1)}));
  EXPECT_EQ(log_->replayed(), 2u);
}

// ── a random life ───────────────────────────────────────────────────────────────────────────────

TEST_F(Solo, WhatWasAnsweredSurvivesAnySequenceOfClosings) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    for (int step = 0; step < 40; ++step) {
      const int number = static_cast<int>(seed * 1'000) + step;
      const std::uint64_t dice = random() % 10;
      if (dice == 0) {
        ASSERT_NO_FATAL_FAILURE(reopen());
        continue;
      }
      propose(number);
      if (dice < 3) loop_.run_posted();
      if (dice < 6) continue;
      ASSERT_TRUE(
          loop_.run_until([&] { return !answered_.empty() && answered_.back() == number; }));
    }
    for (const int number : answered_) {
      ASSERT_NE(log_->state().find(transaction(number)), nullptr) << number;
    }
    log_->state().check_invariants();
  }
  EXPECT_GT(answered_.size(), 200u);
}

}  // namespace
}  // namespace assent::storage
