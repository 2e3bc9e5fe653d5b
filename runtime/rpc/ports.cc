#include "runtime/rpc/ports.h"

#include <utility>

namespace assent::rpc {

Ports::Ports(boost::asio::io_context& loop, Processor client, Processor peer, Processor admin)
    : client_(loop, "client port", std::move(client), ServerLimits{}),
      peer_(loop, "peer port", std::move(peer), ServerLimits{}),
      admin_(loop, "admin port", std::move(admin), ServerLimits{}) {}

Result<void> Ports::listen(const Addresses& addresses) {
  const auto bind = [](Server& server, const std::string& address) {
    return server.listen(address).map([](std::uint16_t) {});
  };
  return bind(client_, addresses.client)
      .and_then([&] { return bind(peer_, addresses.peer); })
      .and_then([&] { return bind(admin_, addresses.admin); });
}

void Ports::drain_clients(Millis limit, std::function<void()> done) {
  client_.drain(limit, std::move(done));
}

void Ports::drain_peers(Millis limit, std::function<void()> done) {
  peer_.drain(limit, std::move(done));
}

void Ports::drain(Millis limit, std::function<void()> done) {
  drain_clients(limit,
                [this, limit, done = std::move(done)] { drain_peers(limit, std::move(done)); });
}

void Ports::drain_admin(Millis limit, std::function<void()> done) {
  admin_.drain(limit, std::move(done));
}

}  // namespace assent::rpc
