#include "cli/rates.h"

#include <initializer_list>

#include "coordinator/server/latencies.h"

namespace assent::cli {
namespace {

// How much the counters have grown, of all processes that lived in both looks; none: no such
// process has one of them.
std::optional<std::int64_t> growth(const Sample& before, const Sample& now,
                                   std::initializer_list<const char*> counters) {
  std::optional<std::int64_t> out;
  for (const auto& [who, process] : now.processes) {
    const auto earlier = before.processes.find(who);
    if (earlier == before.processes.end() || earlier->second.pid != process.pid) continue;
    for (const char* name : counters) {
      if (!process.counters.contains(name)) continue;
      out = out.value_or(0) + process.counter(name) - earlier->second.counter(name);
    }
  }
  return out;
}

// Of what was answered between two looks. The counters are cumulative: the lowest bound within
// which enough of them are is the percentile, to the width of its bucket.
std::optional<std::int64_t> percentile(const Sample& before, const Sample& now, std::int64_t all,
                                       std::int64_t percent) {
  for (const std::int64_t bound : coordinator::Latencies::kBounds) {
    const std::string name = "commit_ms_within_" + std::to_string(bound);
    const auto within = growth(before, now, {name.c_str()});
    if (within && all * percent <= *within * 100) return bound;
  }
  return std::nullopt;
}

}  // namespace

Rates rates_between(const Sample& before, const Sample& now) {
  Rates out;
  const double seconds = static_cast<double>((now.at - before.at).value) / 1'000;
  const auto rate = [&](std::initializer_list<const char*> counters) -> std::optional<double> {
    const auto grown = growth(before, now, counters);
    if (!grown || seconds <= 0) return std::nullopt;
    return static_cast<double>(*grown) / seconds;
  };
  // An agent counts its branches under some of the same names: what the coordinator alone counts
  // stands for it.
  Sample replicas_before{before.at, {}};
  Sample replicas_now{now.at, {}};
  for (const auto& [who, process] : before.processes) {
    if (process.counters.contains("executed_slot")) replicas_before.processes[who] = process;
  }
  for (const auto& [who, process] : now.processes) {
    if (process.counters.contains("executed_slot")) replicas_now.processes[who] = process;
  }
  const auto replicas = [&](std::initializer_list<const char*> counters) {
    return growth(replicas_before, replicas_now, counters);
  };
  if (seconds > 0) {
    if (const auto grown = replicas({"committed", "one_phase"})) {
      out.commits_per_s = static_cast<double>(*grown) / seconds;
    }
    if (const auto grown = replicas({"aborted"})) {
      out.aborts_per_s = static_cast<double>(*grown) / seconds;
    }
  }
  out.statements_per_s = rate({"statements"});
  const auto answered = replicas({"commits_answered"});
  const auto took = replicas({"commit_ms"});
  if (answered && took && *answered > 0) {
    out.commit_ms_mean = static_cast<double>(*took) / static_cast<double>(*answered);
    out.commit_ms_p50 = percentile(replicas_before, replicas_now, *answered, 50);
    out.commit_ms_p99 = percentile(replicas_before, replicas_now, *answered, 99);
  }
  return out;
}

}  // namespace assent::cli
