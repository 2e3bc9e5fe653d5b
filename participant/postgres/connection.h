// A connection to PostgreSQL in pipeline mode, as this folder uses one. libpq_connection.h has the
// production implementation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/statement.h"
#include "participant/postgres/answer.h"

namespace boost::asio {
class io_context;
}

namespace assent::postgres {

struct ConnectionOptions {
  std::string host;  // a socket directory, or a host; a name that needs DNS blocks the loop
  std::uint16_t port = 5432;
  std::string database;
  std::string user;
  std::string application_name;
  std::string settings;  // "-c name=value ...": what RESET goes back to
  // What one batch may return; the connection fails with SQLSTATE 54000 at more. 0: any amount.
  std::uint64_t result_max_bytes = 0;
  std::size_t prepared_statements = 0;  // texts that are kept prepared at most; 0: none
};

// One SQL command; parameters are text, their types inferred by the server.
struct Command {
  std::string sql;
  std::vector<Value> parameters = {};
  // The text comes again, and means the same then: the connection may keep it prepared.
  bool reusable = false;
};
// Commands that end with one Sync of their own: the first that fails skips the rest of its batch
// and nothing else. Without a BEGIN the Sync commits: what that says is in the answer of the last
// command, and when it fails, nothing of the batch stands. An empty batch is a bare Sync.
using Batch = std::vector<Command>;

// Why libpq cannot carry a command as it is written, if so.
std::optional<Error> unsendable(const Command& command);

class Connection {
 public:
  // One answer for each command of the batch, or kUnavailable: the connection was lost before the
  // batch was answered in full, and what it did is not known.
  using Completion = std::function<void(Result<Answers>)>;
  using Lost = std::function<void(const Error&)>;

  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends the batch behind those already sent. Completions come in order, never from inside this
  // call. Precondition: no command of it is unsendable().
  virtual void send(Batch batch, Completion completion) = 0;

  // What is kept prepared may be gone when what was sent so far has run: nothing that is sent from
  // now on relies on it.
  virtual void forget_prepared() {}
  // Nothing more can be kept until all has been forgotten.
  [[nodiscard]] virtual bool prepared_is_full() const { return false; }

  // Called once when the connection is lost or given up, after the completions of what was under
  // way; never from inside send().
  virtual void set_on_lost(Lost on_lost) = 0;

  // Gives the connection up: everything goes on as if it had been lost because of `why`.
  virtual void fail(const Error& why) = 0;
  // Closes without calling anything back.
  virtual void close() = 0;

  [[nodiscard]] virtual bool is_open() const = 0;
  // Precondition: is_open().
  [[nodiscard]] virtual int backend_pid() const = 0;
  // False when the session is outside any transaction for certain. Inside a completion it speaks of
  // the end of that batch; while later ones are under way it cannot know, and is true.
  [[nodiscard]] virtual bool maybe_in_transaction() const = 0;
  // True when the session is in a failed transaction for certain, and nothing is under way.
  [[nodiscard]] virtual bool in_failed_transaction() const = 0;

 protected:
  Connection() = default;
};

// How connections are opened: calls back, never from inside the call; kUnavailable when that did
// not work. The loop outlives the connection.
using Opened = std::function<void(Result<std::shared_ptr<Connection>>)>;
using Connect =
    std::function<void(boost::asio::io_context& loop, const ConnectionOptions& options, Opened)>;

}  // namespace assent::postgres
