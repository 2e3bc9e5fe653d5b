// Records that rotted in the middle of a replica's log: found, handed on in their place, and got
// rid of once others have told what was decided.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/coordinator/storage/damage_fixture.h"

namespace assent::storage {
namespace {

using ::testing::HasSubstr;

class Damage : public DamageFixture {};

// ── what is handed on ───────────────────────────────────────────────────────────────────────────

TEST_F(Damage, IsToldInItsPlaceWithFileAndOffset) {
  write(12);
  const At at = rot(5);
  open_damaged();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].file, directory_.file(at.name));
  EXPECT_EQ(told_[0].offset, at.offset);
  EXPECT_EQ(told_[0].next, told_[0].first.next());
  EXPECT_EQ(told_[0].length, record_bytes(kAcceptedPrefixBytes + 900));
  EXPECT_THAT(told_[0].sentence, HasSubstr(at_offset(directory_.file(at.name), at.offset)));
  EXPECT_EQ(restored(RecordType::kAccepted), 11u);
  EXPECT_EQ(log_->damage().size(), 1u);
}

// Marks behind it may be of a value that stands there no more.
TEST_F(Damage, HidesTheMarksBehindIt) {
  write(12);
  rot(5);
  open_damaged();
  EXPECT_EQ(restored(RecordType::kChosenMark), 4u);
  for (const Record& record : restored_behind()) EXPECT_NE(record.type, RecordType::kChosenMark);
  EXPECT_EQ(read(4), "2:" + value(4)) << "what is marked in front of it is settled";
}

TEST_F(Damage, OfManyPlacesIsToldAsOften) {
  write(16);
  for (const std::uint64_t slot : {9, 4, 3}) rot(slot);
  open_damaged();
  EXPECT_EQ(told_.size(), 3u) << "the marks between are intact";
  EXPECT_EQ(restored(RecordType::kAccepted), 13u);
}

TEST_F(Damage, AWholeSegmentWithoutItsHeaderIsOne) {
  write(20);
  const std::vector<std::string> names = segments();
  ASSERT_GE(names.size(), 4u);
  flip(names[1], 20);
  open_damaged();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].file, directory_.file(names[1]));
  EXPECT_EQ(told_[0].next, *parse_segment_name(names[2]));
  EXPECT_THAT(told_[0].sentence, HasSubstr("segment header"));
}

TEST_F(Damage, AMissingSegmentIsOne) {
  write(20);
  const std::vector<std::string> names = segments();
  ASSERT_EQ(::unlink(directory_.file(names[2]).c_str()), 0);
  open_damaged();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].first, *parse_segment_name(names[2]));
  EXPECT_EQ(told_[0].next, *parse_segment_name(names[3]));
  EXPECT_THAT(told_[0].sentence, HasSubstr("a segment is missing"));
}

TEST_F(Damage, GoesWithATornTailBehindIt) {
  write(12);
  rot(3);
  std::string bytes = read_file(directory_.file(segments().back()));
  const std::size_t end = (bytes.find_last_not_of('\0') + 8) / 8 * 8;
  bytes.replace(end, 20, 20, 'x');
  write_file(directory_.file(segments().back()), bytes);
  open_damaged();
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_EQ(log_->torn_bytes(), 20u);
}

// ── what is refused ─────────────────────────────────────────────────────────────────────────────

TEST_F(Damage, IsRefusedByWhoIsAlone) {
  write(12);
  const At at = rot(5);
  const auto opened = try_open(options());
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr(at_offset(directory_.file(at.name), at.offset)));
  EXPECT_THAT(opened.error().message, HasSubstr("replace this replica under a new id"));
}

// Behind it there is no ballot: a promise may be lost, and nobody knows how high.
TEST_F(Damage, AtTheEndIsRefused) {
  open();
  choose(5);
  append({promised(7)});
  ASSERT_TRUE(all_persisted());
  append({chosen(5)});
  ASSERT_TRUE(all_persisted());
  close();
  spoil(last(RecordType::kPromised));
  expect_refused("No record with a ballot stands behind it");
}

TEST_F(Damage, OfTheLastSegmentsHeaderIsRefused) {
  write(12);
  flip(segments().back(), 20);
  expect_refused("segment header of " + directory_.file(segments().back()) + " is damaged");
}

// ── until it is gone ────────────────────────────────────────────────────────────────────────────

// The life that repairs: it learns again from slot 5 on, and writes its marks behind higher ones.
TEST_F(Damage, IsFoundAtEveryStartUntilItIsRepaired) {
  write(12);
  rot(5);
  open_damaged();
  slot_ = 4;
  choose(8, 3);
  reopen_damaged();
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_EQ(restored(RecordType::kChosenMark), 4u);
  ASSERT_TRUE(snapshot(8, {"state 8"}).has_value()) << "one that is written meanwhile";
  reopen_damaged();
  EXPECT_EQ(loaded_, (std::vector<std::string>{"state 8"}));
  EXPECT_EQ(told_.size(), 1u) << "does not hide what may matter";
}

TEST_F(Damage, IsGoneWithTwoSnapshotsAfterItsRepair) {
  write(12);
  const At at = rot(5);
  open_damaged();
  EXPECT_FALSE(log_->wants_snapshot()) << "not before it is repaired";
  slot_ = 4;
  choose(14, 3);
  append({paxos::Repaired{Slot(14)}});
  expect_gone_with_two_snapshots();
  EXPECT_EQ(std::ranges::count(segments(), at.name), 0);
  EXPECT_EQ(read(21), "3:" + value(21));
}

// One snapshot is enough for a start that does not need what was lost; others still may.
TEST_F(Damage, InFrontOfWhatASnapshotNeedsIsNone) {
  write(12);
  rot(5);
  open_damaged();
  slot_ = 4;
  choose(14, 3);
  append({paxos::Repaired{Slot(14)}});
  take_snapshot();
  choose(16, 3);
  reopen_damaged();
  EXPECT_TRUE(told_.empty());
  EXPECT_LT(Slot(14), log_->first_slot()) << "older values may be such as were never chosen";
  EXPECT_EQ(read(15), "3:" + value(15));
}

// ── snapshots ───────────────────────────────────────────────────────────────────────────────────

// Both have rotted, and the log in front is gone: the state comes from the others.
TEST_F(Damage, OfAllSnapshotsAndATruncatedLogIsTold) {
  open();
  choose(20);
  take_snapshot();
  choose(40);
  take_snapshot();
  choose(44);
  ASSERT_TRUE(loop_.run_until([&] { return log_->counters().segments_deleted > 0; }));
  close();
  for (const std::uint64_t slot : {20, 40}) flip(snapshot_name(Slot(slot)), 100);
  open_damaged();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].first, Sequence(1));
  EXPECT_THAT(told_[0].sentence, HasSubstr("is missing in front of"));
  EXPECT_FALSE(log_->snapshot());
  EXPECT_EQ(restored(RecordType::kChosenMark), 0u);
  EXPECT_EQ(log_->snapshots().damaged().size(), 2u);
}

// The log rests on a snapshot that was fetched and has rotted: its own marks cannot be trusted.
TEST_F(Damage, OfAFetchedSnapshotIsTold) {
  lose_fetched_snapshot();
  EXPECT_EQ(told_[0].file, directory_.file(snapshot_name(Slot(30))));
  EXPECT_EQ(loaded_, (std::vector<std::string>{"state 5"}));
  for (const Record& record : restored_behind()) EXPECT_NE(record.type, RecordType::kChosenMark);
  // It goes on from slot 5, below the marks that stand there, and is at 31 when it next starts.
  slot_ = 5;
  choose(31, 4);
  ASSERT_TRUE(snapshot(31, {"state 31"}).has_value());
  choose(32, 4);
  reopen_damaged();
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(loaded_, (std::vector<std::string>{"state 31"}));
}

}  // namespace
}  // namespace assent::storage
