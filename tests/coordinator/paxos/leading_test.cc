// Phase 2, catching up, reads.
#include <gtest/gtest.h>

#include "tests/coordinator/paxos/stage.h"

namespace assent::paxos {
namespace {

std::vector<std::string> letters(int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.emplace_back(1, static_cast<char>('a' + i));
  return out;
}

void propose_letters(Stage& stage, int count, const std::vector<std::uint32_t>& cut = {}) {
  for (const std::string& letter : letters(count)) {
    stage.propose(1, letter);
    stage.settle(cut);
  }
}

void beat(Stage& stage, int times = 3) {
  for (int i = 0; i < times; ++i) {
    stage.pass(Millis(60));
    stage.settle();
  }
}

TEST(Leading, EveryoneLearnsEverythingInOrder) {
  Stage stage(3);
  stage.elect(1);
  propose_letters(stage, 5);
  beat(stage);
  for (const std::uint32_t id : {1u, 2u, 3u}) EXPECT_EQ(stage.values(id), letters(5));
}

TEST(Leading, OpenSlotsAreBounded) {
  Options options = Stage::options_of({1});
  options.open_slots_max = 3;
  Stage stage(3, options);
  stage.elect(1);
  for (int i = 0; i < 3; ++i) stage.propose(1, "x");
  EXPECT_FALSE(stage.at(1).can_propose());
  stage.settle();
  EXPECT_TRUE(stage.at(1).can_propose());
}

TEST(Leading, AcceptancesOfALowerBallotDoNotChoose) {
  Stage stage(3);
  stage.elect(1);
  stage.propose(1, "a");
  const Ballot office = *stage.at(1).leading();
  const Ballot lower{office.incarnation, Round(office.round.value - 1), office.replica};
  for (const std::uint32_t peer : {2u, 3u}) {
    stage.step(1, Arrived{replica(peer), AcceptedThrough{lower, Slot(1), Slot(0), Probe(1)}});
  }
  EXPECT_TRUE(stage.values(1).empty());
}

TEST(Leading, AFollowerMarksOnlyWhatItAcceptedUnderThatBallot) {
  Stage stage(3);
  // An old leader's value, which nobody chose.
  stage.step(1,
             Arrived{replica(2), Accept{ballot(1, 2), Slot(1), {make_value("old")}, {}, Probe(1)}});
  // A new one says that slot 1 is chosen, and its own value got lost.
  stage.step(1, Arrived{replica(3), Accept{ballot(2, 3), Slot(), {}, Slot(1), Probe(1)}});
  EXPECT_TRUE(stage.values(1).empty());
  stage.step(1, Arrived{replica(3),
                        Accept{ballot(2, 3), Slot(1), {make_value("new")}, Slot(1), Probe(2)}});
  EXPECT_EQ(stage.values(1), std::vector<std::string>{"new"});
}

TEST(Leading, LostValuesAreSentAgain) {
  Stage stage(3);
  stage.elect(1);
  stage.propose(1, "a");
  stage.drop_all();
  beat(stage);
  EXPECT_EQ(stage.values(1), letters(1));
}

TEST(Leading, ValuesThatArriveInAnyOrderAreAccepted) {
  Stage stage(3);
  stage.elect(1);
  stage.propose(1, "a");
  stage.propose(1, "b");
  const Accept first = stage.take<Accept>(1, 2);
  const Accept second = stage.take<Accept>(1, 2);
  stage.step(2, Arrived{replica(1), second});
  stage.step(2, Arrived{replica(1), first});
  stage.settle();
  beat(stage);
  EXPECT_EQ(stage.values(2), letters(2));
}

TEST(Leading, AReplicaThatWasAwayIsCaughtUpFromTheLog) {
  Options options = Stage::options_of({1});
  options.recent_bytes_max = 4;  // the leader has to read its log
  options.accept_bytes_max = 3;
  Stage stage(3, options);
  stage.elect(1);
  propose_letters(stage, 20, {3});
  EXPECT_TRUE(stage.values(3).empty());
  beat(stage, 10);
  EXPECT_EQ(stage.values(3), letters(20));
}

TEST(Leading, MessagesInFlightToAPeerAreBounded) {
  Options options = Stage::options_of({1});
  options.recent_bytes_max = 1;
  options.accept_bytes_max = 1;
  options.messages_in_flight_max = 4;
  Stage stage(3, options);
  stage.elect(1);
  propose_letters(stage, 20, {3});
  stage.drop_all();
  const Ballot office = *stage.at(1).leading();
  stage.step(1, Arrived{replica(3), AcceptedThrough{office, Slot(0), Slot(0), Probe(100)}});
  EXPECT_EQ(stage.on_the_wire(), 4u);
}

TEST(Leading, ANewLeaderFinishesWhatTheOldOneBegan) {
  Stage stage(3);
  stage.elect(1);
  stage.propose(1, "a");
  stage.step(2, Arrived{replica(1), stage.take<Accept>(1, 2)});
  stage.persist(2);
  stage.drop_all();  // nobody told the leader, and it dies
  stage.elect(3, {1});
  stage.settle({1});
  EXPECT_EQ(stage.values(3), letters(1));
}

TEST(Reads, WaitForAQuorumOfAProbeThatWasSentAfterwards) {
  Stage stage(3);
  stage.elect(1);
  propose_letters(stage, 1);
  const Ballot office = *stage.at(1).leading();
  stage.drop_all();
  stage.step(1, ReadAsked{ReadToken(9)});
  EXPECT_TRUE(stage.player(1).reads.empty());
  const Accept round = stage.take<Accept>(1, 2);
  const Probe before(round.probe.value - 1);
  stage.step(1, Arrived{replica(2), AcceptedThrough{office, Slot(1), Slot(1), before}});
  EXPECT_TRUE(stage.player(1).reads.empty());
  stage.step(1, Arrived{replica(2), AcceptedThrough{office, Slot(1), Slot(1), round.probe}});
  ASSERT_EQ(stage.player(1).reads.size(), 1u);
  EXPECT_EQ(stage.player(1).reads[0].index, Slot(1));
}

TEST(Reads, ThoseThatComeMeanwhileShareTheNextRound) {
  Stage stage(3);
  stage.elect(1);
  stage.drop_all();
  for (std::uint64_t token = 1; token <= 10; ++token) stage.step(1, ReadAsked{ReadToken(token)});
  EXPECT_EQ(stage.on_the_wire(), 2u);  // one round, to two peers
  stage.settle();
  EXPECT_EQ(stage.player(1).reads.size(), 10u);
}

TEST(Reads, AStaleLeaderAnswersNone) {
  Stage stage(3);
  stage.elect(1);
  stage.settle();
  stage.elect(2, {1});
  ASSERT_TRUE(stage.at(1).leading());  // it does not know better yet
  stage.step(1, ReadAsked{ReadToken(1)});
  stage.settle();
  EXPECT_TRUE(stage.player(1).reads.empty());
  EXPECT_EQ(stage.player(1).reads_lost, std::vector<ReadToken>{ReadToken(1)});
}

TEST(Reads, AFollowerAnswersNone) {
  Stage stage(3);
  stage.elect(1);
  stage.step(2, ReadAsked{ReadToken(1)});
  EXPECT_EQ(stage.player(2).reads_lost, std::vector<ReadToken>{ReadToken(1)});
}

TEST(Reads, TheirQueueIsBounded) {
  Options options = Stage::options_of({1});
  options.reads_waiting_max = 2;
  Stage stage(3, options);
  stage.elect(1);
  for (std::uint64_t token = 1; token <= 3; ++token) stage.step(1, ReadAsked{ReadToken(token)});
  EXPECT_EQ(stage.player(1).reads_lost, std::vector<ReadToken>{ReadToken(3)});
}

}  // namespace
}  // namespace assent::paxos
