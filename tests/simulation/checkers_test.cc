// Each checker that can be shown a false history says so, and is silent about the true one.
#include <gtest/gtest.h>

#include <optional>

#include "tests/simulation/history.h"
#include "tests/simulation/witness.h"

namespace assent::simulation {
namespace {

const ReplicaId kOne(1);
const ReplicaId kTwo(2);
const ReplicaId kThree(3);

Ballot ballot(std::uint64_t round, ReplicaId replica = kOne) {
  return {Incarnation(1), Round(round), replica};
}
TransactionId transaction(std::uint64_t number) {
  return make_transaction_id(LogTime(1'000'000), number, number, 1);
}
state::Command committed(std::uint64_t number) {
  return state::Committed{transaction(number), number, {}};
}
state::Command aborted(std::uint64_t number) {
  return state::Aborted{transaction(number), 0, {}, {}};
}
paxos::Value value(std::vector<state::Command> commands, LogTime time = LogTime(1'000'000)) {
  return paxos::make_value(state::encode({time, std::move(commands)}));
}

class Checkers : public ::testing::Test {
 protected:
  // The checker that an act calls up.
  template <class Act>
  std::optional<Checker> caught(Act act) {
    try {
      act();
    } catch (const Violation& violation) {
      return violation.checker;
    }
    return std::nullopt;
  }
  void accept(ReplicaId at, std::uint64_t slot, const Ballot& under, const paxos::Value& what) {
    const paxos::Accepted record{Slot(slot), under, what};
    ledger_.seen(what);
    witness_.written(at, record);
    witness_.durable(at, record);
    ledger_.accepted(at, record);
  }
  void choose(std::uint64_t slot, const paxos::Value& what) {
    accept(kOne, slot, ballot(1), what);
    accept(kTwo, slot, ballot(1), what);
  }

  Scheduler scheduler_;
  Ledger ledger_{scheduler_, 3, {}};
  Witness witness_{ledger_, 3};
  History history_{ledger_, Dice(1, 1)};
};

TEST_F(Checkers, AgreementSeesTwoChosenValues) {
  choose(1, value({committed(1)}));
  accept(kThree, 1, ballot(2), value({committed(2)}));
  EXPECT_EQ(caught([&] { accept(kTwo, 1, ballot(2), value({committed(2)})); }),
            Checker::kAgreement);
}

TEST_F(Checkers, AMinorityChoosesNothing) {
  accept(kOne, 1, ballot(1), value({committed(1)}));
  accept(kTwo, 1, ballot(2), value({committed(1)}));
  EXPECT_EQ(ledger_.chosen(Slot(1)), nullptr);
}

TEST_F(Checkers, OneValuePerBallot) {
  accept(kOne, 1, ballot(1), value({committed(1)}));
  EXPECT_EQ(caught([&] { accept(kTwo, 1, ballot(1), value({committed(2)})); }),
            Checker::kOneValuePerBallot);
}

TEST_F(Checkers, LearnedIsChosen) {
  const auto truth = value({committed(1)});
  accept(kOne, 1, ballot(1), truth);
  const auto learn = [&](const paxos::Value& what) {
    return caught([&] { ledger_.learned(kOne, Slot(1), what); });
  };
  EXPECT_EQ(learn(truth), Checker::kLearnedIsChosen);
  accept(kTwo, 1, ballot(1), truth);
  EXPECT_EQ(learn(truth), std::nullopt);
  EXPECT_EQ(learn(value({committed(2)})), Checker::kLearnedIsChosen);
}

TEST_F(Checkers, EqualStatesSeesAnotherTime) {
  choose(1, value({committed(1)}));
  state::StateMachine same({});
  state::StateMachine other({});
  same.execute(Slot(1), {LogTime(1'000'000), {committed(1)}});
  other.execute(Slot(1), {LogTime(1'000'001), {committed(1)}});
  EXPECT_EQ(caught([&] { ledger_.compare(kOne, same, true); }), std::nullopt);
  EXPECT_EQ(caught([&] { ledger_.compare(kOne, other, true); }), Checker::kEqualStates);
}

TEST_F(Checkers, EqualStatesSeesAnotherRecord) {
  choose(1, value({committed(1)}));
  state::StateMachine other({});
  other.execute(Slot(1), {LogTime(1'000'000), {aborted(1)}});
  EXPECT_EQ(caught([&] { ledger_.compare(kOne, other, true); }), Checker::kEqualStates);
}

TEST_F(Checkers, LogTimeMayNotRunAhead) {
  choose(1, value({committed(1)}));
  scheduler_.run_until(kSecond);
  EXPECT_EQ(caught([&] { choose(2, value({}, LogTime(1'001'010))); }), std::nullopt);
  EXPECT_EQ(caught([&] { choose(3, value({}, LogTime(1'001'020))); }), Checker::kLogTime);
}

TEST_F(Checkers, ExactlyOnceHasAModelOfItsOwn) {
  Decisions decisions{Millis(1'000)};
  const auto executed = [&](const state::Command& command, const state::CommandResult& result) {
    return caught([&] { decisions.executed(LogTime(1'000'500), command, result); });
  };
  EXPECT_EQ(executed(committed(1), state::BelowFloor{}), Checker::kExactlyOnce);
  EXPECT_EQ(executed(committed(1), state::AlreadyDecided{Outcome::kCommitted}),
            Checker::kExactlyOnce);
  EXPECT_EQ(executed(committed(1), state::TookEffect{}), std::nullopt);
  EXPECT_EQ(executed(aborted(1), state::AlreadyDecided{Outcome::kCommitted}), std::nullopt);
  EXPECT_EQ(executed(aborted(1), state::AlreadyDecided{Outcome::kAborted}), Checker::kExactlyOnce);
  EXPECT_EQ(executed(committed(1), state::TookEffect{}), Checker::kExactlyOnce);
}

TEST_F(Checkers, ExactlyOnceSeesAnEpochGivenTwice) {
  Decisions decisions{Millis(1'000)};
  const auto enrol = [&](const char* nonce) {
    state::Enrolled life;
    life.participant = "orders";
    life.nonce = nonce;
    return caught([&] { decisions.executed(LogTime(), life, state::EpochIssued{Epoch(1)}); });
  };
  EXPECT_EQ(enrol("a"), std::nullopt);
  EXPECT_EQ(enrol("a"), std::nullopt);
  EXPECT_EQ(enrol("b"), Checker::kExactlyOnce);
}

TEST_F(Checkers, ExactlyOnceSeesTwoOutcomesTold) {
  Decisions decisions{Millis(1'000)};
  decisions.told(committed(1), state::TookEffect{});
  EXPECT_EQ(caught([&] { decisions.told(aborted(1), state::TookEffect{}); }),
            Checker::kExactlyOnce);
}

TEST_F(Checkers, AcknowledgedIsExecutedThereWithThatResult) {
  choose(1, value({committed(1)}));
  const auto tell = [&](std::uint64_t number, Slot executed, const state::CommandResult& result) {
    return caught([&] { history_.acknowledged(kOne, executed, committed(number), result); });
  };
  EXPECT_EQ(tell(1, Slot(1), state::TookEffect{}), std::nullopt);
  EXPECT_EQ(tell(1, Slot(0), state::TookEffect{}), Checker::kAcknowledged);
  EXPECT_EQ(tell(1, Slot(1), state::BelowFloor{}), Checker::kAcknowledged);
  EXPECT_EQ(tell(2, Slot(1), state::TookEffect{}), Checker::kAcknowledged);
}

TEST_F(Checkers, AcknowledgedIsKept) {
  choose(1, value({committed(1)}));
  history_.acknowledged(kOne, Slot(1), committed(1), state::TookEffect{});
  EXPECT_EQ(caught([&] { history_.check_kept(kTwo, ledger_.state()); }), std::nullopt);
  EXPECT_EQ(caught([&] { history_.check_kept(kTwo, state::StateMachine({})); }),
            Checker::kAcknowledgedIsKept);
}

TEST_F(Checkers, AReadSeesWhatWasToldBeforeItWasAsked) {
  const Horizon before = history_.read_asked();
  choose(1, value({committed(1)}));
  history_.acknowledged(kOne, Slot(1), committed(1), state::TookEffect{});
  const Horizon after = history_.read_asked();
  const state::StateMachine old({});
  EXPECT_EQ(caught([&] { history_.read_done(kTwo, before, old); }), std::nullopt);
  EXPECT_EQ(caught([&] { history_.read_done(kTwo, after, ledger_.state()); }), std::nullopt);
  EXPECT_EQ(caught([&] { history_.read_done(kTwo, after, old); }), Checker::kLinearizableReads);
}

TEST_F(Checkers, ReadsDoNotGoBack) {
  choose(1, value({committed(1)}));
  history_.read_done(kOne, history_.read_asked(), ledger_.state());
  EXPECT_EQ(
      caught([&] { history_.read_done(kTwo, history_.read_asked(), state::StateMachine({})); }),
      Checker::kLinearizableReads);
}

TEST_F(Checkers, WhoLostTheDiskItSpokeFromIsSilent) {
  const auto ask = [&](ReplicaId by) {
    return caught([&] { witness_.sent(by, paxos::PreVote{ballot(1, by), Slot(0)}); });
  };
  EXPECT_EQ(ask(kOne), std::nullopt);
  witness_.wiped(kOne);
  witness_.wiped(kTwo);  // it had said nothing yet
  EXPECT_EQ(ask(kOne), Checker::kWipedIsSilent);
  EXPECT_EQ(ask(kTwo), std::nullopt);
}

TEST_F(Checkers, WhoLostRecordsIsMadeWholeByAnAnswerToThisLife) {
  witness_.booted(kOne);
  witness_.sent(kOne, paxos::RecoveryAsk{ballot(1, kTwo), 7, Slot(0)});
  witness_.heard(kOne, paxos::RecoveryAnswer{ballot(1, kTwo), 6, Slot(0), Slot(8)});
  EXPECT_EQ(caught([&] { witness_.recovered(kOne); }), Checker::kWholeByThisLife);
  witness_.heard(kOne, paxos::RecoveryAnswer{ballot(1, kTwo), 7, Slot(0), Slot(8)});
  EXPECT_EQ(caught([&] { witness_.recovered(kOne); }), std::nullopt);
  witness_.booted(kOne);
  EXPECT_EQ(caught([&] { witness_.recovered(kOne); }), Checker::kWholeByThisLife);
}

TEST_F(Checkers, ALeaderHasThePromisesOfTheSlotsGroup) {
  const auto propose = [&] { return caught([&] { witness_.proposed(ballot(1), Slot(1)); }); };
  EXPECT_EQ(propose(), Checker::kPromisesOfGroup);
  witness_.written(kTwo, paxos::Promised{ballot(1)});
  witness_.durable(kTwo, paxos::Promised{ballot(1)});
  witness_.sent(kTwo, paxos::Promise{ballot(1), Slot(1), Slot(2), {}, Slot(0)});
  EXPECT_EQ(propose(), Checker::kPromisesOfGroup);
  witness_.sent(kTwo, paxos::Promise{ballot(1), Slot(2), Slot(0), {}, Slot(0)});
  EXPECT_EQ(propose(), std::nullopt);
}

TEST_F(Checkers, DurableBeforeTold) {
  const auto promise = [&] {
    return caught([&] {
      witness_.sent(kOne, paxos::Promise{ballot(5, kTwo), Slot(1), Slot(), {}, Slot()});
    });
  };
  const auto acceptance = [&] {
    return caught([&] {
      witness_.sent(kOne, paxos::AcceptedThrough{ballot(5, kTwo), Slot(1), Slot(), {}});
    });
  };
  EXPECT_EQ(promise(), Checker::kDurableBeforeTold);
  witness_.durable(kOne, paxos::Promised{ballot(5, kTwo)});
  EXPECT_EQ(promise(), std::nullopt);
  EXPECT_EQ(acceptance(), Checker::kDurableBeforeTold);
  witness_.durable(kOne, paxos::Accepted{Slot(1), ballot(5, kTwo), value({})});
  EXPECT_EQ(acceptance(), std::nullopt);
}

TEST_F(Checkers, PromiseKept) {
  witness_.written(kOne, paxos::Promised{ballot(5)});
  EXPECT_EQ(caught([&] { accept(kOne, 1, ballot(4), value({})); }), Checker::kPromiseKept);
}

TEST_F(Checkers, BallotsBelongToOneLife) {
  const auto ask = [&] {
    return caught([&] { witness_.sent(kOne, paxos::Prepare{ballot(5), Slot(1)}); });
  };
  const auto lead = [&](ReplicaId who) { return caught([&] { witness_.led(who, ballot(5)); }); };
  EXPECT_EQ(ask(), std::nullopt);
  EXPECT_EQ(lead(kOne), std::nullopt);
  EXPECT_EQ(lead(kTwo), Checker::kOneLeaderPerBallot);
  witness_.booted(kOne);
  EXPECT_EQ(ask(), Checker::kBallotsNeverReused);
  EXPECT_EQ(lead(kOne), Checker::kOneLeaderPerBallot);
}

TEST_F(Checkers, ASnapshotOfAnotherStateIsNoticed) {
  state::StateMachine state{{}};
  state.execute(Slot(1), {LogTime(1'000'000), {committed(1)}});
  std::string content;
  state.begin_snapshot();
  while (const auto chunk = state.next_chunk(10)) add_chunk(content, *chunk);
  const StoredSnapshot snapshot{{Slot(1), id_of(content), content.size()},
                                std::make_shared<const std::string>(content)};
  const std::uint64_t hash = state.state_hash();
  EXPECT_EQ(caught([&] { witness_.snapshot(kOne, snapshot, hash, {}); }), std::nullopt);
  EXPECT_EQ(caught([&] { witness_.snapshot(kOne, snapshot, hash + 1, {}); }),
            Checker::kSnapshotIsState);
}

}  // namespace
}  // namespace assent::simulation
