// What consensus does when old values are no longer kept: snapshots are offered and taken in.
#include <gtest/gtest.h>

#include "tests/coordinator/paxos/stage.h"

namespace assent::paxos {
namespace {

constexpr SnapshotInfo kSnapshot{Slot(8), 0xABC, 4'096};

// Three replicas; the third was away for ten values, of which the others keep only what comes after
// the snapshot of slot 8.
class SnapshotTest : public testing::Test {
 protected:
  static Options options() {
    Options out = Stage::options_of({1});
    out.recent_bytes_max = 1;  // the last value only
    return out;
  }

  SnapshotTest() : stage_(3, options()) {
    stage_.elect(1);
    for (int i = 0; i < 10; ++i) {
      stage_.propose(1, std::string(1, static_cast<char>('a' + i)));
      stage_.settle({3});
    }
    for (const std::uint32_t id : {1u, 2u}) {
      stage_.player(id).log.kept_from = Slot(9);
      stage_.step(id, SnapshotKept{kSnapshot});
    }
  }

  void beat(const std::vector<std::uint32_t>& cut = {}) {
    stage_.pass(Millis(60));
    stage_.settle(cut);
  }

  Stage stage_;
};

TEST_F(SnapshotTest, IsOfferedToAMemberWhoseValuesAreGone) {
  beat();
  beat();

  ASSERT_TRUE(stage_.player(3).offered.has_value());
  EXPECT_EQ(stage_.player(3).offered->from, replica(1));
  EXPECT_EQ(stage_.player(3).offered->snapshot, kSnapshot);
  EXPECT_TRUE(stage_.values(3).empty());
}

TEST_F(SnapshotTest, TheLogGoesOnBehindIt) {
  beat();
  stage_.step(3, SnapshotInstalled{Slot(8)});
  EXPECT_EQ(stage_.at(3).chosen_through(), Slot(8));

  for (int i = 0; i < 3; ++i) beat();

  EXPECT_EQ(stage_.values(3), (std::vector<std::string>{"i", "j"}));
}

TEST_F(SnapshotTest, IsNotOfferedToAMemberThatTheLogCanCatchUp) {
  for (int i = 0; i < 3; ++i) beat();
  EXPECT_FALSE(stage_.player(2).offered.has_value());
}

TEST_F(SnapshotTest, ASnapshotThatEndsBeforeTheLogBeginsIsNotOffered) {
  stage_.player(1).log.kept_from = Slot(10);
  for (int i = 0; i < 3; ++i) beat();
  EXPECT_FALSE(stage_.player(3).offered.has_value());
}

// P2c: who cannot report what was chosen must not promise.
TEST_F(SnapshotTest, APromiseThatWouldHideWhatWasChosenIsNotGiven) {
  const Ballot before = stage_.at(2).highest_ballot();
  const Ballot higher = ballot(before.round.value + 5, 3);
  stage_.drop_all();

  stage_.step(2, Arrived{replica(3), Prepare{higher, Slot(8)}});
  stage_.settle();
  EXPECT_FALSE(stage_.has<Promise>(2, 3));
  EXPECT_EQ(stage_.at(2).leader(), replica(1)) << "its leader is not left for it";

  stage_.step(2, Arrived{replica(3), Prepare{higher, Slot(9)}});
  stage_.persist(2);
  EXPECT_EQ(stage_.take<Promise>(2, 3).accepted.size(), 2u);
}

TEST_F(SnapshotTest, AReplicaThatLacksWhatIsGoneIsNotWelcome) {
  // Nobody hears a leader any more.
  for (int i = 0; i < 20; ++i) {
    stage_.pass(Millis(100));
    stage_.drop_all();
  }
  const Ballot asked = ballot(stage_.at(2).highest_ballot().round.value + 100, 3);

  stage_.step(2, Arrived{replica(3), PreVote{asked, Slot(7)}});
  EXPECT_FALSE(stage_.take<PreVoteAnswer>(2, 3).welcome);

  stage_.step(2, Arrived{replica(3), PreVote{asked, Slot(8)}});
  EXPECT_TRUE(stage_.take<PreVoteAnswer>(2, 3).welcome);
}

TEST_F(SnapshotTest, OneThatTheMarkHasPassedChangesNothing) {
  stage_.step(2, SnapshotInstalled{Slot(3)});
  EXPECT_LE(Slot(9), stage_.at(2).chosen_through());
}

TEST_F(SnapshotTest, ALeaderTakesNoneIn) {
  stage_.step(1, SnapshotInstalled{Slot(100)});
  EXPECT_EQ(stage_.at(1).chosen_through(), Slot(10));
}

TEST_F(SnapshotTest, WhatWasAcceptedAboveItStays) {
  stage_.propose(1, "k");
  const Accept accept = stage_.take<Accept>(1, 2);
  stage_.step(3, Arrived{replica(1), accept});
  stage_.persist(3);

  stage_.step(3, SnapshotInstalled{Slot(10)});
  stage_.step(3, Arrived{replica(2), Prepare{ballot(1'000, 2), Slot(11)}});
  stage_.persist(3);

  const Promise promise = stage_.take<Promise>(3, 2);
  ASSERT_EQ(promise.accepted.size(), 1u);
  EXPECT_EQ(*promise.accepted[0].accepted.value, "k");
}

TEST_F(SnapshotTest, AnOfferOfAnEarlierLeaderIsRefused) {
  stage_.step(3, Arrived{replica(2), Prepare{ballot(1'000, 2), Slot(1)}});
  stage_.persist(3);
  stage_.step(3, Arrived{replica(1), SnapshotOffer{ballot(1, 1), kSnapshot}});
  stage_.persist(3);
  EXPECT_FALSE(stage_.player(3).offered.has_value());
  EXPECT_TRUE(stage_.has<Refused>(3, 1));
}

}  // namespace
}  // namespace assent::paxos
