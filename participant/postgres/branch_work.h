// One branch at work on its session: statements, its vote, ROLLBACK.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/branch_commands.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/session.h"
#include "runtime/timer.h"

namespace assent::postgres {

class BranchWork : public std::enable_shared_from_this<BranchWork> {
 public:
  struct Observer {
    // The session is gone; called once at most, before anything is reported because of that.
    std::function<void()> session_lost;
    // The branch's last word was ConnectionLost: nobody will release it.
    std::function<void(const BranchId&, const Error&)> branch_lost;
  };

  // `settler` writes outcome rows, and may wait for one that is under way.
  BranchWork(std::shared_ptr<Context> context, std::shared_ptr<Control> control,
             std::shared_ptr<Control> settler, BranchId branch, Session session, Observer observer);

  // Takes the session's losses from now on. Call once, at first.
  void start();

  void run(const branch::RunStatement& operation);
  void prepare(const branch::RunPrepare& operation);
  // Cancels what the vote waits for. No effect when it is given, or was never asked for.
  void cancel();
  void roll_back();
  // Gives the session back; none when it was lost.
  std::optional<Session> release();
  void close();

  // Since when the session has worked on what it was sent; none when it rests.
  [[nodiscard]] std::optional<MonoTime> busy_since() const { return busy_since_; }
  [[nodiscard]] int backend_pid() const { return session_.backend.pid; }
  // Who holds the lock that the session waits for, in words. Told with its lock timeout.
  void note_blocker(std::string blocker) { blocker_ = std::move(blocker); }

 private:
  enum class State {
    kOpen,         // until prepare or roll_back, and again after a stale ballot
    kPreparing,    // until the branch's fate is known
    kRollingBack,  // until the ROLLBACK has been answered and no cancel is under way
    kEnded,        // until release
  };

  // ── branch_work.cc ────────────────────────────────────────────────────────────────────────────
  void send(Batch batch, std::function<void(Answers&)> answered);
  void send_statement(const branch::RunStatement& operation);
  void follow_first(bool in_transaction);
  void on_statement(std::uint32_t number, Answers& answers);
  void refuse(std::uint32_t number, const Error& why);
  void add_timeout(Batch& batch, Millis timeout);
  void note_session_use(std::string_view sql);
  [[nodiscard]] Error statement_error(const Answer& failed, std::size_t number) const;

  void send_rollback();
  void on_rollback_answered();
  void start_interrupt();
  boost::asio::awaitable<void> interrupt();
  [[nodiscard]] bool quiet() const;
  void conclude_interrupt(bool stray);
  void maybe_report();
  void on_lost(const Error& why);
  [[nodiscard]] Connection& connection() { return *session_.connection; }

  // ── vote.cc ───────────────────────────────────────────────────────────────────────────────────
  void maybe_vote();
  void refuse_stale();
  void vote();
  void report_no_transaction();
  void on_reader_check(const Answers& answers);
  void leave();
  void send_last();
  [[nodiscard]] PrepareCommands prepare_commands() const;
  void add_last(Batch& batch);
  void on_last_answered(const Answers& answers, std::size_t first);
  void on_prepare_answered(const Answers& answers, std::size_t first);
  void on_one_phase_answered(const Answers& answers, std::size_t first);
  void end_unprepared(const Error& why);
  void report_vote(Result<branch::PrepareResult> result);
  void start_settling(const Error& why);
  boost::asio::awaitable<void> settle(Error why);

  // ── one_shot.cc ───────────────────────────────────────────────────────────────────────────────
  void send_one_shot();
  void on_one_shot_answered(Answers& answers, bool last_is_sent);
  [[nodiscard]] std::optional<Error> one_shot_failure(const Answers& answers) const;
  [[nodiscard]] bool statements_ran(const Answers& answers) const;
  [[nodiscard]] branch::PrepareResult prepared(const Evidence& evidence, const Error& lost) const;
  void keep_results(Answers& answers);

  const std::shared_ptr<Context> context_;
  const std::shared_ptr<Control> control_;
  const std::shared_ptr<Control> settler_;
  const BranchId branch_;
  Session session_;
  const Observer observer_;

  State state_ = State::kOpen;
  bool begun_ = false;                      // BEGIN was sent
  bool in_transaction_ = false;             // and worked
  std::vector<branch::RunStatement> held_;  // until it has
  bool timeout_set_ = false;                // by a SET LOCAL of ours
  bool session_left_alone_ = true;          // by every statement so far
  bool maybe_read_only_ = true;             // no statement so far has changed rows for certain
  std::size_t in_flight_ = 0;               // statements
  std::optional<Error> doomed_;             // why the branch must not be prepared
  std::optional<MonoTime> busy_since_;
  std::string blocker_;

  branch::RunPrepare asked_;  // the vote
  bool voting_ = false;       // something was sent for it
  bool last_sent_ = false;    // PREPARE or COMMIT: a loss leaves the fate unknown
  bool resets_ = false;       // the session, with PREPARE
  bool settling_ = false;
  std::vector<std::size_t> one_shot_answers_;  // where the answers of its statements stand
  std::shared_ptr<std::vector<StatementResult>> results_;  // null: not answered, so not counted
  std::optional<Error> miscounted_;                        // rows are not what was expected
  std::optional<branch::PrepareDone> voted_;               // to be reported

  bool rollback_answered_ = false;
  bool interrupting_ = false;  // a cancel may be under way
  Timer interrupt_wait_;
  bool session_lost_ = false;
};

}  // namespace assent::postgres
