// Clients in a closed loop: each, on a thread of its own, begins its next transfer when the last
// one is answered. What is measured is a window of that; the load goes on before and after it.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "integration/workload/mover.h"
#include "integration/workload/recorder.h"

namespace assent::workload {

struct LoopOptions {
  std::size_t databases = 2;
  std::int64_t accounts = 100'000;  // ids 1 to this, in every database
  std::uint64_t seed = 1;
};

// The clients work from its construction until stop().
class ClosedLoop {
 public:
  ClosedLoop(std::vector<std::unique_ptr<Mover>> movers, const LoopOptions& options);

  void open_window();
  // What was answered since open_window(), all clients together.
  Tally close_window();
  // Waits until each client has finished the transfer that it is at.
  void stop();

 private:
  // Apart for each client, so that none waits for another one to count.
  struct Worker {
    std::unique_ptr<Mover> mover;
    Recorder recorder;
  };

  void run(const std::stop_token& stopping, Worker& worker, std::uint64_t number) const;

  const LoopOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace assent::workload
