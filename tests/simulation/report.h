// What many runs came to, as text.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/fleet.h"

namespace assent::simulation {

class Report {
 public:
  // `canary`: its name, for the words that tell how to replay; empty: none.
  Report(SeedRange seeds, std::string canary);

  // Takes in a run; a failing one is printed at once, progress now and then.
  void add(const Run& run);
  // Prints what it all came to.
  void print() const;

  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  using Clock = std::chrono::steady_clock;

  void print_failure(const Run& run) const;
  void print_faults() const;
  void maybe_print_progress();
  [[nodiscard]] double seconds() const;

  const SeedRange seeds_;
  const std::string canary_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point told_ = begun_;
  std::uint64_t runs_ = 0;
  std::uint64_t failures_ = 0;
  std::map<std::string, std::vector<std::uint64_t>> caught_;  // seeds, by checker
  Figures sum_;
  std::uint64_t commands_min_ = UINT64_MAX;
  std::uint64_t faults_min_ = UINT64_MAX;
};

// One line of how a violation is replayed.
std::string replay_command(std::uint64_t seed, const std::string& canary);

}  // namespace assent::simulation
