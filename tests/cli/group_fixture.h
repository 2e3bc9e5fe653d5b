// Admin ports that answer as a coordinator's would, for tests of the verbs that ask a group.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/rpc/handler.h"
#include "runtime/rpc/server.h"
#include "tests/cli/assentctl.h"
#include "wire/CoordinatorAdmin.h"

namespace assent::cli {

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;

inline wire::ReplicaInfo replica(std::int32_t id, std::int64_t chosen = 100) {
  wire::ReplicaInfo out;
  out.replica = id;
  out.client_address = "host-" + std::to_string(id) + ":1";
  out.peer_address = "host-" + std::to_string(id) + ":2";
  out.chosen_slot = chosen;
  out.connected = true;
  return out;
}

// A group as its leader tells of it, changed at once. What is queued is answered first.
struct Group {
  Group() {
    told.cluster = "demo";
    told.leader = 1;
    told.chosen_slot = 100;
    told.governs_from = 1;
    told.settled = true;
    told.replicas = {replica(1), replica(2), replica(3)};
  }

  Result<std::int64_t> change(const wire::ChangeGroupRequest& request) {
    asked.push_back(request);
    if (!refusals.empty()) {
      const Error refused = refusals.front();
      refusals.pop_front();
      return tl::unexpected(refused);
    }
    auto& all = told.replicas;
    const auto found = std::ranges::find(all, request.replica, &wire::ReplicaInfo::replica);
    if (request.change == wire::GroupChange::ADD && found == all.end()) {
      all.push_back(replica(request.replica, newcomer_at));
      all.back().learner = true;
      all.back().connected = newcomer_connected;
    } else if (request.change == wire::GroupChange::PROMOTE) {
      found->learner = false;
    } else if (request.change == wire::GroupChange::REMOVE && found != all.end()) {
      all.erase(found);
    }
    return 108;
  }

  wire::GroupReply told;
  std::int64_t newcomer_at = 100;  // the mark with which one that is added is seen
  bool newcomer_connected = true;
  std::deque<Error> refusals;  // of changes, in this order
  std::vector<wire::ChangeGroupRequest> asked;
  std::vector<std::int32_t> transfers;
  std::vector<wire::Heuristic> heuristics;
  std::vector<wire::ForgetHeuristicRequest> forgotten;
  std::int64_t untold = 0;
  std::vector<wire::ResolveRequest> resolved;
  std::vector<wire::ChangeParticipantRequest> participant_changes;
  std::optional<Error> participant_refused;
  std::vector<std::string> abandoned;
};

class AdminPort final : public wire::CoordinatorAdminCobSvIf {
 public:
  // `not_leader`: refuses everything with it, when it has a message.
  AdminPort(Group& group, Error not_leader) : group_(group), not_leader_(std::move(not_leader)) {}

  void group(Cob<wire::GroupReply> cob, ExnCob exn, const wire::GroupRequest&) override {
    answer(cob, exn, check().map([&] {
      auto reply = group_.told;
      reply.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
      return reply;
    }));
  }
  void change_group(Cob<wire::ChangeGroupReply> cob, ExnCob exn,
                    const wire::ChangeGroupRequest& request) override {
    answer(cob, exn, check().and_then([&] { return group_.change(request); }).map([](auto from) {
      auto reply = rpc::versioned<wire::ChangeGroupReply>();
      reply.governs_from = from;
      return reply;
    }));
  }
  void transfer_leader(Cob<wire::TransferLeaderReply> cob, ExnCob exn,
                       const wire::TransferLeaderRequest& request) override {
    answer(cob, exn, check().map([&] {
      group_.transfers.push_back(request.to);
      auto reply = rpc::versioned<wire::TransferLeaderReply>();
      reply.to = group_.told.leader = request.to == 0 ? 2 : request.to;
      return reply;
    }));
  }
  void heuristics(Cob<wire::HeuristicsReply> cob, ExnCob exn,
                  const wire::HeuristicsRequest&) override {
    answer(cob, exn, check().map([&] {
      auto reply = rpc::versioned<wire::HeuristicsReply>();
      reply.heuristics = group_.heuristics;
      reply.untold = group_.untold;
      return reply;
    }));
  }
  void forget_heuristic(Cob<wire::ForgetHeuristicReply> cob, ExnCob exn,
                        const wire::ForgetHeuristicRequest& request) override {
    answer(cob, exn, check().map([&] {
      group_.forgotten.push_back(request);
      auto reply = rpc::versioned<wire::ForgetHeuristicReply>();
      reply.forgotten = !group_.heuristics.empty();
      group_.heuristics.clear();
      return reply;
    }));
  }
  void resolve(Cob<wire::ResolveReply> cob, ExnCob exn,
               const wire::ResolveRequest& request) override {
    answer(cob, exn, check().map([&] {
      group_.resolved.push_back(request);
      auto reply = rpc::versioned<wire::ResolveReply>();
      if (!group_.heuristics.empty()) reply.heuristic = group_.heuristics.front();
      return reply;
    }));
  }
  void change_participant(Cob<wire::ChangeParticipantReply> cob, ExnCob exn,
                          const wire::ChangeParticipantRequest& request) override {
    answer(cob, exn, check().and_then([&]() -> Result<wire::ChangeParticipantReply> {
      group_.participant_changes.push_back(request);
      if (group_.participant_refused) return tl::unexpected(*group_.participant_refused);
      auto reply = rpc::versioned<wire::ChangeParticipantReply>();
      reply.changed = true;
      reply.abandoned = group_.abandoned;
      return reply;
    }));
  }
  void backup(Cob<wire::BackupReply>, ExnCob exn, const wire::BackupRequest&) override {
    answer<wire::BackupReply>({}, exn, failure(ErrorCode::kInternal, "not asked for"));
  }
  void backup_part(Cob<wire::BackupPartReply>, ExnCob exn,
                   const wire::BackupPartRequest&) override {
    answer<wire::BackupPartReply>({}, exn, failure(ErrorCode::kInternal, "not asked for"));
  }
  void process_status(Cob<wire::ProcessStatusReply>, ExnCob exn,
                      const wire::ProcessStatusRequest&) override {
    answer<wire::ProcessStatusReply>({}, exn, failure(ErrorCode::kInternal, "not asked for"));
  }
  void doctor(Cob<wire::DoctorReply>, ExnCob exn, const wire::DoctorRequest&) override {
    answer<wire::DoctorReply>({}, exn, failure(ErrorCode::kInternal, "not asked for"));
  }

 private:
  [[nodiscard]] Result<void> check() const {
    if (not_leader_.message.empty()) return {};
    return tl::unexpected(not_leader_);
  }

  Group& group_;
  const Error not_leader_;
};

// The ports are served by a thread of their own, for a verb blocks until it is over; the group is
// looked at only between verbs.
class GroupVerbs : public testing::Test {
 protected:
  GroupVerbs() : serving_([this] { loop_.run(); }) { leader_ = open({}); }
  ~GroupVerbs() override {
    boost::asio::post(loop_, [this] { servers_.clear(); });
    work_.reset();
    serving_.join();
  }

  // The address of another admin port.
  std::string open(Error not_leader) {
    std::promise<std::string> address;
    boost::asio::post(loop_, [&] {
      const auto processor = std::make_shared<wire::CoordinatorAdminAsyncProcessor>(
          std::make_shared<AdminPort>(group_, std::move(not_leader)));
      auto& server = servers_.emplace_back(
          std::make_unique<rpc::Server>(loop_, "admin port", processor, rpc::ServerLimits{}));
      address.set_value("127.0.0.1:" + std::to_string(server->listen("127.0.0.1:0").value()));
    });
    return address.get_future().get();
  }

  // A port that nobody listens on.
  std::string close_port() {
    boost::asio::ip::tcp::acceptor taken(loop_, {boost::asio::ip::address_v4::loopback(), 0});
    return "127.0.0.1:" + std::to_string(taken.local_endpoint().port());
  }

  Answer at_leader(std::vector<std::string> words) {
    words.insert(words.end(), {"--at", leader_});
    return replica_verb(std::move(words));
  }

  Answer replica_verb(std::vector<std::string> words) {
    words.insert(words.begin(), "replica");
    return verb(std::move(words));
  }

  Answer verb(std::vector<std::string> words) {
    meet();
    Answer answer = assentctl(std::move(words));
    meet();
    return answer;
  }

  // What this thread has done to the group the other one sees, and the other way round.
  void meet() {
    std::promise<void> here;
    boost::asio::post(loop_, [&] { here.set_value(); });
    here.get_future().wait();
  }

  static std::vector<std::string> newcomer() {
    return {"--client", "host-4:1", "--peer", "host-4:2", "--admin", "host-4:3"};
  }

  static std::vector<std::string> with(std::vector<std::string> words,
                                       const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  [[nodiscard]] std::vector<wire::GroupChange::type> changes() const {
    std::vector<wire::GroupChange::type> out;
    for (const auto& request : group_.asked) out.push_back(request.change);
    return out;
  }

  Group group_;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      loop_.get_executor()};
  std::vector<std::unique_ptr<rpc::Server>> servers_;
  std::thread serving_;
  std::string leader_;
};

}  // namespace assent::cli
