#include "coordinator/replica/log_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace assent::replica {
namespace {

constexpr LogTime kStart(1'000'000);
constexpr MonoTime kTaken(500);

TEST(LogClock, BeginsWhereTheLogEnded) {
  LogClock clock(kStart, kTaken, false);
  EXPECT_EQ(clock.advance(kTaken, kStart), kStart);
}

TEST(LogClock, FollowsAWallClockThatKeepsPace) {
  LogClock clock(kStart, kTaken, false);
  EXPECT_EQ(clock.advance(kTaken + Millis(70), kStart + Millis(70)), kStart + Millis(70));
}

TEST(LogClock, AJumpOfTheWallClockCannotExpireWhatIsAlive) {
  LogClock clock(kStart, kTaken, false);
  const LogTime next_century = kStart + Millis(3'000'000'000'000);
  EXPECT_EQ(clock.advance(kTaken + Millis(1'000), next_century), kStart + Millis(1'010));
}

TEST(LogClock, ComesBackByOnePerCentAfterALongStop) {
  LogClock clock(kStart, kTaken, false);
  const LogTime wall = kStart + Millis(3'600'000);
  EXPECT_EQ(clock.advance(kTaken, wall), kStart);
  EXPECT_EQ(clock.advance(kTaken + Millis(100'000), wall + Millis(100'000)),
            kStart + Millis(101'000));
}

TEST(LogClock, GoesOnAtHalfSpeedWhileTheWallClockIsBehind) {
  LogClock clock(kStart, kTaken, false);
  const LogTime wall = kStart - Millis(2'000);
  for (std::int64_t passed = 0; passed < 3'990; ++passed) {
    EXPECT_EQ(clock.advance(kTaken + Millis(passed), wall + Millis(passed)),
              kStart + Millis(passed / 2));
  }
  EXPECT_EQ(clock.advance(kTaken + Millis(4'500), wall + Millis(4'500)), kStart + Millis(2'500));
}

TEST(LogClock, GoesOnFromAnEntryWhileTheWallClockIsBehind) {
  LogClock clock(kStart, kTaken, false);
  const LogTime wall = kStart - Millis(1'000'000);
  EXPECT_EQ(clock.advance(kTaken, wall), kStart);
  clock.observe(kStart + Millis(60'000), kTaken + Millis(100));
  EXPECT_EQ(clock.advance(kTaken + Millis(100), wall), kStart + Millis(60'000));
  EXPECT_EQ(clock.advance(kTaken + Millis(300), wall), kStart + Millis(60'100));
}

TEST(LogClock, NeverGoesBackWhenTheWallClockDoes) {
  LogClock clock(kStart, kTaken, false);
  const LogTime reached = clock.advance(kTaken + Millis(900), kStart + Millis(900));
  EXPECT_EQ(clock.advance(kTaken + Millis(950), kStart - Millis(900)), reached);
}

TEST(LogClock, GoesOnFromAnEntryThatWasSeen) {
  LogClock clock(kStart, kTaken, false);
  clock.observe(kStart + Millis(60'000), kTaken + Millis(100));
  EXPECT_EQ(clock.advance(kTaken + Millis(100), kStart), kStart + Millis(60'000));
  EXPECT_EQ(clock.advance(kTaken + Millis(1'100), kStart + Millis(900'000)),
            kStart + Millis(61'010));
}

TEST(LogClock, AnEntryFromBeforeHoldsNothingBack) {
  LogClock clock(kStart, kTaken, false);
  clock.observe(kStart - Millis(500), kTaken + Millis(1'000));
  EXPECT_EQ(clock.advance(kTaken + Millis(1'000), kStart + Millis(900'000)),
            kStart + Millis(1'010));
}

TEST(LogClock, ANewReplicasOwnClockYieldsToTheFirstEntryThatItSees) {
  LogClock clock(kStart + Millis(3'600'000), kTaken, true);
  clock.observe(kStart, kTaken + Millis(100));
  EXPECT_EQ(clock.advance(kTaken + Millis(1'100), kStart + Millis(3'700'000)),
            kStart + Millis(1'010));
}

TEST(LogClock, KeepsItsBoundsUnderAnyWallClock) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    std::mt19937_64 random(seed);
    LogClock clock(kStart, kTaken, false);
    MonoTime monotonic = kTaken;
    LogTime before = kStart;
    for (int i = 0; i < 100; ++i) {
      const Millis step(static_cast<std::int64_t>(random() % 5'000));
      monotonic = monotonic + step;
      const LogTime wall(static_cast<std::int64_t>(random() % 2'000'000));

      const LogTime now = clock.advance(monotonic, wall);

      const std::int64_t elapsed = (monotonic - kTaken).value;
      ASSERT_GE(now, before);
      ASSERT_LE((now - kStart).value * 100, elapsed * 101) << "seed " << seed;
      const Millis half((step.value + 1) / 2);
      ASSERT_LE(now, std::max(before + half, wall)) << "seed " << seed;
      before = now;
    }
  }
}

}  // namespace
}  // namespace assent::replica
