// A replica's connections to the others: what it says to each during a turn of the event loop
// leaves in one delivery. One connection in each direction, since Thrift's have a calling side.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/paxos/message.h"
#include "coordinator/replica/snapshot_fetch.h"

namespace boost::asio {
class io_context;
}

namespace assent::coordinator {

class PeerLinks {
 public:
  // `address`: this replica's own peer port, which is told. `addresses`: those of the others.
  // `lost` is called on the loop whenever a connection to a member ends, never from inside a call
  // of this class. The loop outlives the links.
  PeerLinks(boost::asio::io_context& loop, std::string cluster, ReplicaId self, std::string address,
            const std::map<ReplicaId, std::string>& addresses, std::function<void(ReplicaId)> lost);
  ~PeerLinks();

  // Who speaks in every message from now on. Nothing is sent before. `restored_from`: the backup
  // that its state comes from; 0: none.
  void introduce_as(DiskIncarnation disk, std::uint64_t restored_from) {
    disk_ = disk;
    restored_from_ = restored_from;
  }

  // What a replica at a member's address says of itself, and of this one.
  struct Greeting {
    ReplicaId replica;
    DiskIncarnation disk;
    DiskIncarnation known_disk;  // by which it knows this replica
    std::uint64_t restored_from = 0;
  };
  // Introduces this replica to a member; `done` is called once, never from inside.
  void greet(ReplicaId peer, std::function<void(Result<Greeting>)> done);
  // Called on the loop whenever a connection to a member stands.
  void on_connected(std::function<void(ReplicaId)> connected) { connected_ = std::move(connected); }
  // The peer ports of the others, as far as they are known now. Who is not named keeps its link:
  // one that left may still have to be told so.
  void follow(const std::map<ReplicaId, std::string>& addresses);
  // Somebody speaks who may be a member that this replica has not heard of yet.
  void meet(ReplicaId peer, const std::string& address);

  // Keeps it for the next flush(). A message to nobody we know is dropped.
  void add(paxos::Envelope envelope);

  // Sends what was added. What a connection has no room for is dropped: consensus sends again.
  void flush();

  // Asks a member for a part of a snapshot. `got` is called once, never from inside.
  void ask_part(const replica::PartAsked& asked, std::function<void(Result<std::string>)> got);

  [[nodiscard]] bool connected(ReplicaId peer) const;
  // In words, for messages.
  [[nodiscard]] std::string address(ReplicaId peer) const;
  // Messages dropped for want of room, so far.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Link;

  void flush(ReplicaId to, Link& link);
  void connect(ReplicaId peer, const std::string& address);

  boost::asio::io_context& loop_;
  const std::string cluster_;
  const ReplicaId self_;
  const std::string address_;
  const std::function<void(ReplicaId)> lost_;
  std::function<void(ReplicaId)> connected_;
  DiskIncarnation disk_;
  std::uint64_t restored_from_ = 0;
  std::map<ReplicaId, std::unique_ptr<Link>> links_;
  // Of those who moved, and since when: a call may wait for its answer.
  std::vector<std::pair<MonoTime, std::unique_ptr<Link>>> retired_;
  std::uint64_t dropped_ = 0;
  std::shared_ptr<char> alive_;  // what is posted holds it weakly
};

}  // namespace assent::coordinator
