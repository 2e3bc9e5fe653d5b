// assentctl replica and heuristic, against admin ports that answer as a coordinator's would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "runtime/rpc/handler.h"
#include "runtime/rpc/server.h"
#include "tests/cli/assentctl.h"
#include "wire/CoordinatorAdmin.h"

namespace assent::cli {
namespace {

using nlohmann::json;
using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;
using testing::HasSubstr;
using testing::IsEmpty;

wire::ReplicaInfo replica(std::int32_t id, std::int64_t chosen = 100) {
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
  std::vector<wire::ResolveRequest> resolved;
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
class ReplicaVerbs : public testing::Test {
 protected:
  ReplicaVerbs() : serving_([this] { loop_.run(); }) { leader_ = open({}); }
  ~ReplicaVerbs() override {
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

// ── heuristic ───────────────────────────────────────────────────────────────────────────────────

class HeuristicVerbs : public ReplicaVerbs {
 protected:
  HeuristicVerbs() {
    wire::HeuristicBranch branch;
    branch.branch.participant = "stock";
    branch.branch.epoch = 3;
    branch.branch.attempt = 7;
    branch.result = wire::FinishResult::HEURISTIC_ROLLBACK;
    wire::Heuristic& one = group_.heuristics.emplace_back();
    one.transaction = "T";
    one.outcome = wire::Outcome::COMMITTED;
    one.kind = wire::HeuristicKind::MIXED;
    one.listed = 2;
    one.branches = {branch};
  }
};

TEST_F(HeuristicVerbs, ListSaysWhatHappenedAndWhatIsLeftToDo) {
  const Answer told = verb({"heuristic", "list", "--at", leader_});
  EXPECT_EQ(told.exit_code, 1) << told.err;
  EXPECT_THAT(told.out, HasSubstr("T  COMMITTED  mixed"));
  EXPECT_THAT(told.out, HasSubstr("stock/3.7 was rolled back by somebody else: make its changes "));
  EXPECT_THAT(told.out, HasSubstr("assentctl heuristic forget TRANSACTION"));
  const json all = json::parse(verb({"heuristic", "list", "--json", "--at", leader_}).out);
  EXPECT_EQ(all["heuristics"][0]["branches"][0]["result"], "heuristic-rollback");
}

TEST_F(HeuristicVerbs, ForgetTellsWhoAndWhy) {
  const std::vector<std::string> words = {"heuristic",  "forget", "T",    "--reason", "booked",
                                          "--operator", "ann",    "--at", leader_};
  EXPECT_THAT(verb(words).out, HasSubstr("forgotten"));
  ASSERT_EQ(group_.forgotten.size(), 1u);
  EXPECT_EQ(group_.forgotten[0].operator_name, "ann");
  EXPECT_EQ(group_.forgotten[0].reason, "booked");
  EXPECT_THAT(verb(words).out, HasSubstr("nothing was kept of it"));
  EXPECT_EQ(verb({"heuristic", "list", "--at", leader_}).exit_code, 0);
}

// ── list ────────────────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, ListTellsWhoIsThereAndHowFarBehind) {
  group_.told.chosen_slot = 1'600;
  group_.told.replicas[2].connected = false;

  const Answer told = at_leader({"list"});

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("leader   1,500"));
  EXPECT_THAT(told.out, HasSubstr("member   unreachable"));
  EXPECT_THAT(told.out, HasSubstr("host-2:1"));
}

TEST_F(ReplicaVerbs, ListTellsMachinesAllOfIt) {
  group_.told.replicas[2].learner = true;

  const Answer told = at_leader({"list", "--json"});

  ASSERT_EQ(told.exit_code, 0) << told.err;
  const json group = json::parse(told.out);
  EXPECT_EQ(group["cluster"], "demo");
  EXPECT_EQ(group["leader"], 1);
  EXPECT_EQ(group["chosen_slot"], 100);
  EXPECT_EQ(group["governs_from"], 1);
  EXPECT_EQ(group["settled"], true);
  ASSERT_EQ(group["replicas"].size(), 3u);
  EXPECT_EQ(group["replicas"][1], json({{"replica", 2},
                                        {"role", "member"},
                                        {"client_address", "host-2:1"},
                                        {"peer_address", "host-2:2"},
                                        {"admin_address", ""},
                                        {"chosen_slot", 100},
                                        {"connected", true}}));
  EXPECT_EQ(group["replicas"][0]["role"], "leader");
  EXPECT_EQ(group["replicas"][2]["role"], "learner");
}

// ── who is asked ────────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, TheLeaderIsFoundByTheNameThatAFollowerTells) {
  const std::string follower =
      open({.code = ErrorCode::kNotLeader, .message = "replica 1 leads", .leader = leader_});

  EXPECT_EQ(replica_verb({"list", "--at", follower}).exit_code, 0);
}

TEST_F(ReplicaVerbs, ThoseWhoCannotBeReachedArePassedOver) {
  const Answer told = replica_verb({"list", "--at", close_port(), "--at", leader_});

  EXPECT_EQ(told.exit_code, 0) << told.err;
}

TEST_F(ReplicaVerbs, AGroupThatCannotBeReachedIsAProblemAndSaysWhatEachOneSaid) {
  const std::string closed = close_port();
  const std::string waiting = open({.code = ErrorCode::kNotLeader, .message = "nobody leads now"});

  const Answer told = replica_verb({"list", "--at", closed, "--at", waiting});

  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.out, IsEmpty());
  for (const std::string& words : {std::string("no leader answers"), closed, waiting,
                                   std::string("nobody leads now"), std::string("--at")}) {
    EXPECT_THAT(told.err, HasSubstr(words));
  }
}

// ── add ─────────────────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, AddMakesALearnerAndThenAMember) {
  const Answer told = at_leader(with({"add", "4"}, newcomer()));

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(changes(), testing::ElementsAre(wire::GroupChange::ADD, wire::GroupChange::PROMOTE));
  EXPECT_EQ(group_.asked[0].replica, 4);
  EXPECT_EQ(group_.asked[0].client_address, "host-4:1");
  EXPECT_EQ(group_.asked[0].peer_address, "host-4:2");
  EXPECT_EQ(group_.asked[0].admin_address, "host-4:3");
  EXPECT_THAT(told.out, HasSubstr("replica 4 is in the group, as a learner"));
  EXPECT_THAT(told.out, HasSubstr("replica 4 has caught up, and is a member"));
}

TEST_F(ReplicaVerbs, AddTellsMachinesTheGroupThatCameOfIt) {
  const Answer told = at_leader(with({"add", "4", "--json"}, newcomer()));

  ASSERT_EQ(told.exit_code, 0) << told.err;
  const json group = json::parse(told.out);  // and nothing else: no progress
  ASSERT_EQ(group["replicas"].size(), 4u);
  EXPECT_EQ(group["replicas"][3]["role"], "member");
}

TEST_F(ReplicaVerbs, AddDoesNotPromoteWhoIsBehindOrUnreachable) {
  group_.newcomer_at = 10;

  const Answer behind = at_leader(with({"add", "4", "--timeout", "1"}, newcomer()));

  EXPECT_EQ(behind.exit_code, 1);
  EXPECT_THAT(behind.err, HasSubstr("learner is 90 slots behind"));
  EXPECT_THAT(behind.err, HasSubstr("give the same command again"));

  group_.told.replicas.back().connected = false;
  const Answer unreachable = at_leader(with({"add", "4", "--timeout", "1"}, newcomer()));

  EXPECT_EQ(unreachable.exit_code, 1);
  EXPECT_THAT(unreachable.err, HasSubstr("cannot reach replica 4 at host-4:2"));
  EXPECT_THAT(changes(), testing::Each(wire::GroupChange::ADD));
}

TEST_F(ReplicaVerbs, AddGoesOnWhereItWasInterrupted) {
  group_.newcomer_at = 10;
  ASSERT_EQ(at_leader(with({"add", "4", "--timeout", "1"}, newcomer())).exit_code, 1);
  group_.told.replicas.back().chosen_slot = 100;

  const Answer told = at_leader(with({"add", "4"}, newcomer()));

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_FALSE(group_.told.replicas.back().learner);
}

TEST_F(ReplicaVerbs, WhatMayBeAskedAgainIsAskedAgain) {
  group_.refusals = {{ErrorCode::kUnavailable, "an earlier change governs from slot 9 on"},
                     {ErrorCode::kOverloaded, "too much waits"},
                     {ErrorCode::kOutcomeUnknown, "the office was lost"}};

  const Answer told = at_leader({"remove", "3"});

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(changes().size(), 4u);
}

TEST_F(ReplicaVerbs, WhatIsRefusedForGoodIsAUsageErrorInTheLeadersWords) {
  group_.refusals = {{ErrorCode::kInvalidArgument, "replica 4 has left this group"}};

  const Answer told = at_leader(with({"add", "4"}, newcomer()));

  EXPECT_EQ(told.exit_code, 2);
  EXPECT_EQ(told.err, "assentctl: replica 4 has left this group\n");
  EXPECT_EQ(changes().size(), 1u);
}

TEST_F(ReplicaVerbs, ARefusalIsToldToMachinesOnStandardOutput) {
  group_.refusals = {{ErrorCode::kInvalidArgument, "replica 9 is not in the group"}};

  const Answer told = at_leader({"remove", "9", "--json"});

  EXPECT_EQ(told.exit_code, 2);
  EXPECT_EQ(json::parse(told.out),
            json({{"error",
                   {{"code", "INVALID_ARGUMENT"}, {"message", "replica 9 is not in the group"}}}}));
  EXPECT_THAT(told.err, IsEmpty());
}

// ── remove, replace, transfer-leader ────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, RemoveSaysWhenTheReplicaIsNeededNoMore) {
  const Answer told = at_leader({"remove", "3"});

  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(changes(), testing::ElementsAre(wire::GroupChange::REMOVE));
  EXPECT_EQ(group_.asked[0].replica, 3);
  EXPECT_THAT(told.out, HasSubstr("replica 3 has left, and is needed no more"));
}

TEST_F(ReplicaVerbs, RemoveDoesNotSaySoBeforeTheNextGroupGoverns) {
  group_.told.settled = false;

  const Answer told = at_leader({"remove", "3", "--timeout", "1"});

  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.out, testing::Not(HasSubstr("needed no more")));
  EXPECT_THAT(told.err, HasSubstr("does not govern everywhere yet"));
}

TEST_F(ReplicaVerbs, ReplaceAddsFirstAndThenRemoves) {
  const Answer told = at_leader(with({"replace", "1", "--by", "4", "--json"}, newcomer()));

  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(changes(), testing::ElementsAre(wire::GroupChange::ADD, wire::GroupChange::PROMOTE,
                                              wire::GroupChange::REMOVE));
  EXPECT_EQ(group_.asked[2].replica, 1);
  EXPECT_EQ(json::parse(told.out)["replicas"].size(), 3u);
}

TEST_F(ReplicaVerbs, ReplaceRemovesNobodyWhenTheNewcomerDoesNotCatchUp) {
  group_.newcomer_connected = false;

  const Answer told = at_leader(with({"replace", "1", "--by", "4", "--timeout", "1"}, newcomer()));

  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(changes(), testing::ElementsAre(wire::GroupChange::ADD));
}

TEST_F(ReplicaVerbs, TransferLeaderWaitsUntilTheOtherLeads) {
  const Answer told = at_leader({"transfer-leader", "--to", "3", "--json"});

  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(json::parse(told.out)["leader"], 3);
  EXPECT_EQ(at_leader({"transfer-leader"}).exit_code, 0);
  EXPECT_THAT(group_.transfers, testing::ElementsAre(3, 0));
}

// ── the command line ────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaVerbs, WhatIsMissingOrMakesNoSenseIsAUsageError) {
  const std::vector<std::vector<std::string>> wrong = {
      {"list"},
      {"list", "--at", "nowhere"},
      {"list", "--at", "127.0.0.1:0"},
      {"add", "4", "--at", leader_},
      {"add", "--at", leader_, "--client", "a:1", "--peer", "a:2"},
      {"add", "four", "--at", leader_, "--client", "a:1", "--peer", "a:2"},
      {"add", "4", "--at", leader_, "--client", "a", "--peer", "a:2"},
      {"remove", "--at", leader_},
      {"remove", "3", "--at", leader_, "--timeout", "0"},
      {"replace", "1", "--at", leader_, "--client", "a:1", "--peer", "a:2"},
      {}};
  for (const auto& words : wrong) {
    const Answer told = replica_verb(words);
    EXPECT_EQ(told.exit_code, 2) << testing::PrintToString(words);
    EXPECT_THAT(told.err, testing::Not(IsEmpty()));
  }
  EXPECT_THAT(group_.asked, IsEmpty());
}

}  // namespace
}  // namespace assent::cli
