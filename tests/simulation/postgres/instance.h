// What is inside of a model server: the store, its backends, its disk's flushes and its standby.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/dice.h"
#include "tests/simulation/postgres/options.h"
#include "tests/simulation/postgres/store.h"
#include "tests/simulation/scheduler.h"

namespace assent::model {

class Backend;

// Somebody holds an advisory lock: a session, or a prepared transaction.
struct AdvisoryHolder {
  SessionId session = 0;
  Xid prepared = 0;
  bool of_transaction = false;
  bool operator==(const AdvisoryHolder&) const = default;
};

class Instance {
 public:
  Instance(simulation::Scheduler& its_scheduler, simulation::Dice its_dice, Options its_options);

  // ── time: `act` is dropped when the server has crashed meanwhile
  void after(Micros delay, std::function<void()> act);

  // ── the disk. Calls back once the log is flushed up to there.
  void flush(Lsn position, std::function<void()> flushed);
  void stall_flushes(bool stalled);
  // A record was written for which nobody waits: the WAL writer flushes it some time.
  void note_unflushed();

  // ── the standby. Calls back once it has the log up to there.
  void await_standby(Lsn position, std::function<void()> replicated);
  void hold_standby(bool held);
  [[nodiscard]] Lsn replicated() const { return replicated_; }
  void set_replicated(Lsn position) { replicated_ = position; }

  // ── locks
  // Lets those who wait for rows or advisory locks try again.
  void wake_waiters();
  std::vector<std::weak_ptr<Backend>> lock_waiters;  // as they came

  // A prepared transaction has been finished: its record is safe.
  void end_prepared(const std::string& gid, bool committed, const std::string& by);

  // ── the end and the beginning
  // Every backend vanishes, and the memory with it. The log is cut to `until`, from which the
  // memory is rebuilt.
  void fall(Lsn until, const std::string& why);
  // The same, to an older copy of the log.
  void fall_to(const Wal& copy, const std::string& why);
  void note(GidEvent::Kind kind, const PreparedTransaction& transaction, const std::string& by);

  [[nodiscard]] std::shared_ptr<Backend> backend_of(int pid) const;
  [[nodiscard]] std::string started_now() const;

  simulation::Scheduler& scheduler;
  simulation::Dice dice;
  const Options options;
  Store store;
  Counters counters;
  bool up = true;
  std::string postmaster = "first";  // its start
  Lsn checkpoint = 0;                // at which it last started
  std::optional<Lsn> promoted_at;    // where this start of it left the timeline before
  SessionId last_session = 0;
  int last_pid = 1'000;
  std::map<SessionId, std::shared_ptr<Backend>> backends;
  std::map<std::int64_t, std::vector<AdvisoryHolder>> advisory_locks;
  std::vector<GidEvent> gid_events;
  std::function<void(const GidEvent&)> observer;  // of each, as it happens; may be empty
  std::vector<std::string> unknown_statements;

 private:
  struct Waiter {
    Lsn position;
    std::function<void()> act;
  };
  void start_flush();
  void end_flush(Lsn target);
  void ship();
  void drop_memory(const std::string& why);
  void rebuild();
  void note_history_change();
  static void let_go(std::vector<Waiter>& waiters, Lsn position);

  std::uint64_t life_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<Waiter> flush_waiters_;
  std::vector<Waiter> standby_waiters_;
  bool flushing_ = false;
  bool stalled_ = false;
  bool writer_due_ = false;
  bool held_ = false;
  Lsn replicated_ = 0;
};

}  // namespace assent::model
