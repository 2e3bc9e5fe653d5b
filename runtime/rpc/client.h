// An asynchronous, pipelined Thrift client of one address: framed binary protocol, replies matched
// by seqid. Connects when first used and again after a loss. Everything runs on the loop's one
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace boost::asio {
class io_context;
}
namespace apache::thrift::protocol {
class TProtocol;
}

namespace assent::rpc {

struct ClientLimits {
  std::uint32_t frame_bytes_max = 64u << 20;
  std::size_t in_flight_max = 65'536;
  std::size_t unsent_bytes_max = 64u << 20;
  Millis connect_max{2'000};
  // A connection is lost when its peer has taken nothing of what was sent for this long; 0: when
  // TCP gives up, after many minutes. Without it, what two ends of a network that was cut say next
  // can wait for as long as the cut lasted, for TCP's own retries double their pauses.
  Millis stalled_max{0};
};

class Client {
 public:
  using WriteArguments = std::function<void(apache::thrift::protocol::TProtocol&)>;
  // Reads the reply's struct. Not called when there is none.
  using ReadReply = std::function<void(apache::thrift::protocol::TProtocol&)>;
  using Done = std::function<void(Result<void>)>;

  // `address` is "host:port". The loop outlives the client.
  Client(boost::asio::io_context& loop, std::string address, ClientLimits limits = {});
  // Calls in flight fail with kOutcomeUnknown, without calling back.
  ~Client();

  // Sends a call. `done` is called once, never from inside call():
  //   no error         the reply has been read
  //   kUnavailable     the call certainly was not sent: no connection, or a full queue
  //   kOutcomeUnknown  it may have been received: the connection was lost, or `timeout` passed
  //   kInternal        the peer answered with an exception of Thrift's own, or with garbage
  //   kInvalidArgument the arguments cannot be encoded, or not within frame_bytes_max; not sent
  void call(std::string_view method, const WriteArguments& write, ReadReply read, Millis timeout,
            Done done);

  // Sends a one-way call. It may be lost at any time without a word: it goes out when a connection
  // stands or is just being made and has room. An error says that it cannot be encoded, or not
  // within frame_bytes_max (kInvalidArgument), or had no room (kUnavailable).
  Result<void> cast(std::string_view method, const WriteArguments& write);

  // Called whenever a connection stands, and whenever one is lost.
  void on_connection(std::function<void(bool up)> observer);

  [[nodiscard]] bool connected() const;
  // The latest attempt to connect failed because nobody listens there; the host itself said so.
  [[nodiscard]] bool refused() const;
  [[nodiscard]] const std::string& address() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace assent::rpc
