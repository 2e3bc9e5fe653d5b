// The time that entries of the log carry (R17). It is told what the clocks say.
#pragma once

#include <optional>

#include "base/time.h"

namespace assent::replica {

// Follows the wall clock, never backwards, and never faster than 1.01 times the monotonic clock: a
// wall clock that jumps ahead must not expire what is alive. Log time that fell behind, while no
// replica led, comes back by 1 % at most. While the wall clock is behind, log time goes on at half
// speed, so that the wall clock overtakes it and until then outcomes leave (R14) and ids that are
// ahead come of age all the same.
class LogClock {
 public:
  // `start`: the time of the last entry in the log; in a new log, or a restored one that has not
  // gone on yet, what the wall clock says.
  // `fresh`: it is such a log, so the first entry that is seen tells the time instead.
  LogClock(LogTime start, MonoTime now, bool fresh);

  // An entry of this time has been executed. It was made no later than now, so log time may go on
  // from it.
  void observe(LogTime entry, MonoTime now);

  // No entry was seen yet, in a new log or since the log was restored.
  [[nodiscard]] bool fresh() const { return fresh_; }

  // The log's time when the clocks say this; monotone over calls.
  LogTime advance(MonoTime monotonic, LogTime wall);

 private:
  struct Behind {
    LogTime reached;  // by then
    MonoTime since;
  };

  [[nodiscard]] LogTime bound(MonoTime now) const;

  LogTime start_;
  MonoTime started_at_;
  LogTime latest_;
  bool fresh_;
  std::optional<Behind> behind_;  // the wall clock is
};

}  // namespace assent::replica
