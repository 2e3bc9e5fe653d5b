#include "cli/explain/explanation.h"

namespace assent::explain {

std::string_view name(Cause cause) {
  switch (cause) {
    case Cause::kLive:
      return "live";
    case Cause::kOpen:
      return "open";
    case Cause::kDone:
      return "done";
    case Cause::kFinishing:
      return "finishing";
    case Cause::kRefused:
      return "refused";
    case Cause::kOnePhase:
      return "one-phase";
    case Cause::kExpired:
      return "expired";
    case Cause::kUnknown:
      return "unknown";
    case Cause::kClientGone:
      return "client-gone";
    case Cause::kParticipantDownBefore:
      return "participant-down-before";
    case Cause::kParticipantDownAfter:
      return "participant-down-after";
    case Cause::kLeaderLostBefore:
      return "leader-lost-before";
    case Cause::kLeaderLostAfter:
      return "leader-lost-after";
    case Cause::kOnePhaseUnknown:
      return "one-phase-unknown";
    case Cause::kNoLeader:
      return "no-leader";
    case Cause::kEndedByHand:
      return "ended-by-hand";
    case Cause::kHistoryLost:
      return "history-lost";
    case Cause::kHazard:
      return "hazard";
    case Cause::kRestored:
      return "restored";
    case Cause::kUndecidable:
      return "undecidable";
    case Cause::kResolved:
      return "resolved";
    case Cause::kSettled:
      return "settled";
    case Cause::kStranger:
      return "stranger";
    case Cause::kForeign:
      return "foreign";
    case Cause::kNotReached:
      return "not-reached";
  }
  return "unknown";
}

}  // namespace assent::explain
