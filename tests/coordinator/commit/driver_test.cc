// State × event table of one transaction's driver: every cell is a transition or a stated refusal.
#include "coordinator/commit/driver.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <span>

#include "coordinator/commit/request.h"
#include "tests/coordinator/commit/driver_cells.h"
#include "tests/coordinator/commit/one_phase_cells.h"
#include "tests/coordinator/commit/words.h"

namespace assent::commit {
namespace {

constexpr Millis kTimeout{1'000};
constexpr Millis kAbortPatience{10'000};
constexpr LogTime kLogStart{1'000'000};

// What the request says of its branches at a and b.
enum class Shape {
  kClassic,   // nothing, so both may write
  kOneWriter  // a reads; b may commit in one phase
};

// One transaction with branches at a and b, driven over a real state machine.
class Bench {
 public:
  Bench() {
    execute(state::OfficeTaken{{Incarnation(1), Round(1), ReplicaId(1)}});
    execute(state::Enrolled{"a", "n", Epoch(0), {1, 1}, 1, 1, "host:1", "host:2", true});
    execute(state::Enrolled{"b", "n", Epoch(0), {1, 2}, 1, 1, "host:1", "host:2", true});
  }

  // The driver's answer to one event, in words.
  std::string in_turn(const std::function<void(Turn&)>& event) {
    Turn turn{now_, state_, options_, counters_, serials_};
    event(turn);
    if (driver_) driver_->check_invariants();
    for (const state::Command& command : turn.effects.propose) proposed_ = command;
    return words(turn.effects);
  }
  template <class Event>
  std::string on(const Event& event) {
    return in_turn([&](Turn& turn) { driver_->on(turn, event); });
  }

  std::string commit(Shape shape = Shape::kClassic, bool first = true) {
    shape_ = shape;
    return in_turn([&](Turn& turn) {
      driver_ = Driver::commit(turn, asked(2), first, caller(1, Acknowledge::kApplied, 2));
    });
  }
  std::string commit_again(std::uint64_t token, Acknowledge acknowledge, std::uint32_t statements) {
    const CommitAsked again = asked(statements);
    return in_turn([&](Turn& turn) {
      driver_->join(turn, caller(token, acknowledge, statements),
                    branch_ids(again.transaction, again.branches));
    });
  }
  std::string abort_asked() {
    return in_turn([&](Turn& turn) {
      driver_->join(turn, AbortCaller{Token(9), now_.mono + kAbortPatience}, {id("a", 1)});
    });
  }
  std::string vote_read_only(const char* participant) {
    return on(VoteArrived{id(participant, 1), VoteReadOnly{}});
  }
  std::string vote_committed(const char* participant) {
    return on(VoteArrived{id(participant, 1), VoteCommitted{}});
  }
  std::string settled(bool committed) { return on(SettleArrived{"b", t_, committed}); }
  std::string settle_lost() { return on(SettleLost{"b", t_}); }
  std::string vote_yes(const char* participant, std::uint64_t attempt = 1) {
    return on(VoteArrived{id(participant, attempt), VoteYes{Evidence{attempt, 2, 3, 4}}});
  }
  std::string vote_no(const char* participant) {
    return on(VoteArrived{id(participant, 1), VoteNo{Error{ErrorCode::kSql, "no"}}});
  }
  std::string prepare_lost(const char* participant) {
    return on(PrepareLost{id(participant, 1), Error{ErrorCode::kUnavailable, "refused"}});
  }
  std::string finished(const char* participant, FinishResult result) {
    return on(FinishArrived{id(participant, 1), result});
  }
  std::string heuristic_logged(const char* participant) {
    return on(HeuristicLogged{id(participant, 1)});
  }
  std::string finish_lost(const char* participant) { return on(FinishLost{id(participant, 1)}); }
  std::string found(const char* participant, std::uint64_t attempt, Millis ago) {
    return in_turn([&](Turn& turn) {
      driver_->on_found(turn, {id(participant, attempt)}, MonoTime(now_.mono.value - ago.value));
    });
  }
  std::string tick_after(Millis pause) {
    pass(pause);
    return on(Tick{});
  }

  // What the log answers to the driver's proposal.
  std::string took_effect() {
    if (!proposed_) return on(DecisionExecuted{t_, state::TookEffect{}});
    return on(DecisionExecuted{t_, execute(*proposed_)});
  }
  std::string decided_otherwise() {
    if (!proposed_) return on(DecisionExecuted{t_, state::AlreadyDecided{Outcome::kAborted}});
    execute(opposite());
    return took_effect();
  }
  std::string below_floor() {
    if (!proposed_) return on(DecisionExecuted{t_, state::BelowFloor{}});
    state_.execute(state_.executed().next(), {kLogStart + Millis(10'000'000), {}});
    return took_effect();
  }

  void pass(Millis time) {
    now_.mono = now_.mono + time;
    now_.log = now_.log + time;
  }
  // Milliseconds until the driver wants a Tick; -1: it waits for none.
  [[nodiscard]] std::int64_t due_in() const {
    const std::optional<MonoTime> due = driver_->next_due();
    return due ? (*due - now_.mono).value : -1;
  }
  [[nodiscard]] std::string state_name() const {
    return driver_->done() ? "done" : std::string(driver_->state_name());
  }

 private:
  BranchId id(const char* participant, std::uint64_t attempt) const {
    return {t_, participant, Epoch(1), Attempt(attempt)};
  }
  CommitAsked asked(std::uint32_t statements) const {
    const bool reads = shape_ == Shape::kOneWriter;
    return {
        Token(0),
        t_,
        {{"a", Epoch(1), Attempt(1), statements, nullptr, reads}, {"b", Epoch(1), Attempt(1), 2}},
        Acknowledge::kApplied,
        kTimeout};
  }
  CommitCaller caller(std::uint64_t token, Acknowledge acknowledge,
                      std::uint32_t statements) const {
    return {Token(token),         request_hash(asked(statements).branches),     acknowledge,
            now_.mono + kTimeout, now_.mono + kTimeout + options_.settle_grace, {{"a"}, {"b"}}};
  }
  state::CommandResult execute(const state::Command& command) {
    return state_.execute(state_.executed().next(), {kLogStart, {command}}).front();
  }
  // An earlier office's decision, the other way, of the same request.
  [[nodiscard]] state::Command opposite() const {
    const std::uint64_t hash = request_hash(asked(2).branches);
    const state::DecidedBranch a{"a", Epoch(1), Attempt(1), Evidence{1, 2, 3, 4}};
    const state::DecidedBranch b{"b", Epoch(1), Attempt(1), Evidence{1, 2, 3, 4}};
    if (std::holds_alternative<state::Committed>(*proposed_)) {
      return state::Aborted{t_, hash, Error{ErrorCode::kDeadline, "late"}, {a, b}};
    }
    return state::Committed{t_, hash, {a, b}};
  }

  const TransactionId t_ = make_transaction_id(kLogStart, 1, 1, 1);
  const OfficeOptions options_;
  state::StateMachine state_{state::StateOptions{}};
  OfficeCounters counters_;
  Serials serials_{1};
  Shape shape_ = Shape::kClassic;
  Now now_{MonoTime(50'000), kLogStart};
  std::optional<Driver> driver_;
  std::optional<state::Command> proposed_;  // the last
};

struct State {
  const char* name;
  std::function<void(Bench&)> reach;
};

const std::vector<State>& states() {
  static const std::vector<State> all = {
      {"preparing", [](Bench& t) { t.commit(); }},
      {"preparing, a YES, b lost",
       [](Bench& t) {
         t.commit();
         t.vote_yes("a");
         t.prepare_lost("b");
       }},
      {"committing",
       [](Bench& t) {
         t.commit();
         t.vote_yes("a");
         t.vote_yes("b");
       }},
      {"aborting",
       [](Bench& t) {
         t.commit();
         t.vote_yes("a");
         t.vote_no("b");
       }},
      {"committed",
       [](Bench& t) {
         t.commit();
         t.vote_yes("a");
         t.vote_yes("b");
         t.took_effect();
       }},
      {"committed, a confirmed, b lost",
       [](Bench& t) {
         t.commit();
         t.vote_yes("a");
         t.vote_yes("b");
         t.took_effect();
         t.finished("a", FinishResult::kDone);
         t.finish_lost("b");
       }},
      {"committed, b a hazard",
       [](Bench& t) {
         t.commit();
         t.vote_yes("a");
         t.vote_yes("b");
         t.took_effect();
         t.finished("a", FinishResult::kDone);
         t.finished("b", FinishResult::kHazard);
       }},
      {"aborted",
       [](Bench& t) {
         t.commit();
         t.vote_no("a");
         t.took_effect();
       }},
      {"aborted, a confirmed, b lost",
       [](Bench& t) {
         t.commit();
         t.vote_no("a");
         t.took_effect();
         t.finished("a", FinishResult::kDone);
         t.finish_lost("b");
       }},
      {"expired",
       [](Bench& t) {
         t.commit();
         t.vote_yes("a");
         t.vote_yes("b");
         t.below_floor();
       }},
  };
  return all;
}

// Readers that leave, and the ways of a transaction with one writer.
const std::vector<State>& one_phase_states() {
  static const std::vector<State> all = {
      {"preparing, a READ_ONLY",
       [](Bench& t) {
         t.commit();
         t.vote_read_only("a");
       }},
      {"committed, a READ_ONLY",
       [](Bench& t) {
         t.commit();
         t.vote_read_only("a");
         t.vote_yes("b");
         t.took_effect();
       }},
      {"b waits for a", [](Bench& t) { t.commit(Shape::kOneWriter); }},
      {"b waits for a, a lost",
       [](Bench& t) {
         t.commit(Shape::kOneWriter);
         t.prepare_lost("a");
       }},
      {"b asked after a's YES",
       [](Bench& t) {
         t.commit(Shape::kOneWriter);
         t.vote_yes("a");
       }},
      {"one phase",
       [](Bench& t) {
         t.commit(Shape::kOneWriter);
         t.vote_read_only("a");
       }},
      {"one phase, b lost",
       [](Bench& t) {
         t.commit(Shape::kOneWriter);
         t.vote_read_only("a");
         t.prepare_lost("b");
       }},
      {"settling",
       [](Bench& t) {
         t.commit(Shape::kOneWriter, /*first=*/false);
         t.vote_no("a");
       }},
      {"settling, settle lost",
       [](Bench& t) {
         t.commit(Shape::kOneWriter, /*first=*/false);
         t.vote_no("a");
         t.settle_lost();
       }},
      {"committed in one phase, a stray",
       [](Bench& t) {
         t.commit(Shape::kOneWriter);
         t.vote_read_only("a");
         t.found("b", 2, Millis(0));
         t.vote_committed("b");
       }},
  };
  return all;
}

struct Event {
  const char* name;
  std::function<std::string(Bench&)> happen;
};

const std::vector<Event>& events() {
  static const std::vector<Event> all = {
      {"commit again, APPLIED",
       [](Bench& t) { return t.commit_again(2, Acknowledge::kApplied, 2); }},
      {"commit again, DECIDED",
       [](Bench& t) { return t.commit_again(2, Acknowledge::kDecided, 2); }},
      {"commit, another request",
       [](Bench& t) { return t.commit_again(2, Acknowledge::kApplied, 3); }},
      {"abort asked", [](Bench& t) { return t.abort_asked(); }},
      {"b votes YES", [](Bench& t) { return t.vote_yes("b"); }},
      {"b votes NO", [](Bench& t) { return t.vote_no("b"); }},
      {"b's other attempt votes YES", [](Bench& t) { return t.vote_yes("b", 2); }},
      {"b's prepare is lost", [](Bench& t) { return t.prepare_lost("b"); }},
      {"log: took effect", [](Bench& t) { return t.took_effect(); }},
      {"log: decided otherwise", [](Bench& t) { return t.decided_otherwise(); }},
      {"log: below the floor", [](Bench& t) { return t.below_floor(); }},
      {"b confirms", [](Bench& t) { return t.finished("b", FinishResult::kDone); }},
      {"b is a hazard", [](Bench& t) { return t.finished("b", FinishResult::kHazard); }},
      {"log: b's end is told", [](Bench& t) { return t.heuristic_logged("b"); }},
      {"b's finish is lost", [](Bench& t) { return t.finish_lost("b"); }},
      {"b's agent is up", [](Bench& t) { return t.on(AgentUp{"b"}); }},
      {"inventory has a",
       [](Bench& t) {
         t.pass(Millis(10));
         return t.found("a", 1, Millis(5));
       }},
      {"stale inventory has a",
       [](Bench& t) {
         t.pass(Millis(10));
         return t.found("a", 1, Millis(20));
       }},
      {"inventory has b's other attempt", [](Bench& t) { return t.found("b", 2, Millis(0)); }},
      {"a pause passes", [](Bench& t) { return t.tick_after(Millis(50)); }},
      {"the deadline passes", [](Bench& t) { return t.tick_after(kTimeout); }},
      {"b votes READ_ONLY", [](Bench& t) { return t.vote_read_only("b"); }},
      {"b votes COMMITTED", [](Bench& t) { return t.vote_committed("b"); }},
      {"settled: committed", [](Bench& t) { return t.settled(true); }},
      {"settled: never", [](Bench& t) { return t.settled(false); }},
      {"the settle is lost", [](Bench& t) { return t.settle_lost(); }},
      {"the caller's patience passes",
       [](Bench& t) { return t.tick_after(kTimeout + OfficeOptions{}.settle_grace); }},
  };
  return all;
}

void check_cells(const std::vector<State>& states, std::span<const DriverCell> cells) {
  std::size_t count = 0;
  for (const State& state : states) {
    for (const Event& event : events()) {
      const std::string here = std::string(state.name) + " × " + event.name;
      ASSERT_LT(count, cells.size()) << here;
      const DriverCell& cell = cells[count++];
      ASSERT_EQ(here, std::string(cell.state) + " × " + cell.event);
      Bench bench;
      state.reach(bench);
      EXPECT_EQ(event.happen(bench), cell.effect) << here;
      EXPECT_EQ(bench.state_name(), cell.next) << here;
      EXPECT_EQ(bench.due_in(), cell.due_in) << here;
      EXPECT_TRUE(*cell.effect != '\0' || *cell.why != '\0') << here << ": silence has a reason";
    }
  }
  EXPECT_EQ(count, cells.size());
}

TEST(DriverTable, EveryCell) {
  check_cells(states(), kDriverCells);
}

TEST(DriverTable, EveryCellOfReadersAndOnePhase) {
  check_cells(one_phase_states(), kOnePhaseCells);
}

}  // namespace
}  // namespace assent::commit
