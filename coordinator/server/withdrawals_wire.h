// Wire forms of what operators ask for participants (docs/adr/0009).
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/server/handlers.h"
#include "coordinator/state/command.h"
#include "wire/admin_types.h"

namespace assent::coordinator {

// The command that a request asks for; an error says what stands against it.
// Precondition: this replica holds the office.
Result<state::Command> command_of(const Services& services,
                                  const wire::ChangeParticipantRequest& request);

// Whether the log has it so already.
bool is_so(const state::StateMachine& state, const wire::ChangeParticipantRequest& request);

// Fills in what an ABANDON tells; answers the branches that it gives up.
// Precondition: this replica holds the office.
std::vector<BranchId> tell_unconfirmed(const Services& services, const std::string& participant,
                                       wire::ChangeParticipantReply& reply);

}  // namespace assent::coordinator
