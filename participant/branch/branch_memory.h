// The branches of this life, by transaction; when each is idle or lives too long; how long each
// that ended is remembered.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "participant/branch/branch.h"

namespace assent::branch {

class BranchMemory {
 public:
  // Ended branches leave `remember` after their end, or earlier when there are more than
  // `ended_max` of them; others leave by erase only.
  BranchMemory(Millis remember, std::size_t ended_max);

  // The transaction's one branch here, live or remembered; null when there is none. Pointers hold
  // until that branch leaves.
  [[nodiscard]] Branch* find(const TransactionId& transaction);
  [[nodiscard]] const Branch* find(const TransactionId& transaction) const;
  // The same, but only if it is exactly this branch (R5).
  [[nodiscard]] Branch* find(const BranchId& id);
  [[nodiscard]] const Branch* find(const BranchId& id) const;

  // Precondition: the transaction has no branch here.
  Branch& add(Branch branch);
  // Precondition: it has not ended.
  void erase(const Branch& branch);

  // The branch is idle from now on and due for rollback at its deadline.
  void arm(Branch& branch, MonoTime now);
  // The branch is idle no more.
  void disarm(Branch& branch);
  // The branch is due for rollback at the end of its lifetime.
  void limit_life(Branch& branch);
  // The branch has no deadlines any more.
  void drop_deadlines(Branch& branch);

  // To be called once, when the branch has just ended.
  void retire(const Branch& branch, MonoTime now);

  // Branches whose idle deadline has come, and those whose life is over.
  [[nodiscard]] std::vector<Branch*> idle_too_long(MonoTime now);
  [[nodiscard]] std::vector<Branch*> lived_too_long(MonoTime now);
  // Forgets the branches that ended long enough ago.
  void forget_old(MonoTime now);

  [[nodiscard]] std::optional<MonoTime> next_deadline() const;
  [[nodiscard]] std::size_t live_count() const { return branches_.size() - ended_.size(); }

  void check_invariants(const std::function<void(const Branch&)>& check_branch) const;

 private:
  using Deadlines = std::set<std::pair<MonoTime, TransactionId>>;

  void forget_first();
  [[nodiscard]] std::vector<Branch*> due(const Deadlines& deadlines, MonoTime now);

  Millis remember_;
  std::size_t ended_max_;
  std::unordered_map<TransactionId, Branch> branches_;
  Deadlines idle_;
  Deadlines lives_;
  std::deque<std::pair<MonoTime, TransactionId>> ended_;  // by when each is forgotten
};

}  // namespace assent::branch
