// An acceptor that lost records of its log: what it does not say until it is whole again, and that
// no decision is lost by it. docs/paxos.md, "Lost records".
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "tests/coordinator/paxos/stage.h"

namespace assent::paxos {
namespace {

using Values = std::vector<std::string>;

class Recovering : public ::testing::Test {
 protected:
  // Replica 1 leads, and chose "one" with all three; "two" with replica 3 alone, which has lost the
  // record of that. It holds "three" again, not chosen: so a record with a ballot follows.
  void rot_what_was_chosen() {
    stage_.elect(1);
    stage_.propose(1, "one");
    stage_.settle();
    stage_.pass(Millis(50));
    stage_.settle();
    stage_.propose(1, "two");
    stage_.settle({2});
    stage_.propose(1, "three");
    stage_.settle({2});
    lose_acceptance_of("two", 3);
    stage_.drop_all();
  }

  // The next life of the replica finds its log without the record of that.
  void lose_acceptance_of(const std::string& value, std::uint32_t id) {
    const std::vector<Record>& records = stage_.player(id).log.durable;
    for (std::size_t i = 0; i < records.size(); ++i) {
      const auto* accepted = std::get_if<Accepted>(&records[i]);
      if (accepted == nullptr || *accepted->value != value) continue;
      stage_.rot(id, i, i + 1);
      return stage_.restart(id);
    }
    FAIL() << "it has no record of " << value;
  }

  // What replica 3 asks its leader once it has heard of it.
  RecoveryAsk hear_from_leader() {
    stage_.deliver(1, 3, Accept{*stage_.at(1).leading(), Slot(), {}, Slot(1), Probe(99)});
    stage_.persist(3);
    return stage_.take<RecoveryAsk>(3, 1);
  }

  // Passes time, messages of or to `cut` being lost, until the replica is whole.
  void wait_until_whole(std::uint32_t id, const std::vector<std::uint32_t>& cut) {
    for (int i = 0; i < 300 && stage_.at(id).recovering(); ++i) {
      stage_.pass(Millis(10));
      stage_.settle(cut);
    }
    ASSERT_FALSE(stage_.at(id).recovering());
  }

  void expect_what_was_chosen(std::uint32_t id) const {
    const Values values = stage_.values(id);
    ASSERT_LE(3u, values.size());
    EXPECT_EQ(Values(values.begin(), values.begin() + 3), (Values{"one", "two", "three"}));
  }

  // Replica 3 before its start, its log to be restored by hand.
  Consensus replica_3() {
    Options options = Stage::options_of({1, 2, 3});
    options.self = ReplicaId(3);
    return Consensus(options, log_);
  }

  RecordedLog log_;
  Stage stage_{3};
};

TEST_F(Recovering, GivesNoPromise) {
  rot_what_was_chosen();
  ASSERT_TRUE(stage_.at(3).recovering());
  stage_.deliver(2, 3, Prepare{ballot(9, 2), Slot(1)});
  stage_.persist(3);
  EXPECT_EQ(stage_.on_the_wire(), 0u);
  EXPECT_TRUE(stage_.player(3).log.written.empty());
}

TEST_F(Recovering, DoesNotStandWhateverIsOrderedAndWelcomesNobody) {
  rot_what_was_chosen();
  stage_.deliver(1, 3, Accept{*stage_.at(1).leading(), Slot(), {}, Slot(1), Probe(99)});
  stage_.persist(3);
  stage_.drop_all();
  stage_.deliver(1, 3, TakeOver{*stage_.at(1).leading()});
  EXPECT_EQ(stage_.at(3).role_name(), "follower");
  for (int i = 0; i < 100; ++i) {
    stage_.pass(Millis(50));
    stage_.settle({1, 2});
    ASSERT_EQ(stage_.at(3).role_name(), "follower");
  }
  stage_.drop_all();
  stage_.deliver(2, 3, PreVote{ballot(20, 2), Slot(9)});
  EXPECT_FALSE((stage_.take<PreVoteAnswer>(3, 2).welcome));
}

// With the leader gone, the other two are a quorum, and the one that holds "two" has forgotten it.
TEST_F(Recovering, NothingIsDecidedWithoutWhoKnows) {
  rot_what_was_chosen();
  for (int i = 0; i < 300; ++i) {
    stage_.pass(Millis(10));
    stage_.settle({1});
    ASSERT_FALSE(stage_.at(2).leading());
    ASSERT_FALSE(stage_.at(3).leading());
  }
}

TEST_F(Recovering, IsMadeWholeByItsLeaderAndThenVotes) {
  rot_what_was_chosen();
  wait_until_whole(3, {2});
  EXPECT_TRUE(stage_.player(3).recovered);
  // Now the leader dies, and the two others go on from what it and replica 3 decided.
  stage_.drop_all();
  stage_.elect(2, {1});
  stage_.propose(2, "four");
  stage_.settle({1});
  expect_what_was_chosen(2);
  EXPECT_EQ(stage_.values(2).back(), "four");
}

TEST_F(Recovering, AcceptsAndItsAcceptanceCounts) {
  rot_what_was_chosen();
  const Slot before = stage_.at(1).chosen_through();
  stage_.pass(Millis(50));
  stage_.settle({2});
  stage_.propose(1, "five");
  stage_.settle({2});
  EXPECT_LT(before, stage_.at(1).chosen_through());
}

// ── the marks ───────────────────────────────────────────────────────────────────────────────────

// The record that is lost replaced the first value: the mark is of what was chosen, not of that.
TEST_F(Recovering, TrustsNoMarkBehindTheDamage) {
  Consensus consensus = replica_3();
  consensus.restore(Accepted{Slot(1), ballot(1, 1), make_value("never chosen")});
  consensus.restore_lost_records();
  EXPECT_TRUE(consensus.restore(ChosenMark{Slot(1)}).empty());
  consensus.restore(Accepted{Slot(2), ballot(2, 2), make_value("two")});
  consensus.start(MonoTime(0));
  EXPECT_EQ(consensus.chosen_through(), Slot(0));
}

TEST_F(Recovering, KeepsTheMarkInFrontOfTheDamageAndASnapshots) {
  rot_what_was_chosen();
  EXPECT_EQ(stage_.at(3).chosen_through(), Slot(1));
  Consensus consensus = replica_3();
  consensus.restore_snapshot({Slot(7), {}});
  consensus.restore_lost_records();
  consensus.restore(Promised{ballot(3, 1)});
  consensus.start(MonoTime(0));
  EXPECT_EQ(consensus.chosen_through(), Slot(7));
}

// ── the bound ───────────────────────────────────────────────────────────────────────────────────

TEST_F(Recovering, WaitsForEverythingThatItsLeaderHadProposed) {
  rot_what_was_chosen();
  const Ballot leading = *stage_.at(1).leading();
  stage_.deliver(3, 1, hear_from_leader());
  const auto answer = stage_.take<RecoveryAnswer>(1, 3);
  EXPECT_EQ(answer.last, Slot(3));
  stage_.deliver(1, 3, answer);
  stage_.deliver(1, 3, Accept{leading, Slot(2), {make_value("two")}, Slot(2), Probe(100)});
  EXPECT_EQ(stage_.at(3).chosen_through(), Slot(2));
  EXPECT_TRUE(stage_.at(3).recovering()) << "slot 3 was proposed, and may be chosen";
  stage_.deliver(1, 3, Accept{leading, Slot(), {}, Slot(3), Probe(101)});
  EXPECT_FALSE(stage_.at(3).recovering());
}

// It told its leader that it had the value, and has it no more.
TEST_F(Recovering, IsSentAgainWhatItHadTold) {
  rot_what_was_chosen();
  const Ballot leading = *stage_.at(1).leading();
  stage_.deliver(3, 1, RecoveryAsk{leading, 7, Slot(1)});
  const auto again = stage_.take<Accept>(1, 3);
  EXPECT_EQ(again.first, Slot(2));
  ASSERT_EQ(again.values.size(), 2u);
  EXPECT_EQ(*again.values[0], "two");
  stage_.deliver(3, 1, RecoveryAsk{leading, 7, Slot(1)});
  EXPECT_FALSE((stage_.has<Accept>(1, 3))) << "once is enough";
}

TEST_F(Recovering, TakesNoAnswerThatWasGivenToAnEarlierLife) {
  rot_what_was_chosen();
  stage_.deliver(3, 1, hear_from_leader());
  const auto stale = stage_.take<RecoveryAnswer>(1, 3);
  EXPECT_EQ(stale.last, stage_.at(1).last_proposed());
  stage_.restart(3);
  stage_.deliver(1, 3, RecoveryAnswer{stale.ballot, stale.nonce + 1, Slot(1), Slot(20)});
  EXPECT_TRUE(stage_.at(3).recovering()) << "its mark is 1, and the answer is another's";
}

TEST_F(Recovering, TakesNoAnswerOfALowerBallotThanItPromised) {
  rot_what_was_chosen();
  const Ballot leading = *stage_.at(1).leading();
  const RecoveryAsk asked = hear_from_leader();
  Ballot lower = leading;
  lower.round = Round(leading.round.value - 1);
  stage_.deliver(1, 3, RecoveryAnswer{lower, asked.nonce, Slot(1), Slot(20)});
  EXPECT_TRUE(stage_.at(3).recovering());
  stage_.deliver(1, 3, RecoveryAnswer{leading, asked.nonce, Slot(1), Slot(20)});
  EXPECT_FALSE(stage_.at(3).recovering()) << "the same of the ballot itself is one";
}

TEST_F(Recovering, OnlyTheLeaderOfThatBallotAnswers) {
  rot_what_was_chosen();
  stage_.deliver(3, 2, RecoveryAsk{*stage_.at(1).leading(), 7, Slot(1)});
  EXPECT_FALSE((stage_.has<RecoveryAnswer>(2, 3)));
  stage_.deliver(3, 1, RecoveryAsk{ballot(1'000, 1), 7, Slot(1)});
  EXPECT_FALSE((stage_.has<RecoveryAnswer>(1, 3)));
}

TEST_F(Recovering, ASnapshotMakesItWhole) {
  rot_what_was_chosen();
  const Ballot leading = *stage_.at(1).leading();
  const RecoveryAsk asked = hear_from_leader();
  stage_.deliver(1, 3, RecoveryAnswer{leading, asked.nonce, Slot(9), Slot(20)});
  EXPECT_TRUE(stage_.at(3).recovering());
  stage_.step(3, SnapshotInstalled{Slot(9), {}});
  EXPECT_FALSE(stage_.at(3).recovering());
}

// ── the repair ──────────────────────────────────────────────────────────────────────────────────

TEST_F(Recovering, BeginsAgainAtTheNextStartUnlessItHadTimeToSayThatItIsOver) {
  rot_what_was_chosen();
  stage_.restart(3);
  EXPECT_TRUE(stage_.at(3).recovering());
}

// Its record says so, beside the damage that is there as before.
TEST_F(Recovering, IsOverForTheNextLivesToo) {
  rot_what_was_chosen();
  wait_until_whole(3, {2});
  stage_.persist(3);
  const Slot known = stage_.at(3).chosen_through();
  stage_.restart(3);
  EXPECT_FALSE(stage_.at(3).recovering());
  EXPECT_LE(known, stage_.at(3).chosen_through());
  expect_what_was_chosen(3);
}

// Nobody else is there who knows: the two of them have been repaired, and restart.
TEST_F(Recovering, TwoThatWereRepairedElectALeaderAfterTheyRestartTogether) {
  rot_what_was_chosen();
  wait_until_whole(3, {2});
  stage_.drop_all();
  stage_.propose(1, "four");
  stage_.settle();
  lose_acceptance_of("two", 1);
  stage_.drop_all();
  ASSERT_TRUE(stage_.at(1).recovering());
  wait_until_whole(1, {});
  stage_.settle();
  stage_.restart(1);
  stage_.restart(3);
  stage_.drop_all();
  for (int i = 0; i < 300 && !stage_.at(1).leading() && !stage_.at(3).leading(); ++i) {
    stage_.pass(Millis(10));
    stage_.settle({2});
  }
  ASSERT_TRUE(stage_.at(1).leading() || stage_.at(3).leading());
  stage_.settle({2});
  for (const std::uint32_t id : {1u, 3u}) {
    expect_what_was_chosen(id);
    EXPECT_LE(4u, stage_.values(id).size());
  }
}

// R2: what says that it is whole is durable before its first promise is told.
TEST_F(Recovering, ItsFirstPromiseWaitsUntilItsRepairIsDurable) {
  rot_what_was_chosen();
  ASSERT_TRUE(stage_.at(3).recovering());
  const Ballot leading = *stage_.at(1).leading();
  const Slot last = stage_.at(1).last_proposed();
  const RecoveryAsk asked = hear_from_leader();
  stage_.drop_all();
  stage_.step(3, SnapshotInstalled{last, {}});
  stage_.deliver(1, 3, RecoveryAnswer{leading, asked.nonce, last, Slot(last.value + 8)});
  ASSERT_FALSE(stage_.at(3).recovering());
  const auto& written = stage_.player(3).log.written;
  ASSERT_FALSE(written.empty());
  const auto* repaired = std::get_if<Repaired>(&written.back());
  ASSERT_NE(repaired, nullptr);
  EXPECT_EQ(repaired->through, last);
  stage_.deliver(2, 3, Prepare{ballot(50, 2), last.next()});
  EXPECT_FALSE((stage_.has<Promise>(3, 2)));
  stage_.persist(3);
  EXPECT_TRUE((stage_.has<Promise>(3, 2)));
}

// Other records lack than those that were repaired.
TEST_F(Recovering, BeginsAnewWithDamageBehindTheRepair) {
  Consensus consensus = replica_3();
  consensus.restore(Accepted{Slot(1), ballot(1, 1), make_value("never chosen")});
  consensus.restore_lost_records();
  consensus.restore(Accepted{Slot(1), ballot(2, 2), make_value("one")});
  const auto chosen = consensus.restore(Repaired{Slot(1)});
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_EQ(*chosen[0].value, "one");
  consensus.restore(Executed{Slot(1), {}});
  EXPECT_FALSE(consensus.recovering());
  consensus.restore_lost_records();
  EXPECT_TRUE(consensus.recovering());
  consensus.restore(Accepted{Slot(2), ballot(2, 2), make_value("two")});
  EXPECT_TRUE(consensus.restore(ChosenMark{Slot(2)}).empty());
  consensus.start(MonoTime(0));
  EXPECT_EQ(consensus.chosen_through(), Slot(1));
}

// The leader did not know of the last change when it answered: what the new group chose, it may not
// have been told.
TEST_F(Recovering, TakesNoBoundOverAChangeOfTheGroup) {
  rot_what_was_chosen();
  const Ballot leading = *stage_.at(1).leading();
  const RecoveryAsk asked = hear_from_leader();
  stage_.deliver(1, 3, RecoveryAnswer{leading, asked.nonce, Slot(9), Slot(10)});
  const Group larger({ReplicaId(1), ReplicaId(2), ReplicaId(3), ReplicaId(4)});
  stage_.step(3, SnapshotInstalled{Slot(9), {{Slot(11), larger}}});
  EXPECT_TRUE(stage_.at(3).recovering());
  stage_.deliver(1, 3, RecoveryAnswer{leading, asked.nonce, Slot(9), Slot(11)});
  EXPECT_FALSE(stage_.at(3).recovering());
}

}  // namespace
}  // namespace assent::paxos
