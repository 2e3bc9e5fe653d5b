// The leader changes: whom the client asks then, and that it asks the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assent/client.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

class Failover : public testing::Test {
 protected:
  Transaction transfer(Client& client) {
    auto transaction = client.start();
    EXPECT_TRUE(transaction.execute("orders", "UPDATE a"));
    return transaction;
  }

  Client client_with(std::int32_t unknown_after_ms) {
    auto options = cluster_.options();
    options.unknown_after_ms = unknown_after_ms;
    return Client::connect(options).value();
  }

  static Error not_leader(const fake::Coordinator* leader = nullptr) {
    Error error{ErrorCode::kNotLeader, "another replica leads"};
    if (leader != nullptr) error.leader = leader->port.address();
    return error;
  }

  // The second replica follows, and names the first one as its leader.
  void second_follows() {
    cluster_.second.hello.always([this](const auto&) { return not_leader(&cluster_.first); });
  }

  fake::Cluster cluster_;
};

TEST_F(Failover, AnElectionIsWaitedFor) {
  auto client = client_with(20'000);
  auto transaction = transfer(client);
  for (int i = 0; i < 3; ++i) {
    cluster_.first.commit.next(not_leader());
    cluster_.second.commit.next(not_leader());
  }

  EXPECT_TRUE(transaction.commit().committed());
}

TEST_F(Failover, ReplicasThatNameEachOtherAreNotAskedWithoutPauses) {
  auto client = client_with(300);
  auto transaction = transfer(client);
  cluster_.first.commit.always([this](const auto&) { return not_leader(&cluster_.second); });
  cluster_.second.commit.always([this](const auto&) { return not_leader(&cluster_.first); });

  EXPECT_EQ(transaction.commit().state, CommitState::kUnknown);

  EXPECT_LT(cluster_.first.commit.requests().size(), 40U);
}

TEST_F(Failover, ALeaderThatFellSilentIsGivenUpForTheOneThatSucceededIt) {
  auto client = client_with(20'000);
  auto transaction = transfer(client);
  cluster_.first.commit.next(fake::Silence{});

  EXPECT_TRUE(transaction.commit().committed()) << "the second one says that it leads";

  EXPECT_FALSE(cluster_.second.commit.requests().at(0).first);
  EXPECT_EQ(cluster_.first.commit.requests().size(), 1U);
}

TEST_F(Failover, ALeaderThatIsOnlySlowIsWaitedFor) {
  second_follows();
  auto client = client_with(1'500);
  auto transaction = transfer(client);
  cluster_.first.commit.next(fake::Silence{});

  EXPECT_EQ(transaction.commit().state, CommitState::kUnknown);

  EXPECT_TRUE(cluster_.second.hello.wait_for(2)) << "it was asked who leads";
  EXPECT_TRUE(cluster_.second.commit.requests().empty());
}

TEST_F(Failover, AnAbortThatNobodyWaitsForFindsTheNewLeader) {
  auto client = client_with(20'000);
  cluster_.first.abort.next(not_leader());
  { auto dropped = transfer(client); }

  EXPECT_TRUE(cluster_.second.abort.wait_for(1));
}

TEST_F(Failover, TheNewLeaderIsAskedForParticipantsAndOffice) {
  auto client = client_with(20'000);
  auto transaction = transfer(client);
  auto later = cluster_.hello();
  later.office = fake::Cluster::kOffice + 1;
  cluster_.second.hello.always([later](const auto&) { return later; });
  cluster_.first.commit.next(not_leader(&cluster_.second));
  ASSERT_TRUE(transaction.commit().committed());
  ASSERT_TRUE(cluster_.second.hello.wait_for(1));
  // The answer to that hello comes before the one to a later hello on the same connection.
  ASSERT_TRUE(client.participants());

  ASSERT_TRUE(transfer(client).commit().committed());

  EXPECT_EQ(cluster_.second.commit.requests().back().office, fake::Cluster::kOffice + 1);
}

TEST_F(Failover, ParticipantsAreAskedForUntilALeaderIsThere) {
  auto client = client_with(20'000);
  cluster_.first.hello.next(not_leader());
  cluster_.second.hello.next(not_leader());

  EXPECT_TRUE(client.participants());
}

}  // namespace
}  // namespace assent
