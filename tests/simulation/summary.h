// What many runs came to, added up: each simulator has figures of its own to tell.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "tests/simulation/figures.h"

namespace assent::simulation {

class Summary {
 public:
  virtual ~Summary() = default;
  // Takes in a run, sound or not.
  virtual void add(const Figures& one) = 0;
  // Prints what it all came to.
  virtual void print() const = 0;
};

// The least and the most of many runs' figures.
struct Extremes {
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;

  void add(std::uint64_t one) {
    least = std::min(least, one);
    most = std::max(most, one);
  }
};

// One line: a figure and its name.
void print_count(const char* what, std::uint64_t count);
void print_network(const NetworkCounts& network);
void print_faults(std::uint64_t total, const FaultCounts& faults);
[[nodiscard]] double as_seconds(Micros time);

// Of the log alone.
std::unique_ptr<Summary> make_log_summary();

}  // namespace assent::simulation
