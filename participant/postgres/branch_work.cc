// Statements, rollback and the end of a branch's session; vote.cc and one_shot.cc have the rest of
// the class.
#include "participant/postgres/branch_work.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "participant/branch/transaction_control.h"
#include "participant/postgres/awaiting.h"
#include "participant/postgres/branch_commands.h"
#include "runtime/process.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto kCancelPause = 500ms;
constexpr auto kResetPause = 2ms;
constexpr int kCancelsMax = 6;
constexpr std::string_view kLockTimeout = "55P03";
constexpr std::string_view kCancelled = "57014";

}  // namespace

BranchWork::BranchWork(std::shared_ptr<Context> context, std::shared_ptr<Control> control,
                       std::shared_ptr<Control> settler, BranchId branch, Session session,
                       Observer observer)
    : context_(std::move(context)),
      control_(std::move(control)),
      settler_(std::move(settler)),
      branch_(std::move(branch)),
      session_(std::move(session)),
      observer_(std::move(observer)),
      interrupt_wait_(context_->loop) {}

void BranchWork::start() {
  connection().set_on_lost([weak = weak_from_this()](const Error& why) {
    if (const auto self = weak.lock()) self->on_lost(why);
  });
}

// What a lost connection has not answered is left to on_lost.
void BranchWork::send(Batch batch, std::function<void(Answers&)> answered) {
  if (!busy_since_) busy_since_ = process::monotonic_now();
  connection().send(std::move(batch), [self = shared_from_this(),
                                       answered = std::move(answered)](Result<Answers> answers) {
    self->busy_since_.reset();
    if (answers) answered(*answers);
  });
}

// ── statements ──────────────────────────────────────────────────────────────────────────────────

void BranchWork::run(const branch::RunStatement& operation) {
  CHECK(state_ == State::kOpen, "statements are for an open branch");
  ++in_flight_;
  if (begun_ && !in_transaction_) {
    held_.push_back(operation);
  } else {
    send_statement(operation);
  }
}

// Statements are pipelined, but the first is waited for, because its batch has the BEGIN: a cancel
// may hit that, and what is already behind it would run outside of any transaction, and stay.
void BranchWork::send_statement(const branch::RunStatement& operation) {
  Command command = to_command(operation.statement);
  if (const auto why = unsendable(command)) return refuse(operation.number, *why);
  Batch batch;
  if (!std::exchange(begun_, true)) add_begin(batch, branch_.transaction, operation.mode);
  // In a failed transaction a limit cannot be set, and this is the one statement that works there.
  const bool mends = branch::first_word(operation.statement.sql) == "rollback";
  if (!mends) add_timeout(batch, operation.statement.timeout);
  batch.push_back(std::move(command));
  send(std::move(batch),
       [this, number = operation.number](Answers& answers) { on_statement(number, answers); });
  note_session_use(operation.statement.sql);
}

// Call when the statement has been sent.
void BranchWork::note_session_use(std::string_view sql) {
  if (leaves_session_alone(sql)) return;
  session_left_alone_ = false;
  connection().forget_prepared();
}

// Without a transaction the branch is about to end, and what was held is never sent.
void BranchWork::follow_first(bool in_transaction) {
  const bool goes_on = state_ == State::kOpen || state_ == State::kPreparing;
  if (in_transaction_ || !goes_on) return;
  in_transaction_ = in_transaction;
  auto held = std::exchange(held_, {});
  if (!in_transaction) {
    in_flight_ -= held.size();
    return;
  }
  for (const branch::RunStatement& operation : held) send_statement(operation);
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
  send({}, [this, number, why](const Answers&) {
    --in_flight_;
    if (in_flight_ > 0) busy_since_ = process::monotonic_now();
    doomed_ = why;
    context_->report(branch::StatementDone{branch_, number, tl::unexpected(why), true});
    maybe_vote();
  });
}

void BranchWork::on_statement(std::uint32_t number, Answers& answers) {
  --in_flight_;
  if (in_flight_ > 0) busy_since_ = process::monotonic_now();
  branch::StatementDone done{branch_, number, nullptr, connection().maybe_in_transaction()};
  if (const Answer* failed = first_failed(answers)) {
    const Error why = statement_error(*failed, number);
    if (failed->was_copy) doomed_ = why;
    done.result = tl::unexpected(why);
  } else {
    maybe_read_only_ = maybe_read_only_ && maybe_read_only(answers.back().tag());
    done.result = std::make_shared<const StatementResult>(take_result(answers.back()));
  }
  blocker_.clear();
  const bool open = done.transaction_open;
  context_->report(std::move(done));
  follow_first(open);
  maybe_vote();
}

// PostgreSQL does not say whom a statement waited for in vain; the lock watch has looked.
Error BranchWork::statement_error(const Answer& failed, std::size_t number) const {
  Error why = to_error(failed, static_cast<int>(number));
  const std::string_view state = why.sql->sqlstate;
  if (blocker_.empty() || (state != kLockTimeout && state != kCancelled)) return why;
  why.message += ": " + blocker_;
  if (!why.sql->detail.empty()) why.sql->detail += ' ';
  why.sql->detail += blocker_;
  return why;
}

// ── rollback ────────────────────────────────────────────────────────────────────────────────────

void BranchWork::roll_back() {
  CHECK(state_ == State::kOpen, "what is prepared or ending is not rolled back here");
  state_ = State::kRollingBack;
  in_flight_ -= std::exchange(held_, {}).size();
  if (in_flight_ > 0) start_interrupt();
  send_rollback();
}

void BranchWork::send_rollback() {
  Batch batch;
  if (begun_) batch.push_back({"ROLLBACK"});
  send(std::move(batch), [this](const Answers&) { on_rollback_answered(); });
}

void BranchWork::on_rollback_answered() {
  // A cancel that came late may have hit the ROLLBACK itself.
  if (connection().maybe_in_transaction()) return send_rollback();
  rollback_answered_ = true;
  maybe_report();
}

// ── cancelling ──────────────────────────────────────────────────────────────────────────────────

// A cancel may hit a statement, which fails the transaction, or PREPARE or COMMIT: either before
// they took effect, which fails them too, or in their wait for the synchronous standby, which they
// tell by a warning. In every case the answer says what is true, or is settled.
void BranchWork::cancel() {
  const bool at_work = state_ == State::kPreparing && busy_since_ && !settling_ && !session_lost_;
  if (at_work && !interrupting_) start_interrupt();
}

void BranchWork::start_interrupt() {
  interrupting_ = true;
  interrupt_wait_.expires_never();
  spawn(context_->loop, [self = shared_from_this()] { return self->interrupt(); });
}

// Nothing is left to be cancelled.
bool BranchWork::quiet() const {
  return rollback_answered_ || voted_.has_value() || settling_ || session_lost_;
}

// A cancel that finds the backend between two statements is dropped, so it is sent again. What
// heeds none of them is ended with its backend. Of a PREPARE or COMMIT the loss of the connection
// leaves the fate unknown: it is settled when the backend is gone, for which a stopped one makes it
// wait (postgres.md, "The fence", 4).
asio::awaitable<void> BranchWork::interrupt() {
  bool stray = false;
  // A cancel that hits the session's reset would leave the former branch's settings to this one.
  while (*session_.resetting && !quiet()) co_await pause(context_->loop, kResetPause);
  for (int sent = 0; sent < kCancelsMax && !stray && !quiet(); ++sent) {
    auto signalled = co_await control_->cancel(session_.backend);
    stray = !signalled;
    if (stray || quiet()) break;
    interrupt_wait_.expires_after(kCancelPause);
    co_await woken(interrupt_wait_);
  }
  interrupting_ = false;
  if (session_lost_ || settling_) co_return;
  if (quiet() && !stray) co_return maybe_report();
  connection().fail({ErrorCode::kUnavailable, "a statement could not be cancelled"});
  if (!settling_) co_await control_->terminate(session_.backend);
}

// A cancel that is still on its way could hit the session's next user. Once pg_cancel_backend has
// answered, the signal has been raised, and PostgreSQL drops a cancel that finds it reading the
// next command: nothing sent from then on can be hit. Until then nothing is reported.
void BranchWork::maybe_report() {
  interrupt_wait_.cancel();
  if (interrupting_ && !session_lost_) return;
  if (state_ == State::kRollingBack && rollback_answered_) {
    state_ = State::kEnded;
    context_->report(branch::RollbackDone{branch_});
  } else if (state_ == State::kPreparing && voted_) {
    state_ = State::kEnded;
    context_->report(std::move(*voted_));
  }
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

std::optional<Session> BranchWork::release() {
  CHECK(state_ == State::kEnded || !begun_, "a branch at work keeps its session");
  state_ = State::kEnded;
  if (session_lost_) return std::nullopt;
  connection().set_on_lost(nullptr);
  if (connection().prepared_is_full()) session_.clean = false;
  return session_;
}

void BranchWork::close() {
  interrupt_wait_.cancel();
  connection().close();
}

// With PREPARE or COMMIT sent the fate is unknown, and settled; a vote that was waiting for a
// cancel to pass is good. In every other case nothing can take effect any more.
void BranchWork::on_lost(const Error& why) {
  session_lost_ = true;
  busy_since_.reset();
  interrupt_wait_.cancel();
  observer_.session_lost();
  if (state_ == State::kEnded) return;
  if (voted_) return maybe_report();
  if (state_ == State::kPreparing && last_sent_) return start_settling(why);
  state_ = State::kEnded;
  observer_.branch_lost(branch_, why);
}

}  // namespace assent::postgres
