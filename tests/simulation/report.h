// What many runs came to, as text.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/figures.h"
#include "tests/simulation/simulator.h"
#include "tests/simulation/summary.h"

namespace assent::simulation {

class Report {
 public:
  // `canary`: its name, for the words that tell how to replay; empty: none. `runs`: how many there
  // will be; 0: not known.
  Report(const Simulator& simulator, std::string canary, std::uint64_t runs);

  // Takes in a run; a failing one is printed at once, progress now and then.
  void add(const Run& run);
  // Prints what it all came to.
  void print() const;

  [[nodiscard]] std::uint64_t runs() const { return runs_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  using Clock = std::chrono::steady_clock;

  void print_failure(const Run& run) const;
  void maybe_print_progress();
  [[nodiscard]] double seconds() const;

  const Simulator& simulator_;
  const std::string canary_;
  const std::uint64_t expected_;
  const std::unique_ptr<Summary> summary_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point told_ = begun_;
  std::uint64_t runs_ = 0;
  std::uint64_t failures_ = 0;
  std::map<std::string, std::vector<std::uint64_t>> caught_;  // seeds, by checker
  Extremes seeds_;
  Micros time_ = 0;  // simulated
};

// One line of how a violation is replayed.
std::string replay_command(const Simulator& simulator, std::uint64_t seed,
                           const std::string& canary);

}  // namespace assent::simulation
