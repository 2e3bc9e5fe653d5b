// An asynchronous Thrift server: framed transport, binary or compact protocol detected by the first
// byte of a connection, any number of calls in flight on a connection, replies in any order.
// Everything runs on the loop's one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/time.h"

namespace boost::asio {
class io_context;
}
namespace apache::thrift::async {
class TAsyncProcessor;
}

namespace assent::rpc {

// What a stranger at the port may cost at most. A connection that goes beyond is closed.
struct ServerLimits {
  std::uint32_t frame_bytes_max = 16u << 20;
  std::int32_t string_bytes_max = 16 << 20;
  // Memory for all elements is taken at the claim. No list is longer than a statement's parameters.
  std::int32_t container_size_max = 1 << 16;
  std::size_t connections_max = 12'000;
  std::size_t in_flight_max = 1'024;         // calls of one connection; then it is not read
  std::size_t unsent_bytes_max = 64u << 20;  // replies of one connection; then it is not read
  Millis idle_max{600'000};                  // without a call
  Millis receive_max{30'000};                // from a frame's first byte to its last
};

struct ServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;  // at connections_max
  std::uint64_t broken = 0;   // closed for a bad frame, a limit or a timeout
  std::uint64_t calls = 0;
  std::size_t connections = 0;  // now
};

class Server {
 public:
  // `name` stands in log lines ("client port"). `processor` is a generated cob_style processor; its
  // handler answers each call once, now or later, on the loop. The loop outlives the server.
  Server(boost::asio::io_context& loop, std::string name,
         std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor, ServerLimits limits);
  ~Server();

  // Binds "host:port" (port 0 picks one) and accepts from now on. Answers the port.
  Result<std::uint16_t> listen(const std::string& address);

  // Accepts and reads no more, lets calls in flight be answered, then closes; at `limit` it closes
  // anyway. Calls `done` once.
  void drain(Millis limit, std::function<void()> done);

  [[nodiscard]] const ServerCounters& counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace assent::rpc
