#include "client/cpp/src/loop_thread.h"

#include <chrono>
#include <csignal>

namespace assent::client {
namespace {

// A host that is gone must not cost seconds; one that is alive accepts within its round trip.
constexpr Millis kConnectMax{500};

// The application's signals are for its own threads: one that it starts inherits the mask of its
// starter, so ours is started with all signals blocked.
std::thread start_without_signals(boost::asio::io_context& loop) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([&loop] { loop.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

LoopThread::LoopThread()
    : loop_(1), busy_(loop_.get_executor()), timer_(loop_), thread_(start_without_signals(loop_)) {}

LoopThread::~LoopThread() {
  post([this] { loop_.stop(); });
  thread_.join();
}

void LoopThread::repeat(Millis period, std::function<void()> work) {
  post([this, period, work = std::move(work)]() mutable {
    period_ = period;
    repeated_ = std::move(work);
    rearm();
  });
}

void LoopThread::rearm() {
  timer_.expires_after(std::chrono::milliseconds(period_.value));
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    repeated_();
    rearm();
  });
}

void LoopThread::after(Millis pause, std::function<void()> work) {
  const auto timer = std::make_shared<boost::asio::steady_timer>(loop_);
  timer->expires_after(std::chrono::milliseconds(pause.value));
  timer->async_wait([timer, work = std::move(work)](const boost::system::error_code& cancelled) {
    if (!cancelled) work();
  });
}

rpc::Client& LoopThread::connection(const std::string& address) {
  auto& connection = connections_[address];
  if (!connection) {
    connection = std::make_unique<rpc::Client>(loop_, address,
                                               rpc::ClientLimits{.connect_max = kConnectMax});
  }
  return *connection;
}

}  // namespace assent::client
