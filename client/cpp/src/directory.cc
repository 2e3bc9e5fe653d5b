#include "client/cpp/src/directory.h"

namespace assent::client {

void Directory::learn(const wire::HelloReply& reply, MonoTime now) {
  const std::lock_guard lock(mutex_);
  cluster_ = reply.cluster;
  addresses_.clear();
  for (const auto& participant : reply.participants) {
    addresses_[participant.name] = participant.client_address;
  }
  told_ = LogTime(reply.now_ms);
  told_at_ = now;
  office_ = reply.office;
}

void Directory::learn_office(std::int64_t office) {
  const std::lock_guard lock(mutex_);
  office_ = office;
}

std::int64_t Directory::office() const {
  const std::lock_guard lock(mutex_);
  return office_;
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
