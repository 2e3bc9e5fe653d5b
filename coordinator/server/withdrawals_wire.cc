#include "coordinator/server/withdrawals_wire.h"

#include "coordinator/server/heuristics_wire.h"
#include "coordinator/server/replica.h"
#include "runtime/process.h"
#include "runtime/rpc/ids.h"

namespace assent::coordinator {
namespace {

Error refused(const std::string& participant, const std::string& why) {
  return {ErrorCode::kInvalidArgument, "participant '" + participant + "' " + why, participant};
}

// What the log cannot know: the agent that still works, and what is not decided yet.
Result<void> removable(const Services& services, const std::string& participant) {
  if (services.term->enrolment.alive(process::monotonic_now(), participant)) {
    return tl::unexpected(
        refused(participant, "is not gone: its agent is heard; stop it for good first"));
  }
  const std::size_t driven = services.term->office.office().driven_at(participant);
  if (driven > 0) {
    return tl::unexpected(refused(
        participant, "has " + std::to_string(driven) +
                         " branches of transactions that the leader works on: bring it back until "
                         "they have ended (assentctl transactions --participant " +
                         participant + ")"));
  }
  auto objection = services.log.state().removal_objection(participant);
  if (objection) return tl::unexpected(std::move(*objection));
  return {};
}

}  // namespace

bool is_so(const state::StateMachine& state, const wire::ChangeParticipantRequest& request) {
  const state::Withdrawals& withdrawals = state.withdrawals();
  switch (request.change) {
    case wire::ParticipantChange::DRAIN:
      return withdrawals.drained(request.participant) != nullptr;
    case wire::ParticipantChange::RESUME:
      return state.participant(request.participant) != nullptr &&
             withdrawals.drained(request.participant) == nullptr;
    case wire::ParticipantChange::REMOVE:
      return withdrawals.removed(request.participant) != nullptr;
  }
  return false;
}

Result<state::Command> command_of(const Services& services,
                                  const wire::ChangeParticipantRequest& request) {
  auto asked = check_words(request.operator_name, request.reason).and_then([&] {
    return rpc::participant_from_wire(request.participant);
  });
  if (!asked) return tl::unexpected(asked.error());
  const std::string& name = *asked;
  switch (request.change) {
    case wire::ParticipantChange::DRAIN:
      return state::ParticipantDrained{name, request.operator_name, request.reason};
    case wire::ParticipantChange::RESUME:
      return state::ParticipantResumed{name, request.operator_name, request.reason};
    case wire::ParticipantChange::REMOVE:
      if (services.log.state().withdrawals().removed(name) == nullptr) {
        if (auto can = removable(services, name); !can) return tl::unexpected(can.error());
      }
      return state::ParticipantRemoved{name, request.operator_name, request.reason};
  }
  return failure(ErrorCode::kInvalidArgument, "the change is none of DRAIN, RESUME, REMOVE");
}

}  // namespace assent::coordinator
