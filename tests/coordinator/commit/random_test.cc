// Thousands of small worlds, each from its seed. ASSENT_SEED=n runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/coordinator/commit/world.h"

namespace assent::commit {
namespace {

constexpr std::uint64_t kSeeds = 4'000;

void expect_nothing_wrong(std::uint64_t seed, Tally& tally) {
  for (const std::string& wrong : World(seed, tally).run()) {
    ADD_FAILURE() << wrong << " (ASSENT_SEED=" << seed << ')';
  }
}

TEST(RandomWorlds, KeepTheRules) {
  Tally tally;
  if (const char* one = std::getenv("ASSENT_SEED")) {
    return expect_nothing_wrong(std::strtoull(one, nullptr, 10), tally);
  }
  for (std::uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    expect_nothing_wrong(seed, tally);
  }
  // Every way must have been gone often enough for the checkers to mean something.
  EXPECT_GT(tally.committed, 10'000u);
  EXPECT_GT(tally.aborted, 10'000u);
  for (const std::uint64_t times : {tally.below_floor,
                                    tally.presumed,
                                    tally.id_reused,
                                    tally.restarts,
                                    tally.proposals_lost,
                                    tally.messages_lost,
                                    tally.messages_repeated,
                                    tally.strays_rolled_back,
                                    tally.rolled_back_without_record,
                                    tally.stale_refused,
                                    tally.left,
                                    tally.committed_of_readers,
                                    tally.one_shots_run,
                                    tally.second_runs_refused,
                                    tally.one_phase,
                                    tally.one_phase_told,
                                    tally.one_phase_refused,
                                    tally.settled_committed,
                                    tally.settled_never,
                                    tally.unknown_told,
                                    tally.results_told,
                                    tally.results_gone,
                                    tally.first_came_last,
                                    tally.first_to_another_office,
                                    tally.promises_refused}) {
    EXPECT_GT(times, 100u);
  }
}

TEST(RandomWorlds, FollowFromTheirSeed) {
  const auto run = [](std::uint64_t seed) {
    Tally tally;
    World(seed, tally).run();
    return std::vector<std::uint64_t>{tally.committed, tally.aborted, tally.messages_lost,
                                      tally.proposals_lost, tally.stale_refused};
  };
  EXPECT_EQ(run(7), run(7));
}

}  // namespace
}  // namespace assent::commit
