// One loop with servers, clients and bare sockets on it, driven by the test itself.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/rpc/call.h"
#include "runtime/rpc/client.h"
#include "runtime/rpc/framed_connection.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/protocol.h"
#include "runtime/rpc/server.h"
#include "wire/Coordinator.h"

namespace assent::rpc {

inline constexpr Millis kPlenty{10'000};

// Runs the loop until `condition` holds; false when it does not within ten seconds.
bool run_until(asio::io_context& loop, const std::function<bool()>& condition);

// Lets everything run that is ready now, and what that makes ready.
void settle(asio::io_context& loop);

// What the test handler answers to status.
Error refusal();

// hello echoes the cluster, start answers when the test says so, status refuses; commit throws and
// abort drops its call, as no handler should.
class TestHandler final : public wire::CoordinatorCobSvIf {
 public:
  struct Held {
    Cob<wire::StartReply> cob;
    ExnCob exn;
    void answer(const std::string& transaction) const;
  };

  void hello(Cob<wire::HelloReply> cob, ExnCob exn, const wire::HelloRequest& request) override;
  void start(Cob<wire::StartReply> cob, ExnCob exn, const wire::StartRequest& request) override;
  void commit(Cob<wire::CommitReply> cob, ExnCob exn, const wire::CommitRequest& request) override;
  void abort(Cob<wire::AbortReply> cob, ExnCob exn, const wire::AbortRequest& request) override;
  void status(Cob<wire::StatusReply> cob, ExnCob exn, const wire::StatusRequest& request) override;

  std::vector<Held> held;  // calls of start, in the order in which they came
  std::size_t hellos = 0;
  std::size_t commits = 0;
};

// A server with a TestHandler on a port of its own.
struct TestServer {
  explicit TestServer(asio::io_context& loop, ServerLimits limits = {});
  // A held call keeps its connection, and with it the handler.
  ~TestServer() { handler->held.clear(); }

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port); }
  [[nodiscard]] const ServerCounters& counters() const { return server->counters(); }

  std::shared_ptr<TestHandler> handler = std::make_shared<TestHandler>();
  std::unique_ptr<Server> server;
  std::uint16_t port = 0;
};

// A bare socket that sends and collects bytes as they are.
class RawSocket {
 public:
  RawSocket(asio::io_context& loop, std::uint16_t port);
  RawSocket(asio::io_context& loop, Socket socket);

  // Sends all of it, running the loop meanwhile. False when the peer closes first.
  bool send(std::string_view bytes);
  // Sends what the kernel takes now and answers how much that was.
  std::size_t send_some(std::string_view bytes);
  // What came until now; `closed()` is known after it.
  const std::string& received();
  [[nodiscard]] bool closed();
  // Payloads of the complete frames received.
  std::vector<std::string> frames();
  void close();

  bool wait_for_frames(std::size_t count);
  bool wait_for_close();

 private:
  asio::io_context& loop_;
  Socket socket_;
  std::string received_;
  bool closed_ = false;
};

// Accepts connections for a test that plays the server by hand.
class RawListener {
 public:
  explicit RawListener(asio::io_context& loop);
  [[nodiscard]] std::string address() const;
  RawSocket accept();
  // Stops listening: connections are refused from now on.
  void close() { acceptor_.close(); }

 private:
  asio::io_context& loop_;
  asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type> acceptor_;
};

// Four bytes of length before `payload`.
std::string framed(std::string_view payload);
// A call of hello as a frame.
std::string hello_frame(Encoding encoding, std::int32_t seqid, const std::string& cluster);
// A call of start as a frame.
std::string start_frame(std::int32_t seqid);

struct DecodedHello {
  std::int32_t seqid = 0;
  wire::HelloReply reply;
};
DecodedHello decode_hello(std::string_view payload, Encoding encoding);

// Calls through `client`; the answer appears in the returned place.
template <class Reply>
using Answer = std::shared_ptr<std::optional<Result<Reply>>>;

Answer<wire::HelloReply> call_hello(Client& client, const std::string& cluster,
                                    Millis timeout = kPlenty);
Answer<wire::StartReply> call_start(Client& client, Millis timeout = kPlenty);
Answer<wire::StatusReply> call_status(Client& client);
Answer<wire::AbortReply> call_abort(Client& client);
Answer<wire::CommitReply> call_commit(Client& client);

}  // namespace assent::rpc
