// One libpq connection in pipeline mode on the event loop. Never blocks.
#pragma once

#include <libpq-fe.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/statement.h"
#include "participant/postgres/answer.h"

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
};

// One SQL command; parameters are text, their types inferred by the server.
struct Command {
  std::string sql;
  std::vector<Value> parameters = {};
};
// Commands that end with one Sync of their own: the first that fails skips the rest of its batch
// and nothing else. An empty batch is a bare Sync.
using Batch = std::vector<Command>;

// Why libpq cannot carry a command as it is written, if so.
std::optional<Error> unsendable(const Command& command);

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Opened = std::function<void(Result<std::shared_ptr<Connection>>)>;
  // One answer for each command of the batch, or kUnavailable: the connection was lost before the
  // batch was answered in full, and what it did is not known.
  using Completion = std::function<void(Result<Answers>)>;
  using Lost = std::function<void(const Error&)>;

  // Connects; kUnavailable when that did not work. The loop outlives the connection.
  static void open(boost::asio::io_context& loop, const ConnectionOptions& options, Opened done);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends the batch behind those already sent. Completions come in order, never from inside this
  // call. Precondition: no command of it is unsendable().
  void send(Batch batch, Completion completion);

  // Called once when the connection is lost or given up, after the completions of what was under
  // way; never from inside send().
  void set_on_lost(Lost on_lost) { on_lost_ = std::move(on_lost); }

  // Gives the connection up: everything goes on as if it had been lost because of `why`.
  void fail(const Error& why);
  // Closes without calling anything back.
  void close();

  [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
  // Precondition: is_open().
  [[nodiscard]] int backend_pid() const { return PQbackendPID(handle_.get()); }
  // False when the session is outside any transaction for certain. Inside a completion it speaks of
  // the end of that batch; while later ones are under way it cannot know, and is true.
  [[nodiscard]] bool maybe_in_transaction() const;
  // True when the session is in a failed transaction for certain, and nothing is under way.
  [[nodiscard]] bool in_failed_transaction() const;

 private:
  struct Finish {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };
  struct Pending {
    std::size_t commands;
    Completion completion;
    Answers answers = {};
    std::vector<std::string> warnings = {};  // of the command that runs now
    bool copying = false;                    // that command is a COPY
    std::uint64_t bytes = 0;                 // of answers that did not come in one piece
    std::uint64_t memory = 0;                // that libpq holds for `answers`
  };

  Connection(boost::asio::io_context& loop, Opened opened);
  void start(const ConnectionOptions& options);
  void poll_connect();
  void watch_connect(boost::asio::posix::stream_descriptor::wait_type event);
  void end_connect(std::optional<Error> failure);
  void become_open();

  void watch_reads();
  [[nodiscard]] std::size_t readable() const;
  void count_large_result(std::size_t before, std::size_t after);
  void refuse_result();
  void watch_writes();
  void flush();
  void on_readable();
  void take_answers();
  bool take(ResultHandle result);
  bool refuse_copy_in();
  bool drop_copy_out();
  void keep_answer(ResultHandle result);
  void complete_front();
  void lose_later();
  [[nodiscard]] Error loss() const;
  void shut();
  static void on_notice(void* self, const PGresult* notice);

  boost::asio::io_context& loop_;
  boost::asio::posix::stream_descriptor socket_;  // of the handle, which owns it
  boost::asio::steady_timer connect_deadline_;
  std::unique_ptr<PGconn, Finish> handle_;
  Opened opened_;  // set while connecting
  Lost on_lost_;
  std::deque<Pending> pending_;
  bool writing_ = false;  // a wait for the socket to take more is under way
  bool large_ = false;    // libpq holds an answer that is not complete
  std::uint64_t result_max_bytes_ = 0;
};

}  // namespace assent::postgres
