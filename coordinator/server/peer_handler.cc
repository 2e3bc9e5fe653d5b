// The peer port of a replica: agents enrol and send heartbeats, anyone asks who is here.
#include <memory>
#include <utility>

#include "coordinator/server/handlers.h"
#include "coordinator/server/paxos_wire.h"
#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/rpc/address.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "wire/Replica.h"

namespace assent::coordinator {
namespace {

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;

constexpr std::size_t kNonceMax = 64;

Result<state::Enrolled> enrolled_from_wire(const wire::RegisterRequest& request) {
  auto participant = rpc::participant_from_wire(request.participant);
  if (!participant) return tl::unexpected(participant.error());
  if (request.nonce.empty() || request.nonce.size() > kNonceMax) {
    return failure(ErrorCode::kInvalidArgument, "nonce must have 1 to 64 bytes");
  }
  const bool negative = request.stored_epoch < 0 || request.wal_position < 0 ||
                        (request.__isset.landmark && request.landmark < 0) ||
                        (request.__isset.left_at && request.left_at < 0);
  if (negative || request.timeline < 1) {
    return failure(
        ErrorCode::kInvalidArgument,
        "stored_epoch, wal_position, landmark and left_at count upwards from 0, timeline "
        "from 1");
  }
  for (const std::string& address : {request.client_address, request.peer_address}) {
    if (auto reachable = rpc::check_reachable(address); !reachable) {
      return tl::unexpected(reachable.error());
    }
  }
  state::Enrolled out;
  out.tracks_history = state::Tracking::kEveryBreak;
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
  if (request.__isset.landmark) out.landmark = static_cast<std::uint64_t>(request.landmark);
  if (request.__isset.left_at) out.left_at = static_cast<std::uint64_t>(request.left_at);
  out.takeover = request.__isset.takeover && request.takeover;
  return out;
}

Enrolment::Beat beat_from_wire(const wire::HeartbeatRequest& request) {
  const bool marked = request.__isset.landmark && request.landmark > 0;
  return {.leaving = request.leaving,
          .recovered = request.__isset.recovered && request.recovered,
          .landmark = marked ? static_cast<std::uint64_t>(request.landmark) : 0,
          .admin_address =
              rpc::check_reachable(request.admin_address) ? request.admin_address : std::string()};
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
    if (!services_.term) {
      return answer<wire::RegisterReply>(cob, exn, tl::unexpected(not_leader()));
    }
    services_.term->enrolment.enrol(
        process::monotonic_now(), *enrolled,
        [this, cob, exn, participant = request.participant](Result<Epoch> issued) {
          answer(cob, exn, std::move(issued).map([&](Epoch epoch) {
            return register_reply(participant, epoch);
          }));
        });
  }

  void heartbeat(Cob<wire::HeartbeatReply> cob, ExnCob exn,
                 const wire::HeartbeatRequest& request) override {
    auto caller = check_caller(request.protocol_version, request.cluster);
    const auto epoch = rpc::positive_from_wire(request.epoch, "epoch");
    if (caller && !epoch) caller = tl::unexpected(epoch.error());
    if (caller && !services_.term) caller = tl::unexpected(not_leader());
    if (!caller) return answer<wire::HeartbeatReply>(cob, exn, tl::unexpected(caller.error()));
    services_.term->enrolment.heartbeat(
        process::monotonic_now(), request.participant, Epoch(*epoch), beat_from_wire(request),
        [this, cob, exn, participant = request.participant](Result<void> known) {
          answer(cob, exn, std::move(known).map([&] { return heartbeat_reply(participant); }));
        });
  }

  void identify(Cob<wire::IdentifyReply> cob, ExnCob exn,
                const wire::IdentifyRequest& request) override {
    answer<wire::IdentifyReply>(
        cob, exn,
        check_caller(request.protocol_version, request.cluster)
            .and_then([&] { return meet(request); })
            .map([this](std::optional<DiskIncarnation> known) { return identify_reply(known); }));
  }

  void snapshot_part(Cob<wire::SnapshotPartReply> cob, ExnCob exn,
                     const wire::SnapshotPartRequest& request) override {
    auto part = check_caller(request.protocol_version, request.cluster)
                    .and_then([&] { return from_wire(request.snapshot); })
                    .and_then([&](const paxos::SnapshotInfo& snapshot) {
                      return snapshot_part(snapshot, request.offset);
                    });
    answer<wire::SnapshotPartReply>(cob, exn, std::move(part).map([](std::string bytes) {
      auto reply = rpc::versioned<wire::SnapshotPartReply>();
      reply.bytes = std::move(bytes);
      return reply;
    }));
  }

  void deliver(std::function<void()> cob, const wire::Delivery& delivery) override {
    if (auto accepted = check_delivery(delivery)) {
      take(delivery);
    } else {
      log::warning("delivery dropped", {{"why", accepted.error().message}});
    }
    cob();
  }

 private:
  Result<void> check_caller(std::int32_t version, const std::string& cluster) const {
    if (auto known = rpc::check_version(version); !known) return known;
    if (cluster == services_.config.cluster) return {};
    return failure(ErrorCode::kWrongCluster,
                   "this is cluster " + services_.config.cluster + ", the caller's is another one");
  }

  Result<std::string> snapshot_part(const paxos::SnapshotInfo& snapshot,
                                    std::int64_t offset) const {
    if (offset >= 0)
      return services_.log.snapshot_part(snapshot, static_cast<std::uint64_t>(offset));
    return failure(ErrorCode::kInvalidArgument, "offset counts upwards from 0");
  }

  // The disk by which the caller is known, when it is a replica that introduces itself.
  Result<std::optional<DiskIncarnation>> meet(const wire::IdentifyRequest& request) const {
    if (!request.__isset.replica) return std::nullopt;
    const ReplicaId caller(static_cast<std::uint32_t>(request.replica));
    if (!valid_replica(request.replica) || request.disk == 0) {
      return failure(ErrorCode::kInvalidArgument,
                     "replica " + std::to_string(request.replica) +
                         " is no replica with a disk: correct its configuration");
    }
    if (services_.log.state().membership().retired(caller)) {
      return failure(ErrorCode::kInvalidArgument,
                     "replica " + std::to_string(request.replica) +
                         " has left this group: stop it, and give another one a new id");
    }
    return services_.log.check_origin(caller, static_cast<std::uint64_t>(request.restored_from))
        .and_then([&] {
          return services_.log.meet(caller,
                                    DiskIncarnation(static_cast<std::uint64_t>(request.disk)));
        })
        .map([](DiskIncarnation known) { return std::optional(known); });
  }

  [[nodiscard]] wire::IdentifyReply identify_reply(std::optional<DiskIncarnation> known) const {
    auto reply = rpc::versioned<wire::IdentifyReply>();
    reply.replica = static_cast<std::int32_t>(services_.config.replica.value);
    reply.ballot = rpc::to_wire(services_.log.consensus().highest_ballot());
    reply.leader = services_.log.serving();
    reply.disk = static_cast<std::int64_t>(services_.log.disk().value);
    if (known) reply.__set_known_disk(static_cast<std::int64_t>(known->value));
    const state::Restoration& restoration = services_.log.state().restoration();
    if (restoration.restored()) {
      reply.__set_restored_from(static_cast<std::int64_t>(restoration.backup));
    }
    return reply;
  }

  [[nodiscard]] Error not_leader() const { return services_.not_leader(&Member::peer_address); }

  // Precondition: this replica holds the office.
  [[nodiscard]] wire::RegisterReply register_reply(const std::string& participant,
                                                   Epoch epoch) const {
    auto reply = rpc::versioned<wire::RegisterReply>();
    reply.epoch = static_cast<std::int64_t>(epoch.value);
    reply.ballot = rpc::to_wire(services_.log.ballot());
    if (const auto refuses = services_.term->office.office().refuses(participant)) {
      reply.__set_refuses(rpc::to_wire(*refuses));
    }
    return reply;
  }

  // Precondition: as above.
  [[nodiscard]] wire::HeartbeatReply heartbeat_reply(const std::string& participant) const {
    auto reply = rpc::versioned<wire::HeartbeatReply>();
    reply.now_ms = services_.log.now().value;
    // The executed one: no office to come can make a record below it (R14).
    reply.floor_ms = services_.log.state().floor().value;
    reply.__set_ballot(rpc::to_wire(services_.log.ballot()));
    if (const auto refuses = services_.term->office.office().refuses(participant)) {
      reply.__set_refuses(rpc::to_wire(*refuses));
    }
    return reply;
  }

  [[nodiscard]] Result<void> check_delivery(const wire::Delivery& delivery) const {
    if (auto known = check_caller(delivery.protocol_version, delivery.cluster); !known) {
      return known;
    }
    const auto self = services_.config.replica;
    const ReplicaId sender(static_cast<std::uint32_t>(delivery.sender));
    if (delivery.receiver != static_cast<std::int32_t>(self.value)) {
      return failure(ErrorCode::kInvalidArgument,
                     "replica " + std::to_string(delivery.sender) + " takes this one, " +
                         to_string(self) + ", for replica " + std::to_string(delivery.receiver) +
                         ": correct the addresses in its configuration");
    }
    if (!valid_replica(delivery.sender) || sender == self) {
      return failure(ErrorCode::kInvalidArgument,
                     "replica " + std::to_string(delivery.sender) +
                         " is no other replica: correct its configuration");
    }
    // A stranger may be a member that this replica has not heard of yet, and one that has left may
    // have an office to hand over: consensus knows whom to heed.
    return services_.log.check_origin(sender, static_cast<std::uint64_t>(delivery.restored_from))
        .and_then([&] {
          return services_.log.check_disk(
              sender, DiskIncarnation(static_cast<std::uint64_t>(delivery.disk)));
        });
  }

  void take(const wire::Delivery& delivery) {
    const ReplicaId sender(static_cast<std::uint32_t>(delivery.sender));
    if (delivery.__isset.sender_address && rpc::check_reachable(delivery.sender_address)) {
      services_.log.learn_address(sender, delivery.sender_address);
    }
    for (const wire::PaxosMessage& one : delivery.messages) {
      // The values' bytes move on into the log; the generated code has no further use for them.
      auto message = from_wire(const_cast<wire::PaxosMessage&>(one), sender);
      if (!message) {
        log::warning("message of consensus dropped",
                     {{"replica", to_string(sender)}, {"why", message.error().message}});
        continue;
      }
      services_.log.deliver(sender, *message);
    }
  }

  Services& services_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> peer_processor(Services& services) {
  return std::make_shared<wire::ReplicaAsyncProcessor>(std::make_shared<PeerHandler>(services));
}

}  // namespace assent::coordinator
