// The bounded pool of work sessions, and the queue of branches that wait for one.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "participant/postgres/context.h"
#include "participant/postgres/session.h"
#include "runtime/timer.h"

namespace assent::postgres {

class WorkPool : public std::enable_shared_from_this<WorkPool> {
 public:
  using Granted = std::function<void(const BranchId&, Session)>;
  using Refused = std::function<void(const BranchId&, Error)>;

  // The callbacks come from the loop, never from inside a call of the pool.
  WorkPool(std::shared_ptr<Context> context, Granted granted, Refused refused);

  // Grants a session, or refuses when none came free within work_wait: kOverloaded, or why no
  // connection could be opened.
  void acquire(const BranchId& branch);
  // The branch waits no longer; false when it was not waiting.
  bool withdraw(const BranchId& branch);
  // Takes a granted session back and resets it, unless it is clean. Precondition: its connection is
  // open, and no transaction is.
  void give_back(const Session& session);
  // A granted session was lost.
  void on_granted_lost();

  void close();

 private:
  struct Waiting {
    BranchId branch;
    MonoTime deadline;
  };

  void serve_later();
  void serve();
  void open_more();
  boost::asio::awaitable<void> open_one();
  static void reset(const Session& session);
  void on_idle_lost(const Connection* connection);
  void arm();
  void refuse_overdue();
  [[nodiscard]] Error refusal() const;
  void count();

  const std::shared_ptr<Context> context_;
  const Granted granted_;
  const Refused refused_;
  Timer deadline_;                      // of the front of `waiting_`
  std::deque<Waiting> waiting_;         // deadlines ascend
  std::vector<Session> idle_;           // the last one is used first: it is warm
  std::size_t open_ = 0;                // idle and granted
  std::size_t opening_ = 0;             // with those that pause after a failure
  std::chrono::milliseconds pause_{0};  // after the next failure
  std::optional<Error> open_failure_;   // of the last try
  bool serving_ = false;                // serve() is due
};

}  // namespace assent::postgres
