// A model of what commands may answer, kept apart from the state machine: a transaction is decided
// once and for ever, an epoch is given to one life.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "coordinator/state/command.h"
#include "coordinator/state/state_machine.h"

namespace assent::simulation {

class Decisions {
 public:
  explicit Decisions(Millis retention) : retention_(retention) {}

  // The command was executed in an entry of this time, with this result.
  void executed(LogTime time, const state::Command& command, const state::CommandResult& result);

  // A client was told this result of its command: never two outcomes of one transaction (R10).
  void told(const state::Command& command, const state::CommandResult& result);

  // The log is lost, and goes on from this state: what it had decided since is not decided there,
  // and must never be.
  void restore(const state::StateMachine& state);

  // Null: undecided.
  [[nodiscard]] const Outcome* find(const TransactionId& transaction) const;

 private:
  void decided(const TransactionId& transaction, Outcome asked, const state::CommandResult& result);
  void enrolled(const state::Enrolled& life, const state::CommandResult& result);

  const Millis retention_;
  LogTime time_;
  std::unordered_map<TransactionId, Outcome> outcomes_;
  std::unordered_map<TransactionId, Outcome> told_;
  std::unordered_set<TransactionId> lost_;  // decided by a log that was lost
  bool restored_ = false;
  std::map<std::pair<std::string, Epoch>, std::string> nonces_;
};

// The transaction that a command decides, and the outcome that it asks for; none: no decision.
struct Asked {
  TransactionId transaction;
  Outcome outcome;
};
std::optional<Asked> decision_of(const state::Command& command);

}  // namespace assent::simulation
