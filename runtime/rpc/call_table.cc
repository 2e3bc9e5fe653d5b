#include "runtime/rpc/call_table.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace assent::rpc {

std::int32_t CallTable::next_seqid() {
  do {
    const bool wraps = last_seqid_ == std::numeric_limits<std::int32_t>::max();
    last_seqid_ = wraps ? 1 : last_seqid_ + 1;
  } while (calls_.contains(last_seqid_));
  return last_seqid_;
}

void CallTable::add(std::int32_t seqid, PendingCall call) {
  deadlines_.emplace(call.deadline, seqid);
  const bool added = calls_.emplace(seqid, std::move(call)).second;
  CHECK(added, "a reply must find the one call that it answers");
}

std::optional<PendingCall> CallTable::take(std::int32_t seqid) {
  const auto found = calls_.find(seqid);
  if (found == calls_.end()) return std::nullopt;
  PendingCall call = std::move(found->second);
  calls_.erase(found);
  deadlines_.erase({call.deadline, seqid});
  return call;
}

std::optional<PendingCall> CallTable::take_expired(MonoTime now) {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return std::nullopt;
  return take(deadlines_.begin()->second);
}

std::vector<PendingCall> CallTable::take_all() {
  std::vector<PendingCall> all;
  all.reserve(calls_.size());
  for (auto& [seqid, call] : calls_) all.push_back(std::move(call));
  calls_.clear();
  deadlines_.clear();
  std::ranges::sort(all, {}, &PendingCall::position);
  return all;
}

std::optional<MonoTime> CallTable::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

}  // namespace assent::rpc
