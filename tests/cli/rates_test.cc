// Rates between two looks.
#include "cli/rates.h"

#include <gtest/gtest.h>

#include "coordinator/server/latencies.h"

namespace assent::cli {
namespace {

Sample sample(std::int64_t at_ms, std::int64_t committed, std::int32_t pid = 7) {
  Sample out{MonoTime(at_ms), {}};
  out.processes["replica 1"] = {pid,
                                {{"executed_slot", 5},
                                 {"committed", committed},
                                 {"one_phase", 0},
                                 {"aborted", committed / 10},
                                 {"commits_answered", committed},
                                 {"commit_ms", committed * 4}}};
  out.processes["db1"] = {8, {{"statements", committed * 3}, {"committed", committed}}};
  return out;
}

TEST(Rates, AreCountedBetweenTheLooks) {
  const Rates rates = rates_between(sample(1'000, 100), sample(3'000, 300));
  EXPECT_DOUBLE_EQ(rates.commits_per_s.value(), 100) << "what agents count is not counted twice";
  EXPECT_DOUBLE_EQ(rates.aborts_per_s.value(), 10);
  EXPECT_DOUBLE_EQ(rates.statements_per_s.value(), 300);
  EXPECT_DOUBLE_EQ(rates.commit_ms_mean.value(), 4);
}

TEST(Rates, NothingIsSaidOfAProcessThatBeganAnew) {
  const Rates rates = rates_between(sample(1'000, 100), sample(2'000, 3, /*pid=*/9));
  EXPECT_FALSE(rates.commits_per_s);
  EXPECT_TRUE(rates.statements_per_s);
}

TEST(Rates, NoMeanOfNoCommits) {
  const Rates rates = rates_between(sample(1'000, 100), sample(2'000, 100));
  EXPECT_DOUBLE_EQ(rates.commits_per_s.value(), 0);
  EXPECT_FALSE(rates.commit_ms_mean);
}

Sample with_bounds(Sample sample, std::int64_t within_4, std::int64_t within_16) {
  auto& counters = sample.processes["replica 1"].counters;
  for (const std::int64_t bound : coordinator::Latencies::kBounds) {
    counters["commit_ms_within_" + std::to_string(bound)] =
        bound < 4 ? 0 : (bound < 16 ? within_4 : within_16);
  }
  return sample;
}

TEST(Rates, PercentilesAreTheBoundsThatEnoughStayedWithin) {
  // 200 between the looks: 120 within 4 ms, all within 16.
  const Rates rates = rates_between(with_bounds(sample(1'000, 100), 100, 100),
                                    with_bounds(sample(3'000, 300), 220, 300));
  EXPECT_EQ(rates.commit_ms_p50, 4);
  EXPECT_EQ(rates.commit_ms_p99, 16);
}

TEST(Rates, NoPercentileAboveEveryBound) {
  const Rates rates = rates_between(with_bounds(sample(1'000, 100), 100, 100),
                                    with_bounds(sample(3'000, 300), 220, 220));
  EXPECT_EQ(rates.commit_ms_p50, 4);
  EXPECT_FALSE(rates.commit_ms_p99);
}

TEST(Latencies, CountEachCommitWithinTheBoundsThatItKept) {
  coordinator::Latencies latencies;
  for (const std::int64_t took : {0, 1, 2, 9, 100'000}) latencies.add(Millis(took));
  std::map<std::string, std::int64_t> told;
  latencies.tell(told);
  EXPECT_EQ(told["commits_answered"], 5);
  EXPECT_EQ(told["commit_ms"], 100'012);
  EXPECT_EQ(told["commit_ms_within_1"], 2);
  EXPECT_EQ(told["commit_ms_within_8"], 3);
  EXPECT_EQ(told["commit_ms_within_10"], 4);
  EXPECT_EQ(told["commit_ms_within_60000"], 4) << "one took longer than any bound";
}

TEST(Rates, NothingIsSaidOfOneLook) {
  EXPECT_FALSE(rates_between(Sample{}, sample(1'000, 100)).commits_per_s);
}

}  // namespace
}  // namespace assent::cli
