#include "coordinator/commit/proposal.h"

#include "base/overloaded.h"

namespace assent::commit {

Proposal proposal_of(const state::Command& command) {
  return std::visit(
      Overloaded{
          [](const state::Committed& committed) -> Proposal { return committed.transaction; },
          [](const state::Aborted& aborted) -> Proposal { return aborted.transaction; },
          [](const state::HeuristicFound& found) -> Proposal {
            const state::DecidedBranch& branch = found.branch;
            return BranchId{found.transaction, branch.participant, branch.epoch, branch.attempt};
          },
          [](const auto&) -> Proposal { return {}; },
      },
      command);
}

std::optional<Input> executed(const Proposal& proposal, const state::CommandResult& result) {
  if (const auto* transaction = std::get_if<TransactionId>(&proposal)) {
    return DecisionExecuted{*transaction, result};
  }
  if (const auto* branch = std::get_if<BranchId>(&proposal)) return HeuristicLogged{*branch};
  return std::nullopt;
}

}  // namespace assent::commit
