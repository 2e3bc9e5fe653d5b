#include "runtime/rpc/replicas.h"

#include <utility>

#include "base/check.h"

namespace assent::rpc {

Replicas::Replicas(std::vector<std::string> addresses) : addresses_(std::move(addresses)) {
  CHECK(!addresses_.empty(), "there is somebody to ask");
}

const std::string& Replicas::believed() const {
  return leader_.empty() ? addresses_[next_] : leader_;
}

std::string Replicas::current() const {
  const std::lock_guard lock(mutex_);
  return believed();
}

bool Replicas::failed(const std::string& address, const std::string& leader) {
  const std::lock_guard lock(mutex_);
  if (address != believed()) return true;
  leader_ = leader == address ? std::string() : leader;
  if (!leader_.empty()) return true;
  next_ = (next_ + 1) % addresses_.size();
  return false;
}

void Replicas::leads(const std::string& address) {
  const std::lock_guard lock(mutex_);
  leader_ = address;
}

std::string Replicas::next_other() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    other_ = (other_ + 1) % addresses_.size();
    if (addresses_[other_] != believed()) return addresses_[other_];
  }
  return believed();
}

}  // namespace assent::rpc
