// One branch at work on its session: statements, PREPARE TRANSACTION, ROLLBACK.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/ids.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/session.h"

namespace assent::postgres {

class BranchWork : public std::enable_shared_from_this<BranchWork> {
 public:
  struct Observer {
    // The session is gone; called once at most, before anything is reported because of that.
    std::function<void()> session_lost;
    // The branch's last word was ConnectionLost: nobody will release it.
    std::function<void(const BranchId&, const Error&)> branch_lost;
  };

  BranchWork(std::shared_ptr<Context> context, std::shared_ptr<Control> control, BranchId branch,
             Session session, Observer observer);

  // Takes the session's losses from now on. Call once, at first.
  void start();

  void run(const branch::RunStatement& operation);
  void prepare(Ballot ballot);
  void roll_back();
  // Gives the session back; none when it was lost.
  std::optional<Session> release();
  void close();

 private:
  enum class State {
    kOpen,         // until prepare or roll_back, and again after a stale ballot
    kPreparing,    // until it is known whether the branch is prepared
    kRollingBack,  // until the ROLLBACK has been answered and no cancel is under way
    kEnded,        // until release
  };

  void on_statement(std::uint32_t number, Result<Answers> answers);
  void refuse(std::uint32_t number, const Error& why);
  void add_timeout(Batch& batch, Millis timeout);

  void maybe_send_prepare();
  void refuse_stale();
  void on_prepare_answered(const Answers& answers);
  void become_prepared(const Answers& answers);
  void roll_back_unprepared(const Error& why);
  void report_prepare(Result<Evidence> result);
  void start_settling();
  boost::asio::awaitable<void> settle();

  void send_rollback();
  void on_rollback_answered();
  void maybe_report_rollback();
  boost::asio::awaitable<void> interrupt();

  void on_lost(const Error& why);
  [[nodiscard]] Connection& connection() { return *session_.connection; }

  const std::shared_ptr<Context> context_;
  const std::shared_ptr<Control> control_;
  const BranchId branch_;
  Session session_;
  const Observer observer_;

  State state_ = State::kOpen;
  bool begun_ = false;           // BEGIN was sent
  bool timeout_set_ = false;     // by a SET LOCAL of ours
  std::size_t in_flight_ = 0;    // statements
  std::optional<Error> doomed_;  // why the branch must not be prepared
  Ballot ballot_;                // of the prepare
  bool prepare_sent_ = false;    // from now on a loss leaves the branch's fate unknown
  bool settling_ = false;
  bool rollback_answered_ = false;
  bool interrupting_ = false;  // a cancel may be under way
  boost::asio::steady_timer rollback_wait_;
  bool session_lost_ = false;
};

}  // namespace assent::postgres
