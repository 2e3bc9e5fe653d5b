#include "runtime/deadline_timer.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "runtime/process.h"

namespace assent {

class DeadlineTimer::Impl {
 public:
  Impl(boost::asio::io_context& loop, std::function<void()> due)
      : timer_(loop), due_(std::move(due)) {}

  void arm(std::optional<MonoTime> deadline) {
    if (deadline == armed_) return;
    armed_ = deadline;
    if (!deadline) {
      timer_.cancel();
      return;
    }
    const Millis wait = std::max(*deadline - process::monotonic_now(), Millis(0));
    timer_.expires_after(std::chrono::milliseconds(wait.value));
    timer_.async_wait([this](boost::system::error_code cancelled) {
      if (cancelled) return;
      armed_.reset();
      due_();
    });
  }

 private:
  boost::asio::steady_timer timer_;
  const std::function<void()> due_;
  std::optional<MonoTime> armed_;
};

DeadlineTimer::DeadlineTimer(boost::asio::io_context& loop, std::function<void()> due)
    : impl_(std::make_unique<Impl>(loop, std::move(due))) {}

DeadlineTimer::~DeadlineTimer() = default;

void DeadlineTimer::arm(std::optional<MonoTime> deadline) {
  impl_->arm(deadline);
}

}  // namespace assent
