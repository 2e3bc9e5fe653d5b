#include "participant/branch/branch_memory.h"

#include <algorithm>
#include <utility>

#include "base/buggify.h"
#include "base/check.h"

namespace assent::branch {

BranchMemory::BranchMemory(Millis remember, std::size_t ended_max)
    : remember_(remember), ended_max_(ended_max) {
  CHECK(ended_max > 0, "the branch that ends is still in use while it is retired");
}

Branch* BranchMemory::find(const TransactionId& transaction) {
  const auto found = branches_.find(transaction);
  return found == branches_.end() ? nullptr : &found->second;
}

const Branch* BranchMemory::find(const TransactionId& transaction) const {
  const auto found = branches_.find(transaction);
  return found == branches_.end() ? nullptr : &found->second;
}

Branch* BranchMemory::find(const BranchId& id) {
  Branch* branch = find(id.transaction);
  return branch != nullptr && branch->id == id ? branch : nullptr;
}

const Branch* BranchMemory::find(const BranchId& id) const {
  const Branch* const branch = find(id.transaction);
  return branch != nullptr && branch->id == id ? branch : nullptr;
}

Branch& BranchMemory::add(Branch branch) {
  const TransactionId transaction = branch.id.transaction;
  const auto [place, added] = branches_.emplace(transaction, std::move(branch));
  CHECK(added, "one attempt of a transaction at a time (R5)");
  return place->second;
}

void BranchMemory::erase(const Branch& branch) {
  CHECK(!branch.ended(), "an ended branch is remembered");
  CHECK(!branch.idle_deadline && !branch.life_deadline, "a branch with a deadline is not dropped");
  branches_.erase(TransactionId(branch.id.transaction));
}

void BranchMemory::arm(Branch& branch, MonoTime now) {
  disarm(branch);
  branch.idle_deadline = now + branch.opened.idle_timeout;
  idle_.emplace(*branch.idle_deadline, branch.id.transaction);
}

void BranchMemory::disarm(Branch& branch) {
  if (branch.idle_deadline) {
    idle_.erase({*branch.idle_deadline, branch.id.transaction});
    branch.idle_deadline.reset();
  }
}

void BranchMemory::limit_life(Branch& branch) {
  branch.life_deadline = branch.opened.at + branch.opened.lifetime;
  lives_.emplace(*branch.life_deadline, branch.id.transaction);
}

void BranchMemory::drop_deadlines(Branch& branch) {
  disarm(branch);
  if (branch.life_deadline) {
    lives_.erase({*branch.life_deadline, branch.id.transaction});
    branch.life_deadline.reset();
  }
}

void BranchMemory::retire(const Branch& branch, MonoTime now) {
  ended_.emplace_back(now + remember_, branch.id.transaction);
  const bool early = ended_.size() > 1 && buggify(Point::kForgetBranchesEarly);
  if (early || ended_.size() > ended_max_) {
    forget_first();
  }
}

std::vector<Branch*> BranchMemory::idle_too_long(MonoTime now) {
  return due(idle_, now);
}

std::vector<Branch*> BranchMemory::lived_too_long(MonoTime now) {
  return due(lives_, now);
}

std::vector<Branch*> BranchMemory::due(const Deadlines& deadlines, MonoTime now) {
  std::vector<Branch*> branches;
  for (auto it = deadlines.begin(); it != deadlines.end() && it->first <= now; ++it) {
    branches.push_back(find(it->second));
  }
  return branches;
}

void BranchMemory::forget_old(MonoTime now) {
  while (!ended_.empty() && ended_.front().first <= now) {
    forget_first();
  }
}

void BranchMemory::forget_first() {
  branches_.erase(ended_.front().second);
  ended_.pop_front();
}

std::optional<MonoTime> BranchMemory::next_deadline() const {
  std::optional<MonoTime> next;
  const auto consider = [&](const auto& due) {
    if (!due.empty() && (!next || due.begin()->first < *next)) {
      next = due.begin()->first;
    }
  };
  consider(idle_);
  consider(lives_);
  consider(ended_);
  return next;
}

void BranchMemory::check_invariants(const std::function<void(const Branch&)>& check_branch) const {
  std::size_t ended = 0;
  std::size_t armed = 0;
  std::size_t limited = 0;
  for (const auto& [transaction, branch] : branches_) {
    CHECK(transaction == branch.id.transaction, "a branch is found under its transaction");
    ended += branch.ended() ? 1 : 0;
    armed += branch.idle_deadline ? 1 : 0;
    CHECK(!branch.idle_deadline || idle_.contains({*branch.idle_deadline, transaction}),
          "an idle branch is due at its deadline");
    limited += branch.life_deadline ? 1 : 0;
    CHECK(!branch.life_deadline || lives_.contains({*branch.life_deadline, transaction}),
          "a branch is due at the end of its lifetime");
    check_branch(branch);
  }
  CHECK_EQ(ended, ended_.size(), "exactly the ended branches are to be forgotten");
  CHECK_EQ(armed, idle_.size(), "exactly the idle branches are due");
  CHECK_EQ(limited, lives_.size(), "exactly those whose life is limited are due");
  CHECK_LE(ended_.size(), ended_max_, "memory of ended branches is bounded");
  CHECK(std::ranges::is_sorted(ended_, {}, &std::pair<MonoTime, TransactionId>::first),
        "the first to end is the first to be forgotten");
}

}  // namespace assent::branch
