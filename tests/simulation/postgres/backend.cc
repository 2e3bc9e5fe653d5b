// How a backend runs the commands of its socket, one by one, and how it ends.
#include "tests/simulation/postgres/backend.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {
namespace {

constexpr Micros kEndMin = 100;
constexpr Micros kEndMax = 5'000;

const std::map<std::string, std::string> kServerDefaults{
    {"application_name", ""},
    {"client_min_messages", "notice"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"idle_in_transaction_session_timeout", "0"},
    {"lock_timeout", "0"},
    {"role", "none"},
    {"search_path", "\"$user\", public"},
    {"statement_timeout", "0"},
    {"synchronous_commit", "on"},
};

Settings initial_settings(const Login& login) {
  Settings settings;
  settings.defaults = kServerDefaults;
  settings.defaults["application_name"] = login.application_name;
  const std::string given = normalised(login.settings) + " ";
  for (std::size_t at = 0; (at = given.find("-c ", at)) != std::string::npos;) {
    at += 3;
    const std::size_t equals = given.find('=', at);
    const std::size_t end = given.find(' ', equals);
    if (equals == std::string::npos) break;
    settings.defaults[lower(given.substr(at, equals - at))] =
        given.substr(equals + 1, end - equals - 1);
  }
  return settings;
}

}  // namespace

Answer done(std::string tag, std::int64_t row_count) {
  Answer answer;
  answer.result.command_tag = std::move(tag);
  answer.result.row_count = row_count;
  return answer;
}

Answer rows(std::vector<Column> columns, std::vector<Row> found) {
  const auto count = static_cast<std::int64_t>(found.size());
  Answer answer = done("SELECT " + std::to_string(count), count);
  answer.result.columns = std::move(columns);
  answer.result.rows = std::move(found);
  return answer;
}

Answer error(const char* sqlstate, std::string message, std::string constraint) {
  Answer answer;
  answer.status = postgres::AnswerStatus::kFailed;
  answer.sql.sqlstate = sqlstate;
  answer.sql.message = std::move(message);
  answer.sql.constraint_name = std::move(constraint);
  return answer;
}

Backend::Backend(Instance& instance, SessionId id, int pid, Login login, Lost lost)
    : instance_(instance),
      id_(id),
      pid_(pid),
      login_(std::move(login)),
      started_(instance.started_now()),
      lost_(std::move(lost)) {
  session.settings = initial_settings(login_);
}

// What was to come to a stopped process comes when it goes on, in the same order.
void Backend::later(Micros delay, std::function<void()> act) {
  instance_.after(delay, [weak = weak_from_this(), turn = turn_, act = std::move(act)] {
    const auto self = weak.lock();
    if (!self || self->turn_ != turn) return;
    if (!self->stopped_) return act();
    self->held_.push_back([raw = self.get(), turn, act] {
      if (raw->turn_ == turn) act();
    });
  });
}

// ── the socket ──────────────────────────────────────────────────────────────────────────────────

void Backend::send(Batch batch, Answered answered) {
  if (stage_ == Stage::kEnding || client_gone_) return;
  queue_.push_back({std::move(batch), std::move(answered)});
  maybe_start();
}

// 1. What is in the socket is read before its end.
// 2. The backend notices that nobody hears its answers at one time or another.
void Backend::hang_up() {
  if (client_gone_) return;
  client_gone_ = true;
  lost_ = nullptr;
  std::size_t waiting = 0;
  for (const Pending& pending : queue_) waiting += pending.commands.size() - pending.answers.size();
  commands_left_ =
      instance_.dice.percent(50) ? waiting : instance_.dice.below(std::uint64_t{waiting} + 1);
  if (stage_ == Stage::kIdle && !stopped_) leave("");
}

void Backend::maybe_start() {
  if (stage_ != Stage::kIdle || queue_.empty() || stopped_) return;
  stage_ = Stage::kRunning;
  begin_command();
}

void Backend::begin_command() {
  ++turn_;
  ++command_;
  stage_ = Stage::kRunning;
  const Pending& front = queue_.front();
  if (client_gone_ && front.answers.size() < front.commands.size() && commands_left_-- == 0) {
    return leave("");
  }
  const auto& options = instance_.options;
  later(instance_.dice.skewed(options.service_min, options.service_max), [this] { execute(); });
  const std::int64_t limit = milliseconds(session.settings.get("statement_timeout"));
  if (limit > 0) start_statement_timer(limit);
}

void Backend::execute() {
  const Pending& front = queue_.front();
  if (front.answers.size() == front.commands.size()) return take(sync());
  ++instance_.counters.commands;
  take(run_front());
}

Step Backend::run_front() {
  if (!transaction_) {
    transaction_.emplace();
    transaction_->isolation = session.settings.get("default_transaction_isolation");
    session.read_only = session.settings.get("default_transaction_read_only") == "on";
    transaction_->before = session;
  }
  const Pending& front = queue_.front();
  return run_sql(*this, front.commands[front.answers.size()]);
}

// A transaction without BEGIN ends with its batch.
Step Backend::sync() {
  queue_.front().syncing = true;
  if (transaction_ && !transaction_->block) return commit(*this, "");
  return done("");
}

void Backend::take(Step step) {
  if (stage_ == Stage::kEnding) return;  // it has ended itself
  if (auto* answer = std::get_if<Answer>(&step)) return complete(std::move(*answer));
  if (auto* blocked = std::get_if<Blocked>(&step)) return block(std::move(*blocked));
  begin_flush(std::move(std::get<Durable>(step)));
}

// The first command that fails skips the rest of its batch.
void Backend::complete(Answer answer) {
  ++turn_;
  ++command_;
  Pending& front = queue_.front();
  if (!answer.ok()) fail_transaction();
  auto warnings = std::exchange(warnings_, {});
  if (front.syncing) {
    if (!front.answers.empty() && !answer.ok()) front.answers.back() = std::move(answer);
    if (!front.answers.empty()) {
      auto& told = front.answers.back().warnings;
      told.insert(told.end(), warnings.begin(), warnings.end());
    }
    return finish_batch();
  }
  answer.warnings = std::move(warnings);
  const bool failed = !answer.ok();
  front.answers.push_back(std::move(answer));
  if (terminate_) return leave("terminating connection due to administrator command");
  cancel_ = false;
  while (failed && front.answers.size() < front.commands.size()) {
    front.answers.emplace_back().status = postgres::AnswerStatus::kSkipped;
  }
  if (front.answers.size() < front.commands.size()) return begin_command();
  take(sync());
}

void Backend::finish_batch() {
  Pending pending = std::move(queue_.front());
  queue_.pop_front();
  stage_ = Stage::kIdle;
  ++turn_;
  cancel_ = false;
  if (!client_gone_ && pending.answered) pending.answered(std::move(pending.answers), status());
  if (stage_ != Stage::kIdle) return;  // the client has hung up, or sent more
  if (terminate_) return leave("terminating connection due to administrator command");
  if (client_gone_ && queue_.empty()) return leave("");
  if (!queue_.empty()) return maybe_start();
  start_idle_timer();
}

TransactionStatus Backend::status() const {
  if (!transaction_) return TransactionStatus::kIdle;
  return transaction_->failed ? TransactionStatus::kFailed : TransactionStatus::kOpen;
}

// ── the transaction ─────────────────────────────────────────────────────────────────────────────

void Backend::warn(const std::string& message) {
  const std::string level = session.settings.get("client_min_messages");
  if (level != "error") warnings_.push_back(message);
}

bool Backend::in_transaction_block() const {
  return in_block() || !queue_.front().answers.empty();
}

std::string Backend::current_role() const {
  const std::string role = session.settings.get("role");
  return role.empty() || role == "none" ? login_.role : role;
}

void Backend::abort_transaction() {
  if (!transaction_) return;
  if (transaction_->xid != 0) {
    store().wal.append(EndRecord{transaction_->xid, false});
    store().end(transaction_->xid, session.changes, false);
    instance_.note_unflushed();
  }
  const auto held = std::exchange(session.advisory_locks, {});
  session = transaction_->before;
  session.advisory_locks = held;
  forget_transaction();
}

void Backend::forget_transaction() {
  release_advisory(false);
  session.settings.end_transaction();
  session.changes.clear();
  session.unchecked_parents.clear();
  session.new_holdable_cursor = session.listened = session.notified = session.changes_listening =
      session.read_only = false;
  transaction_.reset();
  instance_.wake_waiters();
}

// An error within a savepoint takes back what came behind it; any other takes back everything, and
// a block stays open to hear of it.
void Backend::fail_transaction() {
  if (!transaction_ || transaction_->failed) return;
  if (!transaction_->block) return abort_transaction();
  if (!transaction_->savepoints.empty()) {
    roll_back_to(transaction_->savepoints.back());
    transaction_->failed = true;
    return;
  }
  const Undoable before = transaction_->before;
  abort_transaction();
  transaction_.emplace();
  transaction_->block = transaction_->failed = true;
  transaction_->before = before;
}

void Backend::roll_back_to(Savepoint& savepoint) {
  store().undo(*transaction_, session.changes, savepoint.before.changes.size());
  savepoint.xid = 0;
  const auto held = session.advisory_locks;
  session = savepoint.before;
  for (const std::int64_t key : held) {
    if (session.advisory_locks.contains(key)) continue;
    auto& holders = instance_.advisory_locks[key];
    std::erase(holders, AdvisoryHolder{id_, 0, true});
    if (holders.empty()) instance_.advisory_locks.erase(key);
  }
  instance_.wake_waiters();
}

void Backend::release_advisory(bool of_session) {
  for (auto lock = instance_.advisory_locks.begin(); lock != instance_.advisory_locks.end();) {
    std::erase_if(lock->second, [&](const AdvisoryHolder& holder) {
      return holder.session == id_ && holder.of_transaction != of_session;
    });
    lock = lock->second.empty() ? instance_.advisory_locks.erase(lock) : std::next(lock);
  }
  if (!of_session) session.advisory_locks.clear();
  instance_.wake_waiters();
}

// ── signals, and the end ────────────────────────────────────────────────────────────────────────

// A running process hears a signal before it reads anything that is sent afterwards.
void Backend::raise(Signal signal) {
  if (signal == Signal::kTerminate && stopped_) terminate_ = true;
  if (signal == Signal::kCancel && stopped_) cancel_ = true;
  if (!stopped_) hear(signal);
}

void Backend::go_on() {
  if (!std::exchange(stopped_, false)) return;
  const auto held = std::exchange(held_, {});
  if (std::exchange(terminate_, false)) hear(Signal::kTerminate);
  if (std::exchange(cancel_, false)) hear(Signal::kCancel);
  for (const auto& act : held) act();
  if (stage_ == Stage::kIdle && client_gone_ && queue_.empty()) return leave("");
  maybe_start();
}

void Backend::hear(Signal signal) {
  const bool cancel = signal == Signal::kCancel;
  switch (stage_) {
    case Stage::kEnding:
      return;
    case Stage::kIdle:
      return cancel ? void() : leave("terminating connection due to administrator command");
    case Stage::kRunning:
    case Stage::kBlocked:
      if (!cancel) return leave("terminating connection due to administrator command");
      return fail_command("57014", "canceling statement due to user request");
    case Stage::kFlushing:
      (cancel ? cancel_ : terminate_) = true;
      return;
    case Stage::kAwaitingStandby:
      if (!cancel) terminate_ = true;
      return conclude("canceling wait for synchronous replication due to user request");
  }
}

// At its Sync a batch has nothing left to be cancelled.
void Backend::fail_command(const char* sqlstate, const std::string& message) {
  const Pending& front = queue_.front();
  if (front.answers.size() == front.commands.size()) return;
  if (blocked_) unblock();
  complete(error(sqlstate, message));
}

// It is seen in pg_stat_activity until it can do nothing more.
void Backend::leave(const std::string& why) {
  if (stage_ == Stage::kEnding) return;
  if (blocked_) unblock();
  stage_ = Stage::kEnding;
  ++turn_;
  ++command_;
  queue_.clear();
  abort_transaction();
  release_advisory(true);
  later(instance_.dice.between(kEndMin, kEndMax), [this, why] { end(why); });
}

void Backend::end(const std::string& why) {
  const auto self = shared_from_this();
  instance_.backends.erase(id_);
  if (lost_) std::exchange(lost_, nullptr)(why);
}

void Backend::vanish(const std::string& why) {
  ++turn_;
  ++command_;
  stage_ = Stage::kEnding;
  queue_.clear();
  if (!lost_) return;
  instance_.scheduler.after(0, [lost = std::exchange(lost_, nullptr), why] { lost(why); });
}

}  // namespace assent::model
