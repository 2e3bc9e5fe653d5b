#include "integration/workload/histogram.h"

#include <gtest/gtest.h>

#include <limits>

namespace assent::workload {
namespace {

TEST(Histogram, IsExactForSmallValues) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.add(value);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.percentile(50), 50U);
  EXPECT_EQ(histogram.percentile(99), 99U);
  EXPECT_EQ(histogram.percentile(100), 100U);
  EXPECT_EQ(histogram.percentile(0.1), 1U);
}

TEST(Histogram, IsNeverMoreThanOneInSixtyFourWrong) {
  for (std::uint64_t value = 1; value < std::uint64_t{1} << 62; value = value * 3 + 1) {
    Histogram histogram;
    histogram.add(value);
    histogram.add(std::numeric_limits<std::uint64_t>::max());
    const std::uint64_t told = histogram.percentile(50);
    EXPECT_GE(told, value);
    EXPECT_LE(told - value, value / 64) << value;
  }
}

TEST(Histogram, TellsNoMoreThanTheGreatestValue) {
  Histogram histogram;
  histogram.add(1'000'001);
  EXPECT_EQ(histogram.percentile(50), 1'000'001U);
  EXPECT_EQ(histogram.max(), 1'000'001U);
}

TEST(Histogram, TakesTheWholeRangeOfValues) {
  Histogram histogram;
  histogram.add(0);
  histogram.add(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(histogram.percentile(50), 0U);
  EXPECT_EQ(histogram.percentile(100), std::numeric_limits<std::uint64_t>::max());
}

TEST(Histogram, MergesByAddition) {
  Histogram one;
  Histogram other;
  for (int i = 0; i < 9; ++i) one.add(10);
  other.add(5'000);
  one.merge(other);
  EXPECT_EQ(one.count(), 10U);
  EXPECT_EQ(one.percentile(90), 10U);
  EXPECT_EQ(one.percentile(91), 5'000U);
}

TEST(Histogram, OfNothingIsZero) {
  EXPECT_EQ(Histogram().percentile(99), 0U);
}

}  // namespace
}  // namespace assent::workload
