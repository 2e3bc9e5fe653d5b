#include "coordinator/replica/log_clock.h"

#include <algorithm>

namespace assent::replica {

LogClock::LogClock(LogTime start, MonoTime now, bool fresh)
    : start_(start), started_at_(now), latest_(start), fresh_(fresh) {}

LogTime LogClock::bound(MonoTime now) const {
  const Millis elapsed = now - started_at_;
  return start_ + elapsed + Millis(elapsed.value / 100);
}

// The real time since the entry was made is at least the time since it was seen. So a bound that
// begins here is never too high, and the higher of two bounds is as good as the lower.
void LogClock::observe(LogTime entry, MonoTime now) {
  if (fresh_ || latest_ < entry) {
    latest_ = entry;
    behind_.reset();
  }
  if (!fresh_ && entry <= bound(now)) return;
  fresh_ = false;
  start_ = entry;
  started_at_ = now;
}

LogTime LogClock::advance(MonoTime monotonic, LogTime wall) {
  if (latest_ <= wall) {
    behind_.reset();
  } else {
    if (!behind_) behind_ = Behind{latest_, monotonic};
    wall = behind_->reached + Millis((monotonic - behind_->since).value / 2);
  }
  latest_ = std::max(latest_, std::min(wall, bound(monotonic)));
  return latest_;
}

}  // namespace assent::replica
