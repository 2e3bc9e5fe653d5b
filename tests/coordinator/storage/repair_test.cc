// Damage of a log that the others have repaired: a record says so, and the next starts are sound.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/coordinator/storage/damage_fixture.h"

namespace assent::storage {
namespace {

class Repair : public DamageFixture {
 protected:
  // Slot 5 of twelve has rotted; the life that repairs it learns the slots anew, under a ballot of
  // its own, up to `through`.
  void damage_and_repair(std::uint64_t through = 14) {
    write(12);
    lost_ = rot(5);
    open_damaged();
    ASSERT_EQ(told_.size(), 1u);
    learn_again(4, through);
    repair();
  }
  void learn_again(std::uint64_t from, std::uint64_t through) {
    slot_ = from;
    choose(through, ++round_);
  }
  void repair() {
    append({paxos::Repaired{Slot(slot_)}});
    ASSERT_TRUE(all_persisted());
  }
  // No record of a repair counts, and no mark but those in front of the damage.
  void expect_unrepaired() {
    EXPECT_EQ(restored(RecordType::kRepaired), 0u);
    EXPECT_EQ(restored(RecordType::kChosenMark), 4u);
  }
  // What stands behind the damage is handed on as from a sound log: the last record of each kind.
  void expect_sound(std::uint64_t through) {
    EXPECT_EQ(restored(RecordType::kRepaired), 1u);
    bool repaired = false;
    for (const Record& record : restored_behind()) {
      repaired = repaired || record.type == RecordType::kRepaired;
      if (!repaired) {
        EXPECT_NE(record.type, RecordType::kChosenMark) << "in front of the repair";
      }
    }
    for (std::uint64_t slot = 1; slot <= through; ++slot) {
      const std::string round = slot < 5 ? "2:" : "3:";
      EXPECT_EQ(read(slot), round + value(slot)) << slot;
    }
  }
  std::uint64_t round_ = 2;
  At lost_;
};

TEST_F(Repair, IsReadByTheNextStart) {
  damage_and_repair();
  choose(16, 3);
  reopen_damaged();
  EXPECT_EQ(told_.size(), 1u) << "in its place, as before";
  EXPECT_EQ(log_->damage().size(), 1u);
  expect_sound(16);
  EXPECT_EQ(restored_.back().type, RecordType::kAccepted);
  EXPECT_EQ(restored(RecordType::kChosenMark), 4u + 2u) << "those that follow are told again";
}

TEST_F(Repair, IsReadByEveryStart) {
  damage_and_repair();
  for (int i = 0; i < 3; ++i) {
    reopen_damaged();
    expect_sound(14);
    choose(slot_ + 2, 3);
  }
}

TEST_F(Repair, NamesWhatLacks) {
  damage_and_repair();
  const At at = last(RecordType::kRepaired);
  const std::string bytes = read_file(directory_.file(at.name));
  const auto record = find_record(bytes, at.offset, decode_segment_header(bytes)->salt);
  const auto scope = decode_repair_scope(record->payload);
  ASSERT_TRUE(scope.has_value());
  EXPECT_EQ(*scope, (RepairScope{Slot(0), {{told_[0].first, told_[0].next}}}));
}

TEST_F(Repair, LetsTheDamageGoWithTwoSnapshots) {
  damage_and_repair();
  reopen_damaged();
  expect_gone_with_two_snapshots();
}

// ── what is none ────────────────────────────────────────────────────────────────────────────────

TEST_F(Repair, ThatHasRottenIsNone) {
  damage_and_repair();
  choose(16, 3);
  close();
  spoil(last(RecordType::kRepaired));
  open_damaged();
  EXPECT_EQ(told_.size(), 2u);
  expect_unrepaired();
}

TEST_F(Repair, DoesNotSpeakOfDamageInFrontOfItThatItDidNotSee) {
  damage_and_repair();
  choose(16, 3);
  close();
  rot(7);
  open_damaged();
  EXPECT_EQ(told_.size(), 2u);
  expect_unrepaired();
}

// The record beside it rots as well.
TEST_F(Repair, DoesNotSpeakOfDamageThatHasGrown) {
  damage_and_repair();
  close();
  std::string bytes = read_file(directory_.file(lost_.name));
  const auto salt = decode_segment_header(bytes)->salt;
  // Behind the value that is lost stands the mark of the next batch.
  const std::size_t behind = lost_.offset + record_bytes(kAcceptedPrefixBytes + 900);
  ASSERT_TRUE(find_record(bytes, behind, salt).has_value());
  flip(lost_.name, behind + kRecordHeaderBytes);
  open_damaged();
  ASSERT_EQ(told_.size(), 1u);
  expect_unrepaired();
}

// It is sound up to there, and its marks count; behind the new damage none does.
TEST_F(Repair, DoesNotSpeakOfDamageBehindIt) {
  damage_and_repair();
  choose(20, 3);
  close();
  rot(17);
  open_damaged();
  EXPECT_EQ(told_.size(), 2u);
  EXPECT_EQ(restored(RecordType::kRepaired), 1u);
  EXPECT_EQ(restored(RecordType::kChosenMark), 4u + 3u) << "of 14, 15 and 16";
  ASSERT_TRUE(snapshot(16, {"state 16"}).has_value());
  reopen_damaged();
  EXPECT_EQ(told_.size(), 1u) << "the snapshot does not hide what is not repaired";
}

TEST_F(Repair, OfBothSpeaksOfBoth) {
  damage_and_repair();
  choose(20, 3);
  close();
  rot(17);
  open_damaged();
  learn_again(16, 22);
  repair();
  reopen_damaged();
  EXPECT_EQ(told_.size(), 2u);
  EXPECT_EQ(restored(RecordType::kRepaired), 2u);
  for (std::uint64_t slot = 1; slot <= 22; ++slot) {
    const std::string round = slot < 5 ? "2:" : slot < 17 ? "3:" : "4:";
    EXPECT_EQ(read(slot), round + value(slot));
  }
}

TEST_F(Repair, ThatSpeaksOfASlotWithoutAValueIsRefused) {
  damage_and_repair();
  append({paxos::Repaired{Slot(30)}});
  ASSERT_TRUE(all_persisted());
  close();
  const auto opened = try_open_damaged();
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, ::testing::HasSubstr("slot 30 as the chosen mark"));
}

// ── beside snapshots ────────────────────────────────────────────────────────────────────────────

// The state that it counts on came from another replica.
TEST_F(Repair, WithAFetchedSnapshotNeedsThatSnapshot) {
  write(12);
  rot(5);
  open_damaged();
  rest_on_fetched(40);
  learn_again(40, 42);
  repair();
  reopen_damaged();
  EXPECT_EQ(loaded_, (std::vector<std::string>{"state 40"}));
  EXPECT_EQ(restored(RecordType::kRepaired), 1u);
  EXPECT_EQ(read(41), "3:" + value(41));
  close();
  flip(snapshot_name(Slot(40)), 100);
  open_damaged();
  EXPECT_EQ(told_.size(), 1u)
      << "the records: the snapshot is missed behind them, in doubt already";
  expect_unrepaired();
}

// The snapshot under the log has rotted, and the one before it is loaded: repaired from there, the
// next start with that one is sound.
TEST_F(Repair, OfALostSnapshotCounts) {
  lose_fetched_snapshot();
  learn_again(5, 34);
  repair();
  choose(36, 3);
  reopen_damaged();
  EXPECT_EQ(loaded_, (std::vector<std::string>{"state 5"}));
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_EQ(restored(RecordType::kRepaired), 1u);
  EXPECT_EQ(read(35), "3:" + value(35));
  EXPECT_EQ(restored_.back().type, RecordType::kAccepted);
}

}  // namespace
}  // namespace assent::storage
