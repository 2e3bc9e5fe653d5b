#include "client/cpp/src/directory.h"

#include <utility>

#include "base/check.h"

namespace assent::client {

Coordinators::Coordinators(std::vector<std::string> addresses) : addresses_(std::move(addresses)) {
  CHECK(!addresses_.empty(), "a client has somebody to ask");
}

const std::string& Coordinators::believed() const {
  return hinted_.empty() ? addresses_[next_] : hinted_;
}

std::string Coordinators::current() const {
  const std::lock_guard lock(mutex_);
  return believed();
}

void Coordinators::failed(const std::string& address, const std::string& leader) {
  const std::lock_guard lock(mutex_);
  if (address != believed()) return;
  if (leader != address && !leader.empty()) {
    hinted_ = leader;
    return;
  }
  hinted_.clear();
  next_ = (next_ + 1) % addresses_.size();
}

void Directory::learn(const wire::HelloReply& reply, MonoTime now) {
  const std::lock_guard lock(mutex_);
  cluster_ = reply.cluster;
  addresses_.clear();
  for (const auto& participant : reply.participants) {
    addresses_[participant.name] = participant.client_address;
  }
  told_ = LogTime(reply.now_ms);
  told_at_ = now;
}

std::optional<std::string> Directory::address_of(const std::string& participant) const {
  const std::lock_guard lock(mutex_);
  const auto found = addresses_.find(participant);
  if (found == addresses_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> Directory::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, address] : addresses_) names.push_back(name);
  return names;
}

std::string Directory::cluster() const {
  const std::lock_guard lock(mutex_);
  return cluster_;
}

LogTime Directory::time(MonoTime now) const {
  const std::lock_guard lock(mutex_);
  return told_ + (now - told_at_);
}

}  // namespace assent::client
