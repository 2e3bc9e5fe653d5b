// The same seed is the same run of the whole system, whatever ran before it and in which process;
// and what is told of it is the same run, too.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/simulation/fleet.h"
#include "tests/simulation/system/story.h"
#include "tests/simulation/system/system.h"
#include "tests/simulation/system/tally.h"

namespace assent::simulation::system {
namespace {

std::map<std::uint64_t, std::uint64_t> trace_hashes(SeedRange seeds, unsigned processes) {
  std::map<std::uint64_t, std::uint64_t> out;
  run_fleet({.run_seed = [](std::uint64_t seed) { return run_system_seed(seed); },
             .seeds = seeds,
             .processes = processes},
            [&](const Run& run) { out[run.figures.seed] = run.figures.trace_hash; });
  return out;
}

TEST(SystemDeterminism, TheSameSeedIsTheSameRun) {
  const auto one_after_the_other = trace_hashes({1, 6}, 1);
  const auto side_by_side = trace_hashes({1, 6}, 3);
  EXPECT_EQ(one_after_the_other.size(), 6u);
  EXPECT_EQ(one_after_the_other, side_by_side);
  std::uint64_t lines = 0;
  const auto told = run_system_seed(3, [&](const TraceLine&) { ++lines; });
  EXPECT_EQ(told.figures.trace_hash, one_after_the_other.at(3));
  EXPECT_LT(1'000u, lines);
}

TEST(SystemDeterminism, AnotherSeedIsAnotherRun) {
  std::map<std::uint64_t, std::uint64_t> seed_of;
  for (const auto& [seed, hash] : trace_hashes({1, 6}, 2)) seed_of[hash] = seed;
  EXPECT_EQ(seed_of.size(), 6u);
}

TransactionId id(std::uint64_t number) {
  return make_transaction_id(LogTime(1'700'000'000'000), number, number, 1);
}

TEST(Story, TellsOneTransactionAndWhatBefellMeanwhile) {
  const std::string mine = to_string(id(1));
  const std::string other = to_string(id(2));
  std::vector<std::string> told;
  Story story(id(1), [&](const TraceLine& line) {
    told.push_back(std::string(line.what) + " " + line.text);
  });
  story.take({1, 0, "agent-crash", ""});
  story.take({2, 200, "begins", mine});
  story.take({3, 201, "begins", other});
  story.take({4, 1, "writes", "accepted"});
  story.take({5, 1, "crashes", ""});
  story.take({6, 100, "votes", mine + ":db1:1.1 YES"});
  story.take({7, 1, "boots", ""});
  const std::vector<std::string> expected{"the story of T " + mine, "begins T", "crashes ",
                                          "votes T:db1:1.1 YES"};
  EXPECT_EQ(told, expected);
}

TEST(Story, FindsTheTransactionThatAViolationNames) {
  EXPECT_EQ(find_transaction(to_string(id(7)) + ":db1:1.1 is prepared"), id(7));
  EXPECT_EQ(find_transaction("a one-shot ran as " + to_string(id(8))), id(8));
  EXPECT_EQ(find_transaction("nobody leads for 60000 ms after the healing"), std::nullopt);
}

TEST(Tally, MedianIsTheStepOfTheMiddle) {
  Durations durations{};
  EXPECT_EQ(median(durations), 0);
  count(durations, 10 * kMillisecond);
  count(durations, 10 * kMillisecond);
  count(durations, 5 * kSecond);
  EXPECT_LE(10 * kMillisecond, median(durations));
  EXPECT_LE(median(durations), 13 * kMillisecond);
}

}  // namespace
}  // namespace assent::simulation::system
