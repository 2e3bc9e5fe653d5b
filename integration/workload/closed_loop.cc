#include "integration/workload/closed_loop.h"

#include <utility>

namespace assent::workload {

ClosedLoop::ClosedLoop(std::vector<std::unique_ptr<Mover>> movers, const LoopOptions& options)
    : options_(options) {
  for (auto& mover : movers) {
    workers_.emplace_back(new Worker{std::move(mover), Recorder(Clock::now())});
  }
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    threads_.emplace_back([this, number](const std::stop_token& stopping) {
      run(stopping, *workers_[number], number);
    });
  }
}

void ClosedLoop::run(const std::stop_token& stopping, Worker& worker, std::uint64_t number) const {
  std::seed_seq seeds{options_.seed, number};
  std::mt19937_64 random(seeds);
  while (!stopping.stop_requested()) {
    const Changes changes = pick_changes(options_.databases, options_.accounts, random);
    const auto began = Clock::now();
    worker.recorder.record(worker.mover->move(changes), began);
  }
}

void ClosedLoop::open_window() {
  for (const auto& worker : workers_) worker->recorder.take_interval();
}

Tally ClosedLoop::close_window() {
  Tally all;
  for (const auto& worker : workers_) merge(all, worker->recorder.take_interval());
  return all;
}

void ClosedLoop::stop() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

}  // namespace assent::workload
