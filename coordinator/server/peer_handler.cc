// The peer port of a replica: agents enrol and send heartbeats, anyone asks who is here.
#include <memory>
#include <utility>

#include "coordinator/server/handlers.h"
#include "runtime/process.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "wire/Replica.h"

namespace assent::coordinator {
namespace {

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;

constexpr std::size_t kNonceMax = 64;
constexpr std::size_t kAddressMax = 300;

bool valid_address(const std::string& address) {
  return !address.empty() && address.size() <= kAddressMax &&
         address.find(':') != std::string::npos;
}

Result<state::Enrolled> enrolled_from_wire(const wire::RegisterRequest& request) {
  auto participant = rpc::participant_from_wire(request.participant);
  if (!participant) return tl::unexpected(participant.error());
  if (request.nonce.empty() || request.nonce.size() > kNonceMax) {
    return failure(ErrorCode::kInvalidArgument, "nonce must have 1 to 64 bytes");
  }
  if (request.stored_epoch < 0 || request.timeline < 1 || request.wal_position < 0) {
    return failure(ErrorCode::kInvalidArgument,
                   "stored_epoch, timeline and wal_position count upwards from 0, 1 and 0");
  }
  if (!valid_address(request.client_address) || !valid_address(request.peer_address)) {
    return failure(ErrorCode::kInvalidArgument,
                   "client_address and peer_address must be \"host:port\"");
  }
  state::Enrolled out;
  out.participant = std::move(*participant);
  out.nonce = request.nonce;
  out.stored_epoch = Epoch(static_cast<std::uint64_t>(request.stored_epoch));
  out.identity = {static_cast<std::uint64_t>(request.identity.system_identifier),
                  static_cast<std::uint64_t>(request.identity.database_oid)};
  out.timeline = static_cast<std::uint32_t>(request.timeline);
  out.wal_position = static_cast<std::uint64_t>(request.wal_position);
  out.client_address = request.client_address;
  out.peer_address = request.peer_address;
  out.one_phase = request.__isset.one_phase && request.one_phase;
  return out;
}

class PeerHandler final : public wire::ReplicaCobSvIf {
 public:
  explicit PeerHandler(Services& services) : services_(services) {}

  void enroll(Cob<wire::RegisterReply> cob, ExnCob exn,
              const wire::RegisterRequest& request) override {
    auto refused = check_caller(request.protocol_version, request.cluster);
    auto enrolled = refused ? enrolled_from_wire(request)
                            : Result<state::Enrolled>(tl::unexpected(refused.error()));
    if (!enrolled) return answer<wire::RegisterReply>(cob, exn, tl::unexpected(enrolled.error()));
    services_.enrolment.enrol(process::monotonic_now(), *enrolled,
                              [this, cob, exn](Result<Epoch> issued) {
                                answer(cob, exn, std::move(issued).map([this](Epoch epoch) {
                                  auto reply = rpc::versioned<wire::RegisterReply>();
                                  reply.epoch = static_cast<std::int64_t>(epoch.value);
                                  reply.ballot = rpc::to_wire(services_.log.ballot());
                                  return reply;
                                }));
                              });
  }

  void heartbeat(Cob<wire::HeartbeatReply> cob, ExnCob exn,
                 const wire::HeartbeatRequest& request) override {
    answer(cob, exn, heartbeat_reply(request));
  }

  void identify(Cob<wire::IdentifyReply> cob, ExnCob exn,
                const wire::IdentifyRequest& request) override {
    answer(cob, exn, check_caller(request.protocol_version, request.cluster).map([this] {
      auto reply = rpc::versioned<wire::IdentifyReply>();
      reply.replica = static_cast<std::int32_t>(services_.config.replica.value);
      reply.ballot = rpc::to_wire(services_.log.ballot());
      // The ports open only after this replica's own ballot was executed (R1).
      reply.leader = true;
      return reply;
    }));
  }

 private:
  Result<void> check_caller(std::int32_t version, const std::string& cluster) const {
    if (auto known = rpc::check_version(version); !known) return known;
    if (cluster == services_.config.cluster) return {};
    return failure(ErrorCode::kWrongCluster,
                   "this is cluster " + services_.config.cluster + ", the caller's is another one");
  }

  Result<wire::HeartbeatReply> heartbeat_reply(const wire::HeartbeatRequest& request) const {
    auto caller = check_caller(request.protocol_version, request.cluster);
    if (!caller) return tl::unexpected(caller.error());
    const auto epoch = rpc::positive_from_wire(request.epoch, "epoch");
    if (!epoch) return tl::unexpected(epoch.error());
    auto known = services_.enrolment.heartbeat(process::monotonic_now(), request.participant,
                                               Epoch(*epoch), request.leaving);
    if (!known) return tl::unexpected(known.error());
    auto reply = rpc::versioned<wire::HeartbeatReply>();
    reply.now_ms = services_.log.now().value;
    // The executed one: no office to come can make a record below it (R14).
    reply.floor_ms = services_.log.state().floor().value;
    return reply;
  }

  Services& services_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> peer_processor(Services& services) {
  return std::make_shared<wire::ReplicaAsyncProcessor>(std::make_shared<PeerHandler>(services));
}

}  // namespace assent::coordinator
