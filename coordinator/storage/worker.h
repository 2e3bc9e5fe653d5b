// A thread that does what takes long, one job after another.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace assent::storage {

class Worker {
 public:
  Worker();
  // Does all that is queued, then stops.
  ~Worker();

  // Queues a job. Called by the thread that made the worker.
  void run(std::function<void()> job);

 private:
  void work();
  std::function<void()> next();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  bool stopping_ = false;                   // guarded by mutex_
  std::thread thread_;                      // last: it uses all of the above
};

}  // namespace assent::storage
