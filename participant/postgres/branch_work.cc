// Statements, rollback and the end of a branch's session; prepare.cc has the rest of the class.
#include "participant/postgres/branch_work.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "participant/postgres/awaiting.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto kCancelPause = 500ms;
constexpr int kCancelsMax = 6;

}  // namespace

BranchWork::BranchWork(std::shared_ptr<Context> context, std::shared_ptr<Control> control,
                       BranchId branch, Session session, Observer observer)
    : context_(std::move(context)),
      control_(std::move(control)),
      branch_(std::move(branch)),
      session_(std::move(session)),
      observer_(std::move(observer)),
      rollback_wait_(context_->loop) {}

void BranchWork::start() {
  connection().set_on_lost([weak = weak_from_this()](const Error& why) {
    if (const auto self = weak.lock()) self->on_lost(why);
  });
}

// ── statements ──────────────────────────────────────────────────────────────────────────────────

void BranchWork::run(const branch::RunStatement& operation) {
  CHECK(state_ == State::kOpen, "statements are for an open branch");
  Command command{operation.statement.sql, operation.statement.parameters};
  ++in_flight_;
  if (const auto why = unsendable(command)) return refuse(operation.number, *why);
  Batch batch;
  if (!std::exchange(begun_, true)) batch.push_back({"BEGIN"});
  add_timeout(batch, operation.statement.timeout);
  batch.push_back(std::move(command));
  connection().send(std::move(batch), [self = shared_from_this(),
                                       number = operation.number](Result<Answers> answers) {
    self->on_statement(number, std::move(answers));
  });
}

// A failed transaction takes no SET, and needs none: in it only ROLLBACK TO SAVEPOINT works.
void BranchWork::add_timeout(Batch& batch, Millis timeout) {
  const bool failed = connection().in_failed_transaction();
  if (failed || (timeout == Millis(0) && !timeout_set_)) return;
  const std::int64_t limit = std::min<std::int64_t>(timeout.value, std::numeric_limits<int>::max());
  timeout_set_ = timeout != Millis(0);
  batch.push_back({"SET LOCAL statement_timeout TO " +
                   (timeout_set_ ? std::to_string(limit) : std::string("DEFAULT"))});
}

// A bare Sync keeps the refusal behind the answers of the statements before it.
void BranchWork::refuse(std::uint32_t number, const Error& why) {
  connection().send({}, [self = shared_from_this(), number, why](const Result<Answers>& answers) {
    if (!answers) return;
    --self->in_flight_;
    self->doomed_ = why;
    self->context_->report(branch::StatementDone{self->branch_, number, tl::unexpected(why), true});
    self->maybe_send_prepare();
  });
}

void BranchWork::on_statement(std::uint32_t number, Result<Answers> answers) {
  if (!answers) return;  // on_lost answers
  --in_flight_;
  branch::StatementDone done{branch_, number, nullptr, connection().maybe_in_transaction()};
  if (const Answer* failed = first_failed(*answers)) {
    const Error why = to_error(*failed, static_cast<int>(number));
    if (failed->was_copy) doomed_ = why;
    done.result = tl::unexpected(why);
  } else {
    done.result = std::make_shared<const branch::StatementResult>(to_result(answers->back()));
  }
  context_->report(std::move(done));
  maybe_send_prepare();
}

// ── rollback ────────────────────────────────────────────────────────────────────────────────────

void BranchWork::roll_back() {
  CHECK(state_ == State::kOpen, "what is prepared or ending is not rolled back here");
  state_ = State::kRollingBack;
  if (in_flight_ > 0) {
    interrupting_ = true;
    rollback_wait_.expires_at(asio::steady_timer::time_point::max());
    spawn(context_->loop, [self = shared_from_this()] { return self->interrupt(); });
  }
  send_rollback();
}

void BranchWork::send_rollback() {
  Batch batch;
  if (begun_) batch.push_back({"ROLLBACK"});
  connection().send(std::move(batch), [self = shared_from_this()](const Result<Answers>& answers) {
    if (answers) self->on_rollback_answered();
  });
}

void BranchWork::on_rollback_answered() {
  // A cancel that came late may have hit the ROLLBACK itself.
  if (connection().maybe_in_transaction()) return send_rollback();
  rollback_answered_ = true;
  rollback_wait_.cancel();
  maybe_report_rollback();
}

// A cancel that is still on its way could hit the session's next user. Once pg_cancel_backend has
// answered, the signal has been raised, and PostgreSQL drops a cancel that finds it reading the
// next command: nothing sent from then on can be hit.
void BranchWork::maybe_report_rollback() {
  if (state_ != State::kRollingBack || !rollback_answered_ || interrupting_) return;
  state_ = State::kEnded;
  context_->report(branch::RollbackDone{branch_});
}

// A cancel that finds the backend between two statements is dropped, so it is sent again. When that
// does not help for long, or a cancel may still be on its way, the session is given up and its
// backend ended: this branch was never asked to prepare.
asio::awaitable<void> BranchWork::interrupt() {
  bool stray = false;
  for (int sent = 0; sent < kCancelsMax && !stray && !rollback_answered_ && !session_lost_;
       ++sent) {
    auto signalled = co_await control_->cancel(session_.backend);
    stray = !signalled;
    if (stray || rollback_answered_ || session_lost_) break;
    rollback_wait_.expires_after(kCancelPause);
    co_await woken(rollback_wait_);
  }
  interrupting_ = false;
  if (session_lost_) co_return;
  if (rollback_answered_ && !stray) co_return maybe_report_rollback();
  connection().fail({ErrorCode::kUnavailable, "a statement could not be cancelled"});
  co_await control_->terminate(session_.backend);
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

std::optional<Session> BranchWork::release() {
  CHECK(state_ == State::kEnded || !begun_, "a branch at work keeps its session");
  state_ = State::kEnded;
  if (session_lost_) return std::nullopt;
  connection().set_on_lost(nullptr);
  return session_;
}

void BranchWork::close() {
  rollback_wait_.cancel();
  connection().close();
}

void BranchWork::on_lost(const Error& why) {
  session_lost_ = true;
  rollback_wait_.cancel();
  observer_.session_lost();
  if (state_ == State::kEnded) return;
  if (state_ == State::kPreparing && prepare_sent_) return start_settling();
  state_ = State::kEnded;
  observer_.branch_lost(branch_, why);
}

}  // namespace assent::postgres
