// R2: nothing leaves a replica before what it says is durable.
#include <gtest/gtest.h>

#include "tests/coordinator/paxos/stage.h"

namespace assent::paxos {
namespace {

TEST(Durability, APromiseIsAnsweredWhenItIsDurable) {
  Stage stage(3);
  stage.step(1, Arrived{replica(2), Prepare{ballot(1, 2), Slot(1)}});
  EXPECT_FALSE(stage.has<Promise>(1, 2));
  stage.persist(1);
  EXPECT_EQ((stage.take<Promise>(1, 2).ballot), ballot(1, 2));
}

TEST(Durability, AnAcceptanceIsAnsweredWhenItIsDurable) {
  Stage stage(3);
  stage.step(
      1, Arrived{replica(2), Accept{ballot(1, 2), Slot(1), {make_value("a")}, Slot(0), Probe(1)}});
  EXPECT_FALSE(stage.has<AcceptedThrough>(1, 2));
  stage.persist(1);
  EXPECT_EQ((stage.take<AcceptedThrough>(1, 2).through), Slot(1));
}

TEST(Durability, ARepeatedAcceptIsAnsweredNoEarlierThanTheFirst) {
  Stage stage(3);
  const Accept accept{ballot(1, 2), Slot(1), {make_value("a")}, Slot(0), Probe(1)};
  stage.step(1, Arrived{replica(2), accept});
  stage.step(1, Arrived{replica(2), accept});
  EXPECT_FALSE(stage.has<AcceptedThrough>(1, 2));
  stage.persist(1);
  EXPECT_TRUE(stage.has<AcceptedThrough>(1, 2));
}

TEST(Durability, ACandidateAsksWhenItsOwnPromiseIsDurable) {
  Stage stage(3);
  stage.pass(Millis(1'000));
  stage.step(1, Arrived{replica(2), PreVoteAnswer{stage.take<PreVote>(1, 2).ballot, true, {}}});
  EXPECT_EQ(stage.at(1).role_name(), "candidate");
  EXPECT_FALSE(stage.has<Prepare>(1, 2));
  stage.persist(1);
  EXPECT_TRUE(stage.has<Prepare>(1, 2));
}

TEST(Durability, BallotsNeverRepeatAcrossRestarts) {
  Stage stage(3);
  stage.elect(1);
  const Ballot first = *stage.at(1).leading();
  stage.restart(1);
  stage.drop_all();
  stage.elect(1);
  EXPECT_LT(first, *stage.at(1).leading());
}

TEST(Durability, ACandidacyThatDiedBeforeItsPromiseWasDurableUsedNoBallot) {
  Stage stage(3);
  stage.pass(Millis(1'000));
  const Ballot tried = stage.take<PreVote>(1, 2).ballot;
  stage.step(1, Arrived{replica(2), PreVoteAnswer{tried, true, {}}});
  stage.restart(1);
  EXPECT_FALSE(stage.has<Prepare>(1, 2));
  EXPECT_LT(stage.at(1).highest_ballot(), tried);
}

TEST(Durability, ALeaderCountsItsOwnAcceptanceWhenItIsDurable) {
  Stage stage(3);
  stage.elect(1);
  stage.propose(1, "a");
  const Accept sent = stage.take<Accept>(1, 2);
  stage.drop_all();
  stage.step(1, Arrived{replica(2), AcceptedThrough{sent.ballot, Slot(1), Slot(0), sent.probe}});
  EXPECT_TRUE(stage.values(1).empty());
  stage.persist(1);
  EXPECT_EQ(stage.values(1), std::vector<std::string>{"a"});
}

TEST(Durability, TwoOthersAreAQuorumWithoutTheLeadersDisk) {
  Stage stage(3);
  stage.elect(1);
  stage.propose(1, "a");
  const Accept sent = stage.take<Accept>(1, 2);
  for (const std::uint32_t peer : {2u, 3u}) {
    stage.step(1,
               Arrived{replica(peer), AcceptedThrough{sent.ballot, Slot(1), Slot(0), sent.probe}});
  }
  EXPECT_EQ(stage.values(1), std::vector<std::string>{"a"});
}

TEST(Durability, AGroupOfOneChoosesWhatItsDiskHolds) {
  Stage stage(1);
  stage.elect(1);
  stage.propose(1, "a");
  EXPECT_TRUE(stage.values(1).empty());
  stage.persist(1);
  EXPECT_EQ(stage.values(1), std::vector<std::string>{"a"});
}

TEST(Durability, ARestartRestoresPromiseValuesAndMark) {
  Stage stage(3);
  stage.elect(1);
  for (const char* value : {"a", "b", "c"}) {
    stage.propose(1, value);
    stage.settle();
  }
  stage.pass(Millis(60));  // the heartbeat tells what is chosen
  stage.settle();
  stage.propose(1, "d");  // its record brings the mark with it
  stage.settle();
  const Ballot promised = stage.at(2).highest_ballot();
  stage.restart(2);
  EXPECT_EQ(stage.at(2).highest_ballot(), promised);
  EXPECT_EQ(stage.values(2), (std::vector<std::string>{"a", "b", "c"}));
}

}  // namespace
}  // namespace assent::paxos
