#include "participant/postgres/control.h"

#include <chrono>
#include <utility>

#include "base/buggify.h"
#include "base/check.h"
#include "participant/postgres/awaiting.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto kReconnectPause = 200ms;
constexpr auto kGonePause = 5ms;

// Selects one backend of our roles: after a restart of the server its pid may be anybody's, and the
// role is what everybody may see. A start that we may not see counts as a match: the query then
// fails for want of the privilege instead of finding the backend gone.
const std::string kThatBackend =
    std::string(" FROM pg_stat_activity WHERE pid = $1::int AND (backend_start IS NULL OR ") +
    kBackendStarted + " = $2) AND usesysid IN (SELECT oid FROM pg_roles WHERE rolname IN ($3, $4))";

std::vector<Value> parameters_of(const Backend& backend, const DatabaseOptions& options) {
  return {std::to_string(backend.pid), backend.started, options.control_role, options.work_role};
}

Result<StatementResult> conclude(Result<Answers> answers) {
  if (!answers) return tl::unexpected(answers.error());
  const Answer& answer = answers->front();
  if (!answer.ok()) return tl::unexpected(to_error(answer));
  if (!answer.warnings.empty()) return failure(ErrorCode::kUnavailable, answer.warnings.front());
  return to_result(answer);
}

}  // namespace

Control::Control(std::shared_ptr<Context> context)
    : context_(std::move(context)), opened_(context_->loop) {}

const Session& Control::session() const {
  CHECK(session_.has_value(), "a query has just succeeded on it");
  return *session_;
}

asio::awaitable<Result<StatementResult>> Control::query(std::string sql,
                                                        std::vector<Value> parameters,
                                                        std::function<bool()> may_send) {
  const auto self = shared_from_this();
  auto connection = co_await this->connection();
  if (!connection) co_return tl::unexpected(connection.error());
  if (may_send && !may_send()) {
    co_return failure(ErrorCode::kStaleBallot, "its ballot was over before it was sent");
  }
  Batch batch{{std::move(sql), std::move(parameters)}};
  co_return conclude(co_await run(**connection, std::move(batch)));
}

asio::awaitable<Result<void>> Control::barrier() {
  const auto self = shared_from_this();
  if (buggify(Point::kLateBarrier)) co_await pause(context_->loop, kReconnectPause);
  std::string sql = "SELECT pg_logical_emit_message(true, 'assent', 'barrier')";
  auto written = co_await query(std::move(sql));
  if (!written) co_return tl::unexpected(written.error());
  co_return Result<void>();
}

asio::awaitable<Result<void>> Control::cancel(Backend backend) {
  std::string sql = "SELECT pg_cancel_backend(pid)" + kThatBackend;
  auto sent = co_await query(std::move(sql), parameters_of(backend, context_->options));
  if (!sent) co_return tl::unexpected(sent.error());
  co_return Result<void>();
}

asio::awaitable<Result<void>> Control::terminate(Backend backend) {
  const auto self = shared_from_this();
  for (;;) {
    std::string sql = "SELECT pg_terminate_backend(pid)" + kThatBackend;
    auto left = co_await query(std::move(sql), parameters_of(backend, context_->options));
    if (!left) co_return tl::unexpected(left.error());
    if (left->rows.empty()) co_return Result<void>();
    co_await pause(context_->loop, kGonePause);
  }
}

asio::awaitable<void> Control::pause_or_reconnect(std::chrono::milliseconds time) {
  const auto self = shared_from_this();
  const auto pause = pauses_.emplace(pauses_.end(), context_->loop);
  pause->expires_after(time);
  co_await woken(*pause);
  pauses_.erase(pause);
}

// ── the connection ──────────────────────────────────────────────────────────────────────────────

asio::awaitable<Result<std::shared_ptr<Connection>>> Control::connection() {
  while (opening_) co_await woken(opened_);
  if (context_->closed) co_return failure(ErrorCode::kUnavailable, "closed");
  if (session_) co_return session_->connection;
  auto session = co_await open();
  if (!session) co_return tl::unexpected(session.error());
  co_return session->connection;
}

asio::awaitable<Result<Session>> Control::open() {
  opening_ = true;
  opened_.expires_never();
  auto session = co_await open_session(context_, Purpose::kControl);
  opening_ = false;
  opened_.cancel();
  if (!session || context_->closed) co_return session;
  session_ = *session;
  session_->connection->set_on_lost([weak = weak_from_this()](const Error& why) {
    if (const auto self = weak.lock()) self->on_lost(why);
  });
  co_return session;
}

// Connects again at once and not when the next query comes: the new connection reads the epoch, so
// a displaced agent learns that it is one.
void Control::on_lost(const Error& why) {
  log::warning("control connection lost",
               {{"database", context_->options.database}, {"reason", why.message}});
  session_.reset();
  ++context_->counters.connections_lost;
  spawn(context_->loop, [self = shared_from_this()] { return self->reconnect(); });
}

asio::awaitable<void> Control::reconnect() {
  while (!context_->closed) {
    auto connected = co_await connection();
    if (connected) {
      for (Timer& pause : pauses_) pause.cancel();
      if (context_->reconnected) context_->reconnected();
      co_return;
    }
    co_await pause(context_->loop, kReconnectPause);
  }
}

void Control::close() {
  if (session_) session_->connection->close();
  session_.reset();
}

}  // namespace assent::postgres
