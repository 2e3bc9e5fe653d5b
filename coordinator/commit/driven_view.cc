#include "coordinator/commit/driven_view.h"

#include "base/overloaded.h"
#include "coordinator/commit/driver.h"
#include "coordinator/commit/office_impl.h"

namespace assent::commit {

BranchView Driver::view(const Branch& branch, MonoTime now) const {
  const auto stage = [&] {
    if (branch.left) return BranchStage::kLeft;
    if (branch.confirmed) return BranchStage::kEnded;
    if (in<Finishing>()) return BranchStage::kEnding;
    if (!branch.listed) return BranchStage::kStray;
    if (branch.held) return BranchStage::kHeld;
    return branch.said_yes() ? BranchStage::kVoted : BranchStage::kAsked;
  };
  BranchView out{branch.id, stage(), branch.last_loss, std::nullopt, branch.result};
  if (branch.resend_at) out.next_try = *branch.resend_at - now;
  return out;
}

DrivenView Driver::view(MonoTime now) const {
  DrivenView out;
  std::visit(Overloaded{
                 [&](const Preparing& state) {
                   out.stage = DrivenStage::kPreparing;
                   out.deadline_in = state.deadline - now;
                 },
                 [&](const OnePhase& state) {
                   out.stage = DrivenStage::kOnePhase;
                   out.deadline_in = state.deadline - now;
                 },
                 [&](const Settling& state) {
                   out.stage = DrivenStage::kSettling;
                   out.reason = state.reason.message;
                 },
                 [&](const Proposing& state) {
                   out.stage = DrivenStage::kProposing;
                   out.outcome = state.outcome;
                 },
                 [&](const Finishing& state) {
                   out.stage = DrivenStage::kFinishing;
                   out.outcome = state.outcome;
                   out.reason = state.reason.message;
                   out.expired = state.expired;
                   out.resolved = state.resolved;
                 },
             },
             state_);
  for (const Branch& branch : branches_) out.branches.push_back(view(branch, now));
  if (may_be_one_phase()) out.writer = writer_;
  out.callers = callers_.size();
  return out;
}

std::optional<DrivenView> Office::Impl::view(const TransactionId& transaction, MonoTime now) const {
  const auto driven = drivers_.find(transaction);
  if (driven == drivers_.end()) return std::nullopt;
  return driven->second.driver.view(now);
}

std::optional<TransactionId> Office::Impl::next_driven(const TransactionId& after) const {
  const auto next = drivers_.upper_bound(after);
  if (next == drivers_.end()) return std::nullopt;
  return next->first;
}

std::optional<DrivenView> Office::view(const TransactionId& transaction, MonoTime now) const {
  return impl_->view(transaction, now);
}

std::optional<TransactionId> Office::next_driven(const TransactionId& after) const {
  return impl_->next_driven(after);
}

}  // namespace assent::commit
