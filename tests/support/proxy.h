// A proxy in front of a server's unix socket, on the test's loop: it can hold the server's answers
// back and cut connections, so that an agent loses them at a chosen moment, or part what the server
// sent as one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <string>
#include <vector>

namespace assent::testing {

class Proxy {
 public:
  // Makes `directory` look like the socket directory of the server in `server_directory`.
  Proxy(boost::asio::io_context& loop, const std::string& server_directory);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  [[nodiscard]] const std::string& directory() const { return directory_; }

  // What the server sends on the connections of now no longer arrives.
  void hold_answers();
  // Each message that the server sends on the connections of now arrives by itself: the next one
  // when the client has read the one before. For clients on the loop of the proxy.
  void deliver_singly();
  // Clients of connections from now on are told process ids that are none of the server's, as by a
  // pooler.
  void hide_backends() { hide_backends_ = true; }
  // Cuts the clients of the connections of now off. The server still has its ends, and what was
  // sent to it.
  void cut_clients();

 private:
  struct Link;
  void accept();

  boost::asio::io_context& loop_;
  const std::string server_directory_;
  std::string directory_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::vector<std::shared_ptr<Link>> links_;
  bool hide_backends_ = false;
};

}  // namespace assent::testing
