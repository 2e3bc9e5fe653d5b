#include "tests/simulation/history.h"

#include <algorithm>
#include <string>

#include "tests/simulation/violation.h"

namespace assent::simulation {
namespace {

// Reads look up one of this many outcomes that were told last.
constexpr std::size_t kRecentMax = 64;

}  // namespace

// The command may stand in several slots, each with a result of its own: told must be one of those
// that the replica has executed.
void History::acknowledged(ReplicaId by, Slot executed, const state::Command& command,
                           const state::CommandResult& result) {
  ++acknowledgements_;
  const auto* executions = ledger_.executions(key_of(command));
  const std::uint64_t digest = digest_of(result);
  const Execution* found = nullptr;
  for (std::size_t i = 0; executions != nullptr && found == nullptr && i < executions->size();
       ++i) {
    const Execution& one = (*executions)[i];
    if (one.digest == digest && one.slot <= executed) found = &one;
  }
  if (found == nullptr) {
    violated(Checker::kAcknowledged,
             "replica " + to_string(by) + " answers a command with what no executed slot says (" +
                 (executions == nullptr ? "never" : "otherwise") + " executed)");
  }
  told_through_ = std::max(told_through_, found->slot);
  ledger_.told(command, result);
  const auto asked = decision_of(command);
  if (!asked || std::holds_alternative<state::BelowFloor>(result)) return;
  if (!is_told_.insert(asked->transaction).second) return;
  all_told_.push_back(asked->transaction);
  told_.push_back(asked->transaction);
  if (told_.size() > kRecentMax) told_.pop_front();
}

Horizon History::read_asked() {
  return {told_through_, told_.empty() ? TransactionId() : dice_.pick(told_)};
}

void History::read_done(ReplicaId by, const Horizon& asked, const state::StateMachine& state) {
  ++reads_;
  if (state.executed() < asked.slot) {
    violated(Checker::kLinearizableReads,
             "a read at replica " + to_string(by) + " sees slot " + to_string(state.executed()) +
                 ", and slot " + to_string(asked.slot) + " was told before it was asked");
  }
  if (asked.transaction != TransactionId()) {
    check_outcome(Checker::kLinearizableReads, by, asked.transaction, state);
  }
  told_through_ = std::max(told_through_, state.executed());
}

// A record leaves below the floor only, so above it absence is loss.
void History::check_outcome(Checker checker, ReplicaId by, const TransactionId& transaction,
                            const state::StateMachine& state) const {
  const Outcome* truth = ledger_.decisions().find(transaction);
  const state::TransactionRecord* record = state.find(transaction);
  if (record == nullptr && transaction.time() <= state.floor()) return;
  if (record != nullptr && truth != nullptr && record->outcome == *truth) return;
  violated(checker, "replica " + to_string(by) + " has no such outcome of " +
                        to_string(transaction) + " as was told");
}

void History::restore() {
  const auto lost = [this](const TransactionId& id) {
    return ledger_.decisions().find(id) == nullptr;
  };
  told_through_ = std::min(told_through_, ledger_.executed());
  std::erase_if(told_, lost);
  std::erase_if(all_told_, lost);
}

void History::check_kept(ReplicaId by, const state::StateMachine& state) const {
  for (const TransactionId& transaction : all_told_) {
    check_outcome(Checker::kAcknowledgedIsKept, by, transaction, state);
  }
}

}  // namespace assent::simulation
