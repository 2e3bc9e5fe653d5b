#include "coordinator/commit/finish_memory.h"

#include <algorithm>

#include "base/canary.h"

namespace assent::commit {

void FinishMemory::remember(const TransactionId& transaction, MonoTime when) {
  finished_[transaction] = when;
  order_.emplace_back(transaction, when);
  if (order_.size() <= capacity_ || canary(Canary::kFinishesKept)) return;
  const auto& [oldest, then] = order_.front();
  const auto found = finished_.find(oldest);
  // A later finish of the same transaction stays.
  if (found != finished_.end() && found->second == then) finished_.erase(found);
  left_up_to_ = std::max(left_up_to_, oldest.time());
  order_.pop_front();
}

bool FinishMemory::finished_since(const TransactionId& transaction, MonoTime asked) const {
  const auto found = finished_.find(transaction);
  return found != finished_.end() && asked <= found->second;
}

}  // namespace assent::commit
