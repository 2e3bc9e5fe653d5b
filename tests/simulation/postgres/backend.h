// One backend of the model server: it takes commands from its socket one by one, waits for locks,
// flushes and the standby, and hears signals.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "participant/postgres/answer.h"
#include "participant/postgres/connection.h"
#include "tests/simulation/postgres/instance.h"
#include "tests/simulation/postgres/server.h"

namespace assent::model {

using postgres::Answer;
using postgres::Answers;
using postgres::Batch;
using postgres::Command;

using Answered = Server::Answered;
using Lost = Server::Lost;

// What a command comes to.
//
// It must wait for a lock, and is run again from its beginning when that may be free.
struct Blocked {
  std::optional<RowId> row;
  std::optional<std::int64_t> advisory;
  bool in_line = false;   // those who come later wait for it (a tuple lock)
  Xid transaction = 0;    // that holds it, or
  SessionId session = 0;  // this one; 0: a prepared transaction does
};
// It has written its record and waits until that is safe.
struct Durable {
  Lsn position = 0;
  bool replicate = false;                 // the standby is waited for, too
  bool bounded = false;                   // by statement_timeout
  std::function<void()> on_flushed = {};  // may be empty
  std::function<Answer()> conclude = {};
};
using Step = std::variant<Answer, Blocked, Durable>;

enum class Signal { kCancel, kTerminate };

class Backend : public std::enable_shared_from_this<Backend> {
 public:
  Backend(Instance& instance, SessionId id, int pid, Login login, Lost lost);

  void send(Batch batch, Answered answered);
  void hang_up();
  void stop() { stopped_ = true; }
  void go_on();
  void raise(Signal signal);
  // It and its memory are gone, without a word.
  void vanish(const std::string& why);
  void try_again();

  [[nodiscard]] SessionId id() const { return id_; }
  [[nodiscard]] int pid() const { return pid_; }
  [[nodiscard]] const Login& login() const { return login_; }
  [[nodiscard]] const std::string& started() const { return started_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] Xid xid() const { return transaction_ ? transaction_->xid : 0; }
  [[nodiscard]] const Blocked* waiting_for() const { return blocked_ ? &*blocked_ : nullptr; }

  // ── for the commands
  [[nodiscard]] Instance& instance() const { return instance_; }
  [[nodiscard]] Store& store() const { return instance_.store; }
  [[nodiscard]] Transaction& transaction() { return *transaction_; }
  Undoable session;
  bool has_listened = false;  // a LISTEN of its was committed
  void warn(const std::string& message);
  [[nodiscard]] bool in_block() const { return transaction_ && transaction_->block; }
  // It is not the first command of its batch, or it is within a block.
  [[nodiscard]] bool in_transaction_block() const;
  [[nodiscard]] bool is_superuser() const { return current_role() == "postgres"; }
  [[nodiscard]] std::string current_role() const;
  // The row is somebody else's, or others are in line for it.
  [[nodiscard]] std::optional<Blocked> wait_for_row(const RowId& id, bool in_line) const;
  [[nodiscard]] bool waits_for_standby() const;
  void roll_back_to(Savepoint& savepoint);
  // Ends the transaction as ROLLBACK does; the session stays as it was before it.
  void abort_transaction();
  // Behind a commit or a prepare: the session keeps what is its own.
  void forget_transaction();
  void release_advisory(bool of_session);

 private:
  enum class Stage { kIdle, kRunning, kBlocked, kFlushing, kAwaitingStandby, kEnding };
  struct Pending {
    Batch commands;
    Answered answered;
    Answers answers = {};
    bool syncing = false;
  };

  void later(Micros delay, std::function<void()> act);
  void maybe_start();
  void begin_command();
  void execute();
  Step run_front();
  Step sync();
  void take(Step step);
  void complete(Answer answer);
  void fail_command(const char* sqlstate, const std::string& message);
  void fail_transaction();
  void finish_batch();
  void block(Blocked blocked);
  void unblock();
  void start_lock_timers();
  void look_for_deadlock();
  [[nodiscard]] bool waits_for(SessionId target, int depth) const;
  void begin_flush(Durable durable);
  std::function<void()> when_awaited(std::function<void()> act);
  void start_statement_timer(std::int64_t limit);
  void on_statement_timeout(std::uint64_t command);
  void on_flushed();
  void conclude(const std::string& cut);
  void hear(Signal signal);
  void end(const std::string& why);
  void leave(const std::string& why);
  void start_idle_timer();
  [[nodiscard]] TransactionStatus status() const;

  Instance& instance_;
  const SessionId id_;
  const int pid_;
  const Login login_;
  const std::string started_;
  Lost lost_;
  std::optional<Transaction> transaction_;
  std::deque<Pending> queue_;
  Stage stage_ = Stage::kIdle;
  std::uint64_t turn_ = 0;     // changes when what it waits for is over
  std::uint64_t command_ = 0;  // changes with each command
  std::optional<Blocked> blocked_;
  std::optional<Durable> durable_;
  std::vector<std::string> warnings_;  // of the command that runs
  bool stopped_ = false;
  bool terminate_ = false;
  bool cancel_ = false;
  bool client_gone_ = false;
  std::size_t commands_left_ = 0;            // that it still runs for a client that is gone
  std::vector<std::function<void()>> held_;  // what came while it was stopped
};

// Commands as their answers.
Answer done(std::string tag, std::int64_t row_count = 0);
Answer rows(std::vector<Column> columns, std::vector<Row> rows);
Answer error(const char* sqlstate, std::string message, std::string constraint = {});

// Runs one command in the backend's transaction.
Step run_sql(Backend& backend, const Command& command);
// Ends the backend's transaction with a commit; `tag` is the answer's.
Step commit(Backend& backend, const std::string& tag);

}  // namespace assent::model
