#include "runtime/rpc/connector.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "runtime/rpc/address.h"

namespace assent::rpc {

using asio::ip::tcp;
using boost::system::error_code;

Connector::Connector(asio::io_context& loop)
    : loop_(loop), resolver_(loop), timer_(loop), socket_(loop) {}

void Connector::start(const std::string& address, Millis limit, Done done) {
  address_ = address;
  done_ = std::move(done);
  timer_.expires_after(std::chrono::milliseconds(limit.value));
  timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
    if (!cancelled) self->fail("no connection in time");
  });
  const Result<Address> parsed = parse_address(address);
  if (parsed) return resolve(parsed->host, parsed->port);
  asio::post(loop_, [self = shared_from_this(), why = parsed.error().message] { self->fail(why); });
}

void Connector::resolve(const std::string& host, std::uint16_t port) {
  error_code not_numeric;
  const auto numeric = asio::ip::make_address(host, not_numeric);
  // A numeric address spares the thread that resolving takes.
  if (!not_numeric) return connect(Endpoints::create(tcp::endpoint(numeric, port), host, {}));
  resolver_.async_resolve(
      host, std::to_string(port),
      [self = shared_from_this()](const error_code& error, const Endpoints& endpoints) {
        if (!self->done_) return;
        if (error) return self->fail(error.message());
        self->connect(endpoints);
      });
}

void Connector::connect(const Endpoints& endpoints) {
  asio::async_connect(
      socket_, endpoints,
      [self = shared_from_this()](const error_code& error, const tcp::endpoint& /* reached */) {
        self->refused_ = error == boost::asio::error::connection_refused;
        if (error) return self->fail(error.message());
        self->finish(std::move(self->socket_));
      });
}

void Connector::fail(const std::string& why) {
  finish(failure(ErrorCode::kUnavailable, "cannot connect to " + address_ + ": " + why));
}

void Connector::finish(Result<Socket> result) {
  const Done done = std::exchange(done_, nullptr);
  if (!done) return;
  cancel();
  done(std::move(result));
}

void Connector::cancel() {
  done_ = nullptr;
  resolver_.cancel();
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace assent::rpc
