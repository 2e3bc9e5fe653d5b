// What is chosen, by the definition alone: a quorum of the slot's group has durably accepted it
// under one ballot. The ledger sees every disk, executes what is chosen once, in order, on a state
// of its own, and is what replicas, acknowledgements and reads are measured against.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "coordinator/paxos/groups.h"
#include "coordinator/paxos/record.h"
#include "coordinator/state/state_machine.h"
#include "tests/simulation/decisions.h"
#include "tests/simulation/electorates.h"
#include "tests/simulation/scheduler.h"

namespace assent::simulation {

// Names a command by what it says: equal commands have equal keys.
using CommandKey = std::uint64_t;
CommandKey key_of(const state::Command& command);
// Equal results, equal digests.
std::uint64_t digest_of(const state::CommandResult& result);

// What a state that has executed up to a slot looks like, cheaply.
struct Milestone {
  LogTime time;
  LogTime floor;
  Ballot office;
  std::uint64_t offices = 0;
  std::uint64_t records = 0;
  std::uint64_t hash = 0;  // of the whole state; 0: not taken in this slot

  bool operator==(const Milestone&) const = default;
};
Milestone milestone_of(const state::StateMachine& state);

// One execution of a command.
struct Execution {
  Slot slot;
  std::uint64_t digest = 0;  // of its result
};

class Ledger {
 public:
  // Full hashes are taken in every slot that is a multiple of this.
  static constexpr std::uint64_t kHashEvery = 32;

  // Replicas 1 to `founders` are the group until the log says otherwise.
  Ledger(const Scheduler& scheduler, std::uint32_t founders, state::StateOptions options);

  // A backup of the log: the state after what is chosen by now, as a snapshot's content.
  [[nodiscard]] std::string back_up();
  // The log is lost, and goes on from this state, whose slots it had.
  void restore(std::shared_ptr<state::StateMachine> state);

  // `observer` sees every command as it is executed, once chosen.
  using Observer = std::function<void(const state::Command&, const state::CommandResult&)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // A value exists: it is told when a replica first writes it, to know how old it is.
  void seen(const paxos::Value& value);
  // The record is durable at this replica.
  void accepted(ReplicaId at, const paxos::Accepted& accepted);
  // A replica says who governs the slots that it knows the group of.
  void governed(ReplicaId by, Slot first, const paxos::Groups& groups) const;
  // A leader proposes in the slot.
  void proposed(ReplicaId by, Slot slot) const;
  // A replica takes the slot for chosen, with this value.
  void learned(ReplicaId by, Slot slot, const paxos::Value& value) const;
  // A replica has executed up to where its state says.
  void compare(ReplicaId by, const state::StateMachine& state, bool whole) const;

  // Null: not chosen.
  [[nodiscard]] const paxos::Value* chosen(Slot slot) const;
  [[nodiscard]] Slot executed() const { return state_->executed(); }
  [[nodiscard]] const state::StateMachine& state() const { return *state_; }
  // Null: never executed.
  [[nodiscard]] const std::vector<Execution>* executions(CommandKey key) const;
  // Commands of clients that were executed, each counted once; and executions in all.
  [[nodiscard]] std::uint64_t commands() const { return executions_.size(); }
  [[nodiscard]] std::uint64_t repeated() const { return repeated_; }
  [[nodiscard]] const Decisions& decisions() const { return decisions_; }
  [[nodiscard]] const Electorates& electorates() const { return electorates_; }
  // Records leave before their time, because so many are forgotten.
  [[nodiscard]] bool out_of_room() const;
  // A client was told this result.
  void told(const state::Command& command, const state::CommandResult& result) {
    decisions_.told(command, result);
  }
  // The latest that log time may be at this point of simulated time; none: no entry is chosen.
  [[nodiscard]] std::optional<LogTime> time_bound(Micros at) const;

 private:
  struct Acceptance {
    Ballot ballot;
    paxos::Value value;
    std::uint32_t by = 0;  // a bit for each replica
  };
  struct SlotState {
    std::vector<Acceptance> acceptances;
    paxos::Value chosen;
  };
  struct Seen {
    paxos::Value value;  // keeps its address from being used again
    Micros at = 0;
  };

  SlotState& slot(Slot slot);
  void maybe_choose(Slot slot);
  void choose(Slot slot, const paxos::Value& value);
  void execute(Slot slot, const paxos::Value& value);
  void check_time(Slot slot, LogTime time, const paxos::Value& value);

  const Scheduler& scheduler_;
  const std::uint32_t founders_;
  Electorates electorates_;
  std::shared_ptr<state::StateMachine> state_;
  std::size_t forgotten_max_;
  Decisions decisions_;
  std::vector<SlotState> slots_;  // by slot
  std::vector<Milestone> milestones_;
  std::unordered_map<const std::string*, Seen> seen_;
  std::unordered_map<CommandKey, std::vector<Execution>> executions_;
  std::uint64_t repeated_ = 0;
  Observer observer_;
  std::optional<LogTime> first_time_;
  Micros first_seen_ = 0;
  Millis ahead_{0};  // of the clocks, since a restore
};

}  // namespace assent::simulation
