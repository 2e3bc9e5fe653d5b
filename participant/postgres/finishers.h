// COMMIT PREPARED and ROLLBACK PREPARED, several at a time, each alone on a session of its own:
// away from the work pool, so that branches waiting for locks never keep others from ending.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/missing_gid.h"
#include "participant/postgres/session.h"

namespace assent::postgres {

class Finishers : public std::enable_shared_from_this<Finishers> {
 public:
  Finishers(std::shared_ptr<Context> context, std::shared_ptr<Control> control);

  // Reports FinishDone when the outcome is carried out, settled, or unknown for too long.
  void submit(branch::RunFinish operation);

  // Remembers every gid with a finish queued or in flight at any time from construction on: a list
  // of prepared transactions that is read meanwhile says nothing about those (R6).
  class Watch {
   public:
    explicit Watch(Finishers& finishers);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    [[nodiscard]] bool saw(const std::string& gid) const { return seen_.contains(gid); }

   private:
    friend class Finishers;
    Finishers& finishers_;
    std::set<std::string> seen_;
  };

  void close();

 private:
  struct Worker {
    bool busy = false;
    std::optional<Session> session;
  };
  struct Job {
    branch::RunFinish operation;
    std::string gid;
  };
  using FinishResult = branch::FinishResult;
  // The last word on a job, or why it must be tried again.
  struct Retry {
    Error why;
  };
  using Attempt = std::variant<Result<FinishResult>, Retry>;

  void start_worker();
  boost::asio::awaitable<void> work(Worker& worker);
  boost::asio::awaitable<Result<FinishResult>> finish(Worker& worker, const Job& job);
  boost::asio::awaitable<Attempt> attempt(Worker& worker, const Job& job);
  boost::asio::awaitable<std::optional<Error>> connect(Worker& worker);
  // Whose transaction stands under the gid of a branch of an older life.
  enum class Held { kNobodys, kStrangers, kOurs };
  boost::asio::awaitable<Result<Held>> look_for(const Worker& worker, const Job& job);
  boost::asio::awaitable<Attempt> conclude(const Worker& worker, const Job& job,
                                           const Answer& answer, bool fenced);
  boost::asio::awaitable<Attempt> settle(const Worker& worker, const Job& job, Gone gone);

  const std::shared_ptr<Context> context_;
  const std::shared_ptr<Control> control_;
  std::deque<Job> queue_;
  std::list<Worker> workers_;             // finish_connections at most
  std::multiset<std::string> finishing_;  // gids queued or in flight
  std::vector<Watch*> watches_;
};

}  // namespace assent::postgres
