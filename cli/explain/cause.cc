// The diagnosis: which of the causes it is. The order of the questions is the order of what matters
// most to the person who asks.
#include <algorithm>

#include "cli/explain/situation.h"

namespace assent::explain {
namespace {

using commit::DrivenStage;

// ── what the log keeps for an operator ──────────────────────────────────────────────────────────

Cause of_heuristic(const Situation& s) {
  const state::Heuristic& kept = *s.facts().heuristic;
  if (s.heuristic_branch(FinishResult::kHeuristicCommit) != nullptr ||
      s.heuristic_branch(FinishResult::kHeuristicRollback) != nullptr) {
    return Cause::kEndedByHand;
  }
  const state::HeuristicBranch* const hazard = s.heuristic_branch(FinishResult::kHazard);
  if (kept.resolution) return Cause::kResolved;
  if (hazard == nullptr) return Cause::kSettled;
  const state::DecidedBranch& branch = hazard->branch;
  // What is prepared was found with its evidence; what has none may have committed in one phase.
  if (kept.listed == 0 && branch.evidence == Evidence{}) return Cause::kHistoryLost;
  if (kept.listed == 0 && !s.facts().record) {
    return s.of_before_restore(branch.participant, branch.epoch) ? Cause::kRestored
                                                                 : Cause::kUndecidable;
  }
  return s.of_before_break(branch.participant, branch.epoch) ? Cause::kHistoryLost : Cause::kHazard;
}

// ── what the leader is doing ────────────────────────────────────────────────────────────────────

Cause of_abort(const Situation& s, const Record& record) {
  const Error& reason = record.reason;
  if (record.presumed) return Cause::kLeaderLostBefore;
  if (reason.code == ErrorCode::kOutcomeUnknown) return Cause::kHistoryLost;
  if (reason.code == ErrorCode::kDeadline && !reason.participant.empty()) {
    return Cause::kParticipantDownBefore;
  }
  const Participant* const blamed = s.participant(reason.participant);
  const bool broke_since =
      blamed != nullptr && blamed->broken_below != Epoch(0) && s.made_at() <= blamed->broken_at;
  if (reason.code == ErrorCode::kUnavailable && broke_since) return Cause::kHistoryLost;
  return Cause::kRefused;
}

Cause of_finishing(const Situation& s, const commit::DrivenView& driven) {
  if (driven.resolved) return Cause::kResolved;
  const auto& record = s.facts().record;
  if (!record) return driven.expired ? Cause::kExpired : Cause::kOnePhase;
  if (record->outcome == Outcome::kAborted) return of_abort(s, *record);
  if (s.awaited_in_vain()) return Cause::kParticipantDownAfter;
  return s.decided_by_earlier_office() ? Cause::kLeaderLostAfter : Cause::kFinishing;
}

Cause of_driven(const Situation& s, const commit::DrivenView& driven) {
  switch (driven.stage) {
    case DrivenStage::kPreparing:
      return s.awaited_in_vain() ? Cause::kParticipantDownBefore : Cause::kLive;
    case DrivenStage::kOnePhase:
    case DrivenStage::kSettling: {
      const bool silent = !driven.writer.empty() && !s.unreached(driven.writer).empty();
      return silent ? Cause::kOnePhaseUnknown : Cause::kLive;
    }
    case DrivenStage::kProposing:
      return Cause::kLive;
    case DrivenStage::kFinishing:
      return of_finishing(s, driven);
  }
  return Cause::kLive;
}

// ── what is decided, and nobody works on ────────────────────────────────────────────────────────

Cause of_record(const Situation& s, const Record& record) {
  if (record.outcome == Outcome::kAborted) return of_abort(s, record);
  if (record.forgotten_in == Slot(0)) return Cause::kFinishing;
  const bool carried_out_here = s.leads() && s.facts().log->office_after < record.forgotten_in;
  return s.decided_by_earlier_office() && carried_out_here ? Cause::kLeaderLostAfter : Cause::kDone;
}

// ── what only databases know ────────────────────────────────────────────────────────────────────

Cause of_orphans(const Situation& s, const std::vector<Situation::Found>& prepared) {
  if (!s.leads()) return Cause::kNoLeader;
  for (const auto& [at, one] : prepared) {
    const Epoch epoch = one->parsed->branch.epoch;
    if (s.of_before_restore(at->name, epoch)) return Cause::kRestored;
    if (s.below_floor() && s.of_before_break(at->name, epoch)) return Cause::kUndecidable;
  }
  return Cause::kLeaderLostBefore;
}

// By what agents remember, and by their outcome rows.
std::optional<Cause> of_memory(const Situation& s) {
  bool ended = false;
  bool refused = false;
  bool live = false;
  for (const Participant& one : s.facts().participants) {
    if (!one.agent) continue;
    if (one.agent->outcome && one.agent->outcome->committed) return Cause::kOnePhase;
    refused = refused || one.agent->outcome.has_value();
    if (!one.agent->branch) continue;
    const Remembered& branch = *one.agent->branch;
    if (branch.vote == branch::VoteKind::kCommitted) return Cause::kOnePhase;
    live = live || branch.state != "ended";
    refused = refused || branch.vote == branch::VoteKind::kNo;
    ended = ended || branch.state == "ended";
  }
  if (live) return Cause::kOpen;
  if (refused) return Cause::kRefused;
  if (ended) return Cause::kClientGone;
  return std::nullopt;
}

Cause of_databases(const Situation& s) {
  if (const auto prepared = s.ours(); !prepared.empty()) return of_orphans(s, prepared);
  if (const auto cause = of_memory(s)) return *cause;
  if (!s.facts().log || !s.all_unreached().empty()) return Cause::kNotReached;
  if (!s.leads()) return Cause::kNoLeader;
  return s.below_floor() ? Cause::kExpired : Cause::kUnknown;
}

}  // namespace

Cause cause_of(const Situation& s) {
  const Facts& facts = s.facts();
  if (!facts.transaction) {
    return s.foreign().empty() && !s.all_unreached().empty() ? Cause::kNotReached : Cause::kForeign;
  }
  if (facts.heuristic) return of_heuristic(s);
  if (!s.strangers().empty()) return Cause::kStranger;
  if (facts.driven) return of_driven(s, *facts.driven);
  if (facts.record) return of_record(s, *facts.record);
  return of_databases(s);
}

}  // namespace assent::explain
