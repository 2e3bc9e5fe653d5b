#include "coordinator/server/peer_links.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "coordinator/server/paxos_wire.h"
#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "runtime/rpc/client.h"
#include "wire/Replica.h"
#include "wire/common_constants.h"

namespace assent::coordinator {
namespace {

// Below a frame's limit at the receiver by more than any one message takes.
constexpr std::size_t kDeliveryBytes = 4u << 20;
// How long an answer with a part of a snapshot may take.
constexpr Millis kPartMax{2'000};
constexpr Millis kGreetingMax{1'000};
constexpr Millis kLongestCall = std::max(kPartMax, kGreetingMax);

rpc::ClientLimits peer_limits() {
  rpc::ClientLimits limits;
  // What a peer that stopped reading may cost: more than the messages of values in flight to it.
  limits.unsent_bytes_max = 40u << 20;
  limits.connect_max = Millis(1'000);
  limits.stalled_max = Millis(1'000);
  return limits;
}

wire::Delivery to_wire(const std::vector<paxos::Message>& messages, std::size_t begin,
                       std::size_t end) {
  wire::Delivery delivery;
  delivery.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  delivery.messages.reserve(end - begin);
  for (std::size_t i = begin; i < end; ++i) {
    delivery.messages.push_back(coordinator::to_wire(messages[i]));
  }
  return delivery;
}

// Where a delivery ends that begins at `begin`: at least one message is in it.
std::size_t delivery_end(const std::vector<paxos::Message>& messages, std::size_t begin) {
  std::size_t end = begin;
  std::size_t bytes = 0;
  do {
    bytes += wire_size(messages[end]);
    ++end;
  } while (end < messages.size() && bytes + wire_size(messages[end]) <= kDeliveryBytes);
  return end;
}

}  // namespace

struct PeerLinks::Link {
  Link(boost::asio::io_context& loop, const std::string& address)
      : client(loop, address, peer_limits()) {}

  rpc::Client client;
  std::vector<paxos::Message> waiting;
};

PeerLinks::PeerLinks(boost::asio::io_context& loop, std::string cluster, ReplicaId self,
                     std::string address, const std::map<ReplicaId, std::string>& addresses,
                     std::function<void(ReplicaId)> lost)
    : loop_(loop),
      cluster_(std::move(cluster)),
      self_(self),
      address_(std::move(address)),
      lost_(std::move(lost)),
      alive_(std::make_shared<char>()) {
  follow(addresses);
}

void PeerLinks::follow(const std::map<ReplicaId, std::string>& addresses) {
  for (const auto& [peer, address] : addresses) {
    const auto found = links_.find(peer);
    const bool known = found != links_.end() && found->second->client.address() == address;
    if (!known && peer != self_) connect(peer, address);
  }
}

void PeerLinks::meet(ReplicaId peer, const std::string& address) {
  if (peer != self_ && !links_.contains(peer)) connect(peer, address);
}

void PeerLinks::connect(ReplicaId peer, const std::string& address) {
  auto& link = links_[peer];
  const MonoTime now = process::monotonic_now();
  std::erase_if(retired_, [&](const auto& one) { return one.first + kLongestCall < now; });
  if (link) retired_.emplace_back(now, std::move(link));
  link = std::make_unique<Link>(loop_, address);
  link->client.on_connection([this, peer, address](bool up) {
    log::info(up ? "replica connected" : "replica disconnected",
              {{"replica", to_string(peer)}, {"address", address}});
    // Not from inside the client's own callback.
    boost::asio::post(loop_, [this, peer, up, alive = std::weak_ptr<char>(alive_)] {
      if (alive.expired()) return;
      if (!up) return lost_(peer);
      if (connected_) connected_(peer);
    });
  });
}

PeerLinks::~PeerLinks() = default;

void PeerLinks::add(paxos::Envelope envelope) {
  const auto found = links_.find(envelope.to);
  if (found != links_.end()) found->second->waiting.push_back(std::move(envelope.message));
}

void PeerLinks::flush() {
  for (auto& [peer, link] : links_) flush(peer, *link);
}

void PeerLinks::flush(ReplicaId to, Link& link) {
  const std::vector<paxos::Message> messages = std::exchange(link.waiting, {});
  for (std::size_t begin = 0; begin < messages.size();) {
    const std::size_t end = delivery_end(messages, begin);
    wire::Delivery delivery = to_wire(messages, begin, end);
    delivery.cluster = cluster_;
    delivery.sender = static_cast<std::int32_t>(self_.value);
    delivery.receiver = static_cast<std::int32_t>(to.value);
    delivery.disk = static_cast<std::int64_t>(disk_.value);
    delivery.__set_sender_address(address_);
    if (restored_from_ != 0)
      delivery.__set_restored_from(static_cast<std::int64_t>(restored_from_));
    const auto sent = link.client.cast("deliver", [&](apache::thrift::protocol::TProtocol& out) {
      wire::Replica_deliver_pargs arguments;
      arguments.delivery = &delivery;
      arguments.write(&out);
    });
    if (!sent) dropped_ += end - begin;
    begin = end;
  }
}

void PeerLinks::greet(ReplicaId peer, std::function<void(Result<Greeting>)> done) {
  wire::IdentifyRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.cluster = cluster_;
  request.__set_replica(static_cast<std::int32_t>(self_.value));
  request.__set_disk(static_cast<std::int64_t>(disk_.value));
  if (restored_from_ != 0) request.__set_restored_from(static_cast<std::int64_t>(restored_from_));
  ASSENT_CALL(wire::Replica, identify, wire::IdentifyReply)
  (links_.at(peer)->client, request, kGreetingMax,
   [done = std::move(done)](Result<wire::IdentifyReply> reply) {
     done(std::move(reply).map([](const wire::IdentifyReply& told) {
       return Greeting{ReplicaId(static_cast<std::uint32_t>(told.replica)),
                       DiskIncarnation(static_cast<std::uint64_t>(told.disk)),
                       DiskIncarnation(static_cast<std::uint64_t>(told.known_disk)),
                       static_cast<std::uint64_t>(told.restored_from)};
     }));
   });
}

void PeerLinks::ask_part(const replica::PartAsked& asked,
                         std::function<void(Result<std::string>)> got) {
  const auto found = links_.find(asked.of);
  if (found == links_.end()) {
    boost::asio::post(loop_, [got = std::move(got)] {
      got(failure(ErrorCode::kUnavailable, "nobody has told where that replica is reached"));
    });
    return;
  }
  wire::SnapshotPartRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.cluster = cluster_;
  request.snapshot = coordinator::to_wire(asked.snapshot);
  request.offset = static_cast<std::int64_t>(asked.offset);
  ASSENT_CALL(wire::Replica, snapshot_part, wire::SnapshotPartReply)
  (found->second->client, request, kPartMax,
   [got = std::move(got)](Result<wire::SnapshotPartReply> reply) {
     got(std::move(reply).map([](wire::SnapshotPartReply part) { return std::move(part.bytes); }));
   });
}

std::string PeerLinks::address(ReplicaId peer) const {
  const auto found = links_.find(peer);
  return found == links_.end() ? "an unknown address" : found->second->client.address();
}

bool PeerLinks::connected(ReplicaId peer) const {
  const auto found = links_.find(peer);
  return found != links_.end() && found->second->client.connected();
}

}  // namespace assent::coordinator
