#include "runtime/rpc/server.h"

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/rpc/address.h"
#include "runtime/rpc/server_connection.h"

namespace assent::rpc {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;
using std::chrono::milliseconds;

// Without a free file descriptor connections wait in the listen queue; they are tried again soon.
// Connections that their peers gave up in there are no errors: Asio skips them.
constexpr milliseconds kAcceptPause{100};

// Often enough that a limit is overrun by a quarter at most, and never busy.
milliseconds sweep_period(const ServerLimits& limits) {
  const std::int64_t shortest = std::min(limits.idle_max.value, limits.receive_max.value);
  return milliseconds(std::clamp<std::int64_t>(shortest / 4, 10, 1'000));
}

Result<tcp::endpoint> resolve(asio::io_context& loop, const std::string& text) {
  const Result<Address> address = parse_address(text);
  if (!address) return tl::unexpected(address.error());
  error_code error;
  const auto found = tcp::resolver(loop).resolve(address->host, std::to_string(address->port),
                                                 tcp::resolver::passive, error);
  if (!error && !found.empty()) return found.begin()->endpoint();
  return failure(ErrorCode::kInvalidArgument,
                 "cannot resolve '" + address->host + "': " + error.message());
}

}  // namespace

class Server::Impl final : public ServerConnection::Owner,
                           public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(asio::io_context& loop, std::string name,
       std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor, ServerLimits limits);

  Result<std::uint16_t> listen(const std::string& address);
  void drain(Millis limit, std::function<void()> done);
  // Ends everything at once; nothing is called back.
  void stop();

  [[nodiscard]] const ServerCounters& counters() const { return shared_->counters; }

 private:
  Result<void> bind(const std::string& address);
  void accept();
  void on_accepted(const error_code& error, Socket socket);
  void admit(Socket socket);
  void pause_accepting(const error_code& error);
  void schedule_sweep();
  void sweep();
  void on_closed(ServerConnection& connection) override;
  void close_all();
  void maybe_finish_drain();

  // Those open now: closing one takes it out of connections_.
  [[nodiscard]] std::vector<std::shared_ptr<ServerConnection>> open_connections() const;

  asio::io_context& loop_;
  std::shared_ptr<ServerShared> shared_;
  Acceptor acceptor_;
  tcp::endpoint accepted_peer_;
  asio::steady_timer accept_pause_;
  asio::steady_timer sweep_timer_;
  asio::steady_timer drain_timer_;
  bool accept_fails_ = false;      // since the last connection accepted
  bool stopped_ = false;           // drained, or going away
  std::function<void()> drained_;  // set while draining
  std::unordered_map<ServerConnection*, std::shared_ptr<ServerConnection>> connections_;
};

Server::Impl::Impl(asio::io_context& loop, std::string name,
                   std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor,
                   ServerLimits limits)
    : loop_(loop),
      shared_(std::make_shared<ServerShared>(
          ServerShared{std::move(name), std::move(processor), limits,
                       make_configuration(limits.frame_bytes_max), ServerCounters{}})),
      acceptor_(loop),
      accept_pause_(loop),
      sweep_timer_(loop),
      drain_timer_(loop) {
  CHECK_LE(limits.frame_bytes_max, std::uint32_t{std::numeric_limits<std::int32_t>::max()},
           "Thrift counts the bytes of a message in 32 bits with a sign");
  CHECK(limits.string_bytes_max > 0 && limits.container_size_max > 0, "to Thrift, 0 is no limit");
}

Result<std::uint16_t> Server::Impl::listen(const std::string& address) {
  if (Result<void> bound = bind(address); !bound) return tl::unexpected(bound.error());
  const std::uint16_t port = acceptor_.local_endpoint().port();
  log::info("listening",
            {{"port", shared_->name},
             {"address", address.substr(0, address.rfind(':') + 1) + std::to_string(port)}});
  accept();
  schedule_sweep();
  return port;
}

Result<void> Server::Impl::bind(const std::string& address) {
  const Result<tcp::endpoint> endpoint = resolve(loop_, address);
  if (!endpoint) return tl::unexpected(endpoint.error());
  error_code error;
  acceptor_.open(endpoint->protocol(), error);
  if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(*endpoint, error);
  if (!error) acceptor_.listen(Acceptor::max_listen_connections, error);
  if (!error) return {};
  error_code ignored;
  acceptor_.close(ignored);
  return failure(ErrorCode::kUnavailable, "cannot listen on " + address + ": " + error.message());
}

void Server::Impl::accept() {
  acceptor_.async_accept(accepted_peer_,
                         [self = shared_from_this()](const error_code& error, Socket socket) {
                           self->on_accepted(error, std::move(socket));
                         });
}

void Server::Impl::on_accepted(const error_code& error, Socket socket) {
  if (!acceptor_.is_open()) return;
  if (error) return pause_accepting(error);
  admit(std::move(socket));
  accept();
}

void Server::Impl::admit(Socket socket) {
  if (connections_.size() >= shared_->limits.connections_max) {
    ++shared_->counters.refused;
    return;  // The socket closes itself.
  }
  accept_fails_ = false;
  ++shared_->counters.accepted;
  const auto connection = std::make_shared<ServerConnection>(std::move(socket), accepted_peer_,
                                                             FlushQueue::of(loop_), shared_, *this);
  connections_.emplace(connection.get(), connection);
  shared_->counters.connections = connections_.size();
  connection->start();
}

void Server::Impl::pause_accepting(const error_code& error) {
  if (!std::exchange(accept_fails_, true)) {
    log::error("cannot accept a connection; trying again",
               {{"port", shared_->name}, {"why", error.message()}});
  }
  accept_pause_.expires_after(kAcceptPause);
  accept_pause_.async_wait([self = shared_from_this()](const error_code& cancelled) {
    if (!cancelled && self->acceptor_.is_open()) self->accept();
  });
}

void Server::Impl::schedule_sweep() {
  sweep_timer_.expires_after(sweep_period(shared_->limits));
  sweep_timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
    if (!cancelled && !self->stopped_) self->sweep();
  });
}

void Server::Impl::sweep() {
  shared_->warned = false;
  const MonoTime now = process::monotonic_now();
  for (const auto& connection : open_connections()) connection->enforce_times(now);
  schedule_sweep();
}

std::vector<std::shared_ptr<ServerConnection>> Server::Impl::open_connections() const {
  std::vector<std::shared_ptr<ServerConnection>> open;
  open.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) open.push_back(connection);
  return open;
}

void Server::Impl::on_closed(ServerConnection& connection) {
  connections_.erase(&connection);
  shared_->counters.connections = connections_.size();
  maybe_finish_drain();
}

void Server::Impl::close_all() {
  for (const auto& connection : open_connections()) {
    connection->close(Ending::kByUs, "the server stops");
  }
}

void Server::Impl::drain(Millis limit, std::function<void()> done) {
  CHECK(!shared_->draining, "a server is drained once");
  shared_->draining = true;
  drained_ = std::move(done);
  error_code ignored;
  acceptor_.close(ignored);
  drain_timer_.expires_after(milliseconds(limit.value));
  drain_timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
    if (!cancelled) self->close_all();
  });
  for (const auto& connection : open_connections()) connection->close_if_done();
  maybe_finish_drain();
}

void Server::Impl::maybe_finish_drain() {
  if (!drained_ || !connections_.empty()) return;
  stopped_ = true;
  drain_timer_.cancel();
  sweep_timer_.cancel();
  asio::post(loop_, [self = shared_from_this()] {
    if (const auto done = std::exchange(self->drained_, nullptr)) done();
  });
}

void Server::Impl::stop() {
  stopped_ = true;
  drained_ = nullptr;
  error_code ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  sweep_timer_.cancel();
  drain_timer_.cancel();
  close_all();
}

Server::Server(asio::io_context& loop, std::string name,
               std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor,
               ServerLimits limits)
    : impl_(std::make_shared<Impl>(loop, std::move(name), std::move(processor), limits)) {}

Server::~Server() {
  impl_->stop();
}

Result<std::uint16_t> Server::listen(const std::string& address) {
  return impl_->listen(address);
}

void Server::drain(Millis limit, std::function<void()> done) {
  impl_->drain(limit, std::move(done));
}

const ServerCounters& Server::counters() const {
  return impl_->counters();
}

}  // namespace assent::rpc
