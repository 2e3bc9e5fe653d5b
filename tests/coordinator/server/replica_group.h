// What the tests of a whole group share: three replicas in one loop, with real disks and sockets.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "coordinator/server/replica.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "wire/Admin.h"
#include "wire/Coordinator.h"
#include "wire/CoordinatorAdmin.h"
#include "wire/Replica.h"
#include "wire/common_constants.h"

namespace assent::coordinator {

inline constexpr Millis kCallMax{5'000};
inline constexpr std::size_t kReplicas = 3;

// Below the ports that the system takes for outgoing connections: one of those could be taken
// between here and the listening. Each is given once: nobody listens on it yet.
inline std::string free_address(boost::asio::io_context& loop) {
  using boost::asio::ip::tcp;
  static std::set<std::uint16_t> given;
  for (;;) {
    const auto port = static_cast<std::uint16_t>(20'000 + process::random_u64() % 12'000);
    if (!given.insert(port).second) continue;
    tcp::acceptor acceptor(loop);
    boost::system::error_code taken;
    acceptor.open(tcp::v4());
    acceptor.bind(tcp::endpoint(boost::asio::ip::address_v4::loopback(), port), taken);
    if (!taken) return "127.0.0.1:" + std::to_string(port);
  }
}

class ReplicaGroupTest : public testing::Test {
 protected:
  ReplicaGroupTest()
      : directory_(testing::TempDir() + "replica_group_" + std::to_string(getpid()) + "_" +
                   testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    for (std::uint32_t i = 1; i <= kReplicas; ++i) {
      members_[ReplicaId(i)] = {free_address(loop_), free_address(loop_), {}};
    }
    for (std::size_t i = 0; i < kReplicas; ++i) start(i);
  }
  ~ReplicaGroupTest() override {
    for (auto& replica : replicas_) replica.reset();
    std::filesystem::remove_all(directory_);
  }

  // Begins a replica's next life; `cluster` is what its configuration says.
  void start(std::size_t i, const std::string& cluster = "demo") {
    const auto opened = try_start(i, cluster);
    ASSERT_TRUE(opened) << opened.error().message;
  }
  Result<void> try_start(std::size_t i, const std::string& cluster = "demo") {
    Config config;
    config.cluster = cluster;
    config.replica = ReplicaId(static_cast<std::uint32_t>(i + 1));
    config.data_directory = data_directory(i);
    config.client_address = members_.at(config.replica).client_address;
    config.peer_address = members_.at(config.replica).peer_address;
    config.admin_address = admin_[i] = free_address(loop_);
    config.group = members_;
    refusals_[i].reset();
    replicas_[i] = std::make_unique<Replica>(loop_, config,
                                             [this, i](const Error& why) { refusals_[i] = why; });
    return replicas_[i]->open();
  }

  [[nodiscard]] std::string data_directory(std::size_t i) const {
    return directory_ + "/" + std::to_string(i + 1);
  }

  const Member& member(std::size_t i) const {
    return members_.at(ReplicaId(static_cast<std::uint32_t>(i + 1)));
  }

  template <class Condition>
  bool run_until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return condition();
  }

  template <class Reply, class Call>
  Result<Reply> wait_for(Call call) {
    std::optional<Result<Reply>> answer;
    call([&](Result<Reply> done) { answer = std::move(done); });
    if (!run_until([&] { return answer.has_value(); })) return failure(ErrorCode::kDeadline, "");
    return std::move(*answer);
  }

  Result<wire::StatusReply> status(std::size_t i, const TransactionId& transaction) {
    rpc::Client client(loop_, member(i).client_address);
    wire::StatusRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.transaction = to_string(transaction);
    return wait_for<wire::StatusReply>([&](auto done) {
      ASSENT_CALL(wire::Coordinator, status, wire::StatusReply)(client, request, kCallMax, done);
    });
  }

  // One command of the log.
  Result<wire::AbortReply> abort(std::size_t i, const TransactionId& transaction) {
    rpc::Client client(loop_, member(i).client_address);
    wire::AbortRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.transaction = to_string(transaction);
    request.__set_never_committed(true);
    return wait_for<wire::AbortReply>([&](auto done) {
      ASSENT_CALL(wire::Coordinator, abort, wire::AbortReply)(client, request, kCallMax, done);
    });
  }

  Result<wire::ProcessStatusReply> process_status(std::size_t i) {
    return process_status(admin_[i]);
  }
  Result<wire::ProcessStatusReply> process_status(const std::string& admin) {
    rpc::Client client(loop_, admin);
    wire::ProcessStatusRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    return wait_for<wire::ProcessStatusReply>([&](auto done) {
      ASSENT_CALL(wire::Admin, process_status, wire::ProcessStatusReply)
      (client, request, kCallMax, done);
    });
  }

  Result<wire::ChangeGroupReply> add(std::size_t at, std::int32_t replica,
                                     const std::string& client, const std::string& peer,
                                     const std::string& admin) {
    rpc::Client asker(loop_, admin_[at]);
    wire::ChangeGroupRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.change = wire::GroupChange::ADD;
    request.replica = replica;
    request.__set_client_address(client);
    request.__set_peer_address(peer);
    request.__set_admin_address(admin);
    return wait_for<wire::ChangeGroupReply>([&](auto done) {
      ASSENT_CALL(wire::CoordinatorAdmin, change_group, wire::ChangeGroupReply)
      (asker, request, kCallMax, done);
    });
  }

  // The replica that serves; a test fails when none comes to.
  std::size_t leader() {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < give_up) {
      for (std::size_t i = 0; i < kReplicas; ++i) {
        if (!replicas_[i]) continue;
        const auto reply = process_status(i);
        if (reply && reply->facts.at("role") == "leader") return i;
      }
    }
    ADD_FAILURE() << "no replica serves";
    return 0;
  }

  bool executed_reaches(std::size_t i, std::int64_t slot) {
    const auto reply = process_status(i);
    return reply && reply->counters.at("executed_slot") >= slot;
  }

  static TransactionId make_id() {
    return make_transaction_id(LogTime(process::wall_now_ms()), process::random_u64(),
                               process::random_u64(), creator_tag("test"));
  }

  // What a replica says of itself; to a replica that introduces itself, when `replica` is not 0.
  Result<wire::IdentifyReply> identify(std::size_t i, std::int32_t replica = 0,
                                       std::int64_t disk = 0) {
    rpc::Client client(loop_, member(i).peer_address);
    wire::IdentifyRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.cluster = "demo";
    if (replica != 0) {
      request.__set_replica(replica);
      request.__set_disk(disk);
    }
    return wait_for<wire::IdentifyReply>([&](auto done) {
      ASSENT_CALL(wire::Replica, identify, wire::IdentifyReply)(client, request, kCallMax, done);
    });
  }

  // Sends to the peer port of a replica whatever a stranger may, and waits until it was read.
  void deliver(std::size_t to, const wire::Delivery& delivery) {
    rpc::Client client(loop_, member(to).peer_address);
    ASSERT_TRUE(client.cast("deliver", [&](apache::thrift::protocol::TProtocol& out) {
      wire::Replica_deliver_pargs arguments;
      arguments.delivery = &delivery;
      arguments.write(&out);
    }));
    wire::IdentifyRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.cluster = "demo";
    const auto reply = wait_for<wire::IdentifyReply>([&](auto done) {
      ASSENT_CALL(wire::Replica, identify, wire::IdentifyReply)(client, request, kCallMax, done);
    });
    ASSERT_TRUE(reply) << reply.error().message;
  }

  // A takeover by replica 2 or 3, in which the receiver would believe if it were real.
  wire::Delivery takeover(std::size_t sender, std::size_t receiver) {
    wire::Delivery out;
    out.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    out.cluster = "demo";
    out.sender = static_cast<std::int32_t>(sender + 1);
    out.receiver = static_cast<std::int32_t>(receiver + 1);
    out.disk = identify(sender < kReplicas ? sender : receiver)->disk;
    wire::PaxosPrepare prepare;
    prepare.ballot.incarnation = 1;
    prepare.ballot.round = 1'000'000;
    prepare.ballot.replica = out.sender;
    prepare.from_slot = 1;
    out.messages.emplace_back().__set_prepare(prepare);
    return out;
  }

  const std::string directory_;
  boost::asio::io_context loop_;
  std::map<ReplicaId, Member> members_;
  std::array<std::string, kReplicas> admin_;
  std::array<std::unique_ptr<Replica>, kReplicas> replicas_;
  std::array<std::optional<Error>, kReplicas> refusals_;  // why each must not go on
};

}  // namespace assent::coordinator
