// What Transaction::cancel() shares with the thread that the transaction belongs to.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "wire/transaction_types.h"

namespace assent::client {

// The lock is held to look or to note, never while a message is under way. No branch escapes:
//  1. add() notes a branch before its first statement is sent.
//  2. cancel() sets the flag and takes the branches in one step under the same lock. So it either
//     takes this branch, too, or the flag is set before the statement is sent, which then is not.
class Cancellation {
 public:
  // `request` cancels a branch; it replaces an earlier one of the same participant.
  void add(wire::CancelRequest request) {
    const std::lock_guard lock(mutex_);
    requests_[request.participant] = std::move(request);
  }

  // The transaction is being ended: from now on cancel() has no effect.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

  // Cancels the transaction for ever, and answers what to send.
  std::vector<wire::CancelRequest> cancel() {
    const std::lock_guard lock(mutex_);
    if (closed_) return {};
    cancelled_ = true;
    std::vector<wire::CancelRequest> all;
    for (const auto& [participant, request] : requests_) all.push_back(request);
    return all;
  }

  [[nodiscard]] const std::atomic<bool>& cancelled() const { return cancelled_; }

 private:
  std::mutex mutex_;
  bool closed_ = false;
  std::atomic<bool> cancelled_ = false;                  // set under the lock, read without it
  std::map<std::string, wire::CancelRequest> requests_;  // by participant
};

}  // namespace assent::client
