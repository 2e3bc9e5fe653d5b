// The control connection: the agent's own queries, in its control role. Connects when it is needed
// and again after a loss.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/statement.h"
#include "participant/postgres/context.h"
#include "participant/postgres/session.h"
#include "runtime/timer.h"

namespace assent::postgres {

class Control : public std::enable_shared_from_this<Control> {
 public:
  explicit Control(std::shared_ptr<Context> context);

  // Runs one command. Errors: those of open_session, kUnavailable when the connection was lost
  // under it (what it did is not known then), and kSql, also for a success with a WARNING: that is
  // how PostgreSQL tells that a commit has not reached the synchronous standby. kStaleBallot:
  // `may_send`, asked immediately before the command is sent (R4), said no.
  boost::asio::awaitable<Result<StatementResult>> query(std::string sql,
                                                        std::vector<Value> parameters = {},
                                                        std::function<bool()> may_send = nullptr);

  // A write after whose success everything committed or prepared before is durable, on the
  // synchronous standby as well.
  boost::asio::awaitable<Result<void>> barrier();

  // Asks the backend to give up its running statement; it may have none. The signal has been sent
  // when this ends without an error.
  boost::asio::awaitable<Result<void>> cancel(Backend backend);

  // Ends the backend, and returns when it is gone: from then on nothing that it had been sent can
  // take effect. A stopped backend makes it wait.
  boost::asio::awaitable<Result<void>> terminate(Backend backend);

  // Pauses before another try, for `time` at most: it ends when the connection, once lost, stands
  // again, for then the try may succeed.
  boost::asio::awaitable<void> pause_or_reconnect(std::chrono::milliseconds time);

  // What the present connection knows of the server. Precondition: a query has just succeeded.
  [[nodiscard]] const Session& session() const;

  void close();

 private:
  boost::asio::awaitable<Result<std::shared_ptr<Connection>>> connection();
  boost::asio::awaitable<Result<Session>> open();
  boost::asio::awaitable<void> reconnect();
  void on_lost(const Error& why);

  const std::shared_ptr<Context> context_;
  Timer opened_;             // its end wakes who waits for `opening_`
  std::list<Timer> pauses_;  // of who waits to try again
  bool opening_ = false;
  std::optional<Session> session_;
};

}  // namespace assent::postgres
