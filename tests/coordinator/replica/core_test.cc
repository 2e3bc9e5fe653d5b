#include "coordinator/replica/core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/check.h"

namespace assent::replica {
namespace {

// Reads of old values are not needed here.
class NoLog final : public paxos::ChosenLog {
 public:
  [[nodiscard]] paxos::AcceptedValue read(Slot /*slot*/) const override {
    fail_check(__FILE__, __LINE__, "read", "everything is in memory");
  }
};

TransactionId transaction(std::uint64_t number) {
  return make_transaction_id(LogTime(1'000'000), number, number, 1);
}
state::Command committed(std::uint64_t number) {
  return state::Committed{transaction(number), 1, {}};
}

// A replica whose flushes are the test's to finish.
class Replica {
 public:
  explicit Replica(std::vector<ReplicaId> members, Options options = options_of(),
                   std::shared_ptr<state::StateMachine> snapshot = nullptr,
                   LogTime wall = LogTime(1'000'000))
      : now_{MonoTime(5'000), wall},
        core_(
            [&] {
              options.paxos.group = paxos::Group(std::move(members));
              return std::move(options);
            }(),
            log_) {
    if (snapshot != nullptr) core_.restore(std::move(snapshot));
    core_.start(now_);
  }
  static Options options_of() {
    return Options{.paxos = {.self = ReplicaId(1), .group = paxos::Group({ReplicaId(1)})},
                   .state = {}};
  }

  Effects step(const Input& input) {
    Effects out = core_.step(now_, input);
    core_.check_invariants();
    written_ += out.persist.size();
    records_.insert(records_.end(), out.persist.begin(), out.persist.end());
    return out;
  }
  Effects persist() { return step(paxos::Persisted{paxos::RecordIndex(written_)}); }
  // Group of one: stands, promises, leads, and executes its own no-op.
  void take_office() {
    now_.mono = now_.mono + Millis(1'000);
    step(paxos::Tick{});
    persist();
    const Effects taken = persist();
    ASSERT_EQ(taken.office.size(), 1u);
    ASSERT_TRUE(core_.serving());
  }
  Effects submit(std::uint64_t token, state::Command command) {
    return step(Submit{CommandToken(token), std::move(command)});
  }

  NoLog log_;
  Now now_;
  Core core_;
  std::uint64_t written_ = 0;
  std::vector<paxos::Record> records_;
};

Replica alone() {
  return Replica({ReplicaId(1)});
}

// R15: the lost log has gone on after its backup, so the floor must not follow from that one's
// time.
TEST(Core, AfterARestoreTheFloorIsAboveTheWallClock) {
  const LogTime backed_up(1'000'000);
  const LogTime wall(90'000'000);
  auto state = std::make_shared<state::StateMachine>(state::StateOptions{});
  state->execute(Slot(1),
                 {backed_up, {state::OfficeTaken{{Incarnation(1), Round(1), ReplicaId(1)}}}});
  state->restore(/*backup=*/7);
  Replica replica({ReplicaId(1)}, Replica::options_of(), state, wall);

  replica.take_office();

  EXPECT_LE(wall + state::kIdsAhead, replica.core_.state().floor());
  EXPECT_LE(replica.core_.state().floor(), replica.core_.log_time(replica.now_))
      << "ids go on at once";
  replica.now_.mono = replica.now_.mono + Millis(1'000);
  replica.now_.wall = replica.now_.wall + Millis(2'000);
  EXPECT_LT(replica.core_.state().floor(), replica.core_.log_time(replica.now_));
}

// R17: its wall clock is an hour ahead of that of the one that has led since the restore.
TEST(Core, AfterARestoreLogTimeGoesOnFromTheFirstLeaders) {
  const LogTime wall(90'000'000);
  const LogTime leaders(wall.value - 3'600'000);
  auto state = std::make_shared<state::StateMachine>(state::StateOptions{});
  state->execute(Slot(1), {LogTime(1'000'000), {}});
  state->restore(/*backup=*/7);
  const std::vector<ReplicaId> three{ReplicaId(1), ReplicaId(2), ReplicaId(3)};
  Replica replica(three, Replica::options_of(), state, wall);
  const Ballot ballot{Incarnation(2), Round(1), ReplicaId(3)};
  const auto value = paxos::make_value(state::encode({leaders, {state::OfficeTaken{ballot}}}));

  replica.step(paxos::Arrived{ReplicaId(3),
                              paxos::Accept{ballot, Slot(2), {value}, Slot(2), paxos::Probe(1)}});

  ASSERT_EQ(replica.core_.state().executed(), Slot(2));
  EXPECT_EQ(replica.core_.log_time(replica.now_), leaders + state::kIdsAhead);
}

TEST(Core, ServesWhenItsOwnNoOpIsExecuted) {
  Replica replica = alone();
  replica.now_.mono = replica.now_.mono + Millis(1'000);
  replica.step(paxos::Tick{});
  replica.persist();
  EXPECT_TRUE(replica.core_.consensus().leading());
  EXPECT_FALSE(replica.core_.serving());
  const Effects taken = replica.persist();
  ASSERT_EQ(taken.office.size(), 1u);
  EXPECT_EQ(std::get<OfficeTaken>(taken.office[0]).number, 1u);
  EXPECT_TRUE(replica.core_.serving());
}

TEST(Core, ACommandIsAnsweredWhenItIsExecutedAndNotBefore) {
  Replica replica = alone();
  replica.take_office();
  EXPECT_TRUE(replica.submit(7, committed(1)).executed.empty());
  EXPECT_TRUE(replica.step(TurnEnded{}).executed.empty());
  const Effects done = replica.persist();
  ASSERT_EQ(done.executed.size(), 1u);
  EXPECT_EQ(done.executed[0].token, CommandToken(7));
  EXPECT_TRUE(std::holds_alternative<state::TookEffect>(done.executed[0].result));
}

TEST(Core, CommandsOfOneTurnShareASlot) {
  Replica replica = alone();
  replica.take_office();
  const Slot before = replica.core_.state().executed();
  for (std::uint64_t i = 1; i <= 100; ++i) replica.submit(i, committed(i));
  replica.step(TurnEnded{});
  EXPECT_EQ(replica.persist().executed.size(), 100u);
  EXPECT_EQ(replica.core_.state().executed(), before.next());
}

TEST(Core, CommandsGatherWhileAllSlotsAreOpen) {
  Options options = Replica::options_of();
  options.paxos.open_slots_max = 1;
  Replica replica({ReplicaId(1)}, options);
  replica.take_office();
  for (std::uint64_t i = 1; i <= 10; ++i) {
    replica.submit(i, committed(i));
    replica.step(TurnEnded{});
  }
  EXPECT_EQ(replica.persist().executed.size(), 1u);
  EXPECT_EQ(replica.persist().executed.size(), 9u);
}

TEST(Core, AnEntryIsCutToWhatAMessageHolds) {
  Options options = Replica::options_of();
  options.paxos.accept_bytes_max = 500;
  Replica replica({ReplicaId(1)}, options);
  replica.take_office();
  for (std::uint64_t i = 1; i <= 64; ++i) replica.submit(i, committed(i));
  replica.step(TurnEnded{});
  std::vector<CommandToken> order;
  for (int i = 0; i < 20; ++i) {
    for (const Executed& one : replica.persist().executed) order.push_back(one.token);
  }
  ASSERT_EQ(order.size(), 64u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  for (const paxos::Record& record : replica.records_) {
    if (const auto* accepted = std::get_if<paxos::Accepted>(&record)) {
      EXPECT_LE(accepted->value->size(), 500u);
    }
  }
}

TEST(Core, TooManyWaitingCommandsAreRefused) {
  Options options = Replica::options_of();
  options.commands_waiting_max = 2;
  Replica replica({ReplicaId(1)}, options);
  replica.take_office();
  EXPECT_TRUE(replica.submit(1, committed(1)).refused.empty());
  EXPECT_TRUE(replica.submit(2, committed(2)).refused.empty());
  EXPECT_EQ(replica.submit(3, committed(3)).refused, std::vector<CommandToken>{CommandToken(3)});
}

TEST(Core, AReadIsReadyAtOnceWhereNobodyElseCouldLead) {
  Replica replica = alone();
  replica.take_office();
  EXPECT_EQ(replica.step(paxos::ReadAsked{ReadToken(3)}).reads,
            std::vector<ReadToken>{ReadToken(3)});
}

TEST(Core, ARestartRestoresTheState) {
  Replica replica = alone();
  replica.take_office();
  replica.submit(1, committed(1));
  replica.step(TurnEnded{});
  replica.persist();
  replica.submit(2, committed(2));  // its record brings the mark of the first
  replica.step(TurnEnded{});
  replica.persist();

  const NoLog log;
  Core next(Replica::options_of(), log);
  const Now now{MonoTime(5), LogTime(2'000'000)};
  for (const paxos::Record& record : replica.records_) ASSERT_TRUE(next.restore(now, record));
  next.start(now);
  EXPECT_NE(next.state().find(transaction(1)), nullptr);
  EXPECT_FALSE(next.serving());
  next.check_invariants();
}

// ── a group that changes ────────────────────────────────────────────────────────────────────────

state::Member member(std::uint32_t id) {
  const std::string host = "r" + std::to_string(id);
  return {ReplicaId(id), 0, false, host + ":1", host + ":2", ""};
}

// Alone in its group, and told of it.
class Founder : public ::testing::Test {
 protected:
  static Options options() {
    Options out = Replica::options_of();
    out.founders = {member(1)};
    return out;
  }
  // Until nothing is open any more.
  void settle() {
    for (int i = 0; i < 20; ++i) replica_.persist();
  }
  state::CommandResult execute(std::uint64_t token, state::Command command) {
    replica_.submit(token, std::move(command));
    replica_.step(TurnEnded{});
    const Effects done = replica_.persist();
    settle();
    return done.executed.empty() ? state::CommandResult{state::BelowFloor{}}
                                 : done.executed[0].result;
  }
  [[nodiscard]] const paxos::Consensus& consensus() const { return replica_.core_.consensus(); }

  Replica replica_{{ReplicaId(1)}, options()};
};

TEST_F(Founder, TheFirstLeaderTellsTheLogOfTheGroup) {
  replica_.take_office();
  const auto electorates = replica_.core_.state().membership().electorates();
  ASSERT_EQ(electorates.size(), 1u);
  EXPECT_EQ(electorates[0], (state::Electorate{Slot(1), {ReplicaId(1)}, {}}));
}

TEST_F(Founder, NoOpsBringAChangeToWhereItGoverns) {
  replica_.take_office();
  const auto result = execute(1, state::ReplicaAdded{member(2)});
  const auto* governs = std::get_if<state::GroupGoverns>(&result);
  ASSERT_NE(governs, nullptr);
  EXPECT_EQ(consensus().chosen_through().next(), governs->from);
  EXPECT_EQ(consensus().group(), paxos::Group({ReplicaId(1)}, {ReplicaId(2)}));
}

TEST_F(Founder, WhatTheStateSaysOfTheGroupGovernsConsensus) {
  replica_.take_office();
  execute(1, state::ReplicaAdded{member(2)});
  execute(2, state::ReplicaPromoted{ReplicaId(2)});
  EXPECT_EQ(consensus().group(), paxos::Group({ReplicaId(1), ReplicaId(2)}));
  EXPECT_FALSE(consensus().can_propose()) << "the second has promised nothing";
  EXPECT_TRUE(consensus().leading());
}

TEST_F(Founder, TheNextLifeKnowsTheGroupFromTheLog) {
  replica_.take_office();
  execute(1, state::ReplicaAdded{member(2)});
  execute(2, state::ReplicaPromoted{ReplicaId(2)});
  const NoLog log;
  Core next(options(), log);
  const Now now{MonoTime(5), LogTime(2'000'000)};
  for (const paxos::Record& record : replica_.records_) ASSERT_TRUE(next.restore(now, record));
  next.start(now);
  EXPECT_EQ(next.consensus().group(), paxos::Group({ReplicaId(1), ReplicaId(2)}));
  next.check_invariants();
}

// ── an earlier version of the program ───────────────────────────────────────────────────────────

Options first_version() {
  Options out = Replica::options_of();
  out.state.formats = {.entry = 1, .snapshot = 1};
  return out;
}

TEST_F(Founder, AnEarlierVersionDoesNotStartOnAChangeThatItCannotRead) {
  replica_.take_office();
  execute(1, state::ReplicaAdded{member(2)});
  const NoLog log;
  Core earlier(first_version(), log);
  const Now now{MonoTime(5), LogTime(2'000'000)};
  Result<void> restored;
  for (const paxos::Record& record : replica_.records_) {
    restored = earlier.restore(now, record);
    if (!restored) break;
  }
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(restored.error().message,
            "the log cannot be executed: slot 1 is chosen, and its log entry has format 2, this "
            "program reads up to 1: run the version that wrote it, or newer");
  EXPECT_EQ(earlier.state().executed(), Slot(0)) << "nothing is skipped";
}

// A newer version accepted the entry on this disk; an earlier one runs now, and is elected.
TEST_F(Founder, AnEarlierVersionEndsWhenAChangeThatItCannotReadIsChosen) {
  replica_.take_office();
  replica_.submit(1, state::ReplicaAdded{member(2)});
  replica_.step(TurnEnded{});
  Replica earlier({ReplicaId(1)}, first_version());
  const Now now{MonoTime(5), LogTime(2'000'000)};
  for (const paxos::Record& record : replica_.records_) {
    if (std::holds_alternative<paxos::ChosenMark>(record)) continue;
    ASSERT_TRUE(earlier.core_.restore(now, record));
  }
  earlier.now_.mono = earlier.now_.mono + Millis(1'000);
  Effects last = earlier.step(paxos::Tick{});
  for (int i = 0; i < 5 && !last.unreadable; ++i) last = earlier.persist();
  ASSERT_TRUE(last.unreadable);
  EXPECT_EQ(last.unreadable->code, ErrorCode::kUnsupportedVersion);
  EXPECT_TRUE(last.persist.empty() && last.send.empty() && last.executed.empty());
}

TEST_F(Founder, ASnapshotsGroupGovernsConsensus) {
  replica_.take_office();
  execute(1, state::ReplicaAdded{member(2)});
  replica_.core_.begin_snapshot();
  auto state = std::make_shared<state::StateMachine>(options().state);
  while (auto chunk = replica_.core_.next_chunk(100)) ASSERT_TRUE(state->load(*chunk));

  const NoLog log;
  Options joins = Replica::options_of();
  joins.paxos.self = ReplicaId(2);
  joins.paxos.group = paxos::Group();
  Core next(joins, log);
  const Now now{MonoTime(5), LogTime(2'000'000)};
  next.start(now);
  EXPECT_EQ(next.consensus().group(), paxos::Group());
  next.step(now, Install{state});
  EXPECT_EQ(next.consensus().group(), consensus().group());
  next.check_invariants();
}

// ── in a group of three ─────────────────────────────────────────────────────────────────────────

// Replica 1 leads a group of three; what 2 and 3 say is the test's.
class Trio : public ::testing::Test {
 protected:
  void lead() {
    replica_.now_.mono = replica_.now_.mono + Millis(1'000);
    replica_.step(paxos::Tick{});
    const Ballot ballot = replica_.core_.consensus().highest_ballot();
    ballot_ = {Incarnation(1), ballot.round.next(), ReplicaId(1)};
    replica_.step(from(2, paxos::PreVoteAnswer{ballot_, true, {}}));
    replica_.persist();
    replica_.step(from(2, paxos::Promise{ballot_, Slot(1), Slot(0), {}, Slot(0)}));
    replica_.persist();
  }
  void take_office() {
    lead();
    const Effects taken = accept_all();
    ASSERT_EQ(taken.office.size(), 1u);
  }
  Effects accept_all() {
    const Slot last = replica_.core_.consensus().last_proposed();
    return replica_.step(from(2, paxos::AcceptedThrough{ballot_, last, Slot(0), paxos::Probe(0)}));
  }
  static paxos::Arrived from(std::uint32_t id, paxos::Message message) {
    return {ReplicaId(id), std::move(message)};
  }
  paxos::Refused preempted() { return {ballot_, {Incarnation(1), Round(99), ReplicaId(3)}}; }

  Replica replica_{{ReplicaId(1), ReplicaId(2), ReplicaId(3)}};
  Ballot ballot_;
};

TEST_F(Trio, ALostOfficeAnswersNobody) {
  take_office();
  replica_.submit(1, committed(1));
  replica_.step(TurnEnded{});
  const Effects lost = replica_.step(from(3, preempted()));
  ASSERT_EQ(lost.office.size(), 1u);
  EXPECT_EQ(std::get<OfficeLost>(lost.office[0]).ballot, ballot_);
  EXPECT_TRUE(lost.executed.empty());
  EXPECT_EQ(replica_.core_.pending_count(), 0u);
  // Its value is chosen after all, under the next leader: executed, and told to nobody here.
  const state::Entry entry{LogTime(1'000'000), {committed(1)}};
  const Ballot next{Incarnation(1), Round(99), ReplicaId(3)};
  const Effects later = replica_.step(from(
      3, paxos::Accept{
             next, Slot(2), {paxos::make_value(state::encode(entry))}, Slot(2), paxos::Probe(1)}));
  EXPECT_TRUE(later.executed.empty());
  EXPECT_NE(replica_.core_.state().find(transaction(1)), nullptr);
}

TEST_F(Trio, ALeaderServesNothingBeforeItsOwnNoOpIsChosen) {
  lead();
  EXPECT_TRUE(replica_.core_.consensus().leading());
  EXPECT_FALSE(replica_.core_.serving());
  accept_all();
  EXPECT_TRUE(replica_.core_.serving());
}

// R17: what phase 1 found may be all that was ever acknowledged, and this replica has executed none
// of it. Its own wall clock must not expire that.
TEST_F(Trio, ANewReplicasFirstEntryGoesOnFromWhatPhase1Found) {
  const LogTime found(replica_.now_.wall.value - 900'000);
  replica_.now_.mono = replica_.now_.mono + Millis(1'000);
  replica_.step(paxos::Tick{});
  ballot_ = {Incarnation(1), Round(2), ReplicaId(1)};
  const Ballot earlier{Incarnation(1), Round(1), ReplicaId(3)};
  replica_.step(
      from(2, paxos::PreVoteAnswer{{Incarnation(1), Round(1), ReplicaId(1)}, false, earlier}));
  replica_.step(from(2, paxos::PreVoteAnswer{ballot_, true, {}}));
  replica_.persist();
  const paxos::Value value = paxos::make_value(state::encode({found, {committed(1)}}));
  replica_.step(
      from(2, paxos::Promise{ballot_, Slot(1), Slot(0), {{Slot(1), {earlier, value}}}, Slot(0)}));
  replica_.persist();
  accept_all();
  replica_.persist();
  accept_all();
  ASSERT_TRUE(replica_.core_.serving());
  EXPECT_EQ(replica_.core_.state().time(), found);
}

TEST_F(Trio, AnOfficeLostBeforeItWasServedIsNotTold) {
  lead();
  EXPECT_TRUE(replica_.step(from(3, preempted())).office.empty());
}

TEST_F(Trio, ReadsOfALostOfficeAreLost) {
  take_office();
  replica_.step(paxos::ReadAsked{ReadToken(4)});
  EXPECT_EQ(replica_.step(from(3, preempted())).reads_lost, std::vector<ReadToken>{ReadToken(4)});
}

// A replica that writes a snapshot of its own can be found so far behind that it is given another.
TEST_F(Trio, ASnapshotThatIsBeingWrittenGoesOnWhenAnotherStateIsTakenIn) {
  const Ballot other{Incarnation(1), Round(1), ReplicaId(3)};
  const auto value = paxos::make_value(state::encode({LogTime(1'000'000), {committed(1)}}));
  replica_.step(from(3, paxos::Accept{other, Slot(1), {value}, Slot(1), paxos::Probe(1)}));
  auto ahead = std::make_shared<state::StateMachine>(state::StateOptions{});
  for (std::uint64_t slot = 1; slot <= 9; ++slot) {
    ahead->execute(Slot(slot), {LogTime(1'000'000), {committed(slot)}});
  }
  state::StateMachine written{state::StateOptions{}};
  replica_.core_.begin_snapshot();
  ASSERT_TRUE(written.load(*replica_.core_.next_chunk(1)));

  replica_.step(Install{ahead});

  ASSERT_EQ(replica_.core_.state().executed(), Slot(9));
  while (const auto chunk = replica_.core_.next_chunk(1)) ASSERT_TRUE(written.load(*chunk));
  EXPECT_EQ(written.executed(), Slot(1));
  EXPECT_EQ(written.record_count(), 1u);
}

TEST_F(Trio, ANoOpTakesItsSlotAndNothingElse) {
  const Ballot other{Incarnation(1), Round(1), ReplicaId(3)};
  replica_.step(
      from(3, paxos::Accept{other, Slot(1), {paxos::make_value({})}, Slot(1), paxos::Probe(1)}));
  EXPECT_EQ(replica_.core_.state().executed(), Slot(1));
  EXPECT_EQ(replica_.core_.state().record_count(), 0u);
}

}  // namespace
}  // namespace assent::replica
