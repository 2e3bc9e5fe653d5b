// What a client knows of its cluster: where participants are, the coordinator's time, and its
// present office. Every method may be called from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "wire/transaction_types.h"

namespace assent::client {

// Participants, time and office, as they were told last.
class Directory {
 public:
  // `now` is this process's clock when the reply came in.
  void learn(const wire::HelloReply& reply, MonoTime now);

  // The agent's client port; nullopt when no participant of that name is registered.
  [[nodiscard]] std::optional<std::string> address_of(const std::string& participant) const;
  [[nodiscard]] std::vector<std::string> names() const;
  // The cluster's name; empty before the first hello.
  [[nodiscard]] std::string cluster() const;

  // A leader named its office in a refusal, not in a hello.
  void learn_office(std::int64_t office);
  // To which `first` is promised (R9); 0 before the first hello.
  [[nodiscard]] std::int64_t office() const;

  // The coordinator's time, told forth by this process's clock (R17).
  [[nodiscard]] LogTime time(MonoTime now) const;

 private:
  mutable std::mutex mutex_;
  std::string cluster_;
  std::map<std::string, std::string> addresses_;  // by participant
  LogTime told_;                                  // by the coordinator
  MonoTime told_at_;                              // by this process's clock
  std::int64_t office_ = 0;
};

}  // namespace assent::client
