#include "runtime/rpc/flush_queue.h"

#include <boost/asio/defer.hpp>
#include <utility>

#include "runtime/rpc/framed_connection.h"

namespace assent::rpc {

asio::execution_context::id FlushQueue::id;

FlushQueue::FlushQueue(asio::execution_context& loop)
    : asio::execution_context::service(loop), loop_(static_cast<asio::io_context&>(loop)) {}

void FlushQueue::add(std::shared_ptr<FramedConnection> connection) {
  waiting_.push_back(std::move(connection));
  if (std::exchange(scheduled_, true)) return;
  // Deferred, not posted: it runs behind the handlers that are ready now, without waking the loop.
  asio::defer(loop_, [this] { run(); });
}

void FlushQueue::run() {
  scheduled_ = false;
  // A flush may close a connection, whose owner may then write to another one: that waits in a
  // queue of its own for the next turn.
  const std::vector<std::shared_ptr<FramedConnection>> now = std::exchange(waiting_, {});
  for (const auto& connection : now) connection->flush();
}

void FlushQueue::shutdown() {
  waiting_.clear();
}

}  // namespace assent::rpc
