// The three ports of every process of ours: client, peer and admin, opened and drained together.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "runtime/rpc/server.h"

namespace assent::rpc {

class Ports {
 public:
  using Processor = std::shared_ptr<apache::thrift::async::TAsyncProcessor>;
  struct Addresses {
    std::string client;  // "host:port" each
    std::string peer;
    std::string admin;
  };

  // The loop outlives the ports.
  Ports(boost::asio::io_context& loop, Processor client, Processor peer, Processor admin);

  // Binds all three; an error names the port that could not be bound.
  Result<void> listen(const Addresses& addresses);

  // Each answers what is in flight at its port, then closes it and calls `done` once; at `limit` it
  // closes anyway. Peers stay reachable until the last client has its answer, so clients come
  // first.
  void drain_clients(Millis limit, std::function<void()> done);
  void drain_peers(Millis limit, std::function<void()> done);
  // One after the other.
  void drain(Millis limit, std::function<void()> done);

  // The admin port answers until the very end.
  void drain_admin(Millis limit, std::function<void()> done);

 private:
  Server client_;
  Server peer_;
  Server admin_;
};

}  // namespace assent::rpc
