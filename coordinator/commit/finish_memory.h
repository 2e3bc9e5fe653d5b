// When transactions were last finished: an inventory that was asked for before then may still show
// what is gone by now, and a request that comes after then is not the first of its kind.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "base/time.h"

namespace assent::commit {

// Remembers the last `capacity` finishes. When one is lost early, a branch that is gone may be
// finished once more: its agent settles that by evidence.
class FinishMemory {
 public:
  explicit FinishMemory(std::size_t capacity) : capacity_(capacity) {}

  void remember(const TransactionId& transaction, MonoTime when);
  [[nodiscard]] bool finished_since(const TransactionId& transaction, MonoTime asked) const;
  // True unless T certainly was not finished: what has left the memory is told by its time alone.
  [[nodiscard]] bool maybe_knows(const TransactionId& transaction) const {
    return finished_.count(transaction) == 1 || transaction.time() <= left_up_to_;
  }
  [[nodiscard]] std::size_t size() const { return order_.size(); }

 private:
  std::size_t capacity_;
  std::unordered_map<TransactionId, MonoTime> finished_;  // the last time of each
  std::deque<std::pair<TransactionId, MonoTime>> order_;  // all times, oldest first
  LogTime left_up_to_;  // the newest id's time among those that have left
};

}  // namespace assent::commit
