#include "coordinator/server/withdrawals_wire.h"

#include <set>

#include "coordinator/server/heuristics_wire.h"
#include "coordinator/server/replica.h"
#include "runtime/process.h"
#include "runtime/rpc/ids.h"

namespace assent::coordinator {
namespace {

Error refused(const std::string& participant, const std::string& why) {
  return {ErrorCode::kInvalidArgument, "participant '" + participant + "' " + why, participant};
}

Result<void> silent(const Services& services, const std::string& participant) {
  if (!services.term->enrolment.alive(process::monotonic_now(), participant)) return {};
  return tl::unexpected(
      refused(participant, "is not gone: its agent is heard; stop it for good first"));
}

// A participant that could come back at any time is waited for.
Result<void> abandonable(const Services& services, const std::string& participant) {
  if (services.log.state().withdrawals().drained(participant) == nullptr) {
    return tl::unexpected(refused(
        participant,
        "is not drained: assentctl participants drain comes first, so that nothing new begins "
        "there"));
  }
  return silent(services, participant);
}

// What the log cannot know: the agent that still works, and what is not decided yet.
Result<void> removable(const Services& services, const std::string& participant) {
  if (auto gone = silent(services, participant); !gone) return gone;
  const std::size_t driven = services.term->office.office().driven_at(participant);
  if (driven > 0) {
    return tl::unexpected(refused(
        participant, "has " + std::to_string(driven) +
                         " branches of transactions that the leader works on (assentctl "
                         "transactions --participant " +
                         participant +
                         "): bring it back until they have ended; or, if it is gone for good, give "
                         "up what it has not confirmed: assentctl participants remove " +
                         participant +
                         " --abandon-outcomes. One that is not decided ends by itself, within the "
                         "time for which outcomes are kept"));
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
    case wire::ParticipantChange::ABANDON:
      break;  // the office knows
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
    case wire::ParticipantChange::ABANDON:
      if (auto can = abandonable(services, name); !can) return tl::unexpected(can.error());
      // It is drained; said once more, so that who gives up what, and why, is in the log before
      // anything is.
      return state::ParticipantDrained{name, request.operator_name, request.reason};
  }
  return failure(ErrorCode::kInvalidArgument,
                 "the change is none of DRAIN, RESUME, REMOVE, ABANDON");
}

std::vector<BranchId> tell_unconfirmed(const Services& services, const std::string& participant,
                                       wire::ChangeParticipantReply& reply) {
  std::vector<BranchId> branches = services.term->office.unconfirmed(participant);
  std::set<std::string> transactions;
  for (const BranchId& one : branches) transactions.insert(to_string(one.transaction));
  reply.abandoned.assign(transactions.begin(), transactions.end());
  reply.changed = !branches.empty();
  return branches;
}

}  // namespace assent::coordinator
