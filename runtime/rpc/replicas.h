// The replicas of a coordinator as a caller knows them: whom to ask now, and whom next.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

namespace assent::rpc {

// Every method may be called from any thread.
class Replicas {
 public:
  // Precondition: there is at least one address. A leader may be named at others, too: replicas
  // tell each other's addresses.
  explicit Replicas(std::vector<std::string> addresses);

  // The address to ask now: the one that is believed to lead.
  [[nodiscard]] std::string current() const;

  // `address` did not answer or does not lead: another one is asked from now on, unless somebody
  // has already moved on. `leader` is the leader's address as `address` told it; empty when it did
  // not. True: current() is more than a guess, so it may be asked without a pause.
  bool failed(const std::string& address, const std::string& leader = {});

  // `address` leads, as it says itself.
  void leads(const std::string& address);

  // One of the configured addresses that is not believed to lead, another one each time; the
  // believed one when there is no other.
  [[nodiscard]] std::string next_other();

 private:
  [[nodiscard]] const std::string& believed() const;

  const std::vector<std::string> addresses_;
  mutable std::mutex mutex_;
  std::size_t next_ = 0;   // in addresses_; asked when nobody is known to lead
  std::size_t other_ = 0;  // in addresses_; see next_other()
  std::string leader_;     // asked first; empty: none is known
};

}  // namespace assent::rpc
