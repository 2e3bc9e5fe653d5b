// Rates and mean latencies between two looks at the counters of all processes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"

namespace assent::cli {

struct SampledProcess {
  std::int32_t pid = 0;  // another one counts from 0 again
  std::map<std::string, std::int64_t> counters;

  [[nodiscard]] std::int64_t counter(const std::string& name) const {
    const auto found = counters.find(name);
    return found == counters.end() ? 0 : found->second;
  }
};

struct Sample {
  MonoTime at;
  std::map<std::string, SampledProcess> processes;  // those that answered
};

// None: nothing was counted, or not by the same processes in both looks.
struct Rates {
  std::optional<double> commits_per_s;  // by the log and in one phase
  std::optional<double> aborts_per_s;
  std::optional<double> statements_per_s;  // of all agents
  std::optional<double> commit_ms_mean;    // from a client's commit to its answer
  // The bound below which half of them, and 99 of a hundred, stayed; none: above every bound, too.
  std::optional<std::int64_t> commit_ms_p50;
  std::optional<std::int64_t> commit_ms_p99;
};

Rates rates_between(const Sample& before, const Sample& now);

}  // namespace assent::cli
