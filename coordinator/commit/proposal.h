// What an office is told when a command that it proposed has been executed.
#pragma once

#include <optional>
#include <variant>

#include "base/ids.h"
#include "coordinator/commit/office.h"
#include "coordinator/state/command.h"

namespace assent::commit {

// Which command it was, as far as anybody waits for it: a decision of T, or what was found of a
// branch. To be kept until the command has been executed, which moves it.
using Proposal = std::variant<std::monostate, TransactionId, BranchId>;
Proposal proposal_of(const state::Command& command);

// None: nobody waits for it.
std::optional<Input> executed(const Proposal& proposal, const state::CommandResult& result);

}  // namespace assent::commit
