// A client's end of its own branch, as long as nobody asked for its vote.
#include "participant/branch/core.h"

namespace assent::branch {

void BranchTable::Core::on(const CancelAsked& asked) {
  Branch* const branch = memory_.find(asked.transaction);
  if (branch == nullptr || !is_named(*branch, asked)) {
    return refuse(asked.token, ErrorCode::kUnknownBranch,
                  "transaction " + to_string(asked.transaction) +
                      " has no such branch here: never opened, or ended long ago");
  }
  std::visit(Overloaded{
                 [&](OneOf<Waiting, Open> auto&) {
                   become_rolling_back(
                       *branch, RollingBack{.cause = Cause::kClient, .cancellers = {asked.token}},
                       "its client cancelled it");
                 },
                 [&](RollingBack& rolling_back) { rolling_back.cancellers.push_back(asked.token); },
                 [&](Ended& ended) {
                   if (ended.fate == Fate::kRolledBack) {
                     reply(asked.token, Cancelled{});
                   } else {
                     reply(asked.token, ended_error(*branch));
                   }
                 },
                 [&](OneOf<Queued, Draining, Preparing, Prepared, Finishing> auto&) {
                   reply(asked.token, ended_error(*branch));
                 },
             },
             branch->state);
}

// Until its opening is answered, a client knows its branch by the nonce alone.
bool BranchTable::Core::is_named(const Branch& branch, const CancelAsked& asked) {
  return std::visit(
      Overloaded{
          [&](const std::string& nonce) { return !nonce.empty() && branch.opened.nonce == nonce; },
          [&](const BranchRef& ref) {
            return branch.id.epoch == ref.epoch && branch.id.attempt == ref.attempt;
          },
      },
      asked.branch);
}

}  // namespace assent::branch
