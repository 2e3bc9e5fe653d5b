#include "runtime/process.h"

#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <utility>

#include "base/check.h"

namespace assent::process {
namespace {

// What a shell reports for a process that a signal ended.
constexpr int kExitBySignal = 128;

template <class Clock>
std::int64_t milliseconds_of() {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

class Signals::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& loop, std::function<void(const std::string&)> stop)
      : signals_(loop, SIGTERM, SIGINT), stop_(std::move(stop)) {}

  void wait() {
    signals_.async_wait(
        [self = shared_from_this()](const boost::system::error_code& cancelled, int number) {
          if (!cancelled) self->on_signal(number);
        });
  }
  void drop() {
    dropped_ = true;
    stop_ = nullptr;
    signals_.cancel();
  }

 private:
  void on_signal(int number) {
    if (dropped_) return;
    const auto stop = std::exchange(stop_, nullptr);
    // Nothing is flushed or destroyed: the second signal says that stopping cleanly takes too long.
    if (!stop) _exit(kExitBySignal + number);
    wait();
    stop(number == SIGTERM ? "SIGTERM" : "SIGINT");
  }

  boost::asio::signal_set signals_;
  std::function<void(const std::string&)> stop_;  // until it has been called
  bool dropped_ = false;
};

Signals::Signals(boost::asio::io_context& loop, std::function<void(const std::string& name)> stop)
    : impl_(std::make_shared<Impl>(loop, std::move(stop))) {
  std::signal(SIGPIPE, SIG_IGN);
  impl_->wait();
}

Signals::~Signals() {
  impl_->drop();
}

MonoTime monotonic_now() {
  return MonoTime(milliseconds_of<std::chrono::steady_clock>());
}

std::int64_t wall_now_ms() {
  return milliseconds_of<std::chrono::system_clock>();
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  // Once the system's generator is seeded, up to 256 bytes come whole and uninterrupted.
  const ssize_t size = getrandom(&value, sizeof value, 0);
  CHECK_EQ(size, static_cast<ssize_t>(sizeof value), "identifiers are unique only if random");
  return value;
}

void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  // Refused, the soft limit stays, and connections beyond it wait to be accepted.
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace assent::process
