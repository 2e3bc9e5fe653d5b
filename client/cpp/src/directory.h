// What a client knows of its cluster: which coordinator to ask, where participants are, and the
// coordinator's time. Every method may be called from any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "wire/transaction_types.h"

namespace assent::client {

// The coordinator's addresses, and the one that is believed to lead.
class Coordinators {
 public:
  // Precondition: there is at least one address.
  explicit Coordinators(std::vector<std::string> addresses);

  // The address to ask now.
  [[nodiscard]] std::string current() const;

  // `address` did not answer or does not lead: the next one is asked, unless somebody has already
  // moved on. `leader` is the leader's address as `address` told it; empty when it did not.
  void failed(const std::string& address, const std::string& leader = {});

  [[nodiscard]] std::size_t count() const { return addresses_.size(); }

 private:
  [[nodiscard]] const std::string& believed() const;

  const std::vector<std::string> addresses_;
  mutable std::mutex mutex_;
  std::size_t next_ = 0;  // in addresses_; asked when nobody hinted at a leader
  std::string hinted_;    // asked first; empty: none
};

// Participants and time, as the latest hello told them.
class Directory {
 public:
  // `now` is this process's clock when the reply came in.
  void learn(const wire::HelloReply& reply, MonoTime now);

  // The agent's client port; nullopt when no participant of that name is registered.
  [[nodiscard]] std::optional<std::string> address_of(const std::string& participant) const;
  [[nodiscard]] std::vector<std::string> names() const;
  // The cluster's name; empty before the first hello.
  [[nodiscard]] std::string cluster() const;

  // The coordinator's time, told forth by this process's clock (R17).
  [[nodiscard]] LogTime time(MonoTime now) const;

 private:
  mutable std::mutex mutex_;
  std::string cluster_;
  std::map<std::string, std::string> addresses_;  // by participant
  LogTime told_;                                  // by the coordinator
  MonoTime told_at_;                              // by this process's clock
};

}  // namespace assent::client
