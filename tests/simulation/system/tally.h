// Counts what becomes of prepared branches, and how long they stay in doubt once nothing breaks.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tests/simulation/figures.h"
#include "tests/simulation/postgres/server.h"

namespace assent::simulation::system {

// Adds a duration to those counted; `median` is the upper bound of the step that half of them are
// in or below, 0 of none.
void count(Durations& durations, Micros duration);
[[nodiscard]] Micros median(const Durations& durations);

class Tally {
 public:
  void happened(const model::GidEvent& event, Micros now);
  // From now on nothing breaks.
  void healed(Micros now);
  void write(SystemFigures& out) const;

 private:
  std::array<std::uint64_t, 5> events_{};
  std::set<std::string> prepared_;
  std::set<std::string> in_doubt_;  // since the healing
  Micros healed_at_ = 0;
  Durations durations_{};
  Micros longest_ = 0;
};

}  // namespace assent::simulation::system
