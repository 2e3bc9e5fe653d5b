// One attempt to connect to an address, with a time limit.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "runtime/rpc/framed_connection.h"

namespace assent::rpc {

class Connector : public std::enable_shared_from_this<Connector> {
 public:
  using Done = std::function<void(Result<Socket>)>;

  explicit Connector(asio::io_context& loop);

  // Call once, on an object held by a shared_ptr. `done` is called once, never from inside
  // start(); every error is kUnavailable.
  void start(const std::string& address, Millis limit, Done done);
  // Gives up; `done` is not called any more.
  void cancel();
  // It failed because nobody listens there; the host itself answered.
  [[nodiscard]] bool refused() const { return refused_; }

 private:
  using Endpoints = asio::ip::tcp::resolver::results_type;

  void resolve(const std::string& host, std::uint16_t port);
  void connect(const Endpoints& endpoints);
  void fail(const std::string& why);
  void finish(Result<Socket> result);

  asio::io_context& loop_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer timer_;
  Socket socket_;
  std::string address_;
  Done done_;  // until it has been called
  bool refused_ = false;
};

}  // namespace assent::rpc
