// What a run of the workload has seen, gathered from all of its clients.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "assent/client.h"
#include "integration/workload/histogram.h"

namespace assent::workload {

using Clock = std::chrono::steady_clock;

struct Tally {
  std::uint64_t committed = 0;
  std::uint64_t aborted = 0;
  std::uint64_t unknown = 0;    // by the commit's own answer
  std::uint64_t one_phase = 0;  // of the committed: without a prepared branch
  std::uint64_t heuristic = 0;  // transactions with a branch that someone else ended
  Histogram latency_us;         // of committed transactions, from start to the answer
  std::map<std::string, std::uint64_t> errors;  // by code; those of PostgreSQL as "SQL 40001"
};

// Adds what another one has counted.
void merge(Tally& into, const Tally& from);

// A time without any commit, from one to the next.
struct Stall {
  Clock::time_point began;
  Clock::time_point ended;
};

// The code, or "SQL 40001" for a refusal by PostgreSQL.
std::string key_of(const Error& error);

// Every method may be called from any thread.
class Recorder {
 public:
  // Stalls of `stall_min` or more are kept; none by default.
  explicit Recorder(Clock::time_point started, Clock::duration stall_min = Clock::duration::max());

  // `began` is when the transaction began. An abort and an unknown outcome count their reason.
  void record(const CommitResult& result, Clock::time_point began);

  // Since the last call.
  Tally take_interval();
  // Those that ended since the last call.
  std::vector<Stall> take_stalls();
  // Of the whole run.
  [[nodiscard]] Tally total() const;
  // The longest time without any commit, the one up to `now` included.
  [[nodiscard]] Clock::duration longest_gap(Clock::time_point now) const;
  // The ids of transactions whose outcome is not known.
  [[nodiscard]] std::vector<std::string> unknown_transactions() const;

 private:
  void record_commit(Clock::time_point began);

  mutable std::mutex mutex_;
  Tally before_;    // the intervals that were taken
  Tally interval_;  // the present one
  Clock::time_point last_commit_;
  Clock::duration longest_gap_{};
  const Clock::duration stall_min_;
  std::vector<Stall> stalls_;
  std::vector<std::string> unknown_;
};

}  // namespace assent::workload
