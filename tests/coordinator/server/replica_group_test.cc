// Three whole replicas in one loop, with real disks and real sockets: who leads, what the others
// say, and what strangers at the peer port can do.
#include "tests/coordinator/server/replica_group.h"

namespace assent::coordinator {
namespace {

TEST_F(ReplicaGroupTest, OneServesAndTheOthersNameIt) {
  const std::size_t serving = leader();
  const TransactionId unknown = make_id();

  const auto answer = status(serving, unknown);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->state, wire::TransactionState::UNDECIDED);
  for (std::size_t i = 0; i < kReplicas; ++i) {
    if (i == serving) continue;
    std::optional<Error> refusal;
    ASSERT_TRUE(run_until([&] {
      const auto other = status(i, unknown);
      if (!other) refusal = other.error();
      return refusal && !refusal->leader.empty();
    }));
    EXPECT_EQ(refusal->code, ErrorCode::kNotLeader);
    EXPECT_EQ(refusal->leader, member(serving).client_address);
  }
}

TEST_F(ReplicaGroupTest, WhatWasAcknowledgedIsThereAtTheNextLeader) {
  const std::size_t first = leader();
  const TransactionId aborted = make_id();
  ASSERT_TRUE(abort(first, aborted));

  replicas_[first].reset();

  const std::size_t second = leader();
  ASSERT_NE(second, first);
  const auto answer = status(second, aborted);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->state, wire::TransactionState::ABORTED);
}

TEST_F(ReplicaGroupTest, AReplicaThatWasAwayCatchesUp) {
  const std::size_t serving = leader();
  const std::size_t away = (serving + 1) % kReplicas;
  replicas_[away].reset();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(abort(serving, make_id()));
  const auto done = process_status(serving);
  ASSERT_TRUE(done);

  start(away);

  EXPECT_TRUE(
      run_until([&] { return executed_reaches(away, done->counters.at("executed_slot")); }));
}

TEST_F(ReplicaGroupTest, ACleanStopHandsTheOfficeOver) {
  const std::size_t serving = leader();
  bool stopped = false;

  replicas_[serving]->drain([&] { stopped = true; });

  ASSERT_TRUE(run_until([&] { return stopped; }));
  replicas_[serving].reset();
  EXPECT_NE(leader(), serving);
}

TEST_F(ReplicaGroupTest, WithoutAQuorumNobodyIsToldThatATransactionIsUndecided) {
  const std::size_t serving = leader();
  const TransactionId unknown = make_id();
  for (std::size_t i = 0; i < kReplicas; ++i) {
    if (i != serving) replicas_[i].reset();
  }

  const auto answer = status(serving, unknown);

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kNotLeader);
}

TEST_F(ReplicaGroupTest, ADeliveryOfAStrangerIsNotHeard) {
  const std::size_t serving = leader();
  const std::size_t other = (serving + 1) % kReplicas;
  const auto ballot = process_status(serving)->facts.at("ballot");

  wire::Delivery wrong = takeover(other, serving);
  wrong.cluster = "another";
  deliver(serving, wrong);
  wrong = takeover(other, serving);
  wrong.receiver = static_cast<std::int32_t>(other + 1);
  deliver(serving, wrong);
  wrong = takeover(other, serving);
  wrong.protocol_version = 99;
  deliver(serving, wrong);
  deliver(serving, takeover(serving, serving));
  deliver(serving, takeover(77, serving));
  wrong = takeover(77, serving);
  wrong.disk = 0;
  deliver(serving, wrong);

  EXPECT_EQ(process_status(serving)->facts.at("ballot"), ballot);
  EXPECT_EQ(leader(), serving);
}

// What is in the log stays there: a member that could never speak, or be reached, would be one that
// every quorum counts.
TEST_F(ReplicaGroupTest, AReplicaThatCouldNotTakePartIsNotAdded) {
  const std::size_t at = leader();
  const std::string good = "127.0.0.1:7999";
  for (const std::int32_t id : {-1, 0, 1'001}) {
    const auto reply = add(at, id, good, "127.0.0.1:7998", "");
    ASSERT_FALSE(reply.has_value()) << id;
    EXPECT_EQ(reply.error().code, ErrorCode::kInvalidArgument) << id;
  }
  for (const char* const bad : {"", "nowhere", "127.0.0.1:many", "127.0.0.1:0", ":7999"}) {
    for (const auto& reply : {add(at, 4, bad, good, ""), add(at, 4, good, bad, "")}) {
      ASSERT_FALSE(reply.has_value()) << bad;
      EXPECT_EQ(reply.error().code, ErrorCode::kInvalidArgument) << bad;
    }
  }
  const auto reply = add(at, 4, good, "127.0.0.1:7998", "nowhere");
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ReplicaGroupTest, AMessageThatMakesNoSenseIsDroppedAndTheGroupGoesOn) {
  const std::size_t serving = leader();
  const std::size_t other = (serving + 1) % kReplicas;
  wire::Delivery delivery = takeover(other, serving);
  delivery.messages[0].prepare.ballot.replica = 99;  // another's
  delivery.messages.emplace_back();                  // of no kind
  wire::PaxosAccept accept;
  accept.ballot.incarnation = 1;
  accept.ballot.round = 1'000'000;
  accept.ballot.replica = delivery.sender;
  accept.first = 1;
  accept.values = {"no entry of the state machine"};
  delivery.messages.emplace_back().__set_accept(accept);
  accept.first = -1;
  accept.values = {""};
  delivery.messages.emplace_back().__set_accept(accept);
  const auto ballot = process_status(serving)->facts.at("ballot");

  deliver(serving, delivery);

  EXPECT_EQ(process_status(serving)->facts.at("ballot"), ballot);
  EXPECT_TRUE(abort(serving, make_id()));
}

// A member can lead others astray only as far as Paxos lets it: a ballot of its own.
TEST_F(ReplicaGroupTest, ABallotFarAheadOfAMemberCostsAnElectionAndNothingElse) {
  const std::size_t serving = leader();
  const TransactionId aborted = make_id();
  ASSERT_TRUE(abort(serving, aborted));

  deliver(serving, takeover((serving + 1) % kReplicas, serving));

  ASSERT_TRUE(run_until([&] { return abort(leader(), make_id()).has_value(); }));
  EXPECT_EQ(status(leader(), aborted)->state, wire::TransactionState::ABORTED);
}

}  // namespace
}  // namespace assent::coordinator
