#include "runtime/deadline_timer.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <utility>

#include "runtime/process.h"

namespace assent {

class DeadlineTimer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& loop, std::function<void()> due)
      : timer_(loop), due_(std::move(due)) {}

  void arm(std::optional<MonoTime> deadline) {
    if (deadline == armed_) return;
    armed_ = deadline;
    // A wait that has already expired cannot be cancelled: its number tells that it is an old one.
    ++arming_;
    timer_.cancel();
    if (!deadline) return;
    const Millis wait = std::max(*deadline - process::monotonic_now(), Millis(0));
    timer_.expires_after(std::chrono::milliseconds(wait.value));
    timer_.async_wait([self = shared_from_this(), arming = arming_](const auto& /* cancelled */) {
      if (arming != self->arming_) return;
      self->armed_.reset();
      self->due_();
    });
  }

 private:
  boost::asio::steady_timer timer_;
  const std::function<void()> due_;
  std::optional<MonoTime> armed_;
  std::uint64_t arming_ = 0;  // counts what arm() was told
};

DeadlineTimer::DeadlineTimer(boost::asio::io_context& loop, std::function<void()> due)
    : impl_(std::make_shared<Impl>(loop, std::move(due))) {}

DeadlineTimer::~DeadlineTimer() {
  impl_->arm(std::nullopt);
}

void DeadlineTimer::arm(std::optional<MonoTime> deadline) {
  impl_->arm(deadline);
}

}  // namespace assent
