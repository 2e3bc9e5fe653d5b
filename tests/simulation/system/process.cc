#include "tests/simulation/system/process.h"

#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "base/check.h"
#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/timer.h"

namespace assent {
namespace simulation::system {
namespace {

Running* running = nullptr;

Running& runs() {
  CHECK(running != nullptr, "production code runs in a process of the simulation");
  return *running;
}

}  // namespace

Running::Running(MonoTime now, Dice& dice) : now_(now), dice_(dice), outer_(running) {
  running = this;
}

Running::~Running() {
  running = outer_;
}

}  // namespace simulation::system

// ── runtime/process.h ───────────────────────────────────────────────────────────────────────────

namespace process {

MonoTime monotonic_now() {
  return simulation::system::runs().now();
}

std::uint64_t random_u64() {
  return simulation::system::runs().dice().next();
}

}  // namespace process

// ── runtime/logging.h ───────────────────────────────────────────────────────────────────────────

namespace log {

bool enabled(Level /*level*/) {
  return false;
}

void write(Level /*level*/, std::string_view /*text*/, std::initializer_list<Field> /*fields*/) {}

}  // namespace log

// ── runtime/timer.h ─────────────────────────────────────────────────────────────────────────────

// What is scheduled holds it weakly: a timer that is gone wakes nobody.
class Timer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  using Waiter = std::function<void(bool due)>;

  explicit Impl(boost::asio::io_context& loop)
      : loop_(static_cast<simulation::system::Loop&>(loop)) {}

  void set(std::optional<simulation::Micros> delay) {
    wake(false);
    delay_ = delay;
  }

  // All that wait are woken by one event, so a timer is waited on right after it is set.
  void wait(Waiter waiter) {
    waiting_.push_back(std::move(waiter));
    if (waiting_.size() > 1 || !delay_) return;
    loop_.after(*delay_, [weak = weak_from_this(), number = number_] {
      const auto self = weak.lock();
      if (self && self->number_ == number) self->wake(true);
    });
  }

  void wake(bool due) {
    ++number_;
    for (Waiter& waiter : std::exchange(waiting_, {})) {
      boost::asio::post(loop_, [waiter = std::move(waiter), due] { waiter(due); });
    }
  }

 private:
  simulation::system::Loop& loop_;
  std::vector<Waiter> waiting_;
  std::optional<simulation::Micros> delay_;  // none: never due
  std::uint64_t number_ = 0;                 // of the setting that is waited for
};

Timer::Timer(boost::asio::io_context& loop) : impl_(std::make_shared<Impl>(loop)) {}

Timer::~Timer() = default;

void Timer::expires_after(std::chrono::milliseconds time) {
  impl_->set(time.count() * simulation::kMillisecond);
}

void Timer::expires_never() {
  impl_->set(std::nullopt);
}

void Timer::cancel() {
  impl_->wake(false);
}

void Timer::async_wait(std::function<void(bool due)> done) {
  impl_->wait(std::move(done));
}

}  // namespace assent
