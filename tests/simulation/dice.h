// Where every choice of a run comes from: the same seed, the same run.
#pragma once

#include <cstdint>

#include "coordinator/paxos/random.h"
#include "tests/simulation/scheduler.h"

namespace assent::simulation {

// One stream of random numbers. Each part of the world has its own, so that a choice more in one
// does not change all that follows in the others.
class Dice {
 public:
  Dice(std::uint64_t seed, std::uint64_t stream)
      : random_(paxos::Random(seed * 0x9E3779B97F4A7C15ULL ^ stream).next()) {}

  std::uint64_t next() { return random_.next(); }
  // From 0 to below `bound`. Precondition: bound is not 0.
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  // From `low` to `high`, both included.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool permille(std::uint64_t chance) { return below(1'000) < chance; }
  bool percent(std::uint64_t chance) { return below(100) < chance; }
  // Mostly near `low`, now and then up to `high`: as delays are.
  Micros skewed(Micros low, Micros high) {
    const std::uint64_t span = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<Micros>(below(below(below(span) + 1) + 1));
  }
  template <class Container>
  const auto& pick(const Container& from) {
    return from[below(from.size())];
  }

 private:
  paxos::Random random_;
};

}  // namespace assent::simulation
