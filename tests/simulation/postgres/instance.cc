#include "tests/simulation/postgres/instance.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/postgres/backend.h"

namespace assent::model {
namespace {

constexpr Lsn kBegin = 0x0150'0000;
constexpr Micros kWriterPause = 200 * simulation::kMillisecond;
constexpr Micros kWakeMax = 200;
constexpr int kFirstPid = 1'000;
constexpr std::size_t kRecordsKept = 2'000;  // how far back promote_without() can go

State initial_state(const Options& options) {
  State state;
  state.next_xid = options.first_xid;
  for (const auto& [id, balance] : options.balances) {
    state.tables["account"][std::to_string(id)] = {std::to_string(id), std::to_string(balance)};
  }
  state.tables["parent"]["1"] = {"1"};
  state.tables["assent.epoch"][""] = {std::to_string(options.epoch), std::nullopt, std::nullopt,
                                      options.outcome_key};
  state.tables["assent.schema_version"][""] = {"5"};
  return state;
}

}  // namespace

Instance::Instance(simulation::Scheduler& its_scheduler, simulation::Dice its_dice,
                   Options its_options)
    : scheduler(its_scheduler),
      dice(its_dice),
      options(std::move(its_options)),
      store(Wal(initial_state(options), kBegin)),
      replicated_(kBegin) {
  checkpoint = kBegin;
}

void Instance::after(Micros delay, std::function<void()> act) {
  scheduler.after(delay, [this, life = life_, alive = std::weak_ptr(alive_), act = std::move(act)] {
    if (alive.lock() && life == life_) act();
  });
}

// ── the disk ────────────────────────────────────────────────────────────────────────────────────

void Instance::flush(Lsn position, std::function<void()> flushed) {
  flush_waiters_.push_back({position, std::move(flushed)});
  if (!flushing_) start_flush();
}

// One flush at a time: it takes with it all that was written before it began.
void Instance::start_flush() {
  flushing_ = true;
  const Lsn target = store.wal.end();
  const bool needed = target > store.wal.flushed();
  after(needed ? dice.skewed(options.flush_min, options.flush_max) : 0, [this, target, needed] {
    if (needed) ++counters.flushes;
    if (!stalled_) end_flush(target);
  });
}

void Instance::end_flush(Lsn target) {
  store.wal.flush_to(target);
  store.wal.trim_to(kRecordsKept, std::min(store.wal.flushed(), replicated_));
  flushing_ = false;
  ship();
  let_go(flush_waiters_, store.wal.flushed());
  if (!flush_waiters_.empty() && !flushing_) start_flush();
}

void Instance::stall_flushes(bool stalled) {
  const bool was = std::exchange(stalled_, stalled);
  if (was && !stalled && flushing_) start_flush();
}

void Instance::note_unflushed() {
  if (std::exchange(writer_due_, true)) return;
  after(dice.between(kWriterPause / 4, kWriterPause), [this] {
    writer_due_ = false;
    flush(store.wal.end(), [] {});
  });
}

// Whoever is let go may come to wait again.
void Instance::let_go(std::vector<Waiter>& waiters, Lsn position) {
  std::vector<Waiter> done;
  std::vector<Waiter> rest;
  for (Waiter& waiter : waiters) {
    (waiter.position <= position ? done : rest).push_back(std::move(waiter));
  }
  waiters = std::move(rest);
  for (const Waiter& waiter : done) waiter.act();
}

// ── the standby ─────────────────────────────────────────────────────────────────────────────────

void Instance::ship() {
  const Lsn position = store.wal.flushed();
  if (position <= replicated_) return;
  after(dice.skewed(options.replication_min, options.replication_max), [this, position] {
    if (held_) return;
    replicated_ = std::max(replicated_, position);
    let_go(standby_waiters_, replicated_);
  });
}

void Instance::await_standby(Lsn position, std::function<void()> replicated) {
  standby_waiters_.push_back({position, std::move(replicated)});
  if (position <= replicated_) after(0, [this] { let_go(standby_waiters_, replicated_); });
}

void Instance::hold_standby(bool held) {
  held_ = held;
  if (!held) ship();
}

// ── locks ───────────────────────────────────────────────────────────────────────────────────────

void Instance::wake_waiters() {
  if (lock_waiters.empty()) return;
  after(dice.between(0, kWakeMax), [this] {
    const auto waiters = lock_waiters;
    for (const auto& known : waiters) {
      if (const auto backend = known.lock()) backend->try_again();
    }
  });
}

void Instance::end_prepared(const std::string& gid, bool committed, const std::string& by) {
  const PreparedTransaction ended = store.prepared.at(gid).durable;
  store.prepared.erase(gid);
  store.end(ended.xid, ended.changes, committed);
  ++counters.finishes;
  for (const std::int64_t key : ended.advisory_locks) {
    std::erase(advisory_locks[key], AdvisoryHolder{0, ended.xid, true});
    if (advisory_locks[key].empty()) advisory_locks.erase(key);
  }
  note(committed ? GidEvent::Kind::kCommitted : GidEvent::Kind::kRolledBack, ended, by);
  wake_waiters();
}

// ── the end and the beginning ───────────────────────────────────────────────────────────────────

void Instance::fall(Lsn until, const std::string& why) {
  drop_memory(why);
  store.wal.cut(until);
  rebuild();
}

void Instance::fall_to(const Wal& copy, const std::string& why) {
  drop_memory(why);
  store.wal = copy;
  rebuild();
}

void Instance::drop_memory(const std::string& why) {
  ++life_;
  up = false;
  flushing_ = stalled_ = writer_due_ = false;
  promoted_at.reset();
  flush_waiters_.clear();
  standby_waiters_.clear();
  lock_waiters.clear();
  advisory_locks.clear();
  const auto gone = std::exchange(backends, {});
  for (const auto& [id, backend] : gone) backend->vanish(why);
  if (dice.percent(50)) last_pid = kFirstPid;  // numbers are given out again
}

void Instance::rebuild() {
  store.wal.flush_to(store.wal.end());
  store.recover();
  checkpoint = store.wal.end();
  postmaster = "start " + std::to_string(life_) + " at " + std::to_string(scheduler.now());
  replicated_ = std::min(replicated_, store.wal.end());
  for (const auto& [gid, gxact] : store.prepared) {
    for (const std::int64_t key : gxact.durable.advisory_locks) {
      advisory_locks[key].push_back({0, gxact.durable.xid, true});
    }
  }
  note_history_change();
}

// A PREPARE or a finish that was under way may have taken effect; one that was acknowledged may be
// lost. The log's xids below its end are those of the history that the events are of, because a
// gid of a history that was lost before has been noted as lost then.
void Instance::note_history_change() {
  using Kind = GidEvent::Kind;
  std::map<std::string, GidEvent> last;
  for (const GidEvent& event : gid_events) last[event.gid] = event;
  for (const auto& [gid, gxact] : store.prepared) {
    const auto known = last.find(gid);
    const Kind before = known == last.end() ? Kind::kLost : known->second.kind;
    if (before == Kind::kPrepared || before == Kind::kReappeared) continue;
    const bool ended = before == Kind::kCommitted || before == Kind::kRolledBack;
    note(ended ? Kind::kReappeared : Kind::kPrepared, gxact.durable, "");
  }
  for (const auto& [gid, event] : last) {
    if (store.prepared.contains(gid) || event.kind == Kind::kLost) continue;
    const bool ended = store.has_ended(event.xid);
    const bool known = event.kind == Kind::kCommitted || event.kind == Kind::kRolledBack;
    if (ended && known) continue;
    const bool committed = store.status(event.xid) == XidStatus::kCommitted;
    const Kind end = committed ? Kind::kCommitted : Kind::kRolledBack;
    note(ended ? end : Kind::kLost, {gid, "", "", event.xid}, "");
  }
}

void Instance::note(GidEvent::Kind kind, const PreparedTransaction& transaction,
                    const std::string& by) {
  gid_events.push_back({scheduler.now(), kind, transaction.gid, transaction.xid, by});
  if (observer) observer(gid_events.back());
}

std::shared_ptr<Backend> Instance::backend_of(int pid) const {
  for (const auto& [id, backend] : backends) {
    if (backend->pid() == pid) return backend;
  }
  return nullptr;
}

std::string Instance::started_now() const {
  return "at " + std::to_string(scheduler.now()) + " of session " + std::to_string(last_session);
}

}  // namespace assent::model
