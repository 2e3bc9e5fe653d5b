#include "coordinator/storage/worker.h"

#include <utility>

namespace assent::storage {

Worker::Worker() : thread_([this] { work(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Worker::run(std::function<void()> job) {
  {
    const std::lock_guard guard(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Worker::work() {
  while (const auto job = next()) job();
}

// Empty: the worker is being stopped and nothing is left to do.
std::function<void()> Worker::next() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
  if (jobs_.empty()) return {};
  auto job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

}  // namespace assent::storage
