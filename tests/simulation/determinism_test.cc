// The same seed is the same run, whatever ran before it and in which process.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>

#include "tests/simulation/fleet.h"
#include "tests/simulation/world.h"

namespace assent::simulation {
namespace {

std::map<std::uint64_t, std::uint64_t> trace_hashes(SeedRange seeds, unsigned processes) {
  std::map<std::uint64_t, std::uint64_t> out;
  run_fleet({.run_seed = [](std::uint64_t seed) { return run_seed(seed); },
             .seeds = seeds,
             .processes = processes},
            [&](const Run& run) { out[run.figures.seed] = run.figures.trace_hash; });
  return out;
}

TEST(Determinism, TheSameSeedIsTheSameRun) {
  const auto one_after_the_other = trace_hashes({1, 12}, 1);
  const auto side_by_side = trace_hashes({1, 12}, 3);
  EXPECT_EQ(one_after_the_other.size(), 12u);
  EXPECT_EQ(one_after_the_other, side_by_side);
  EXPECT_EQ(run_seed(7).figures.trace_hash, one_after_the_other.at(7));
}

TEST(Determinism, AnotherSeedIsAnotherRun) {
  std::map<std::uint64_t, std::uint64_t> seed_of;
  for (const auto& [seed, hash] : trace_hashes({1, 12}, 2)) seed_of[hash] = seed;
  EXPECT_EQ(seed_of.size(), 12u);
}

}  // namespace
}  // namespace assent::simulation
