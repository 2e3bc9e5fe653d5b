// What the admin port of a replica answers about the group, and what it changes.
#include <algorithm>

#include "tests/coordinator/server/replica_group.h"

namespace assent::coordinator {
namespace {

constexpr const char* kClient = "127.0.0.1:7998";
constexpr const char* kPeer = "127.0.0.1:7999";

class GroupHandlerTest : public ReplicaGroupTest {
 protected:
  template <class Request>
  static Request versioned() {
    Request request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    return request;
  }

  Result<wire::GroupReply> group(std::size_t at) {
    rpc::Client asker(loop_, admin_[at]);
    const auto request = versioned<wire::GroupRequest>();
    return wait_for<wire::GroupReply>([&](auto done) {
      ASSENT_CALL(wire::CoordinatorAdmin, group, wire::GroupReply)(asker, request, kCallMax, done);
    });
  }

  Result<wire::ChangeGroupReply> change(std::size_t at, wire::GroupChange::type what,
                                        std::int32_t replica) {
    rpc::Client asker(loop_, admin_[at]);
    auto request = versioned<wire::ChangeGroupRequest>();
    request.change = what;
    request.replica = replica;
    return wait_for<wire::ChangeGroupReply>([&](auto done) {
      ASSENT_CALL(wire::CoordinatorAdmin, change_group, wire::ChangeGroupReply)
      (asker, request, kCallMax, done);
    });
  }

  Result<wire::TransferLeaderReply> transfer(std::size_t at, std::int32_t to) {
    rpc::Client asker(loop_, admin_[at]);
    auto request = versioned<wire::TransferLeaderRequest>();
    request.to = to;
    return wait_for<wire::TransferLeaderReply>([&](auto done) {
      ASSENT_CALL(wire::CoordinatorAdmin, transfer_leader, wire::TransferLeaderReply)
      (asker, request, kCallMax, done);
    });
  }

  // What the leader answers, whoever that is by then: on a busy machine the office may move.
  template <class Call>
  auto led(Call call) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      auto reply = call(leader());
      const bool moved = !reply && (reply.error().code == ErrorCode::kNotLeader ||
                                    reply.error().code == ErrorCode::kOutcomeUnknown);
      if (!moved || give_up < std::chrono::steady_clock::now()) return reply;
    }
  }

  auto add_four(const std::string& client) {
    return led([&](std::size_t at) { return add(at, 4, client, kPeer, ""); });
  }
  auto change(wire::GroupChange::type what, std::int32_t replica) {
    return led([&](std::size_t at) { return change(at, what, replica); });
  }
  auto transfer(std::int32_t to) {
    return led([&](std::size_t at) { return transfer(at, to); });
  }

  // The leader's view of the group, as soon as it is as wanted.
  template <class Condition>
  wire::GroupReply await(Condition wanted) {
    std::optional<wire::GroupReply> seen;
    EXPECT_TRUE(run_until([&] {
      auto reply = led([&](std::size_t at) { return group(at); });
      if (reply) seen = *reply;
      return seen && wanted(*seen);
    }));
    return seen.value_or(wire::GroupReply());
  }

  static bool settled(const wire::GroupReply& group) { return group.settled; }

  static const wire::ReplicaInfo* find(const wire::GroupReply& group, std::int32_t replica) {
    for (const wire::ReplicaInfo& one : group.replicas) {
      if (one.replica == replica) return &one;
    }
    return nullptr;
  }

  static std::int32_t id(std::size_t i) { return static_cast<std::int32_t>(i + 1); }

  // Whoever does not lead.
  static std::size_t other(std::size_t leader) { return (leader + 1) % kReplicas; }
};

TEST_F(GroupHandlerTest, TheLeaderTellsWhoTheReplicasAre) {
  const auto told = await([](const wire::GroupReply& group) {
    const auto connected = [](const wire::ReplicaInfo& one) { return one.connected; };
    return group.settled && std::ranges::all_of(group.replicas, connected);
  });

  EXPECT_EQ(told.cluster, "demo");
  EXPECT_TRUE(run_until([&] { return await(settled).leader == id(leader()); }));
  ASSERT_EQ(told.replicas.size(), kReplicas);
  for (std::size_t i = 0; i < kReplicas; ++i) {
    EXPECT_EQ(told.replicas[i].replica, id(i));
    EXPECT_FALSE(told.replicas[i].learner);
    EXPECT_EQ(told.replicas[i].client_address, member(i).client_address);
    EXPECT_EQ(told.replicas[i].peer_address, member(i).peer_address);
  }
}

TEST_F(GroupHandlerTest, WhoDoesNotLeadRefusesEverything) {
  const std::size_t at = other(leader());

  const auto nothing = [](const auto&) {};
  for (const Result<void>& reply : {group(at).map(nothing), transfer(at, 0).map(nothing),
                                    change(at, wire::GroupChange::REMOVE, 3).map(nothing)}) {
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, ErrorCode::kNotLeader) << reply.error().message;
  }
}

TEST_F(GroupHandlerTest, AReplicaThatNobodyHasHeardOfComesAsALearnerAndIsNoMemberYet) {
  await(settled);

  const auto added = add_four(kClient);
  ASSERT_TRUE(added) << added.error().message;
  const auto told = await([](const wire::GroupReply& group) { return group.settled; });

  EXPECT_EQ(told.governs_from, added->governs_from);
  const wire::ReplicaInfo* const learner = find(told, 4);
  ASSERT_NE(learner, nullptr);
  EXPECT_TRUE(learner->learner);
  EXPECT_FALSE(learner->connected);
  // A member that cannot be reached would be counted by every quorum.
  const auto refused = change(wire::GroupChange::PROMOTE, 4);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("replica 4"), std::string::npos);
}

TEST_F(GroupHandlerTest, WhatWasDoneIsDoneOnce) {
  await(settled);
  const auto first = add_four(kClient);
  const auto again = add_four(kClient);

  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(first->governs_from, again->governs_from);
  const auto other_address = add_four("127.0.0.1:7997");
  ASSERT_FALSE(other_address.has_value());
  EXPECT_EQ(other_address.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(GroupHandlerTest, WhoWasRemovedIsNeededNoMoreAndDoesNotComeBack) {
  const std::size_t gone = other(leader());
  await(settled);

  const auto removed = change(wire::GroupChange::REMOVE, id(gone));
  ASSERT_TRUE(removed) << removed.error().message;
  replicas_[gone].reset();
  const auto told = await(settled);

  EXPECT_EQ(told.replicas.size(), kReplicas - 1);
  EXPECT_EQ(find(told, id(gone)), nullptr);
  EXPECT_TRUE(led([&](std::size_t i) { return abort(i, make_id()); })) << "a group of two decides";
  const auto back = led([&](std::size_t i) { return add(i, id(gone), kClient, kPeer, ""); });
  ASSERT_FALSE(back.has_value());
  EXPECT_EQ(back.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(GroupHandlerTest, ARequestThatMakesNoSenseIsRefused) {
  for (const auto& refused :
       {change(wire::GroupChange::REMOVE, 0), change(wire::GroupChange::REMOVE, 77),
        change(wire::GroupChange::PROMOTE, 77),
        change(static_cast<wire::GroupChange::type>(99), 1)}) {
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << refused.error().message;
  }
}

TEST_F(GroupHandlerTest, TheOfficeGoesToWhomItIsSaid) {
  await(settled);
  const auto stranger = transfer(77);
  ASSERT_FALSE(stranger.has_value());
  EXPECT_EQ(stranger.error().code, ErrorCode::kInvalidArgument);

  const std::size_t next = other(leader());
  const auto asked = transfer(id(next));

  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->to, id(next));
  EXPECT_TRUE(run_until([&] { return leader() == next; }));
}

TEST_F(GroupHandlerTest, WithoutAnotherMemberThatIsReachedNobodyCanTakeOver) {
  const std::size_t at = leader();
  for (std::size_t i = 0; i < kReplicas; ++i) {
    if (i != at) replicas_[i].reset();
  }

  // Until it has noticed, it still believes in one; and soon it does not lead any more.
  ASSERT_TRUE(run_until([&] { return !transfer(at, 0).has_value(); }));
  const auto refused = transfer(at, 0);
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().code == ErrorCode::kUnavailable ||
              refused.error().code == ErrorCode::kNotLeader)
      << refused.error().message;
}

}  // namespace
}  // namespace assent::coordinator
