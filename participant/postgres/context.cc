#include "participant/postgres/context.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace assent::postgres {
namespace {

// Longer names are cut by the server, with a notice.
constexpr std::size_t kApplicationNameMax = 63;

constexpr std::size_t kSeenMax = 10'000;

// A limit for client SQL must not cut the agent's own commands: it does cut COMMIT PREPARED. The
// control connection writes the epoch and the barriers, which must be durable, and on the
// synchronous standby where there is one, whatever the database's default. It never waits for a
// lock for long: it is also what cancels and ends those who hold one.
std::string settings(Purpose purpose, Millis lock_timeout) {
  switch (purpose) {
    case Purpose::kControl:
      return "-c statement_timeout=0 -c lock_timeout=2000 -c synchronous_commit=on";
    case Purpose::kWork:
      return "-c lock_timeout=" + std::to_string(lock_timeout.value);
    case Purpose::kFinish:
      return "-c statement_timeout=0";
  }
  return "";
}

}  // namespace

void Context::report(branch::Input input) const {
  if (!closed && sink) sink(std::move(input));
}

void Context::later(std::function<void()> action) {
  boost::asio::post(loop, [self = shared_from_this(), action = std::move(action)] {
    if (!self->closed) action();
  });
}

void Context::report_over(const Error& why) {
  const auto observer = std::exchange(over, nullptr);
  if (!closed && observer) observer(why);
}

void Context::landmark_follows() const {
  if (!closed && follow) follow();
}

void Context::saw_prepared(const BranchId& branch, std::uint64_t xid) {
  if (branch.epoch == epoch) return;
  if (seen.size() >= kSeenMax) seen.clear();
  seen[branch] = xid;
}

void Context::reached(std::uint64_t wal_position) {
  wal_reached = std::max(wal_reached, wal_position);
}

void Context::remember(const std::shared_ptr<Connection>& connection) {
  std::erase_if(connections_, [](const Known& known) { return known.connection.expired(); });
  connections_.push_back({connection, ""});
  ++counters.connects;
}

void Context::spare(const std::shared_ptr<Connection>& connection, std::string backend) {
  const auto known = std::ranges::find_if(
      connections_, [&](const Known& one) { return one.connection.lock() == connection; });
  if (known != connections_.end()) known->backend = std::move(backend);
}

void Context::close_connections() const {
  for (const Known& known : connections_) {
    if (const auto connection = known.connection.lock()) connection->close();
  }
}

std::string Context::own_backends() const {
  std::string backends = "{";
  for (const Known& known : connections_) {
    const auto connection = known.connection.lock();
    if (!connection || !connection->is_open() || known.backend.empty()) continue;
    if (backends.size() > 1) backends += ",";
    backends += known.backend;
  }
  return backends + "}";
}

ConnectionOptions Context::connection_options(Purpose purpose) const {
  const bool control = purpose == Purpose::kControl;
  return {options.socket_directory,
          options.port,
          options.database,
          control ? options.control_role : options.work_role,
          ("assent " + options.participant).substr(0, kApplicationNameMax),
          settings(purpose, options.lock_timeout),
          purpose == Purpose::kWork ? options.result_max_bytes : 0,
          purpose == Purpose::kWork ? options.prepared_statements : 0};
}

}  // namespace assent::postgres
