// How long clients' commits took: a count, a sum, and how many stayed within each bound, from which
// whoever looks twice gets the percentiles of the time between.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"

namespace assent::coordinator {

class Latencies {
 public:
  // In ms; a percentile is known to a quarter of itself.
  static constexpr std::array<std::int64_t, 34> kBounds{
      1,   2,   3,   4,     5,     6,     8,     10,     12,     16,    20,  25,
      32,  40,  50,  64,    80,    100,   125,   160,    200,    250,   320, 400,
      500, 640, 800, 1'000, 1'600, 3'200, 6'400, 12'800, 25'600, 60'000};

  void add(Millis took) {
    ++count_;
    sum_ = sum_ + took;
    const auto bound = std::ranges::lower_bound(kBounds, took.value);
    if (bound != kBounds.end()) ++within_[static_cast<std::size_t>(bound - kBounds.begin())];
  }

  // Counters that only grow: commits_answered, commit_ms (all together), and for each bound B
  // commit_ms_within_B, which counts those of the lower bounds, too.
  void tell(std::map<std::string, std::int64_t>& out) const {
    out["commits_answered"] = count_;
    out["commit_ms"] = sum_.value;
    std::int64_t within = 0;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      within += within_[i];
      out["commit_ms_within_" + std::to_string(kBounds[i])] = within;
    }
  }

 private:
  std::int64_t count_ = 0;
  Millis sum_{0};
  std::array<std::int64_t, kBounds.size()> within_{};  // and above the bound before
};

}  // namespace assent::coordinator
