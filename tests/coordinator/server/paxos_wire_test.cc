// Messages of consensus on the wire: what goes out comes in again, and what makes no sense does
// not.
#include "coordinator/server/paxos_wire.h"

#include <gtest/gtest.h>

#include <limits>

#include "coordinator/state/command.h"

namespace assent::coordinator {
namespace {

const ReplicaId kSender(2);
const Ballot kBallot{Incarnation(1), Round(7), kSender};
const Ballot kOther{Incarnation(1), Round(9), ReplicaId(3)};

paxos::Value entry() {
  return paxos::make_value(state::encode({LogTime(5), {state::OfficeTaken{kBallot}}}));
}
paxos::Value noop() {
  return paxos::make_value("");
}

bool same(const paxos::AcceptedValue& a, const paxos::AcceptedValue& b) {
  return a.ballot == b.ballot && *a.value == *b.value;
}

// What comes in when this goes out.
template <class Message>
Message again(const Message& message) {
  wire::PaxosMessage sent = to_wire(message);
  auto taken = from_wire(sent, kSender);
  EXPECT_TRUE(taken) << (taken ? "" : taken.error().message);
  if (!taken || !std::holds_alternative<Message>(*taken)) {
    ADD_FAILURE() << "came in as something else";
    return {};
  }
  return std::get<Message>(*taken);
}

TEST(PaxosWire, CarriesElections) {
  const auto question = again(paxos::PreVote{kBallot, Slot(4)});
  EXPECT_EQ(question.ballot, kBallot);
  EXPECT_EQ(question.chosen_through, Slot(4));

  const auto answer = again(paxos::PreVoteAnswer{kOther, true, Ballot{}});
  EXPECT_EQ(answer.ballot, kOther);
  EXPECT_TRUE(answer.welcome);
  EXPECT_EQ(answer.promised, Ballot{}) << "an acceptor that has promised nothing";

  const auto prepare = again(paxos::Prepare{kBallot, Slot(8)});
  EXPECT_EQ(prepare.ballot, kBallot);
  EXPECT_EQ(prepare.from, Slot(8));

  EXPECT_EQ(again(paxos::TakeOver{kBallot}).ballot, kBallot);
  EXPECT_EQ(again(paxos::Refused{kOther, kBallot}).promised, kBallot);
}

TEST(PaxosWire, CarriesRecovery) {
  constexpr std::uint64_t kNonce = 0xFEDCBA9876543210;
  const auto ask = again(paxos::RecoveryAsk{kOther, kNonce, Slot(4)});
  EXPECT_EQ(ask.ballot, kOther);
  EXPECT_EQ(ask.nonce, kNonce);
  EXPECT_EQ(ask.through, Slot(4));
  const auto answer = again(paxos::RecoveryAnswer{kBallot, kNonce, Slot(9), Slot(17)});
  EXPECT_EQ(answer.ballot, kBallot);
  EXPECT_EQ(answer.nonce, kNonce);
  EXPECT_EQ(answer.last, Slot(9));
  EXPECT_EQ(answer.governed_through, Slot(17));
}

TEST(PaxosWire, CarriesPromisesWithTheirValues) {
  const paxos::Promise promise{kOther,
                               Slot(3),
                               Slot(9),
                               {{Slot(3), {kBallot, entry()}}, {Slot(5), {kOther, noop()}}},
                               Slot(2)};

  const auto taken = again(promise);

  EXPECT_EQ(taken.ballot, kOther);
  EXPECT_EQ(taken.from, Slot(3));
  EXPECT_EQ(taken.next, Slot(9));
  EXPECT_EQ(taken.chosen_through, Slot(2));
  ASSERT_EQ(taken.accepted.size(), 2u);
  EXPECT_EQ(taken.accepted[1].slot, Slot(5));
  EXPECT_TRUE(same(taken.accepted[0].accepted, promise.accepted[0].accepted));
  EXPECT_TRUE(same(taken.accepted[1].accepted, promise.accepted[1].accepted));
}

TEST(PaxosWire, CarriesValuesAndTheirAcceptance) {
  const auto accept =
      again(paxos::Accept{kBallot, Slot(6), {entry(), noop()}, Slot(5), paxos::Probe(11)});
  EXPECT_EQ(accept.ballot, kBallot);
  EXPECT_EQ(accept.first, Slot(6));
  ASSERT_EQ(accept.values.size(), 2u);
  EXPECT_EQ(*accept.values[0], *entry());
  EXPECT_TRUE(paxos::is_noop(accept.values[1]));
  EXPECT_EQ(accept.chosen_through, Slot(5));
  EXPECT_EQ(accept.probe, paxos::Probe(11));

  const auto accepted = again(paxos::AcceptedThrough{kOther, Slot(7), Slot(6), paxos::Probe(11)});
  EXPECT_EQ(accepted.ballot, kOther);
  EXPECT_EQ(accepted.through, Slot(7));
  EXPECT_EQ(accepted.chosen_through, Slot(6));
  EXPECT_EQ(accepted.probe, paxos::Probe(11));
}

TEST(PaxosWire, CarriesOffersOfSnapshots) {
  const paxos::SnapshotInfo info{Slot(9), 0xFFFF'FFFF'FFFF'FFFFu, 77};

  const auto offer = again(paxos::SnapshotOffer{kBallot, info});

  EXPECT_EQ(offer.ballot, kBallot);
  EXPECT_EQ(offer.snapshot, info);
}

bool refused(wire::PaxosMessage message) {
  return !from_wire(message, kSender).has_value();
}

TEST(PaxosWire, RefusesABallotOfAnotherReplica) {
  EXPECT_TRUE(refused(to_wire(paxos::PreVote{kOther, Slot(1)})));
  EXPECT_TRUE(refused(to_wire(paxos::Prepare{kOther, Slot(1)})));
  EXPECT_TRUE(refused(to_wire(paxos::Accept{kOther, Slot(1), {}, Slot(0), paxos::Probe(0)})));
  EXPECT_TRUE(refused(to_wire(paxos::TakeOver{kOther})));
  EXPECT_TRUE(refused(to_wire(paxos::SnapshotOffer{kOther, {Slot(1), 1, 1}})));
}

TEST(PaxosWire, RefusesABallotOfNobody) {
  EXPECT_TRUE(refused(to_wire(paxos::Prepare{Ballot{}, Slot(1)})));
  EXPECT_TRUE(refused(to_wire(paxos::AcceptedThrough{{}, Slot(1), Slot(1), paxos::Probe(1)})));
  EXPECT_TRUE(refused(to_wire(paxos::Promise{kOther, Slot(1), {}, {{Slot(1), {{}, noop()}}}, {}})));
}

TEST(PaxosWire, RefusesNumbersThatDoNotCount) {
  for (const std::int64_t wrong : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()}) {
    wire::PaxosMessage prepare = to_wire(paxos::Prepare{kBallot, Slot(1)});
    prepare.prepare.from_slot = wrong;
    EXPECT_TRUE(refused(prepare));
    wire::PaxosMessage accept =
        to_wire(paxos::Accept{kBallot, Slot(1), {noop()}, Slot(0), paxos::Probe(0)});
    accept.accept.first = wrong;
    EXPECT_TRUE(refused(accept));
    wire::PaxosMessage promise =
        to_wire(paxos::Promise{kOther, Slot(1), {}, {{Slot(1), {kOther, noop()}}}, {}});
    promise.promise.accepted[0].slot = wrong;
    EXPECT_TRUE(refused(promise));
  }
}

TEST(PaxosWire, RefusesAValueThatNoReplicaCouldExecute) {
  wire::PaxosMessage accept =
      to_wire(paxos::Accept{kBallot, Slot(1), {noop()}, Slot(0), paxos::Probe(0)});
  accept.accept.values[0] = "not an entry";
  EXPECT_TRUE(refused(accept));
  accept.accept.values[0] = entry()->substr(0, entry()->size() - 1);
  EXPECT_TRUE(refused(accept));
}

TEST(PaxosWire, RefusesAMessageOfNoKnownKind) {
  EXPECT_TRUE(refused(wire::PaxosMessage()));
}

}  // namespace
}  // namespace assent::coordinator
