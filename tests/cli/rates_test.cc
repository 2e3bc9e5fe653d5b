// Rates between two looks.
#include "cli/rates.h"

#include <gtest/gtest.h>

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

TEST(Rates, NothingIsSaidOfOneLook) {
  EXPECT_FALSE(rates_between(Sample{}, sample(1'000, 100)).commits_per_s);
}

}  // namespace
}  // namespace assent::cli
