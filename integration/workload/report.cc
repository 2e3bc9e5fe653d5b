#include "integration/workload/report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace assent::workload {
namespace {

double seconds(Clock::duration length) {
  return std::chrono::duration<double>(length).count();
}

double per_second(std::uint64_t count, Clock::duration length) {
  return static_cast<double>(count) / std::max(seconds(length), 1e-9);
}

double percentile_ms(const Histogram& latency_us, double percent) {
  return static_cast<double>(latency_us.percentile(percent)) / 1'000;
}

double max_ms(const Histogram& latency_us) {
  return static_cast<double>(latency_us.max()) / 1'000;
}

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  return line;
}

unsigned long long shown(std::uint64_t count) {
  return count;
}

// Commits that shared one flush of the log, on average.
double commits_per_flush(const std::map<std::string, std::int64_t>& counters) {
  const auto committed = counters.find("committed");
  const auto flushes = counters.find("log_flushes");
  if (committed == counters.end() || flushes == counters.end() || flushes->second == 0) return 0;
  return static_cast<double>(committed->second) / static_cast<double>(flushes->second);
}

std::string counted(const std::map<std::string, std::int64_t>& counts) {
  std::string line;
  for (const auto& [name, count] : counts) {
    line += (line.empty() ? "" : ", ") + name + ' ' + std::to_string(count);
  }
  return line;
}

std::string error_line(const std::map<std::string, std::uint64_t>& errors) {
  return "errors: " + counted({errors.begin(), errors.end()}) + '\n';
}

nlohmann::json latency_ms(const Histogram& latency_us) {
  return {{"p50", percentile_ms(latency_us, 50)},
          {"p95", percentile_ms(latency_us, 95)},
          {"p99", percentile_ms(latency_us, 99)},
          {"p99_9", percentile_ms(latency_us, 99.9)},
          {"max", max_ms(latency_us)}};
}

nlohmann::json to_json(const Report& report) {
  const Tally& tally = report.tally;
  const auto milliseconds = [](Clock::duration length) { return seconds(length) * 1'000; };
  return {
      {"committed", tally.committed},
      {"aborted", tally.aborted},
      {"unknown", tally.unknown},
      {"unknown_resolved",
       {{"committed", report.resolved.committed},
        {"aborted", report.resolved.aborted},
        {"undecided", report.resolved.undecided}}},
      {"one_phase", tally.one_phase},
      {"heuristic", tally.heuristic},
      {"seconds", seconds(report.elapsed)},
      {"transactions_per_second", per_second(tally.committed, report.elapsed)},
      {"latency_ms", latency_ms(tally.latency_us)},
      {"longest_gap_ms", milliseconds(report.longest_gap)},
      {"errors", tally.errors},
      {"counters", report.counters},
      {"commits_per_flush", commits_per_flush(report.counters)},
  };
}

nlohmann::json to_json(const CrowdReport& report) {
  const CrowdTally& tally = report.tally;
  return {
      {"connections", report.connections},
      {"connect_seconds", seconds(report.connecting)},
      {"transactions", report.transactions},
      {"seconds", seconds(report.elapsed)},
      {"committed", tally.committed},
      {"one_phase", tally.one_phase},
      {"aborted", tally.aborted},
      {"refused", tally.refused},
      {"unanswered", tally.unanswered},
      {"reasons", tally.reasons},
      {"latency_ms", latency_ms(tally.latency_us)},
      {"commit_ms", latency_ms(tally.commit_us)},
      {"refusal_ms", latency_ms(tally.refusal_us)},
      {"sending_seconds", seconds(tally.sending)},
      {"committed_in_time", tally.committed_in_time},
  };
}

nlohmann::json to_json(const DecisionTally& tally) {
  return {
      {"decided", tally.decided},
      {"seconds", seconds(tally.elapsed)},
      {"decided_per_second", per_second(tally.decided, tally.elapsed)},
      {"latency_ms", latency_ms(tally.latency_us)},
      {"longest_gap_ms", seconds(tally.longest_gap) * 1'000},
      {"errors", tally.errors},
  };
}

Result<void> write_file(const nlohmann::json& content, const std::string& path) {
  std::ofstream file(path);
  file << content.dump(2) << '\n';
  file.close();
  if (file) return {};
  return failure(ErrorCode::kInvalidArgument, "cannot write " + path);
}

}  // namespace

std::string progress_line(Clock::duration at, const Tally& so_far, const Tally& interval,
                          Clock::duration interval_length) {
  return formatted(
      "%6.1f s  %8llu committed  %6llu aborted  %4llu unknown  %7.0f tx/s  p50 %6.1f ms  "
      "p99 %6.1f ms",
      seconds(at), shown(so_far.committed), shown(so_far.aborted), shown(so_far.unknown),
      per_second(interval.committed, interval_length), percentile_ms(interval.latency_us, 50),
      percentile_ms(interval.latency_us, 99));
}

std::string stall_line(const Stall& stall) {
  return formatted("stall from %.6f to %.6f", seconds(stall.began.time_since_epoch()),
                   seconds(stall.ended.time_since_epoch()));
}

std::string summary(const Report& report) {
  const Tally& tally = report.tally;
  std::string text =
      formatted("%llu committed, %llu aborted, %llu unknown in %.1f s: %.0f tx/s\n",
                shown(tally.committed), shown(tally.aborted), shown(tally.unknown),
                seconds(report.elapsed), per_second(tally.committed, report.elapsed));
  text += formatted(
      "latency p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms; longest time "
      "without a commit %.0f ms\n",
      percentile_ms(tally.latency_us, 50), percentile_ms(tally.latency_us, 95),
      percentile_ms(tally.latency_us, 99), max_ms(tally.latency_us),
      seconds(report.longest_gap) * 1'000);
  if (tally.unknown > 0) {
    text += formatted("of the unknown: %llu turned out committed, %llu aborted, %llu undecided\n",
                      shown(report.resolved.committed), shown(report.resolved.aborted),
                      shown(report.resolved.undecided));
  }
  if (tally.one_phase > 0) {
    text += formatted("%llu of the committed in one phase\n", shown(tally.one_phase));
  }
  if (tally.heuristic > 0) {
    text += formatted("%llu transactions with a branch that someone else ended\n",
                      shown(tally.heuristic));
  }
  if (!tally.errors.empty()) text += error_line(tally.errors);
  if (!report.counters.empty()) {
    text += "coordinator: " + counted(report.counters) +
            formatted("; %.2f commits per flush\n", commits_per_flush(report.counters));
  }
  return text;
}

std::string summary(const CrowdReport& report) {
  const CrowdTally& tally = report.tally;
  std::string text =
      formatted("%zu connections in %.1f s\n", report.connections, seconds(report.connecting));
  text += formatted(
      "%zu transactions in %.1f s: %llu committed (%llu in one phase), %llu aborted, %llu refused, "
      "%llu unanswered\n",
      report.transactions, seconds(report.elapsed), shown(tally.committed), shown(tally.one_phase),
      shown(tally.aborted), shown(tally.refused), shown(tally.unanswered));
  text += formatted("latency p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
                    percentile_ms(tally.latency_us, 50), percentile_ms(tally.latency_us, 99),
                    max_ms(tally.latency_us));
  if (!tally.reasons.empty()) text += error_line(tally.reasons);
  return text;
}

std::string summary(const DecisionTally& tally) {
  std::string text = formatted("%llu decided in %.1f s: %.0f per second\n", shown(tally.decided),
                               seconds(tally.elapsed), per_second(tally.decided, tally.elapsed));
  text += formatted(
      "latency p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, max %.2f ms; longest time without one %.0f "
      "ms\n",
      percentile_ms(tally.latency_us, 50), percentile_ms(tally.latency_us, 95),
      percentile_ms(tally.latency_us, 99), max_ms(tally.latency_us),
      seconds(tally.longest_gap) * 1'000);
  if (!tally.errors.empty()) text += error_line(tally.errors);
  return text;
}

Result<void> write_json(const Report& report, const std::string& path) {
  return write_file(to_json(report), path);
}

Result<void> write_json(const CrowdReport& report, const std::string& path) {
  return write_file(to_json(report), path);
}

Result<void> write_json(const DecisionTally& tally, const std::string& path) {
  return write_file(to_json(tally), path);
}

}  // namespace assent::workload
