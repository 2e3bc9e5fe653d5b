// A model of a PostgreSQL 15 server with one database, one agent's roles and schema, and a small
// bank (bank_sql.cc has its tables). It answers as docs/postgres.md says, and real_server_test.cc
// runs the same scripts on the model and on the real server. Pure: time is the scheduler's, every
// choice the dice's, so the same seed gives the same answers.
//
// What it knows: the SQL of participant/postgres and of the bank. Anything else is a failure with
// SQLSTATE 42601 that names the text, and is kept in unknown_statements().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "participant/postgres/answer.h"
#include "participant/postgres/connection.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/postgres/options.h"
#include "tests/simulation/postgres/wal.h"
#include "tests/simulation/scheduler.h"

namespace assent::model {

class Instance;

// As ReadyForQuery says it at the end of a batch.
enum class TransactionStatus { kIdle, kOpen, kFailed };

class Server {
 public:
  // Called when a batch has been answered in full, with one answer for each command.
  using Answered = std::function<void(postgres::Answers, TransactionStatus)>;
  // Called once when the backend has ended, unless its client hung up before. What it had been sent
  // and did not answer may have taken effect or not.
  using Lost = std::function<void(const std::string& why)>;

  // The scheduler outlives the server. It begins started, with the schema assent in version 5 and
  // epoch 0.
  Server(simulation::Scheduler& scheduler, simulation::Dice dice, Options options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // ── clients. Neither callback comes from inside these calls.
  // None: the server is down, is starting, or has no connection left.
  std::optional<SessionId> connect(const Login& login, Lost lost);
  // The functions below leave a session alone that is gone.
  [[nodiscard]] int pid(SessionId session) const;  // 0: it is gone
  // Into the backend's socket: run later, command by command.
  void send(SessionId session, postgres::Batch batch, Answered answered);
  // The client closed its end, or died. The backend still runs what its socket holds, or a part of
  // it, and ends. A client whose machine vanished never hangs up: its backend stays.
  void hang_up(SessionId session);

  // ── processes
  void stop(SessionId session);   // SIGSTOP: it does nothing and hears nothing
  void go_on(SessionId session);  // SIGCONT
  void terminate(SessionId session);
  void cancel(SessionId session);
  [[nodiscard]] std::vector<SessionId> sessions() const;  // whose backends have not ended

  // ── the server
  [[nodiscard]] bool is_up() const;
  // kill -9 of everything: what was not flushed is lost, except for what the dice say that the
  // kernel had been given; so are xids that stand only there.
  void crash();
  // Recovers, and takes connections after a while. No effect when it is up.
  void start();
  // Nothing is flushed until it is called with false.
  void stall_flushes(bool stalled);
  void hold_standby(bool held);  // the standby gets nothing while held
  // The standby, with what it has by now, takes the server's place; the old one's backends die.
  // With a synchronous standby nothing is lost whose wait was not cut short.
  void promote();
  // The same with at most `records` less than the whole log.
  void promote_without(std::size_t records);
  // An old copy of the data takes the server's place on the same timeline, or on a new one.
  using Backup = std::shared_ptr<const Wal>;
  [[nodiscard]] Backup back_up() const;
  void restore(const Backup& backup, bool new_timeline);
  // It is such a copy from the beginning, of a server on that timeline.
  void begin_as(const Backup& backup, std::uint32_t timeline);
  // pg_xact_status forgets what is below.
  void forget_xids_before(Xid xid);

  // ── somebody else. False: the server is down, or PostgreSQL would have refused.
  bool finish_by_hand(const std::string& gid, bool commit);
  // `acknowledged`: its PREPARE has answered, so neither a crash nor a promotion loses it.
  bool prepare_by_hand(
      const std::string& gid, const std::string& role, const std::string& database,
      std::function<void()> acknowledged = [] {});

  // ── for checkers: what is committed, prepared, and was
  [[nodiscard]] std::vector<PreparedTransaction> prepared() const;  // as pg_prepared_xacts shows it
  [[nodiscard]] std::map<std::int64_t, std::int64_t> balances() const;
  [[nodiscard]] std::map<std::string, bool> outcome_rows() const;
  // Transactions that have committed in one phase in the history that answers now, whether their
  // outcome rows still stand or not. Cost: that of a restart.
  [[nodiscard]] std::set<std::string> one_phase_commits() const;
  [[nodiscard]] Table rows(const std::string& table) const;  // committed, by primary key
  [[nodiscard]] EpochRow epoch_row() const;
  [[nodiscard]] const std::vector<GidEvent>& gid_events() const;
  // Sees each of them as it happens. It may throw.
  void observe_gids(std::function<void(const GidEvent&)> observer);
  [[nodiscard]] const Counters& counters() const;
  [[nodiscard]] std::uint32_t timeline() const;
  [[nodiscard]] Lsn flushed() const;  // durable WAL ends there
  [[nodiscard]] const std::vector<std::string>& unknown_statements() const;
  // Aborts when what the backends see is not what the log says.
  void check_invariants() const;

 private:
  void replace(Lsn until, const std::string& why);

  std::unique_ptr<Instance> instance_;
};

}  // namespace assent::model
