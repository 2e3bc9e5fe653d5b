#include "tests/simulation/decisions.h"

#include <algorithm>
#include <variant>

#include "tests/simulation/violation.h"

namespace assent::simulation {

std::optional<Asked> decision_of(const state::Command& command) {
  if (const auto* committed = std::get_if<state::Committed>(&command)) {
    return Asked{committed->transaction, Outcome::kCommitted};
  }
  if (const auto* aborted = std::get_if<state::Aborted>(&command)) {
    return Asked{aborted->transaction, Outcome::kAborted};
  }
  return std::nullopt;
}

void Decisions::executed(LogTime time, const state::Command& command,
                         const state::CommandResult& result) {
  time_ = std::max(time_, time);
  if (const auto asked = decision_of(command)) decided(asked->transaction, asked->outcome, result);
  if (const auto* life = std::get_if<state::Enrolled>(&command)) enrolled(*life, result);
}

void Decisions::decided(const TransactionId& transaction, Outcome asked,
                        const state::CommandResult& result) {
  const Outcome* known = find(transaction);
  const auto fail = [&](const std::string& what) {
    violated(Checker::kExactlyOnce, to_string(transaction) + " " + what);
  };
  if (std::holds_alternative<state::TookEffect>(result)) {
    if (known != nullptr) fail("is decided a second time");
    if (lost_.contains(transaction)) {
      violated(Checker::kPresumesNothing, to_string(transaction) +
                                              " was decided by the log that was lost, and is"
                                              " decided again");
    }
    outcomes_.emplace(transaction, asked);
  } else if (const auto* already = std::get_if<state::AlreadyDecided>(&result)) {
    if (known == nullptr) fail("is said to be decided and never was");
    if (*known != already->outcome) fail("is said to have another outcome than it has");
  } else if (std::holds_alternative<state::BelowFloor>(result)) {
    const bool above = time_ - retention_ < transaction.time();
    if (above && !restored_) fail("is refused and stands above the floor");
  } else if (std::holds_alternative<state::BranchLost>(result)) {
    if (known != nullptr || asked != Outcome::kCommitted) fail("is refused for no reason");
  } else {
    fail("is answered with what no decision answers");
  }
}

void Decisions::enrolled(const state::Enrolled& life, const state::CommandResult& result) {
  const auto* issued = std::get_if<state::EpochIssued>(&result);
  if (issued == nullptr) return;
  const auto [found, first] = nonces_.try_emplace({life.participant, issued->epoch}, life.nonce);
  if (first || found->second == life.nonce) return;
  violated(Checker::kExactlyOnce, "epoch " + to_string(issued->epoch) + " of " + life.participant +
                                      " is given to two lives");
}

void Decisions::told(const state::Command& command, const state::CommandResult& result) {
  const auto asked = decision_of(command);
  if (!asked || std::holds_alternative<state::BelowFloor>(result)) return;
  if (std::holds_alternative<state::BranchLost>(result)) return;
  const auto* already = std::get_if<state::AlreadyDecided>(&result);
  const Outcome outcome = already == nullptr ? asked->outcome : already->outcome;
  const auto [found, first] = told_.try_emplace(asked->transaction, outcome);
  if (first || found->second == outcome) return;
  violated(Checker::kExactlyOnce,
           to_string(asked->transaction) + " was told COMMITTED and ABORTED");
}

// The floor is above all that the lost log may have decided from now on, and epochs go on above
// those that databases have stored.
void Decisions::restore(const state::StateMachine& state) {
  restored_ = true;
  nonces_.clear();
  std::erase_if(outcomes_, [&](const auto& one) {
    if (state.find(one.first) != nullptr) return false;
    lost_.insert(one.first);
    return true;
  });
}

const Outcome* Decisions::find(const TransactionId& transaction) const {
  const auto found = outcomes_.find(transaction);
  return found == outcomes_.end() ? nullptr : &found->second;
}

}  // namespace assent::simulation
