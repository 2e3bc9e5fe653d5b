// Participants that operators have taken out: drained, which is for a while, or removed, which is
// for good (docs/adr/0009). Part of the replicated state.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "coordinator/state/command.h"

namespace assent::state {

// Who has taken a participant out, why, and when by the log's time.
struct Withdrawal {
  std::string operator_name;
  std::string reason;
  LogTime at;

  bool operator==(const Withdrawal&) const = default;
};

class Withdrawals {
 public:
  // Of one that is drained the first word stands.
  void drain(LogTime time, const ParticipantDrained& command);
  void resume(const std::string& participant) { drained_.erase(participant); }
  // Its name is never used again. Precondition: it is drained.
  void remove(LogTime time, const ParticipantRemoved& command);

  // Null: it takes new branches, as far as operators say. The pointers hold until the next change.
  [[nodiscard]] const Withdrawal* drained(const std::string& participant) const;
  [[nodiscard]] const Withdrawal* removed(const std::string& participant) const;

  // Names never stand in both.
  void check_invariants() const;

  bool operator==(const Withdrawals&) const = default;

 private:
  friend struct WithdrawalsEncoding;

  std::map<std::string, Withdrawal> drained_;
  std::map<std::string, Withdrawal> removed_;
};

}  // namespace assent::state
