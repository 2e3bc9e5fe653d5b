// The time that entries of the log carry (R17). Pure: it is told what the clocks say.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace assent::storage {

// Follows the wall clock, never backwards, and never faster than 1.01 times the monotonic clock: a
// wall clock that jumps ahead must not expire what is alive. Counted from when the office was
// taken: log time that fell behind, while no replica ran, comes back by 1 % at most.
class LogClock {
 public:
  // `start`: the time of the last entry in the log; in a new log, what the wall clock says.
  LogClock(LogTime start, MonoTime office_taken);

  // The log's time when the clocks say this; monotone over calls.
  LogTime advance(MonoTime monotonic, LogTime wall);

 private:
  LogTime start_;
  MonoTime office_taken_;
  LogTime latest_;
};

}  // namespace assent::storage
