// Participants that are drained, resumed and removed (docs/adr/0009).
#include <algorithm>

#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

ChangeRefused refused(ErrorCode code, const std::string& participant, const std::string& why) {
  return {Error{code, "participant '" + participant + "' " + why, participant}};
}

ChangeRefused unknown(const std::string& participant) {
  return refused(ErrorCode::kUnknownParticipant, participant,
                 "has not enrolled with this coordinator, or was removed");
}

std::string more(std::size_t count) {
  return count == 0 ? "" : " and " + std::to_string(count) + " more";
}

}  // namespace

CommandResult StateMachine::on(Slot /*slot*/, const UntoldForgotten& command) {
  heuristics_.forget_untold(command.count);
  return TookEffect{};
}

CommandResult StateMachine::on(Slot /*slot*/, const ParticipantDrained& command) {
  if (!participants_.contains(command.participant)) return unknown(command.participant);
  withdrawals_.drain(time_, command);
  return TookEffect{};
}

CommandResult StateMachine::on(Slot /*slot*/, const ParticipantResumed& command) {
  if (!participants_.contains(command.participant)) return unknown(command.participant);
  withdrawals_.resume(command.participant);
  return TookEffect{};
}

CommandResult StateMachine::on(Slot /*slot*/, const ParticipantRemoved& command) {
  if (withdrawals_.removed(command.participant) != nullptr) return TookEffect{};
  if (auto error = removal_objection(command.participant)) return ChangeRefused{std::move(*error)};
  withdrawals_.remove(time_, command);
  participants_.erase(command.participant);
  hold_records();
  drop_expired();
  return TookEffect{};
}

// What is forgotten must be owed nothing: neither an outcome that it has not confirmed, nor an
// operator's word on a branch that ended otherwise.
std::optional<Error> StateMachine::removal_objection(const std::string& name) const {
  const auto names_it = [&](const DecidedBranch& branch) { return branch.participant == name; };
  if (!participants_.contains(name)) return unknown(name).error;
  if (withdrawals_.drained(name) == nullptr) {
    return refused(ErrorCode::kInvalidArgument, name,
                   "is not drained: assentctl participants drain comes first, so that nothing new "
                   "begins there")
        .error;
  }
  std::vector<TransactionId> owed;
  for (const TransactionId& transaction : unforgotten_) {
    if (std::ranges::any_of(records_.at(transaction).branches, names_it)) {
      owed.push_back(transaction);
    }
  }
  if (!owed.empty()) {
    return refused(ErrorCode::kInvalidArgument, name,
                   "has not carried out the outcome of transaction " + to_string(owed.front()) +
                       more(owed.size() - 1) +
                       ": bring it back until it has; or, if it is gone for good, give them up: "
                       "assentctl participants remove " +
                       name + " --abandon-outcomes")
        .error;
  }
  for (const auto& [transaction, heuristic] : heuristics_.kept()) {
    const auto told = [&](const HeuristicBranch& one) { return names_it(one.branch); };
    if (std::ranges::none_of(heuristic.branches, told)) continue;
    return refused(ErrorCode::kInvalidArgument, name,
                   "has a branch of transaction " + to_string(transaction) +
                       " that ended otherwise than decided: see to it, then assentctl heuristic "
                       "forget")
        .error;
  }
  return std::nullopt;
}

}  // namespace assent::state
