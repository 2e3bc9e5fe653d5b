#include "coordinator/server/admission.h"

#include <algorithm>
#include <variant>

#include "coordinator/commit/request.h"

namespace assent::coordinator {
namespace {

constexpr Millis kLookEvery{100};

}  // namespace

std::optional<Error> Admission::objection(const commit::CommitAsked& asked,
                                          const OnePhaseAt& one_phase_at) const {
  if (asked.first_in == 0) return std::nullopt;
  const commit::RequestedBranch* writer = commit::writer_of(asked.branches);
  for (const commit::RequestedBranch& branch : asked.branches) {
    if (!branch.one_shot) continue;
    const bool one_phase = &branch == writer && one_phase_at(branch.participant);
    if (auto full = objection_at(branch.participant, !one_phase)) return full;
  }
  return std::nullopt;
}

std::optional<Error> Admission::objection_at(const std::string& participant,
                                             bool takes_slot) const {
  const auto found = under_way_.find(participant);
  if (found == under_way_.end()) return std::nullopt;
  if (found->second.size() >= one_shots_max_) {
    return Error{ErrorCode::kOverloaded,
                 std::to_string(one_shots_max_) + " one-shots are under way at " + participant +
                     " already; try again later",
                 participant};
  }
  const auto told = slots_.find(participant);
  if (!takes_slot || told == slots_.end()) return std::nullopt;
  const std::uint64_t room = std::max<std::uint64_t>(told->second * 9 / 10, 1);
  if (found->second.prepared.size() < room) return std::nullopt;
  return Error{ErrorCode::kOverloaded,
               std::to_string(room) + " one-shots are being prepared at " + participant +
                   " already, whose server has " + std::to_string(told->second) +
                   " prepared slots; try again later",
               participant};
}

void Admission::look_again(MonoTime now, const std::function<bool(const TransactionId&)>& driven) {
  if (looked_ && now < *looked_ + kLookEvery) return;
  looked_ = now;
  const auto gone = [&](const TransactionId& one) { return !driven(one); };
  for (auto& [participant, under_way] : under_way_) {
    std::erase_if(under_way.prepared, gone);
    std::erase_if(under_way.one_phase, gone);
  }
}

void Admission::sent(const commit::SendPrepare& prepare) {
  if (!prepare.one_shot) return;
  UnderWay& under_way = under_way_[prepare.branch.participant];
  (prepare.one_phase ? under_way.one_phase : under_way.prepared).insert(prepare.branch.transaction);
}

// What is prepared is followed by a finish. What was lost is sent again, or finished.
void Admission::arrived(const commit::Input& input) {
  if (const auto* vote = std::get_if<commit::VoteArrived>(&input)) {
    const auto* no = std::get_if<commit::VoteNo>(&vote->vote);
    const bool in_vain = no != nullptr && no->evidence;
    if (in_vain || std::holds_alternative<commit::VoteYes>(vote->vote)) return;
    return ended(vote->branch.participant, vote->branch.transaction);
  }
  if (const auto* inventory = std::get_if<commit::InventoryArrived>(&input)) {
    if (inventory->slots > 0) slots_[inventory->participant] = inventory->slots;
    return;
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
    found->second.prepared.erase(transaction);
    found->second.one_phase.erase(transaction);
  }
}

}  // namespace assent::coordinator
