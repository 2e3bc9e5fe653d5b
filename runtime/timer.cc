#include "runtime/timer.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

namespace assent {

class Timer::Impl {
 public:
  explicit Impl(boost::asio::io_context& loop) : timer(loop) {}

  boost::asio::steady_timer timer;
};

Timer::Timer(boost::asio::io_context& loop) : impl_(std::make_shared<Impl>(loop)) {}

Timer::~Timer() = default;

void Timer::expires_after(std::chrono::milliseconds time) {
  impl_->timer.expires_after(time);
}

void Timer::expires_never() {
  impl_->timer.expires_at(boost::asio::steady_timer::time_point::max());
}

void Timer::cancel() {
  impl_->timer.cancel();
}

void Timer::async_wait(std::function<void(bool due)> done) {
  impl_->timer.async_wait(
      [done = std::move(done)](boost::system::error_code cancelled) { done(!cancelled); });
}

}  // namespace assent
