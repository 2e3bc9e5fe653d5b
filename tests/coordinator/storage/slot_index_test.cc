#include "coordinator/storage/slot_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace assent::storage {
namespace {

Place at(std::uint64_t segment, std::uint64_t offset = 0) {
  return {Sequence(segment), offset};
}

TEST(SlotIndex, BeginsWithTheFirstSlot) {
  SlotIndex index;
  EXPECT_EQ(index.first(), Slot(1));
  EXPECT_EQ(index.contiguous_through(), Slot(0));
  index.put(Slot(2), at(1));
  EXPECT_EQ(index.contiguous_through(), Slot(0));
  index.put(Slot(1), at(1));
  EXPECT_EQ(index.contiguous_through(), Slot(2));
  EXPECT_EQ(index.first(), Slot(1));
}

TEST(SlotIndex, SlotsOfTheBaseThatReachToItCanBeRead) {
  SlotIndex index;
  index.begin_at(Slot(10));
  for (const std::uint64_t slot : {6, 5, 7, 9, 11, 8, 10, 12}) index.put(Slot(slot), at(slot));
  index.connect();
  EXPECT_EQ(index.first(), Slot(6)) << "the first that came; 5 lay in front of it";
  EXPECT_EQ(index.contiguous_through(), Slot(12));
  for (std::uint64_t slot = 6; slot <= 12; ++slot) EXPECT_EQ(index.find(Slot(slot)), at(slot));
  EXPECT_EQ(index.find(Slot(5)), std::nullopt);
}

TEST(SlotIndex, SlotsOfTheBaseBehindWhichOneLacksCannot) {
  SlotIndex index;
  index.begin_at(Slot(10));
  for (const std::uint64_t slot : {6, 7, 9, 10, 11, 12, 14}) index.put(Slot(slot), at(slot));
  index.connect();
  EXPECT_EQ(index.first(), Slot(11));
  EXPECT_EQ(index.contiguous_through(), Slot(12));
  EXPECT_EQ(index.find(Slot(6)), std::nullopt);
  EXPECT_EQ(index.find(Slot(10)), std::nullopt);
  EXPECT_EQ(index.find(Slot(14)), at(14));
}

TEST(SlotIndex, WithNoValueItBeginsBehindTheBase) {
  SlotIndex index;
  index.begin_at(Slot(10));
  index.connect();
  EXPECT_EQ(index.first(), Slot(11));
  EXPECT_EQ(index.contiguous_through(), Slot(10));
  index.put(Slot(11), at(1));
  EXPECT_EQ(index.contiguous_through(), Slot(11));
}

TEST(SlotIndex, RestartingKeepsWhatIsAbove) {
  SlotIndex index;
  for (const std::uint64_t slot : {1, 2, 3, 8, 11, 12, 15}) index.put(Slot(slot), at(slot));
  index.restart_behind(Slot(10));
  EXPECT_EQ(index.first(), Slot(11));
  EXPECT_EQ(index.contiguous_through(), Slot(12));
  EXPECT_EQ(index.find(Slot(15)), at(15));
  for (const std::uint64_t slot : {1, 2, 3, 8}) EXPECT_EQ(index.find(Slot(slot)), std::nullopt);
  index.put(Slot(9), at(20));  // was still on its way to the disk
  EXPECT_EQ(index.find(Slot(9)), std::nullopt);
  EXPECT_EQ(index.first(), Slot(11));
}

TEST(SlotIndex, ForgettingLeavesNoHole) {
  SlotIndex index;
  for (std::uint64_t slot = 1; slot <= 6; ++slot) index.put(Slot(slot), at(slot <= 3 ? 1 : 2));
  index.put(Slot(2), at(2));  // accepted again
  index.forget_before(Sequence(2), Slot(3));
  EXPECT_EQ(index.first(), Slot(4)) << "2 stands there, and 3 does not";
  EXPECT_EQ(index.contiguous_through(), Slot(6));
  EXPECT_EQ(index.find(Slot(2)), std::nullopt);
  index.forget_before(Sequence(9), Slot(6));
  EXPECT_EQ(index.first(), Slot(7));
  EXPECT_EQ(index.contiguous_through(), Slot(6));
  index.put(Slot(7), at(9));
  EXPECT_EQ(index.find(Slot(7)), at(9));
}

// Chosen by others before this disk had the value in the hole.
TEST(SlotIndex, WhatGoesBehindAHoleTakesTheHoleWithIt) {
  SlotIndex index;
  for (const std::uint64_t slot : {1, 2, 4, 5}) index.put(Slot(slot), at(1));
  for (const std::uint64_t slot : {6, 8}) index.put(Slot(slot), at(2));

  index.forget_before(Sequence(2), Slot(5));

  EXPECT_EQ(index.first(), Slot(6));
  EXPECT_EQ(index.contiguous_through(), Slot(6));
  EXPECT_EQ(index.find(Slot(5)), std::nullopt);
  index.put(Slot(3), at(3));  // was still on its way to the disk
  EXPECT_EQ(index.find(Slot(3)), std::nullopt);
  EXPECT_EQ(index.first(), Slot(6));
  index.put(Slot(7), at(3));
  EXPECT_EQ(index.contiguous_through(), Slot(8));
}

TEST(SlotIndex, FindsTheLowestSegmentAboveASlot) {
  SlotIndex index;
  EXPECT_EQ(index.lowest_segment_above(Slot(0)), std::nullopt);
  for (const auto& [slot, segment] :
       std::map<std::uint64_t, std::uint64_t>{{1, 1}, {2, 7}, {3, 5}, {4, 6}, {9, 4}, {12, 8}}) {
    index.put(Slot(slot), at(segment));
  }
  EXPECT_EQ(index.lowest_segment_above(Slot(0)), Sequence(1));
  EXPECT_EQ(index.lowest_segment_above(Slot(1)), Sequence(4));
  EXPECT_EQ(index.lowest_segment_above(Slot(9)), Sequence(8));
  EXPECT_EQ(index.lowest_segment_above(Slot(12)), std::nullopt);
  index.restart_behind(Slot(3));
  EXPECT_EQ(index.lowest_segment_above(Slot(0)), Sequence(4));
}

TEST(SlotIndexDeathTest, AValueThatIsNotChosenIsNotForgotten) {
  SlotIndex index;
  index.put(Slot(1), at(1));
  index.put(Slot(3), at(1));
  EXPECT_DEATH(index.forget_before(Sequence(2), Slot(2)), "a value that is not chosen is kept");
}

}  // namespace
}  // namespace assent::storage
