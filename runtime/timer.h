// A timer on the event loop. Everything that waits for time in participant/postgres waits on one,
// so that the simulator can put its own time in the place of timer.cc.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace assent {

class Timer {
 public:
  // The loop outlives the timer, or is destroyed with all that waits on it.
  explicit Timer(boost::asio::io_context& loop);
  ~Timer();  // as cancel()
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Sets the time at which it is due, and cancels who waits for an earlier one.
  void expires_after(std::chrono::milliseconds time);
  void expires_never();
  // Whoever waits is called with false, unless its call is on its way already.
  void cancel();

  // Calls `done` on the loop, never from inside this call: true when the timer is due.
  void async_wait(std::function<void(bool due)> done);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace assent
