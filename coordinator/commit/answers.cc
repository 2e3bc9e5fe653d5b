// What the callers of one transaction are told, and when.
#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "coordinator/commit/driver.h"
#include "coordinator/commit/reasons.h"

namespace assent::commit {
namespace {

constexpr std::size_t kCallersMax = 64;  // of one transaction that wait at once

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::vector<std::string> heuristic_participants(const state::StateMachine& state,
                                                const TransactionId& transaction) {
  std::vector<std::string> participants;
  const state::Heuristic* kept = state.heuristics().find(transaction);
  if (kept == nullptr) return participants;
  for (const state::HeuristicBranch& one : kept->branches) {
    if (one.result != FinishResult::kDone) participants.push_back(one.branch.participant);
  }
  return participants;
}

bool Driver::admit(Turn& turn, Token token, const Caller& caller) {
  if (callers_.size() < kCallersMax) {
    callers_.push_back(caller);
    return true;
  }
  turn.effects.replies.push_back(
      {token, reasons::overloaded("callers may wait for one transaction", kCallersMax)});
  return false;
}

// Only a decided transaction is told (R3): in every other state the callers wait on, or leave with
// nothing learnt. Results are large: they are kept only while somebody waits for them.
void Driver::answer_callers(Turn& turn) {
  if (const auto* finishing = std::get_if<Finishing>(&state_)) {
    std::erase_if(callers_, [&](const Caller& caller) {
      return std::visit([&](const auto& one) { return try_answer(turn, *finishing, one); }, caller);
    });
  } else if (in<OnePhase>() || in<Settling>()) {
    part_with_late_callers(turn);
  }
  if (!callers_.empty()) return;
  for (Branch& branch : branches_) branch.results = nullptr;
}

// A deadline does not abort what may have committed in one phase, and ABORTED would be a guess: the
// truth cannot be known in time (R10).
void Driver::part_with_late_callers(Turn& turn) {
  std::erase_if(callers_, [&](const Caller& caller) {
    return std::visit(
        [&](const auto& one) {
          if (turn.now.mono < one.leaves_at) return false;
          turn.effects.replies.push_back(
              {one.token, reasons::outcome_unknown(transaction_, writer_, writers_last_loss())});
          return true;
        },
        caller);
  });
}

std::string_view Driver::writers_last_loss() const {
  const auto found = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& branch) {
    return branch.listed && branch.id.participant == writer_;
  });
  return found == branches_.end() ? std::string_view() : found->last_loss;
}

bool Driver::try_answer(Turn& turn, const Finishing& state, const CommitCaller& caller) {
  const auto reply = [&](auto answer) {
    turn.effects.replies.push_back({caller.token, std::move(answer)});
    return true;
  };
  // While T went below the floor its writer may have committed, and its row may have gone.
  if (state.expired && may_be_one_phase()) {
    return reply(reasons::outcome_unknown(transaction_, writer_, writers_last_loss()));
  }
  if (state.expired) return reply(reasons::expired(transaction_));
  if (state.may_have_committed()) return reply(state.reason);
  // Another request under this id was decided, by an earlier office (R9).
  if (request_hash_ != 0 && request_hash_ != caller.request_hash) {
    return reply(reasons::id_reused(transaction_));
  }
  const bool wait =
      state.outcome == Outcome::kCommitted && caller.acknowledge == Acknowledge::kApplied &&
      turn.now.mono < caller.deadline && !pending().empty() && !canary(Canary::kAppliedTooSoon);
  return wait ? false : reply(commit_answer(turn, state, caller));
}

bool Driver::try_answer(Turn& turn, const Finishing& state, const AbortCaller& caller) {
  if (state.expired) {
    turn.effects.replies.push_back(
        {caller.token, may_be_one_phase()
                           ? reasons::outcome_unknown(transaction_, writer_, writers_last_loss())
                           : reasons::expired(transaction_)});
  } else if (state.may_have_committed()) {
    turn.effects.replies.push_back({caller.token, state.reason});
  } else {
    turn.effects.replies.push_back({caller.token, AbortAnswer{state.outcome}});
  }
  return true;
}

CommitAnswer Driver::commit_answer(const Turn& turn, const Finishing& state,
                                   const CommitCaller& caller) const {
  CommitAnswer answer;
  answer.outcome = state.outcome;
  answer.heuristic = heuristic_participants(turn.state, transaction_);
  for (const Branch& branch : branches_) {
    if (branch.unlogged == 0 || branch.result == FinishResult::kDone) continue;
    if (!contains(answer.heuristic, branch.id.participant)) {
      answer.heuristic.push_back(branch.id.participant);
    }
  }
  if (state.outcome == Outcome::kAborted) {
    answer.reason = state.reason;
    return answer;
  }
  if (!canary(Canary::kAppliedTooSoon)) answer.pending = pending();
  answer.one_phase = state.one_phase;
  for (const CallerBranch& branch : caller.branches) {
    if (has_left(branch.participant, state)) answer.read_only.push_back(branch.participant);
  }
  add_results(answer, caller);
  return answer;
}

// All that a committed request names has committed: what the decision does not list had only read.
bool Driver::has_left(const std::string& participant, const Finishing& state) const {
  if (state.one_phase) return participant != writer_;
  return std::none_of(branches_.begin(), branches_.end(), [&](const Branch& branch) {
    return branch.listed && branch.id.participant == participant;
  });
}

void Driver::add_results(CommitAnswer& answer, const CommitCaller& caller) const {
  for (const CallerBranch& named : caller.branches) {
    if (!named.one_shot) continue;
    const auto found = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& branch) {
      return branch.results && branch.id.participant == named.participant;
    });
    if (found == branches_.end()) {
      answer.results.clear();
      answer.results_unavailable = true;
      return;
    }
    answer.results.push_back({named.participant, found->results});
  }
}

}  // namespace assent::commit
