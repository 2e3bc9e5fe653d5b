#include "participant/postgres/work_pool.h"

#include <algorithm>
#include <utility>

#include "base/buggify.h"
#include "base/check.h"
#include "participant/postgres/awaiting.h"
#include "runtime/logging.h"
#include "runtime/process.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto kPauseMin = 50ms;
constexpr auto kPauseMax = 1000ms;

}  // namespace

WorkPool::WorkPool(std::shared_ptr<Context> context, Granted granted, Refused refused)
    : context_(std::move(context)),
      granted_(std::move(granted)),
      refused_(std::move(refused)),
      deadline_(context_->loop),
      pause_(kPauseMin) {}

void WorkPool::acquire(const BranchId& branch) {
  CHECK(context_->epoch.has_value(), "branches are opened under a claimed epoch");
  waiting_.push_back({branch, process::monotonic_now() + context_->options.work_wait});
  if (waiting_.size() == 1) arm();
  serve_later();
}

bool WorkPool::withdraw(const BranchId& branch) {
  const std::size_t withdrawn =
      std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.branch == branch; });
  count();
  return withdrawn > 0;
}

void WorkPool::give_back(const Session& session) {
  session.connection->set_on_lost(
      [weak = weak_from_this(), raw = session.connection.get()](const Error&) {
        if (const auto self = weak.lock()) self->on_idle_lost(raw);
      });
  if (!session.clean) reset(session);
  idle_.push_back(session);
  idle_.back().clean = false;
  serve_later();
}

// The next branch's first statement may be sent behind this one before it is answered: should it
// fail, the connection fails with it, and nothing that ran in an unreset session is told.
void WorkPool::reset(const Session& session) {
  Batch reset{{"DISCARD ALL"}};
  session.connection->forget_prepared();
  *session.resetting = true;
  session.connection->send(std::move(reset),
                           [connection = std::weak_ptr(session.connection),
                            resetting = session.resetting](const Result<Answers>& answers) {
                             *resetting = false;
                             const auto reset_connection = connection.lock();
                             if (!answers || answers->front().ok() || !reset_connection) return;
                             reset_connection->fail(to_error(answers->front()));
                           });
}

void WorkPool::on_granted_lost() {
  ++context_->counters.connections_lost;
  --open_;
  serve_later();
}

void WorkPool::on_idle_lost(const Connection* connection) {
  std::erase_if(idle_, [&](const Session& idle) { return idle.connection.get() == connection; });
  on_granted_lost();
}

// ── matching ────────────────────────────────────────────────────────────────────────────────────

void WorkPool::serve_later() {
  count();
  if (std::exchange(serving_, true)) return;
  context_->later([self = shared_from_this()] {
    self->serving_ = false;
    self->serve();
  });
}

void WorkPool::serve() {
  while (!waiting_.empty() && !idle_.empty()) {
    if (buggify(Point::kDropBeforeGrant)) {
      const std::shared_ptr<Connection> dropped = idle_.back().connection;
      dropped->fail({ErrorCode::kUnavailable, "dropped"});
      continue;
    }
    const BranchId branch = std::move(waiting_.front().branch);
    waiting_.pop_front();
    Session session = std::move(idle_.back());
    idle_.pop_back();
    session.connection->set_on_lost(nullptr);
    count();
    granted_(branch, std::move(session));
  }
  open_more();
}

void WorkPool::open_more() {
  while (opening_ < waiting_.size() && open_ + opening_ < context_->options.work_connections) {
    ++opening_;
    spawn(context_->loop, [self = shared_from_this()] { return self->open_one(); });
  }
}

asio::awaitable<void> WorkPool::open_one() {
  auto session = co_await open_session(context_, Purpose::kWork);
  if (context_->closed) co_return;
  if (session) {
    open_failure_.reset();
    pause_ = kPauseMin;
    ++open_;
    idle_.push_back(*session);
    session->connection->set_on_lost(
        [weak = weak_from_this(), raw = session->connection.get()](const Error&) {
          if (const auto self = weak.lock()) self->on_idle_lost(raw);
        });
  } else {
    log::warning("work connection refused", {{"reason", session.error().message}});
    open_failure_ = session.error();
    co_await pause(context_->loop, std::exchange(pause_, std::min<std::chrono::milliseconds>(
                                                             2 * pause_, kPauseMax)));
  }
  --opening_;
  serve_later();
}

// ── deadlines ───────────────────────────────────────────────────────────────────────────────────

void WorkPool::arm() {
  if (waiting_.empty()) return;
  const Millis left = std::max(waiting_.front().deadline - process::monotonic_now(), Millis(0));
  deadline_.expires_after(std::chrono::milliseconds(left.value));
  deadline_.async_wait([weak = weak_from_this()](bool due) {
    const auto self = weak.lock();
    if (due && self && !self->context_->closed) self->refuse_overdue();
  });
}

void WorkPool::refuse_overdue() {
  const MonoTime now = process::monotonic_now();
  while (!waiting_.empty() && waiting_.front().deadline <= now) {
    const BranchId branch = std::move(waiting_.front().branch);
    waiting_.pop_front();
    count();
    refused_(branch, refusal());
  }
  arm();
}

Error WorkPool::refusal() const {
  if (open_failure_) return *open_failure_;
  return {ErrorCode::kOverloaded, "all " + std::to_string(context_->options.work_connections) +
                                      " work connections of " + context_->options.participant +
                                      " were busy for " +
                                      std::to_string(context_->options.work_wait.value) + " ms"};
}

void WorkPool::count() {
  context_->counters.work_busy = open_ - idle_.size();
  context_->counters.work_waiting = waiting_.size();
}

void WorkPool::close() {
  deadline_.cancel();
  for (const Session& session : std::exchange(idle_, {})) session.connection->close();
}

}  // namespace assent::postgres
