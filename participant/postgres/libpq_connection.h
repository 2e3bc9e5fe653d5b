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
#include <utility>
#include <vector>

#include "base/error.h"
#include "participant/postgres/connection.h"
#include "participant/postgres/libpq_answer.h"
#include "participant/postgres/prepared_statements.h"

namespace assent::postgres {

class LibpqConnection final : public Connection,
                              public std::enable_shared_from_this<LibpqConnection> {
 public:
  // See Connect.
  static void open(boost::asio::io_context& loop, const ConnectionOptions& options, Opened done);
  ~LibpqConnection() override;

  void send(Batch batch, Completion completion) override;
  void set_on_lost(Lost on_lost) override { on_lost_ = std::move(on_lost); }
  void forget_prepared() override { prepared_.forget(); }
  [[nodiscard]] bool prepared_is_full() const override { return prepared_.full(); }
  void fail(const Error& why) override;
  void close() override;
  [[nodiscard]] bool is_open() const override { return handle_ != nullptr; }
  [[nodiscard]] int backend_pid() const override { return PQbackendPID(handle_.get()); }
  [[nodiscard]] bool maybe_in_transaction() const override;
  [[nodiscard]] bool in_failed_transaction() const override;

 private:
  struct Finish {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };
  struct Pending {
    std::size_t commands;
    Completion completion;
    Answers answers = {};
    std::vector<std::string> warnings = {};  // of the command that runs now, or the Sync
    bool copying = false;                    // that command is a COPY
    std::uint64_t bytes = 0;                 // of answers that did not come in one piece
    std::uint64_t memory = 0;                // that libpq needed for `answers`
    // Names that are made on the way, each with the command that is behind it; in order.
    std::deque<std::pair<std::size_t, std::string>> preparing = {};
    bool skip_next = false;  // the command that got no name, and has been answered by that
  };

  LibpqConnection(boost::asio::io_context& loop, const ConnectionOptions& options, Opened opened);
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
  bool queue(const Batch& batch, Pending& pending);
  void flush();
  void on_readable();
  bool take_answers();
  bool take(ResultHandle result);
  bool refuse_copy_in();
  bool drop_copy_out();
  bool take_preparation(const PGresult* result);
  void keep_answer(ResultHandle result);
  void fail_last_answer(Answer error);
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
  bool large_ = false;    // what came last has completed no answer
  const std::uint64_t result_max_bytes_;
  PreparedStatements prepared_;
};

}  // namespace assent::postgres
