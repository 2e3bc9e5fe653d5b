#include "coordinator/server/admission.h"

#include <variant>

namespace assent::coordinator {
namespace {

constexpr Millis kLookEvery{100};

}  // namespace

std::optional<Error> Admission::objection(const commit::CommitAsked& asked) const {
  if (asked.first_in == 0) return std::nullopt;
  for (const commit::RequestedBranch& branch : asked.branches) {
    if (!branch.one_shot) continue;
    const auto found = under_way_.find(branch.participant);
    if (found == under_way_.end() || found->second.size() < one_shots_max_) continue;
    return Error{ErrorCode::kOverloaded,
                 std::to_string(one_shots_max_) + " one-shots are under way at " +
                     branch.participant + " already; try again later",
                 branch.participant};
  }
  return std::nullopt;
}

void Admission::look_again(MonoTime now, const std::function<bool(const TransactionId&)>& driven) {
  if (looked_ && now < *looked_ + kLookEvery) return;
  looked_ = now;
  for (auto& [participant, transactions] : under_way_) {
    std::erase_if(transactions, [&](const TransactionId& one) { return !driven(one); });
  }
}

void Admission::sent(const commit::SendPrepare& prepare) {
  if (!prepare.one_shot) return;
  under_way_[prepare.branch.participant].insert(prepare.branch.transaction);
}

// A YES is followed by a finish. What was lost is sent again, or finished.
void Admission::arrived(const commit::Input& input) {
  if (const auto* vote = std::get_if<commit::VoteArrived>(&input)) {
    if (std::holds_alternative<commit::VoteYes>(vote->vote)) return;
    return ended(vote->branch.participant, vote->branch.transaction);
  }
  if (const auto* finish = std::get_if<commit::FinishArrived>(&input)) {
    return ended(finish->branch.participant, finish->branch.transaction);
  }
  if (const auto* settle = std::get_if<commit::SettleArrived>(&input)) {
    ended(settle->participant, settle->transaction);
  }
}

void Admission::ended(const std::string& participant, const TransactionId& transaction) {
  if (const auto found = under_way_.find(participant); found != under_way_.end()) {
    found->second.erase(transaction);
  }
}

}  // namespace assent::coordinator
