// Gathers what is written during one turn of the loop, so that everything that became ready for a
// connection leaves in one system call, and all connections of a loop share one wake-up.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

namespace assent::rpc {

namespace asio = boost::asio;

class FramedConnection;

// One per loop: FlushQueue::of(loop).
class FlushQueue : public asio::execution_context::service {
 public:
  using key_type = FlushQueue;
  static asio::execution_context::id id;

  static FlushQueue& of(asio::io_context& loop) { return asio::use_service<FlushQueue>(loop); }
  explicit FlushQueue(asio::execution_context& loop);

  // Calls connection->flush() at the end of this turn.
  void add(std::shared_ptr<FramedConnection> connection);

 private:
  void run();
  void shutdown() override;

  asio::io_context& loop_;
  std::vector<std::shared_ptr<FramedConnection>> waiting_;
  bool scheduled_ = false;
};

}  // namespace assent::rpc
