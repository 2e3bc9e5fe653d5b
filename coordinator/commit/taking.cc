// Which participants take new branches: not those that an operator has drained or is removing
// (docs/adr/0009), nor those that are over their in-doubt budget.
#include <algorithm>

#include "coordinator/commit/office_impl.h"
#include "coordinator/commit/reasons.h"

namespace assent::commit {

// What an agent that is asked again will be told to refuse, and what a commit is refused for that
// would begin one-shots there. Branches that are open go on to their ends.
std::optional<Error> Office::Impl::refuses(const std::string& participant) const {
  if (const state::Withdrawal* drain = state_.withdrawals().drained(participant)) {
    return reasons::drained(participant, *drain);
  }
  return budget_.refusal(participant);
}

// Asked for what is about to run. A repeat that is not run begins nothing, and its outcome is owed.
std::optional<Error> Office::Impl::not_taken(const std::vector<RequestedBranch>& branches) const {
  for (const RequestedBranch& branch : branches) {
    if (!branch.one_shot) continue;
    // It would be of an epoch that no decision may list (R15).
    const state::ParticipantRecord* known = state_.participant(branch.participant);
    if (known != nullptr && known->quarantined_below == state::kNotSinceRestore) {
      return reasons::not_since_restore(branch.participant);
    }
    if (std::optional<Error> error = refuses(branch.participant)) return error;
  }
  return std::nullopt;
}

// 1. Before it is proposed that the participant is removed, nothing that is driven names it.
// 2. From then on nothing new that names it is driven: this refuses it.
// 3. So when the removal is executed, no transaction of this office owes it anything; one of an
//    earlier office would stand in the log, which refuses the removal.
void Office::Impl::on(Turn& /*turn*/, const ParticipantLeaves& leaves) {
  if (!leaves.over) {
    leaving_.insert(leaves.participant);
    return;
  }
  leaving_.erase(leaves.participant);
  if (state_.participant(leaves.participant) == nullptr) budget_.forget(leaves.participant);
}

// An agent of an older version tells no ages, so nothing is known of its budget.
void Office::Impl::weigh(Turn& turn, const InventoryArrived& arrived) {
  InDoubt seen;
  for (const FoundBranch& one : arrived.prepared) {
    if (!one.age) return;
    if (!is_strangers(one)) seen.add(one.branch, *one.age);
  }
  if (auto change = budget_.observe(arrived.participant, seen)) {
    turn.effects.budget_changes.push_back(std::move(*change));
  }
}

std::size_t Driver::unended_at(const std::string& participant) const {
  return static_cast<std::size_t>(std::ranges::count_if(branches_, [&](const Branch& branch) {
    return branch.id.participant == participant && !branch.ended();
  }));
}

std::size_t Office::Impl::driven_at(const std::string& participant) const {
  std::size_t out = 0;
  for (const auto& [transaction, driven] : drivers_) out += driven.driver.unended_at(participant);
  return out;
}

}  // namespace assent::commit
