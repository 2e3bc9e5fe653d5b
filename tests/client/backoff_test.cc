#include "client/cpp/src/backoff.h"

#include <gtest/gtest.h>

namespace assent::client {
namespace {

TEST(Backoff, DoublesUpToTheLongestPause) {
  Backoff backoff;
  Millis expected = kPauseFirst;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(backoff.next(0), expected);
    expected = std::min(expected + expected, kPauseMax);
  }
  EXPECT_EQ(expected, kPauseMax);
}

TEST(Backoff, ShortensAPauseByHalfAtMost) {
  for (std::uint64_t random = 0; random < 1'000; ++random) {
    Backoff backoff;
    const Millis pause = backoff.next(random);
    EXPECT_LE(pause, kPauseFirst);
    EXPECT_GE(pause.value * 2, kPauseFirst.value);
  }
}

TEST(Backoff, SpreadsClientsThatFailedTogether) {
  Backoff one;
  Backoff other;
  EXPECT_NE(one.next(0), other.next(1));
}

}  // namespace
}  // namespace assent::client
