// What a backend waits for: locks, flushes of the log, the standby; and what cuts that short.
#include <algorithm>
#include <utility>

#include "tests/simulation/postgres/backend.h"

namespace assent::model {
namespace {

using simulation::kMillisecond;

constexpr int kDepthMax = 64;

// A transaction that has been prepared meanwhile is still the same.
bool same_holder(const Blocked& a, const Blocked& b) {
  return a.transaction == b.transaction && (a.transaction != 0 || a.session == b.session);
}

}  // namespace

// ── locks ───────────────────────────────────────────────────────────────────────────────────────

// Who is in line for a row before us holds its tuple lock until it has the row. A newcomer who
// finds the row free takes it.
std::optional<Blocked> Backend::wait_for_row(const RowId& id, bool in_line) const {
  const Xid owner = store().owner(id);
  const bool mine = owner != 0 && owner == transaction_->xid;
  if (mine || (owner == 0 && !blocked_)) return std::nullopt;
  for (const auto& known : instance_.lock_waiters) {
    const auto other = known.lock();
    if (!in_line || !other || other.get() == this) break;
    const Blocked* waiting = other->waiting_for();
    if (waiting != nullptr && waiting->in_line && waiting->row == id) {
      return Blocked{id, std::nullopt, true, 0, other->id()};
    }
  }
  if (owner == 0) return std::nullopt;
  Blocked blocked{id, std::nullopt, in_line, owner, 0};
  for (const auto& [other, backend] : instance_.backends) {
    if (backend->xid() == owner) blocked.session = other;
  }
  return blocked;
}

void Backend::block(Blocked blocked) {
  const bool again = blocked_.has_value();
  const bool same = again && same_holder(*blocked_, blocked);
  blocked_ = std::move(blocked);
  stage_ = Stage::kBlocked;
  if (!again) {
    ++instance_.counters.lock_waits;
    instance_.lock_waiters.push_back(weak_from_this());
  }
  if (same) return;
  ++turn_;
  start_lock_timers();
}

void Backend::unblock() {
  blocked_.reset();
  std::erase_if(instance_.lock_waiters, [&](const auto& known) {
    const auto other = known.lock();
    return !other || other.get() == this;
  });
  instance_.wake_waiters();  // those in line behind us
}

void Backend::try_again() {
  if (stage_ != Stage::kBlocked) return;
  if (stopped_) {
    held_.push_back([this] { try_again(); });
    return;
  }
  Step step = run_front();
  if (!std::holds_alternative<Blocked>(step) && blocked_) {
    ++turn_;
    stage_ = Stage::kRunning;
    unblock();
  }
  take(std::move(step));
}

void Backend::start_lock_timers() {
  const std::int64_t limit = milliseconds(session.settings.get("lock_timeout"));
  if (limit > 0) {
    later(limit * kMillisecond,
          [this] { fail_command("55P03", "canceling statement due to lock timeout"); });
  }
  later(instance_.options.deadlock_timeout, [this] { look_for_deadlock(); });
}

void Backend::look_for_deadlock() {
  if (!waits_for(id_, 0)) return;
  ++instance_.counters.deadlocks;
  fail_command("40P01", "deadlock detected");
}

// A prepared transaction waits for nobody, as far as PostgreSQL can see.
bool Backend::waits_for(SessionId target, int depth) const {
  if (!blocked_ || blocked_->session == 0 || depth > kDepthMax) return false;
  if (blocked_->session == target) return true;
  const auto next = instance_.backends.find(blocked_->session);
  return next != instance_.backends.end() && next->second->waits_for(target, depth + 1);
}

// ── flushes and the standby ─────────────────────────────────────────────────────────────────────

bool Backend::waits_for_standby() const {
  const std::string level = session.settings.get("synchronous_commit");
  return instance_.options.synchronous_standby && level != "off" && level != "local";
}

// No signal is heard during a flush.
void Backend::begin_flush(Durable durable) {
  ++turn_;
  stage_ = Stage::kFlushing;
  durable_ = std::move(durable);
  instance_.flush(durable_->position, when_awaited([this] { on_flushed(); }));
}

std::function<void()> Backend::when_awaited(std::function<void()> act) {
  return [weak = weak_from_this(), turn = turn_, act = std::move(act)] {
    const auto self = weak.lock();
    if (self && self->turn_ == turn) self->later(0, act);
  };
}

void Backend::on_flushed() {
  if (durable_->on_flushed) durable_->on_flushed();
  if (!durable_->replicate) return conclude("");
  if (terminate_ || cancel_) {
    return conclude("canceling wait for synchronous replication due to user request");
  }
  ++turn_;
  stage_ = Stage::kAwaitingStandby;
  instance_.await_standby(durable_->position, when_awaited([this] { conclude(""); }));
}

// `cut`: why the wait for the standby was ended; empty: it has everything.
void Backend::conclude(const std::string& cut) {
  const Durable durable = *std::exchange(durable_, std::nullopt);
  stage_ = Stage::kRunning;
  if (!cut.empty()) warn(cut);
  complete(durable.conclude());
}

// ── timeouts ────────────────────────────────────────────────────────────────────────────────────

void Backend::start_statement_timer(std::int64_t limit) {
  instance_.after(limit * kMillisecond, [weak = weak_from_this(), command = command_] {
    const auto self = weak.lock();
    if (self && self->command_ == command) self->on_statement_timeout(command);
  });
}

// COMMIT and PREPARE do their work when the limit is off already; COMMIT PREPARED does not.
void Backend::on_statement_timeout(std::uint64_t command) {
  if (command_ != command) return;
  if (stopped_) {
    held_.push_back([this, command] { on_statement_timeout(command); });
    return;
  }
  const bool bounded = durable_ && durable_->bounded;
  if (stage_ == Stage::kRunning || stage_ == Stage::kBlocked) {
    fail_command("57014", "canceling statement due to statement timeout");
  } else if (stage_ == Stage::kFlushing && bounded) {
    cancel_ = true;
  } else if (stage_ == Stage::kAwaitingStandby && bounded) {
    conclude("canceling wait for synchronous replication due to user request");
  }
}

void Backend::start_idle_timer() {
  const std::int64_t limit =
      milliseconds(session.settings.get("idle_in_transaction_session_timeout"));
  if (limit == 0 || !transaction_) return;
  later(limit * kMillisecond,
        [this] { leave("terminating connection due to idle-in-transaction timeout"); });
}

}  // namespace assent::model
