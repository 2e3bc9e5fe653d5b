#include "client/cpp/src/pause.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "runtime/process.h"

namespace assent::client {

Millis until(MonoTime deadline) {
  return std::max(Millis(1), deadline - process::monotonic_now());
}

bool pause(Backoff& backoff, MonoTime deadline) {
  const Millis length = backoff.next(process::random_u64());
  if (until(deadline) <= length) return false;
  std::this_thread::sleep_for(std::chrono::milliseconds(length.value));
  return true;
}

}  // namespace assent::client
