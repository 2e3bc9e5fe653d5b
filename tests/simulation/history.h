// What clients were told, and when: acknowledgements and reads, measured against the ledger.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_set>
#include <vector>

#include "coordinator/state/state_machine.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/violation.h"

namespace assent::simulation {

// What a read must see, noted when it is asked.
struct Horizon {
  Slot slot;  // of everything told before
  // A transaction whose outcome was told before, to be looked up; none yet: all zero.
  TransactionId transaction;
};

class History {
 public:
  // `ledger` outlives this.
  History(Ledger& ledger, Dice dice) : ledger_(ledger), dice_(dice) {}

  // A replica that has executed up to `executed` answers a command.
  void acknowledged(ReplicaId by, Slot executed, const state::Command& command,
                    const state::CommandResult& result);

  [[nodiscard]] Horizon read_asked();
  // The read is answered from this state.
  void read_done(ReplicaId by, const Horizon& asked, const state::StateMachine& state);

  // The log is lost, and goes on from what the ledger has: of what was told only that is kept.
  void restore();

  // Everything that was told is in this state, which has executed all that was.
  void check_kept(ReplicaId by, const state::StateMachine& state) const;

  // Transactions whose outcome was told, the latest last.
  [[nodiscard]] const std::deque<TransactionId>& told() const { return told_; }
  [[nodiscard]] std::uint64_t acknowledgements() const { return acknowledgements_; }
  [[nodiscard]] std::uint64_t reads() const { return reads_; }

 private:
  void check_outcome(Checker checker, ReplicaId by, const TransactionId& transaction,
                     const state::StateMachine& state) const;

  Ledger& ledger_;
  Dice dice_;
  Slot told_through_;  // of all that was acknowledged or read
  std::deque<TransactionId> told_;
  std::vector<TransactionId> all_told_;
  std::unordered_set<TransactionId> is_told_;
  std::uint64_t acknowledgements_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace assent::simulation
