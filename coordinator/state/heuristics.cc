#include "coordinator/state/heuristics.h"

#include <algorithm>

#include "base/check.h"

namespace assent::state {
namespace {

// A transaction has few branches; a command of the log that says otherwise is not let in.
constexpr std::size_t kBranchesMax = 256;

bool same_branch(const DecidedBranch& a, const DecidedBranch& b) {
  return a.participant == b.participant && a.epoch == b.epoch && a.attempt == b.attempt;
}

}  // namespace

std::string_view name(HeuristicKind kind) {
  switch (kind) {
    case HeuristicKind::kCommit:
      return "commit";
    case HeuristicKind::kRollback:
      return "rollback";
    case HeuristicKind::kMixed:
      return "mixed";
    case HeuristicKind::kHazard:
      return "hazard";
    case HeuristicKind::kSettled:
      return "settled";
  }
  return "?";
}

// A hazard hides what else there is: nobody knows whether the branches agree.
HeuristicKind Heuristic::kind() const {
  const auto count = [&](FinishResult result) {
    return static_cast<std::uint64_t>(
        std::count_if(branches.begin(), branches.end(),
                      [&](const HeuristicBranch& one) { return one.result == result; }));
  };
  if (count(FinishResult::kHazard) > 0) return HeuristicKind::kHazard;
  const std::uint64_t commits = count(FinishResult::kHeuristicCommit);
  const std::uint64_t rollbacks = count(FinishResult::kHeuristicRollback);
  if (commits + rollbacks == 0) return HeuristicKind::kSettled;
  // A branch that is not listed was to roll back, whatever T's outcome.
  const bool committed = outcome == Outcome::kCommitted;
  const bool alike = (committed ? commits : rollbacks) == 0;
  if (listed == 0 || !alike || commits + rollbacks < listed) return HeuristicKind::kMixed;
  return committed ? HeuristicKind::kRollback : HeuristicKind::kCommit;
}

FinishResult Heuristic::result_of(const DecidedBranch& branch) const {
  const auto found =
      std::find_if(branches.begin(), branches.end(),
                   [&](const HeuristicBranch& other) { return same_branch(other.branch, branch); });
  return found == branches.end() ? FinishResult::kDone : found->result;
}

std::optional<Outcome> Heuristic::resolved(const DecidedBranch& branch) const {
  if (!resolution) return std::nullopt;
  const auto known = branches.begin() + static_cast<std::ptrdiff_t>(resolution->branches);
  const bool decided = std::any_of(branches.begin(), known, [&](const HeuristicBranch& one) {
    return same_branch(one.branch, branch);
  });
  return decided ? std::optional(resolution->outcome) : std::nullopt;
}

// What somebody did stands. A hazard may end well; and what has ended well may be a hazard again,
// when its database loses the end of it and the branch stands there as before.
void Heuristics::found(Slot slot, LogTime time, const HeuristicFound& command) {
  const bool known = kept_.contains(command.transaction);
  if (!known && command.result == FinishResult::kDone) return;
  if (!known && kept_.size() >= kMax) {
    ++untold_;
    return;
  }
  Heuristic& one = kept_[command.transaction];
  if (!known) one = {command.outcome, command.listed, slot, time, {}, {}};
  const auto same = std::find_if(
      one.branches.begin(), one.branches.end(),
      [&](const HeuristicBranch& other) { return same_branch(other.branch, command.branch); });
  if (same == one.branches.end()) {
    const bool told = command.result != FinishResult::kDone && one.branches.size() < kBranchesMax;
    if (told) one.branches.push_back({command.branch, command.result});
  } else if (same->result == FinishResult::kHazard || same->result == FinishResult::kDone) {
    same->result = command.result;
  }
}

std::optional<Outcome> Heuristics::resolve(LogTime time, const HeuristicResolved& command) {
  const auto found = kept_.find(command.transaction);
  if (found == kept_.end()) return std::nullopt;
  Heuristic& one = found->second;
  // The record has left, and its outcome stands. An abort may be confirmed, for a branch that the
  // record did not know: a commit listed all that it meant (R5).
  const bool confirms = command.outcome == Outcome::kAborted && one.outcome == Outcome::kAborted;
  if (one.listed > 0 && !confirms) return one.outcome;
  if (!one.resolution) {
    one.resolution = {command.outcome, command.operator_name, command.reason, time,
                      one.branches.size()};
    one.outcome = command.outcome;
  }
  return one.resolution->outcome;
}

const Heuristic* Heuristics::find(const TransactionId& transaction) const {
  const auto found = kept_.find(transaction);
  return found == kept_.end() ? nullptr : &found->second;
}

void Heuristics::check_invariants() const {
  CHECK_LE(kept_.size(), kMax, "memory is bounded");
  for (const auto& [transaction, one] : kept_) {
    CHECK(!one.branches.empty(), "what is kept names a branch");
    CHECK_LE(one.branches.size(), kBranchesMax, "memory is bounded");
    CHECK(!one.resolution || one.resolution->branches <= one.branches.size(),
          "what an operator has decided about was found before");
  }
}

}  // namespace assent::state
