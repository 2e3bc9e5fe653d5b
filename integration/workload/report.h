// A run's results, for people and for programs.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"
#include "integration/workload/crowd.h"
#include "integration/workload/decisions.h"
#include "integration/workload/recorder.h"

namespace assent::workload {

// What became of the transactions whose commit was answered "unknown".
struct Resolved {
  std::uint64_t committed = 0;
  std::uint64_t aborted = 0;
  std::uint64_t undecided = 0;  // still not known
};

struct Report {
  Tally tally;
  Resolved resolved;
  Clock::duration elapsed{};
  Clock::duration longest_gap{};
  std::map<std::string, std::int64_t> counters;  // of the coordinator; empty: not asked
};

struct CrowdReport {
  std::size_t connections = 0;
  std::size_t transactions = 0;
  CrowdTally tally = {};
  Clock::duration connecting = {};
  Clock::duration elapsed = {};  // from the first transaction sent to the last one answered
};

// A line for one interval of a run. `so_far` is of the whole run up to `at`.
std::string progress_line(Clock::duration at, const Tally& so_far, const Tally& interval,
                          Clock::duration interval_length);

// A line with the stall's beginning and end in seconds of the machine's monotonic clock.
std::string stall_line(const Stall& stall);

// Several lines, the last one ended.
std::string summary(const Report& report);
std::string summary(const CrowdReport& report);
std::string summary(const DecisionTally& tally);

// Writes the report as one JSON object:
//   committed, aborted, unknown   transactions, by what commit() or abort() answered
//   unknown_resolved              what asking again later gave: committed, aborted, undecided
//   one_phase                     of the committed: those without a prepared branch
//   heuristic                     transactions with a branch that someone else ended
//   seconds, transactions_per_second   of commits
//   latency_ms                    p50, p95, p99, p99_9, max; of commits, from start to the answer
//   longest_gap_ms                longest time without a commit of any client
//   errors                        reasons of aborted and unknown ones: code, or "SQL <sqlstate>"
//   counters, commits_per_flush   of the coordinator during the run; empty and 0: not asked
Result<void> write_json(const Report& report, const std::string& path);

// The same for a crowd:
//   connections, connect_seconds  opened, and the time for all
//   transactions, seconds         sent, and the time until the last answer
//   committed, one_phase, aborted, refused, unanswered   as CrowdTally has them
//   reasons                       of all but the committed: code, or "SQL <sqlstate>"
//   latency_ms                    p50, p95, p99, p99_9, max; of all that were answered
//   commit_ms, refusal_ms         the same of those that committed, and that were refused
//   sending_seconds, committed_in_time   until the last one was sent, and what committed till then
Result<void> write_json(const CrowdReport& report, const std::string& path);

// The same for decisions: decided, seconds, decided_per_second, latency_ms (p50, p95, p99, p99_9,
// max), longest_gap_ms, errors (by code).
Result<void> write_json(const DecisionTally& tally, const std::string& path);

}  // namespace assent::workload
