// A client's connection to our server: turns frames into calls and answers into frames.
#pragma once

#include <thrift/async/TAsyncProcessor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/rpc/framed_connection.h"
#include "runtime/rpc/protocol.h"
#include "runtime/rpc/server.h"

namespace assent::rpc {

// What the connections of one server share; each holds it, for a call may outlive the server.
struct ServerShared {
  std::string name;
  std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor;
  ServerLimits limits;
  Configuration configuration;
  ServerCounters counters;
  bool draining = false;
  bool warned = false;  // of a broken connection, since the last sweep
};

class ServerConnection final : public FramedConnection {
 public:
  // Told once, when the connection has closed.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_closed(ServerConnection& connection) = 0;
  };

  // `owner` outlives the connection's open time.
  ServerConnection(Socket socket, asio::ip::tcp::endpoint peer, FlushQueue& flush_queue,
                   std::shared_ptr<ServerShared> shared, Owner& owner);

  // Closes the connection if it has been without a call, or slow to send a frame, for too long.
  void enforce_times(MonoTime now);
  // Closes the connection if every call is answered and every answer sent.
  void close_if_done();

 private:
  class Call;

  void on_frame(std::string_view payload) override;
  [[nodiscard]] bool may_read() const override;
  void on_turn_ended() override;
  void on_closed(Ending ending, std::string_view why) override;

  void process(std::string_view payload);
  // `frame` is empty when the call has no reply.
  void on_answered(std::string_view frame);
  // A fault of ours: the peer cannot be told how its call went.
  void on_fault(std::string_view why);
  void warn(std::string_view why);

  std::shared_ptr<ServerShared> shared_;
  Owner& owner_;
  asio::ip::tcp::endpoint peer_;
  std::optional<Encoding> encoding_;  // from the first frame on
  std::size_t in_flight_ = 0;

  // Silence is measured by the sweep alone, so that a call need not read the clock.
  bool active_ = true;  // called since the last enforce_times()
  MonoTime idle_since_;
};

}  // namespace assent::rpc
