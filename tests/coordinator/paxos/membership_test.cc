// Groups that change: docs/paxos.md, "Which group governs a slot".
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/coordinator/paxos/stage.h"

namespace assent::paxos {
namespace {

using Ids = std::vector<std::uint32_t>;

class MembershipTest : public testing::Test {
 protected:
  // Replicas 1 to 3 are the group, 1 leads; 4 and 5 have joined and are nobody yet.
  MembershipTest() {
    stage_.join(4);
    stage_.join(5);
    stage_.elect(1);
  }

  // The leader proposes the change; it is executed, and does not govern yet. Answers from where on
  // it does.
  Slot propose_change(const std::string& group, const Ids& cut = {}, std::uint32_t leader = 1) {
    stage_.propose(leader, "=" + group);
    stage_.settle(cut);
    return stage_.at(leader).groups().latest_from();
  }
  // All slots in front of the latest change are chosen.
  void fill(const Ids& cut = {}, std::uint32_t leader = 1) {
    while (stage_.at(leader).leading() &&
           stage_.at(leader).chosen_through().next() < stage_.at(leader).groups().latest_from()) {
      stage_.propose(leader, "");
      stage_.settle(cut);
    }
  }
  void change(const std::string& group, const Ids& cut = {}, std::uint32_t leader = 1) {
    propose_change(group, cut, leader);
    fill(cut, leader);
  }
  void beat(int times, const Ids& cut = {}) {
    for (int i = 0; i < times; ++i) {
      stage_.pass(Millis(50));
      stage_.settle(cut);
    }
  }
  // The value is chosen though these are cut off.
  bool chooses(const Ids& cut, std::uint32_t leader = 1) {
    if (!stage_.at(leader).can_propose()) return false;
    const Slot before = stage_.at(leader).chosen_through();
    stage_.propose(leader, "x");
    stage_.settle(cut);
    beat(3, cut);  // what was lost before is sent again
    return before < stage_.at(leader).chosen_through();
  }
  Consensus& at(std::uint32_t id) { return stage_.at(id); }

  Stage stage_{3};
};

// ── which group governs ─────────────────────────────────────────────────────────────────────────

TEST_F(MembershipTest, AChangeGovernsFromItsDistanceOn) {
  const Slot from = propose_change("1234");
  EXPECT_EQ(from, Slot(1 + kGroupDistance));
  const Groups& groups = at(1).groups();
  EXPECT_EQ(groups.at(Slot(from.value - 1)), group_of("123"));
  EXPECT_EQ(groups.at(from), group_of("1234"));
  EXPECT_EQ(groups.last_like(Slot(1)), Slot(from.value - 1));
  EXPECT_EQ(groups.last_like(from), std::nullopt);
}

TEST_F(MembershipTest, TheOldGroupDecidesTheSlotsInFrontOfIt) {
  propose_change("1234");
  EXPECT_FALSE(chooses({2, 3})) << "one member of three, and one who is none yet";
  EXPECT_TRUE(chooses({3, 4})) << "two members of three";
}

TEST_F(MembershipTest, TheNewGroupDecidesTheSlotsFromThereOn) {
  change("1234");
  EXPECT_FALSE(chooses({3, 4})) << "two of four";
  EXPECT_TRUE(chooses({3})) << "three of four";
}

TEST_F(MembershipTest, AGroupThatShrinksNeedsItsOwnQuorumOnly) {
  change("1234");
  change("123", {4});  // the fourth is dead
  EXPECT_TRUE(chooses({3, 4})) << "two of three";
  EXPECT_FALSE(chooses({2, 3}));
}

TEST_F(MembershipTest, SlotsOfTwoGroupsMayBeOpenAtOnce) {
  const Slot from = propose_change("1234");
  fill();
  // Back to three while slots are open: they belong to the four.
  stage_.propose(1, "=123");
  stage_.settle({4});
  ASSERT_EQ(at(1).groups().latest_from(), Slot(from.value + kGroupDistance));
  for (std::uint64_t i = 1; i < kGroupDistance; ++i) stage_.propose(1, "");
  EXPECT_TRUE(at(1).can_propose());
  stage_.propose(1, "of three");
  EXPECT_FALSE(at(1).can_propose()) << "no more open slots than the group is known of";
  stage_.settle({3, 4});
  EXPECT_EQ(at(1).chosen_through(), from) << "two of four choose nothing";
  beat(4, {3});
  EXPECT_EQ(stage_.values(1).back(), "of three");
}

// ── learners ────────────────────────────────────────────────────────────────────────────────────

TEST_F(MembershipTest, ALearnerIsCaughtUpAndCountsNowhere) {
  EXPECT_TRUE(chooses({}));
  change("123/4");
  beat(4);
  EXPECT_EQ(at(4).chosen_through(), at(1).chosen_through());
  EXPECT_EQ(stage_.values(4), stage_.values(1));
  EXPECT_EQ(at(4).group(), group_of("123/4")) << "it knows the group from the log";
  EXPECT_FALSE(chooses({2, 3}));
}

TEST_F(MembershipTest, WhoIsNoMemberNeverStands) {
  change("123/4");
  beat(60, {1, 2, 3});
  for (const std::uint32_t id : {4u, 5u}) {
    EXPECT_EQ(at(id).candidacies(), 0u);
    EXPECT_EQ(at(id).role_name(), "follower");
  }
  stage_.step(4, Arrived{replica(1), TakeOver{*at(1).leading()}});
  EXPECT_EQ(at(4).candidacies(), 0u);
}

TEST_F(MembershipTest, NoOfficeIsHandedToALearner) {
  change("123/4");
  stage_.step(1, TransferAsked{replica(4)});
  EXPECT_TRUE(at(1).can_propose());
  EXPECT_FALSE(stage_.has<TakeOver>(1, 4));
}

TEST_F(MembershipTest, AHandoverToOneWhoLeavesIsGivenUp) {
  stage_.propose(1, "=12");
  stage_.step(1, TransferAsked{replica(3)});
  stage_.settle({3});
  EXPECT_TRUE(at(1).can_propose());
}

TEST_F(MembershipTest, ARefusalOfOneWhoHasLeftMovesNoOffice) {
  change("1234");
  change("123");
  const Ballot office = *at(1).leading();
  stage_.step(1, Arrived{replica(4), Refused{office, ballot(90, 4)}});
  EXPECT_EQ(at(1).leading(), office);
  EXPECT_LE(ballot(90, 4), at(1).highest_ballot());
}

// It promised a candidate that came to nothing: under the present ballot it would never learn.
TEST_F(MembershipTest, ALearnerThatPromisedAHigherBallotIsCaughtUpUnderAHigherOne) {
  stage_.step(4, Arrived{replica(3), Prepare{ballot(90, 3), Slot(1)}});
  change("123/4");
  beat(60);
  EXPECT_EQ(at(4).groups().latest(), group_of("123/4"));
}

TEST_F(MembershipTest, AStrangerDisturbsNoLeader) {
  const Ballot office = *at(1).leading();
  for (const std::uint32_t id : {1u, 2u}) {
    stage_.step(id, Arrived{replica(5), Prepare{ballot(90, 5), Slot(1)}});
  }
  EXPECT_EQ(at(1).leading(), office);
  EXPECT_EQ(at(2).leader(), replica(1));
  EXPECT_LT(at(2).highest_ballot(), ballot(90, 5));
}

// A replica that was away for long may know nobody of the group that is now.
TEST_F(MembershipTest, AStrangerIsHeardByWhomNobodyLeads) {
  stage_.step(2, PeerLost{replica(1)});
  const Accept accept{ballot(90, 5), Slot(1), {make_value("v")}, Slot(1), Probe(1)};
  stage_.step(2, Arrived{replica(5), accept});
  EXPECT_EQ(at(2).leader(), replica(5));
  EXPECT_EQ(stage_.values(2), std::vector<std::string>{"v"});
}

// ── promises of those who come ──────────────────────────────────────────────────────────────────

// Replica 1 leads by its own promise and the second's: the third is dead. The group has become one
// of four, and the fourth has promised nothing: two of four are no quorum.
class LateMemberTest : public MembershipTest {
 protected:
  LateMemberTest() {
    stage_.restart(1);
    for (const std::uint32_t id : {1u, 2u, 3u}) stage_.step(id, PeerLost{replica(1)});
    stage_.elect(1, {3});
    change("1234", {3, 4});
    office_ = *at(1).leading();
    next_ = at(1).chosen_through().next();
  }
  void promise_of_4(std::vector<PromisedSlot> accepted) {
    stage_.step(1, Arrived{replica(4), Promise{office_, next_, Slot(0), std::move(accepted), {}}});
  }

  Ballot office_;
  Slot next_;
};

TEST_F(LateMemberTest, NothingIsProposedWithoutTheGroupsPromises) {
  EXPECT_EQ(at(1).group(), group_of("1234"));
  EXPECT_FALSE(at(1).can_propose());
  beat(10, {3, 4});
  EXPECT_FALSE(at(1).can_propose());
}

TEST_F(LateMemberTest, TheLeaderGoesOnCollectingPromises) {
  beat(2, {3});
  EXPECT_TRUE(chooses({3}));
}

TEST_F(LateMemberTest, WhatANewMemberReportsIsProposedFirst) {
  promise_of_4({{next_, {ballot(1, 3), make_value("of an earlier leader")}}});
  EXPECT_EQ(at(1).last_proposed(), next_);
  EXPECT_TRUE(at(1).can_propose());
  stage_.propose(1, "own");
  beat(4, {3});
  const auto values = stage_.values(1);
  ASSERT_EQ(values.size(), next_.value + 1);
  EXPECT_EQ(values[values.size() - 2], "of an earlier leader");
  EXPECT_EQ(values.back(), "own");
}

TEST_F(LateMemberTest, HolesInItsReportAreFilled) {
  const Slot reported(next_.value + 2);
  promise_of_4({{reported, {ballot(1, 3), make_value("v")}}});
  EXPECT_EQ(at(1).last_proposed(), reported);
}

TEST_F(LateMemberTest, APartOfItsPromiseIsNotEnough) {
  stage_.step(1, Arrived{replica(4), Promise{office_, next_, next_.next(), {}, {}}});
  EXPECT_FALSE(at(1).can_propose());
  EXPECT_EQ(stage_.take<Prepare>(1, 4).from, next_.next());
  stage_.step(1, Arrived{replica(4), Promise{office_, next_.next(), Slot(0), {}, {}}});
  EXPECT_TRUE(at(1).can_propose());
}

TEST_F(LateMemberTest, APromiseThatBeginsBehindTheNextSlotIsNotEnough) {
  stage_.step(1, Arrived{replica(4), Promise{office_, next_.next(), Slot(0), {}, {}}});
  EXPECT_FALSE(at(1).can_propose());
}

TEST_F(MembershipTest, WhatIsReportedAfterAQuorumPromisedIsOfNoUse) {
  stage_.elect(2, {1});
  const Slot next = at(2).last_proposed().next();
  const PromisedSlot late{next, {ballot(1, 1), make_value("never chosen")}};
  stage_.step(2, Arrived{replica(1), Promise{*at(2).leading(), Slot(1), Slot(0), {late}, {}}});
  EXPECT_EQ(at(2).last_proposed().next(), next);
  EXPECT_TRUE(at(2).can_propose());
}

// A candidate that lags behind hears of more slots than it knows the groups of.
class LaggingLeaderTest : public testing::Test {
 protected:
  void lead(const std::string& first) {
    stage_.pass(Millis(1'000));
    const Ballot ballot = stage_.take<PreVote>(1, 2).ballot;
    stage_.step(1, Arrived{replica(2), PreVoteAnswer{ballot, true, {}}});
    stage_.persist(1);
    std::vector<PromisedSlot> accepted{{Slot(1), {paxos::ballot(0, 3), make_value(first)}}};
    for (std::uint64_t slot = 2; slot <= 20; ++slot) {
      accepted.push_back({Slot(slot), {paxos::ballot(0, 3), make_value("v")}});
    }
    stage_.step(1, Arrived{replica(2), Promise{ballot, Slot(1), Slot(0), accepted, {}}});
    ASSERT_TRUE(stage_.at(1).leading());
    stage_.drop_all();
  }
  void beat(const Ids& cut) {
    for (int i = 0; i < 6; ++i) {
      stage_.pass(Millis(50));
      stage_.settle(cut);
    }
  }

  Stage stage_{3};
};

TEST_F(LaggingLeaderTest, ProposesAgainAsFarAsItKnowsTheGroups) {
  lead("v");
  EXPECT_EQ(stage_.at(1).last_proposed(), Slot(kGroupDistance));
  EXPECT_FALSE(stage_.at(1).can_propose()) << "what was reported goes first";
  beat({3});
  EXPECT_EQ(stage_.at(1).chosen_through(), Slot(20));
  EXPECT_TRUE(stage_.at(1).can_propose());
}

TEST_F(LaggingLeaderTest, AChangeAmongWhatItFindsGovernsWhatComesBehind) {
  stage_.join(4);
  lead("=1234");
  beat({3, 4});
  EXPECT_EQ(stage_.at(1).chosen_through(), Slot(kGroupDistance)) << "two of four are no quorum";
  EXPECT_EQ(stage_.at(1).last_proposed(), Slot(kGroupDistance));
  beat({3});
  EXPECT_EQ(stage_.at(1).chosen_through(), Slot(20));
}

// ── who leaves ──────────────────────────────────────────────────────────────────────────────────

TEST_F(MembershipTest, ARemovedLeaderLeadsUpToThereAndHandsOver) {
  const Slot from = propose_change("23");
  EXPECT_TRUE(at(1).leading());
  fill();
  EXPECT_FALSE(at(1).leading());
  EXPECT_EQ(at(1).chosen_through().next(), from);
  stage_.settle();
  EXPECT_TRUE(at(2).leading() || at(3).leading()) << "at once, not after an election's silence";
  const std::uint64_t stood = at(1).candidacies();
  beat(60, {2, 3});
  EXPECT_EQ(at(1).candidacies(), stood);
}

TEST_F(MembershipTest, ARemovedLeaderThatNobodySucceedsStepsDownAllTheSame) {
  propose_change("23");
  for (std::uint64_t i = 1; i < kGroupDistance; ++i) stage_.propose(1, "");
  const Ballot office = *at(1).leading();
  const Slot last = at(1).last_proposed();
  stage_.drop_all();
  for (int i = 0; i < 3; ++i) stage_.persist(1);
  stage_.step(1, Arrived{replica(2), AcceptedThrough{office, last, Slot(0), Probe(99)}});
  EXPECT_FALSE(at(1).leading());
  EXPECT_TRUE(stage_.has<TakeOver>(1, 2));
}

TEST_F(MembershipTest, WhoLeavesIsToldSoAndThenLeft) {
  change("1234");
  beat(4);
  change("123");
  beat(4);
  EXPECT_EQ(at(4).group(), group_of("123"));
  EXPECT_FALSE(at(1).peers_chosen().contains(replica(4)));
}

TEST_F(MembershipTest, WhoLeftAndDoesNotKnowDisturbsNobody) {
  change("1234");
  beat(4);
  change("123", {4});
  beat(20, {4});
  EXPECT_FALSE(at(1).peers_chosen().contains(replica(4))) << "nobody waits for it";
  const Ballot office = *at(1).leading();
  beat(100);
  EXPECT_EQ(at(4).group(), group_of("1234")) << "it does not know";
  EXPECT_EQ(at(4).candidacies(), 0u);
  EXPECT_EQ(at(1).leading(), office);
}

TEST_F(MembershipTest, WhoLeftIsNotWelcomeThoughNobodyLeads) {
  change("1234");
  beat(4);
  const Slot known = at(4).chosen_through();
  change("123", {4});
  beat(4, {4});
  stage_.step(2, PeerLost{replica(1)});
  const auto welcome = [&](std::uint32_t asker, Slot chosen) {
    stage_.drop_all();
    stage_.step(2, Arrived{replica(asker), PreVote{ballot(99, asker), chosen}});
    return stage_.take<PreVoteAnswer>(2, asker).welcome;
  };
  EXPECT_FALSE(welcome(4, known));
  EXPECT_TRUE(welcome(3, known)) << "a member that lags as much";
  EXPECT_TRUE(welcome(4, at(2).chosen_through())) << "who knows as much knows where it stands";
}

TEST_F(MembershipTest, ADeadReplicaIsRemovedWithoutIt) {
  change("1234", {3});
  change("124", {3});
  EXPECT_TRUE(chooses({3, 4}));
  EXPECT_TRUE(chooses({2, 3}));
}

// ── durability: who left is needed no more ──────────────────────────────────────────────────────

TEST_F(MembershipTest, TheMarkOfAChangeIsDurableBeforeItIsTold) {
  propose_change("12");
  const Slot changed = at(1).chosen_through();
  const auto told = [&] { return at(1).known_to_quorum(changed); };
  EXPECT_FALSE(told());
  ASSERT_EQ(at(2).chosen_through(), changed);
  const auto* mark = std::get_if<ChosenMark>(&stage_.player(2).log.durable.back());
  ASSERT_NE(mark, nullptr);
  EXPECT_EQ(mark->through, changed);
  beat(1);
  EXPECT_TRUE(told());
}

TEST_F(MembershipTest, TheOneThatIsLeftNeedsNobodyAfterARestart) {
  change("12");
  change("1");
  const Slot before(at(1).groups().latest_from().value - 1);
  ASSERT_EQ(at(1).chosen_through(), before);
  ASSERT_TRUE(at(1).known_to_quorum(before));
  stage_.restart(1);
  EXPECT_EQ(at(1).group(), group_of("1"));
  stage_.elect(1, {2, 3});
  EXPECT_TRUE(chooses({2, 3}));
}

TEST_F(MembershipTest, TheGroupsComeBackWithTheLog) {
  change("123/4");
  change("1234");
  beat(4);
  for (const std::uint32_t id : {1u, 2u, 3u, 4u}) stage_.restart(id);
  EXPECT_EQ(at(4).group(), group_of("1234"));
  stage_.elect(4, {1});
  EXPECT_TRUE(chooses({1}, 4));
  EXPECT_FALSE(chooses({1, 2}, 4));
}

TEST_F(MembershipTest, TheGroupsComeWithASnapshot) {
  stage_.step(5, SnapshotInstalled{Slot(40),
                                   {{Slot(20), group_of("1234")}, {Slot(45), group_of("12345")}}});
  EXPECT_EQ(at(5).group(), group_of("1234"));
  EXPECT_EQ(at(5).groups().at(Slot(45)), group_of("12345"));
  beat(20, {1, 2, 3, 4});
  EXPECT_EQ(at(5).role_name(), "follower") << "it is no member yet";
}

// ── partitions in the middle ────────────────────────────────────────────────────────────────────

TEST_F(MembershipTest, AChangeThatOneReplicaAcceptedMayBeLost) {
  stage_.propose(1, "=1234");
  stage_.settle({2, 3, 4, 5});
  stage_.elect(2, {1, 4, 5});
  EXPECT_EQ(at(2).groups().latest(), group_of("123"));
  EXPECT_TRUE(chooses({1}, 2));
  beat(20);
  EXPECT_EQ(at(1).groups().latest(), group_of("123"));
  EXPECT_EQ(stage_.values(1), stage_.values(2));
}

TEST_F(MembershipTest, AnOldMajorityWithoutTheNewOneStopsWhereTheNewOneGoverns) {
  propose_change("1234");
  beat(2);
  // 1 and 4 on the one side, 2 and 3 on the other: two of three, but not three of four.
  stage_.elect(2, {1, 4, 5});
  fill({1, 4, 5}, 2);
  EXPECT_EQ(at(2).chosen_through().next(), at(2).groups().latest_from());
  EXPECT_FALSE(chooses({1, 4, 5}, 2));
  beat(4, {1, 5});
  EXPECT_TRUE(chooses({1, 5}, 2));
}

TEST_F(MembershipTest, ANewMemberWithoutItsGroupIsNotElected) {
  change("1234");
  beat(4);
  beat(60, {1, 2, 3});
  EXPECT_EQ(at(4).candidacies(), 0u);
  beat(20);
  EXPECT_EQ(at(4).chosen_through(), at(1).chosen_through());
}

}  // namespace
}  // namespace assent::paxos
