#include "coordinator/storage/log_clock.h"

#include <algorithm>

namespace assent::storage {

LogClock::LogClock(LogTime start, MonoTime office_taken)
    : start_(start), office_taken_(office_taken), latest_(start) {}

LogTime LogClock::advance(MonoTime monotonic, LogTime wall) {
  const Millis elapsed = monotonic - office_taken_;
  const LogTime bound = start_ + elapsed + Millis(elapsed.value / 100);
  latest_ = std::max(latest_, std::min(wall, bound));
  return latest_;
}

}  // namespace assent::storage
