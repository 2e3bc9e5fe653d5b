// Elections: phase 1, pre-vote, check-quorum, handing over.
#include <gtest/gtest.h>

#include "tests/coordinator/paxos/stage.h"

namespace assent::paxos {
namespace {

// Makes replica 1 a candidate whose own promise is durable. Answers its ballot.
Ballot stand(Stage& stage) {
  stage.pass(Millis(1'000));
  const Ballot ballot = stage.take<PreVote>(1, 2).ballot;
  stage.step(1, Arrived{replica(2), PreVoteAnswer{ballot, true, {}}});
  stage.persist(1);
  stage.drop_all();
  return ballot;
}

PromisedSlot reported(std::uint64_t slot, std::uint64_t round, const std::string& value) {
  return {Slot(slot), {ballot(round, 3), make_value(value)}};
}

Options small_messages() {
  Options options = Stage::options_of({1});
  options.accept_bytes_max = 100;
  return options;
}

TEST(Phase1, ProposesTheHighestBallotsValueAgain) {
  Stage stage(5);
  stage.pass(Millis(1'000));
  const Ballot ballot = stage.take<PreVote>(1, 2).ballot;
  for (const std::uint32_t peer : {2u, 3u}) {
    stage.step(1, Arrived{replica(peer), PreVoteAnswer{ballot, true, {}}});
  }
  stage.persist(1);
  stage.drop_all();
  stage.step(1,
             Arrived{replica(2), Promise{ballot, Slot(1), Slot(0), {reported(1, 0, "low")}, {}}});
  EXPECT_FALSE(stage.at(1).leading());
  stage.step(1,
             Arrived{replica(3), Promise{ballot, Slot(1), Slot(0), {reported(1, 1, "high")}, {}}});
  ASSERT_TRUE(stage.at(1).leading());
  stage.drop_all();
  stage.step(1, Arrived{replica(4), AcceptedThrough{ballot, Slot(0), Slot(0), Probe(1)}});
  EXPECT_EQ(*stage.take<Accept>(1, 4).values.at(0), "high");
}

TEST(Phase1, FillsHolesWithNoOps) {
  Stage stage(3);
  const Ballot ballot = stand(stage);
  stage.step(1, Arrived{replica(2), Promise{ballot, Slot(1), Slot(0), {reported(3, 1, "c")}, {}}});
  stage.settle();
  EXPECT_EQ(stage.values(1), (std::vector<std::string>{"", "", "c"}));
}

TEST(Phase1, AMinorityOfPromisesIsNotEnough) {
  Stage stage(3);
  stand(stage);
  EXPECT_EQ(stage.at(1).role_name(), "candidate");
  EXPECT_FALSE(stage.at(1).leading());
}

TEST(Phase1, PromisesOfAnotherBallotDoNotCount) {
  Stage stage(3);
  const Ballot mine = stand(stage);
  const Ballot other{mine.incarnation, Round(mine.round.value - 1), mine.replica};
  stage.step(1, Arrived{replica(2), Promise{other, Slot(1), Slot(0), {}, {}}});
  EXPECT_FALSE(stage.at(1).leading());
}

TEST(Phase1, ALongPromiseComesInParts) {
  Stage stage(3, small_messages());
  stage.elect(1);
  for (int i = 0; i < 6; ++i) {
    stage.propose(1, std::string(40, static_cast<char>('a' + i)));
    stage.settle({3});  // the third learns nothing
  }
  stage.elect(3, {1});
  EXPECT_EQ(stage.values(3).size(), 6u);
  EXPECT_EQ(stage.values(3).back(), std::string(40, 'f'));
}

TEST(Phase1, APartThatComesTwiceCountsOnce) {
  Stage stage(3, small_messages());
  const Ballot ballot = stand(stage);
  const Promise part{ballot, Slot(1), Slot(2), {reported(1, 1, "a")}, {}};
  stage.step(1, Arrived{replica(2), part});
  stage.step(1, Arrived{replica(2), part});
  EXPECT_FALSE(stage.at(1).leading());
  EXPECT_EQ((stage.take<Prepare>(1, 2).from), Slot(2));
  stage.step(1, Arrived{replica(2), Promise{ballot, Slot(2), Slot(0), {reported(2, 1, "b")}, {}}});
  ASSERT_TRUE(stage.at(1).leading());
  stage.settle();
  EXPECT_EQ(stage.values(1), (std::vector<std::string>{"a", "b"}));
}

TEST(Ballots, ARefusedCandidateGivesWayAndGoesHigher) {
  Stage stage(3);
  const Ballot ballot = stand(stage);
  stage.step(1, Arrived{replica(3), Refused{ballot, paxos::ballot(50, 3)}});
  EXPECT_EQ(stage.at(1).role_name(), "follower");
  stage.pass(Millis(1'000));
  EXPECT_LT(paxos::ballot(50, 3), (stage.take<PreVote>(1, 2).ballot));
}

TEST(Ballots, ALeaderThatIsRefusedStepsDown) {
  Stage stage(3);
  stage.elect(1);
  const Ballot mine = *stage.at(1).leading();
  stage.step(1, Arrived{replica(3), Refused{mine, ballot(50, 3)}});
  EXPECT_FALSE(stage.at(1).leading());
}

TEST(Ballots, ALateAcceptOfALowerBallotIsRefused) {
  Stage stage(3);
  stage.step(1, Arrived{replica(3), Prepare{ballot(5, 3), Slot(1)}});
  stage.step(1,
             Arrived{replica(2), Accept{ballot(4, 2), Slot(1), {make_value("x")}, {}, Probe(1)}});
  stage.persist(1);
  EXPECT_EQ((stage.take<Refused>(1, 2).promised), ballot(5, 3));
  EXPECT_FALSE(stage.has<AcceptedThrough>(1, 2));
}

TEST(PreVote, AFollowerThatHearsItsLeaderWelcomesNobody) {
  Stage stage(3);
  stage.elect(1);
  stage.step(2, Arrived{replica(3), PreVote{ballot(50, 3), Slot(0)}});
  EXPECT_FALSE((stage.take<PreVoteAnswer>(2, 3).welcome));
}

TEST(PreVote, ALeaderThatHearsAQuorumWelcomesNobody) {
  Stage stage(3);
  stage.elect(1);
  stage.step(1, Arrived{replica(3), PreVote{ballot(50, 3), Slot(0)}});
  EXPECT_FALSE((stage.take<PreVoteAnswer>(1, 3).welcome));
  EXPECT_TRUE(stage.at(1).leading());
}

TEST(PreVote, AReplicaThatComesBackDoesNotDisturb) {
  Stage stage(3);
  stage.elect(1);
  const Ballot office = *stage.at(1).leading();
  for (int i = 0; i < 100; ++i) {
    stage.pass(Millis(50));
    stage.settle({3});  // away for 5 s, always trying
  }
  for (int i = 0; i < 100; ++i) {
    stage.pass(Millis(50));
    stage.settle();
  }
  EXPECT_EQ(stage.at(1).leading(), office);
  EXPECT_EQ(stage.at(3).candidacies(), 0u);
  EXPECT_EQ(stage.at(3).leader(), replica(1));
}

// Since then the one who answered may have found a leader.
TEST(PreVote, AWelcomeToAnEarlierQuestionIsNotCounted) {
  Stage stage(3);
  stage.pass(Millis(1'000));
  const auto first = stage.take<PreVote>(3, 2);
  stage.drop_all();
  stage.pass(Millis(1'000));
  const auto second = stage.take<PreVote>(3, 2);
  stage.step(3, Arrived{replica(2), PreVoteAnswer{first.ballot, true, {}}});
  EXPECT_EQ(stage.at(3).candidacies(), 0u);
  stage.step(3, Arrived{replica(2), PreVoteAnswer{second.ballot, true, {}}});
  EXPECT_EQ(stage.at(3).candidacies(), 1u);
}

TEST(PreVote, OneThatIsFarBehindIsNotWelcome) {
  Options options = Stage::options_of({1});
  options.lag_max = 2;
  Stage stage(3, options);
  stage.elect(1);
  for (int i = 0; i < 5; ++i) {
    stage.propose(1, "v");
    stage.settle({3});
  }
  stage.pass(Millis(60));
  stage.settle({3});
  stage.step(2, PeerLost{replica(1)});
  stage.drop_all();
  stage.step(2, Arrived{replica(3), PreVote{ballot(50, 3), Slot(0)}});
  EXPECT_FALSE((stage.take<PreVoteAnswer>(2, 3).welcome));
  stage.step(2, Arrived{replica(3), PreVote{ballot(51, 3), Slot(3)}});
  EXPECT_TRUE((stage.take<PreVoteAnswer>(2, 3).welcome));
}

TEST(CheckQuorum, ALeaderThatHearsNobodyStepsDown) {
  Stage stage(3);
  stage.elect(1);
  for (int i = 0; i < 20; ++i) {
    stage.pass(Millis(50));
    stage.settle({2, 3});
  }
  EXPECT_FALSE(stage.at(1).leading());
}

// A heartbeat that was on its way for long says nothing of now: its sender may be dead.
TEST(PreVote, ALateHeartbeatIsNoSignOfLife) {
  Stage stage(3);
  stage.elect(1);
  const Ballot office = *stage.at(1).leading();
  for (int i = 0; i < 3; ++i) {
    stage.pass(Millis(60));
    stage.settle();
  }
  for (int i = 0; i < 20; ++i) {
    stage.pass(Millis(50));
    stage.settle({1});
    for (const std::uint32_t id : {2u, 3u}) {
      stage.step(id, Arrived{replica(1), Accept{office, Slot(), {}, Slot(0), Probe(1)}});
    }
  }
  EXPECT_TRUE(stage.at(2).leading() || stage.at(3).leading());
}

// An answer that was on its way for long says nothing of now.
TEST(CheckQuorum, ALateAnswerIsNoSignOfLife) {
  Stage stage(3);
  stage.elect(1);
  const Ballot office = *stage.at(1).leading();
  for (int i = 0; i < 20; ++i) {
    stage.pass(Millis(50));
    stage.settle({2, 3});
    stage.step(1, Arrived{replica(2), AcceptedThrough{office, Slot(0), Slot(0), Probe(1)}});
  }
  EXPECT_FALSE(stage.at(1).leading());
}

TEST(SlowDisk, ALeaderWhoseDiskStallsHandsOverAndStepsDown) {
  Stage stage(3);
  stage.elect(1);
  stage.propose(1, "a");
  const Ballot office = *stage.at(1).leading();
  Probe probe;
  for (int i = 0; i < 30 && stage.at(1).leading(); ++i) {
    stage.pass(Millis(50));
    probe = probe.next();
    for (const std::uint32_t peer : {2u, 3u}) {
      if (!stage.at(1).leading()) break;
      stage.step(1, Arrived{replica(peer), AcceptedThrough{office, Slot(0), Slot(0), probe}});
    }
  }
  EXPECT_FALSE(stage.at(1).leading());
  EXPECT_TRUE(stage.has<TakeOver>(1, 2) || stage.has<TakeOver>(1, 3));
}

TEST(SlowDisk, ALeaderAloneInItsGroupWaits) {
  Stage stage(1);
  stage.elect(1);
  stage.propose(1, "a");
  for (int i = 0; i < 100; ++i) stage.pass(Millis(50));
  EXPECT_TRUE(stage.at(1).leading());
}

TEST(FullDisk, AReplicaWithoutRoomStandsForNoElectionUntilThereIsSome) {
  Stage stage(3);
  stage.elect(1);
  stage.step(2, DiskShort{true});
  for (int i = 0; i < 100; ++i) {
    stage.pass(Millis(50));
    stage.settle({1, 3});
  }
  EXPECT_EQ(stage.at(2).candidacies(), 0u);
  EXPECT_EQ(stage.at(2).role_name(), "follower");

  stage.step(2, DiskShort{false});
  stage.elect(2, {1});
  EXPECT_TRUE(stage.at(2).leading());
}

TEST(FullDisk, AReplicaWithoutRoomVotes) {
  Stage stage(3);
  stage.step(2, DiskShort{true});
  stage.elect(1, {3});
  stage.propose(1, "a");
  stage.settle({3});
  EXPECT_EQ(stage.values(1), std::vector<std::string>{"a"}) << "chosen with the vote of 2";
  stage.pass(Millis(50));
  stage.settle({3});
  EXPECT_EQ(stage.values(2), std::vector<std::string>{"a"});
}

TEST(FullDisk, AReplicaWithoutRoomTakesNoOfficeOver) {
  Stage stage(3);
  stage.elect(1);
  stage.step(2, DiskShort{true});
  stage.step(1, TransferAsked{replica(2)});
  stage.settle();
  EXPECT_EQ(stage.at(2).candidacies(), 0u);
  EXPECT_TRUE(stage.at(1).leading());
}

TEST(FullDisk, AReplicaAloneStandsAllTheSame) {
  Stage stage(1);
  stage.step(1, DiskShort{true});
  stage.elect(1);
  EXPECT_TRUE(stage.at(1).leading());
}

TEST(Handover, TheSuccessorHasTheWholeLogFirst) {
  Stage stage(3);
  stage.elect(1);
  stage.propose(1, "a");
  stage.step(1, TransferAsked{replica(2)});
  EXPECT_FALSE(stage.at(1).can_propose());
  EXPECT_FALSE(stage.has<TakeOver>(1, 2));
  stage.settle();
  EXPECT_TRUE(stage.at(2).leading());
  EXPECT_FALSE(stage.at(1).leading());
  stage.settle();
  EXPECT_EQ(stage.values(2), std::vector<std::string>{"a"});
}

TEST(Handover, TheOfficeGoesOnWhenNobodyTakesIt) {
  Stage stage(3);
  stage.elect(1);
  const Ballot office = *stage.at(1).leading();
  stage.step(1, TransferAsked{replica(2)});
  stage.drop_all();
  for (int i = 0; i < 10; ++i) {
    stage.pass(Millis(50));
    stage.settle();
  }
  EXPECT_EQ(stage.at(1).leading(), office);
  EXPECT_TRUE(stage.at(1).can_propose());
}

TEST(Handover, ALostConnectionToTheLeaderShortensTheWait) {
  Stage stage(3);
  stage.elect(1);
  stage.step(2, PeerLost{replica(1)});
  stage.step(3, PeerLost{replica(1)});
  const MonoTime lost = stage.now();
  EXPECT_LE(stage.at(2).next_deadline() - lost, Millis(75));
  EXPECT_LE(stage.at(3).next_deadline() - lost, Millis(75));
}

}  // namespace
}  // namespace assent::paxos
