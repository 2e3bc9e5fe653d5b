// The calls of a client that have no answer yet, by seqid and by deadline.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "runtime/rpc/client.h"

namespace assent::rpc {

struct PendingCall {
  std::string method;
  Client::ReadReply read;
  Client::Done done;
  MonoTime deadline;
  std::uint64_t position = 0;  // of its first byte in the connection's stream
};

class CallTable {
 public:
  // A seqid that no pending call has.
  std::int32_t next_seqid();
  void add(std::int32_t seqid, PendingCall call);

  std::optional<PendingCall> take(std::int32_t seqid);
  // One call whose deadline is `now` or before.
  std::optional<PendingCall> take_expired(MonoTime now);
  // All, in the order in which they were sent.
  std::vector<PendingCall> take_all();

  [[nodiscard]] std::optional<MonoTime> next_deadline() const;
  [[nodiscard]] std::size_t size() const { return calls_.size(); }

 private:
  std::unordered_map<std::int32_t, PendingCall> calls_;
  std::set<std::pair<MonoTime, std::int32_t>> deadlines_;  // exactly one for each call
  std::int32_t last_seqid_ = 0;
};

}  // namespace assent::rpc
