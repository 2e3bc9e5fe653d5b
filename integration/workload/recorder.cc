#include "integration/workload/recorder.h"

#include <algorithm>
#include <utility>

namespace assent::workload {

void merge(Tally& into, const Tally& from) {
  into.committed += from.committed;
  into.aborted += from.aborted;
  into.unknown += from.unknown;
  into.one_phase += from.one_phase;
  into.heuristic += from.heuristic;
  into.latency_us.merge(from.latency_us);
  for (const auto& [error, count] : from.errors) into.errors[error] += count;
}

std::string key_of(const Error& error) {
  if (error.sql) return "SQL " + error.sql->sqlstate;
  return std::string(name(error.code));
}

Recorder::Recorder(Clock::time_point started, Clock::duration stall_min)
    : last_commit_(started), stall_min_(stall_min) {}

void Recorder::record(const CommitResult& result, Clock::time_point began) {
  const std::lock_guard lock(mutex_);
  if (!result.heuristic.empty()) ++interval_.heuristic;
  if (result.reason) ++interval_.errors[key_of(*result.reason)];
  switch (result.state) {
    case CommitState::kCommitted:
      if (result.one_phase) ++interval_.one_phase;
      record_commit(began);
      break;
    case CommitState::kAborted:
      ++interval_.aborted;
      break;
    case CommitState::kUnknown:
      ++interval_.unknown;
      unknown_.push_back(result.transaction);
      break;
  }
}

void Recorder::record_commit(Clock::time_point began) {
  const auto now = Clock::now();
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(now - began);
  ++interval_.committed;
  interval_.latency_us.add(static_cast<std::uint64_t>(latency.count()));
  longest_gap_ = std::max(longest_gap_, now - last_commit_);
  if (now - last_commit_ >= stall_min_) stalls_.push_back({last_commit_, now});
  last_commit_ = now;
}

Tally Recorder::take_interval() {
  const std::lock_guard lock(mutex_);
  merge(before_, interval_);
  return std::exchange(interval_, {});
}

std::vector<Stall> Recorder::take_stalls() {
  const std::lock_guard lock(mutex_);
  return std::exchange(stalls_, {});
}

Tally Recorder::total() const {
  const std::lock_guard lock(mutex_);
  Tally total = before_;
  merge(total, interval_);
  return total;
}

Clock::duration Recorder::longest_gap(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  return std::max(longest_gap_, now - last_commit_);
}

std::vector<std::string> Recorder::unknown_transactions() const {
  const std::lock_guard lock(mutex_);
  return unknown_;
}

}  // namespace assent::workload
