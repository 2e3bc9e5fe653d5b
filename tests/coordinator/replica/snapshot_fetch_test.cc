// When a replica writes a snapshot, which one it fetches and what it asks for next.
#include "coordinator/replica/snapshot_fetch.h"

#include <gtest/gtest.h>

#include "coordinator/replica/snapshot_schedule.h"

namespace assent::replica {
namespace {

constexpr paxos::SnapshotInfo kFirst{Slot(100), 7, 1'000};
constexpr paxos::SnapshotInfo kSecond{Slot(200), 8, 1'500};
constexpr ReplicaId kTwo{2};
constexpr ReplicaId kThree{3};

class Fetch : public ::testing::Test {
 protected:
  void begin(const paxos::SnapshotInfo& snapshot, std::uint64_t have = 0) {
    ASSERT_TRUE(fetch_.take({kTwo, snapshot}, Slot(10)));
    fetch_.begin({kTwo, snapshot}, have);
  }
  PartAsked ask() {
    const auto asked = fetch_.ask();
    EXPECT_TRUE(asked.has_value());
    return asked.value_or(PartAsked{});
  }

  SnapshotFetch fetch_;
};

TEST_F(Fetch, AsksForOnePartAfterTheOther) {
  begin(kFirst);

  const PartAsked first = ask();
  EXPECT_EQ(first, (PartAsked{kTwo, kFirst, 0}));
  EXPECT_FALSE(fetch_.ask().has_value()) << "one at a time";
  EXPECT_TRUE(fetch_.answered(first, 600));
  const PartAsked second = ask();
  EXPECT_EQ(second.offset, 600u);
  EXPECT_TRUE(fetch_.answered(second, 400));

  EXPECT_TRUE(fetch_.whole());
  EXPECT_FALSE(fetch_.ask().has_value());
}

TEST_F(Fetch, GoesOnBehindWhatIsHere) {
  begin(kFirst, 300);
  EXPECT_EQ(ask().offset, 300u);
}

TEST_F(Fetch, ASnapshotThatIsNoFurtherIsNotFetched) {
  EXPECT_FALSE(fetch_.take({kTwo, kFirst}, Slot(100)));
  EXPECT_FALSE(fetch_.ask().has_value());
}

TEST_F(Fetch, WhatFailedIsAskedForAgainWithTheNextOffer) {
  begin(kFirst);
  fetch_.failed(ask());
  EXPECT_FALSE(fetch_.ask().has_value());

  EXPECT_FALSE(fetch_.take({kTwo, kFirst}, Slot(10))) << "it is the same one";

  EXPECT_EQ(ask(), (PartAsked{kTwo, kFirst, 0}));
}

TEST_F(Fetch, GoesOnWithAnotherReplicaThatOffersTheSame) {
  begin(kFirst, 300);

  EXPECT_FALSE(fetch_.take({kThree, kFirst}, Slot(10)));

  EXPECT_EQ(ask(), (PartAsked{kThree, kFirst, 300}));
}

// A leader may write snapshots faster than they are sent.
TEST_F(Fetch, ANewerOneDoesNotTakeThePlaceOfOneThatIsStillGiven) {
  begin(kFirst);
  const PartAsked asked = ask();

  EXPECT_FALSE(fetch_.take({kTwo, kSecond}, Slot(10)));

  EXPECT_TRUE(fetch_.answered(asked, 600));
  EXPECT_EQ(ask().snapshot, kFirst);
}

TEST_F(Fetch, ANewerOneTakesThePlaceOfOneThatIsNotGivenAnyMore) {
  begin(kFirst);
  fetch_.failed(ask());

  begin(kSecond, 20);

  EXPECT_EQ(ask(), (PartAsked{kTwo, kSecond, 20}));
}

TEST_F(Fetch, AnAnswerThatNobodyWaitsForIsNotTaken) {
  begin(kFirst);
  const PartAsked asked = ask();
  fetch_.failed(asked);
  begin(kSecond);

  EXPECT_FALSE(fetch_.answered(asked, 600));
  const PartAsked second = ask();
  fetch_.failed(asked);
  EXPECT_TRUE(fetch_.answered(second, 1)) << "a late failure of another one changes nothing";
  EXPECT_EQ(fetch_.have(), 1u);
}

TEST_F(Fetch, ValuesThatCameAllTheSameEndIt) {
  begin(kFirst);
  EXPECT_TRUE(fetch_.answered(ask(), 600));

  EXPECT_FALSE(fetch_.take({kTwo, kFirst}, Slot(150)));

  EXPECT_FALSE(fetch_.snapshot().has_value());
}

// ── when one is written ─────────────────────────────────────────────────────────────────────────

TEST(Schedule, ASnapshotIsDueAfterSoManyBytes) {
  SnapshotSchedule schedule(1'000);
  EXPECT_FALSE(schedule.due(999, Slot(5), Slot(0)));
  EXPECT_TRUE(schedule.due(1'000, Slot(5), Slot(0)));

  schedule.begun(1'200, 900);

  EXPECT_FALSE(schedule.due(2'199, Slot(9), Slot(5)));
  EXPECT_TRUE(schedule.due(2'200, Slot(9), Slot(5)));
}

TEST(Schedule, ALargeStateIsWrittenAfterAsMuchLog) {
  SnapshotSchedule schedule(1'000);

  schedule.begun(1'000, 5'000);

  EXPECT_FALSE(schedule.due(5'999, Slot(9), Slot(5)));
  EXPECT_TRUE(schedule.due(6'000, Slot(9), Slot(5)));
}

TEST(Schedule, OneOfTheSameStateIsOfNoUse) {
  const SnapshotSchedule schedule(1'000);
  EXPECT_FALSE(schedule.due(5'000, Slot(5), Slot(5)));
}

TEST(Schedule, OneThatFailedIsTriedAgainEarlier) {
  SnapshotSchedule schedule(1'000);
  schedule.begun(1'000, 0);
  schedule.failed(1'010);
  EXPECT_FALSE(schedule.due(1'134, Slot(5), Slot(0)));
  EXPECT_TRUE(schedule.due(1'135, Slot(5), Slot(0)));
}

}  // namespace
}  // namespace assent::replica
