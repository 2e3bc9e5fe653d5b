// Snapshots, the log, and both after a crash: what a replica starts from is never less than what it
// told, and never another state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "tests/coordinator/storage/replica_log_fixture.h"

namespace assent::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReplicaSnapshots : public ReplicaLogFixture {
 protected:
  void SetUp() override { open(); }

  // Slots up to `to` are accepted and chosen; four of them fill a segment.
  void choose(std::uint64_t to) {
    while (slot_ < to) {
      ++slot_;
      append({accepted(slot_, 1, value(slot_)), chosen(slot_)});
      ASSERT_TRUE(all_persisted());
    }
  }
  static std::string value(std::uint64_t slot) {
    return std::string(900, static_cast<char>('a' + slot % 26));
  }
  void take_snapshot() {
    const auto info = snapshot(slot_, {"state " + std::to_string(slot_)});
    ASSERT_TRUE(info.has_value()) << info.error().message;
    log_->truncate();
  }
  [[nodiscard]] std::vector<Record> restored_values() const {
    std::vector<Record> values;
    std::ranges::copy_if(restored_, std::back_inserter(values),
                         [](const Record& record) { return record.type == RecordType::kAccepted; });
    return values;
  }
  void damage(std::uint64_t through) {
    const std::string path = directory_.file(snapshot_name(Slot(through)));
    std::string bytes = read_file(path);
    ASSERT_FALSE(bytes.empty()) << path;
    bytes[bytes.size() / 2] ^= 0x10;
    write_file(path, bytes);
  }
  [[nodiscard]] std::uint64_t first_segment() const {
    return parse_segment_name(contents(directory_.path()).begin()->first)->value;
  }
  void expect_readable() const {
    for (Slot slot = log_->first_slot(); slot <= Slot(slot_); slot = slot.next()) {
      ASSERT_EQ(read(slot.value), "1:" + value(slot.value));
    }
  }
  void expect_refused(const std::string& part) {
    close();
    const auto before = contents(directory_.path());
    const auto opened = try_open(options());
    ASSERT_FALSE(opened.has_value());
    EXPECT_THAT(opened.error().message, HasSubstr(part));
    close();
    EXPECT_EQ(contents(directory_.path()), before);
  }

  std::uint64_t slot_ = 0;
};

TEST_F(ReplicaSnapshots, AStartLoadsTheNewestAndReplaysWhatIsAboveIt) {
  choose(20);
  take_snapshot();
  choose(25);
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state 20"});
  ASSERT_TRUE(log_->snapshot().has_value());
  EXPECT_EQ(log_->snapshot()->through, Slot(20));
  EXPECT_THAT(restored_values(), SizeIs(5));
  EXPECT_EQ(restored_.back(), encode(chosen(25)));
  EXPECT_EQ(restored_.front(), encode(promised(1))) << "of an accepted value that the state has";
  expect_readable();
  EXPECT_EQ(log_->first_slot(), Slot(1)) << "one snapshot: the log is the other";
}

TEST_F(ReplicaSnapshots, TheSnapshotIsKnownWhileItIsLoadedAndRestored) {
  choose(20);
  take_snapshot();
  close();
  log_ = std::make_unique<ReplicaLog>(options());
  std::vector<Slot> seen;
  const auto see = [&] { seen.push_back(log_->snapshot()->through); };
  const auto opened = log_->open([&](const paxos::Record&) { see(); }, [](paxos::RecordIndex) {},
                                 [&](std::string_view) -> Result<void> {
                                   see();
                                   return {};
                                 });
  ASSERT_TRUE(opened.has_value());
  ASSERT_GT(seen.size(), 2u);
  EXPECT_TRUE(std::ranges::all_of(seen, [](Slot slot) { return slot == Slot(20); }));
}

TEST_F(ReplicaSnapshots, WhatTheStateRefusesIsRefused) {
  choose(3);
  take_snapshot();
  close();
  log_ = std::make_unique<ReplicaLog>(options());
  const auto opened =
      log_->open([](const paxos::Record&) { FAIL() << "restored"; }, [](paxos::RecordIndex) {},
                 [](std::string_view) -> Result<void> {
                   return failure(ErrorCode::kUnsupportedVersion, "too new");
                 });
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupportedVersion);
  log_ = std::make_unique<ReplicaLog>(options());
  EXPECT_FALSE(log_->open([](const paxos::Record&) {}, [](paxos::RecordIndex) {}).has_value())
      << "nor is a snapshot passed over when nobody takes it";
}

TEST_F(ReplicaSnapshots, SegmentsGoThatNeitherSnapshotNeeds) {
  choose(20);
  take_snapshot();
  const Sequence first = log_->snapshots().newest()->replay_from;
  EXPECT_EQ(first_segment(), 1u);
  choose(40);
  take_snapshot();
  ASSERT_TRUE(loop_.run_until([&] { return first_segment() == first.value; }));
  EXPECT_LT(Slot(10), log_->first_slot());
  EXPECT_LE(log_->first_slot(), Slot(20));
  const paxos::ChosenLog& as_consensus_sees_it = *log_;
  EXPECT_EQ(as_consensus_sees_it.first(), log_->first_slot()) << "no promise may hide what is gone";
  expect_readable();
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state 40"});
  expect_readable();
  EXPECT_LE(log_->first_slot(), Slot(21)) << "a replica that is a little behind is read to";
}

TEST_F(ReplicaSnapshots, ADamagedNewestFallsBackToTheOneBefore) {
  for (const std::uint64_t slot : {20, 40, 60}) {
    choose(slot);
    take_snapshot();
  }
  choose(63);
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state 60"});
  close();
  damage(60);
  open();
  EXPECT_EQ(loaded_, Chunks{"state 40"});
  EXPECT_THAT(log_->snapshots().damaged(), SizeIs(1));
  EXPECT_THAT(restored_values(), SizeIs(23)) << "of slots 41 to 63";
  EXPECT_EQ(restored_.back(), encode(chosen(63)));
  expect_readable();
  choose(70);
  take_snapshot();
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state 70"});
}

TEST_F(ReplicaSnapshots, TheOnlyOneDamagedTheWholeLogIsReplayed) {
  choose(20);
  take_snapshot();
  choose(22);
  close();
  damage(20);
  open();
  EXPECT_THAT(loaded_, IsEmpty());
  EXPECT_EQ(restored_, written_);
}

TEST_F(ReplicaSnapshots, BothDamagedTheShortenedLogIsRefusedByName) {
  for (const std::uint64_t slot : {20, 40, 60}) {
    choose(slot);
    take_snapshot();
  }
  ASSERT_TRUE(loop_.run_until([&] { return first_segment() > 1; }));
  close();
  damage(40);
  damage(60);
  expect_refused("begins with record 1 is missing in front of");
  expect_refused(snapshot_name(Slot(60)) + " is damaged");
  expect_refused(snapshot_name(Slot(40)) + " is damaged");
}

TEST_F(ReplicaSnapshots, ASegmentThatTheSnapshotNeedsIsMissedByName) {
  for (const std::uint64_t slot : {20, 40, 60}) {
    choose(slot);
    take_snapshot();
  }
  const Sequence needed = log_->snapshots().newest()->replay_from;
  choose(70);
  close();
  for (const auto& [name, bytes] : contents(directory_.path())) {
    const auto first = parse_segment_name(name);
    if (first && *first <= needed) std::filesystem::remove(directory_.file(name));
  }
  expect_refused("begins with record " + to_string(needed) + " is missing");
}

// ── what replay_from counts ─────────────────────────────────────────────────────────────────────

TEST_F(ReplicaSnapshots, AnOpenSlotKeepsItsSegment) {
  append({accepted(30, 1, "an old one, far ahead")});
  choose(20);
  EXPECT_EQ(log_->replay_from(Slot(20)), Sequence(1));
  append({accepted(30, 2, "accepted again")});
  ASSERT_TRUE(all_persisted());
  EXPECT_LT(Sequence(1), log_->replay_from(Slot(20)));
}

// A crash would take the new record back, and the old one is what was told.
TEST_F(ReplicaSnapshots, ARecordThatIsNotDurableDoesNotCount) {
  append({accepted(30, 1, "told")});
  choose(20);
  loop_.close_gate();
  append({accepted(30, 2, "not durable yet"), promised(9)});
  EXPECT_EQ(log_->replay_from(Slot(20)), Sequence(1));
  loop_.open_gate();
  ASSERT_TRUE(all_persisted());
}

TEST_F(ReplicaSnapshots, APromiseKeepsItsSegmentUntilALaterRecordRepeatsIt) {
  EXPECT_EQ(log_->replay_from(Slot(0)), Sequence(1)) << "nothing is there";
  append({promised(1)});
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(log_->replay_from(Slot(0)), Sequence(1));
  choose(20);
  const Sequence later = log_->replay_from(Slot(20));
  EXPECT_LT(Sequence(1), later);
}

TEST_F(ReplicaSnapshots, ThePromiseSurvivesAnyNumberOfSnapshots) {
  append({promised(1)});
  std::uint64_t round = 1;
  for (std::uint64_t slot = 15; slot <= 90; slot += 15) {
    append({promised(++round)});
    for (; slot_ < slot; ++slot_) {
      append({accepted(slot_ + 1, round, value(slot_ + 1)), chosen(slot_ + 1)});
    }
    ASSERT_TRUE(all_persisted());
    take_snapshot();
    reopen();
    const auto last = std::ranges::find_if(restored_.rbegin(), restored_.rend(), [](const auto& r) {
      return r.type == RecordType::kPromised;
    });
    ASSERT_NE(last, restored_.rend());
    EXPECT_EQ(*last, encode(promised(round)));
  }
  EXPECT_LT(Slot(1), log_->first_slot());
}

TEST_F(ReplicaSnapshots, AStartDeletesWhatTheLifeBeforeHadNotGotTo) {
  for (const std::uint64_t slot : {20, 40}) {
    choose(slot);
    ASSERT_TRUE(snapshot(slot, {"state"}).has_value());
  }
  EXPECT_EQ(first_segment(), 1u);
  reopen();
  ASSERT_TRUE(loop_.run_until([&] { return log_->counters().segments_deleted > 0; }));
}

// ── a state that came from a snapshot ───────────────────────────────────────────────────────────

class FetchedState : public ReplicaSnapshots {
 protected:
  // The state of slots up to 10 is this replica's own; it has accepted a value of slot 11, which
  // others have not chosen. Then it fetches the state after slot 30.
  void SetUp() override {
    ReplicaSnapshots::SetUp();
    choose(10);
    append({accepted(11, 1, "not chosen")});
    ASSERT_TRUE(all_persisted());
    const std::string image = snapshot_image(Slot(30), Sequence(999), {"state 30"});
    const auto info = *decode_snapshot_header(image.substr(0, kSnapshotHeaderBytes));
    SnapshotStore& store = log_->snapshots();
    ASSERT_EQ(store.incoming(info.id, info.through, info.bytes), 0u);
    store.write(0, image.substr(kSnapshotHeaderBytes));
    const auto got = complete_snapshot(store, loop_, log_->replay_from(Slot(30)));
    ASSERT_TRUE(got.has_value()) << got.error().message;
    slot_ = 30;
  }
  void rebase_and_go_on() {
    log_->rebase(Slot(30));
    choose(33);
  }
};

TEST_F(FetchedState, TheLogGoesOnBehindIt) {
  rebase_and_go_on();
  EXPECT_EQ(log_->first_slot(), Slot(31)) << "what was accepted below need not be what was chosen";
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state 30"});
  EXPECT_THAT(restored_values(), SizeIs(3));
  EXPECT_EQ(restored_.back(), encode(chosen(33)));
  EXPECT_EQ(log_->first_slot(), Slot(31));
  expect_readable();
}

TEST_F(FetchedState, ACallerDoesNotCountTheBase) {
  reopen();
  log_->rebase(Slot(31));
  append({promised(2)});
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(persisted_.back(), 1u);
  EXPECT_EQ(log_->replayed(), 21u) << "ten values, ten marks, and one value";
}

// The value of slot 11 in the log would be taken for the chosen one.
TEST_F(FetchedState, WithoutItALogThatWentOnIsRefused) {
  rebase_and_go_on();
  close();
  damage(30);
  expect_refused("The log goes on from the state after slot 30, which only " + directory_.path() +
                 "/" + snapshot_name(Slot(30)) + " has, or a newer one");
  expect_refused("replace this replica under a new id");
}

TEST_F(FetchedState, ACrashInFrontOfTheBaseIsMadeGoodForAtTheNextStart) {
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state 30"});
  EXPECT_EQ(log_->first_slot(), Slot(31));
  choose(33);
  close();
  damage(30);
  expect_refused("The log goes on from the state after slot 30");
}

TEST_F(FetchedState, OneThatWasNeverUsedMayRot) {
  close();
  damage(30);
  open();
  EXPECT_THAT(loaded_, IsEmpty());
  EXPECT_EQ(restored_, written_);
}

// Its own snapshot can be durable when the marks in front of it are not.
TEST_F(ReplicaSnapshots, ACrashMayTakeTheMarksBelowASnapshot) {
  choose(5);
  append({accepted(6, 1, value(6)), accepted(7, 1, "not the one that was chosen")});
  ASSERT_TRUE(all_persisted());
  write_file(directory_.file(snapshot_name(Slot(7))),
             snapshot_image(Slot(7), Sequence(1), {"state 7"}));
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state 7"});
  EXPECT_EQ(log_->first_slot(), Slot(8));
  slot_ = 7;
  choose(9);
  reopen();
  EXPECT_EQ(restored_.back(), encode(chosen(9)));
  expect_readable();
}

using ReplicaSnapshotsDeathTest = ReplicaSnapshots;

TEST_F(ReplicaSnapshotsDeathTest, ASnapshotBehindTheMarkHasNoPlaceInTheLog) {
  choose(3);
  EXPECT_DEATH(static_cast<void>(log_->replay_from(Slot(2))), "the state as it is now");
}

}  // namespace
}  // namespace assent::storage
