// A timer that a PURE core's next_deadline() drives.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/time.h"

namespace boost::asio {
class io_context;
}

namespace assent {

class DeadlineTimer {
 public:
  // `due` is called on the loop at or after each deadline armed. The loop outlives the timer.
  DeadlineTimer(boost::asio::io_context& loop, std::function<void()> due);
  ~DeadlineTimer();

  // Replaces the deadline; none: the timer rests. After it was due it rests until armed again.
  // A deadline that was replaced is not called due any more.
  void arm(std::optional<MonoTime> deadline);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace assent
