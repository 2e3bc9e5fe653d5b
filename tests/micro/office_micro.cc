// What the core of two-phase commit costs the leader, without messages and log.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "coordinator/commit/office.h"
#include "coordinator/state/state_machine.h"

namespace assent::commit {
namespace {

constexpr LogTime kLogStart{10'000'000};

// An office over a state machine, with two participants whose agents answer at once.
class Pair {
 public:
  Pair() : state_(state::StateOptions{}), office_(state_, OfficeOptions{}) {
    for (const char* name : {"a", "b"}) execute(life_of(name));
    execute(state::OfficeTaken{{Incarnation(1), Round(1), ReplicaId(1)}});
    (void)office_.take_office(now_);
  }

  // One-shots at both, from the client's request to the last confirmation.
  void commit() {
    ++number_;
    const auto transaction = make_transaction_id(kLogStart, number_, number_, 7);
    const Effects asked = office_.step(now_, CommitAsked{.token = Token(number_),
                                                         .transaction = transaction,
                                                         .branches = {one_shot("a"), one_shot("b")},
                                                         .first_in = state_.office_number()});
    CHECK_EQ(asked.prepares.size(), 2U, "both are asked");
    Effects voted;
    for (const SendPrepare& prepare : asked.prepares) {
      const Evidence evidence{number_, 1, 1, 77};
      voted = office_.step(now_, VoteArrived{prepare.branch, VoteYes{evidence}});
    }
    CHECK(!voted.propose.empty(), "the last vote is the decision");
    const auto results = execute_all(std::move(voted.propose));
    const Effects decided = office_.step(now_, DecisionExecuted{transaction, results.front()});
    CHECK_EQ(decided.finishes.size(), 2U, "both are told");
    Effects finished;
    for (const SendFinish& finish : decided.finishes) {
      finished = office_.step(now_, FinishArrived{.branch = finish.branch});
    }
    CHECK_EQ(finished.replies.size(), 1U, "the client is answered");
  }

 private:
  static state::Enrolled life_of(const std::string& participant) {
    return {participant,
            participant,
            Epoch(0),
            {1, static_cast<std::uint64_t>(participant[0])},
            1,
            100,
            "host:1",
            "host:2",
            false,
            state::Tracking::kLandmarks,
            /*landmark=*/0};
  }

  static RequestedBranch one_shot(std::string participant) {
    auto work = std::make_shared<OneShotBranch>();
    work->statements = {{"UPDATE accounts SET balance = balance + $1 WHERE id = $2", {}}};
    return {std::move(participant), Epoch(0), Attempt(0), 0, std::move(work)};
  }

  void execute(state::Command command) {
    std::vector<state::Command> commands;
    commands.push_back(std::move(command));
    (void)execute_all(std::move(commands));
  }

  std::vector<state::CommandResult> execute_all(std::vector<state::Command> commands) {
    return state_.execute(state_.executed().next(), {kLogStart, std::move(commands)});
  }

  state::StateMachine state_;
  Office office_;
  Now now_{MonoTime(50'000), kLogStart};
  std::uint64_t number_ = 0;
};

void office_commits_two_one_shots(benchmark::State& run) {
  Pair pair;
  for (auto _ : run) pair.commit();
}
BENCHMARK(office_commits_two_one_shots);

}  // namespace
}  // namespace assent::commit
