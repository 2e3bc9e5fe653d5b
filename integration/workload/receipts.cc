#include "integration/workload/receipts.h"

#include <unistd.h>

#include <chrono>

namespace assent::workload {
namespace {

std::string name_of_run() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return std::to_string(millis) + "." + std::to_string(::getpid());
}

}  // namespace

Receipts::Receipts(const std::string& path) : file_(path, std::ios::trunc), run_(name_of_run()) {}

std::string Receipts::next_name() {
  const std::lock_guard lock(mutex_);
  return run_ + "." + std::to_string(++last_);
}

void Receipts::told(const std::string& name, const CommitResult& result) {
  const std::lock_guard lock(mutex_);
  if (result.state == CommitState::kUnknown) {
    unknown_[result.transaction] = name;
  } else {
    write(name, result.state, result.transaction);
  }
}

void Receipts::resolved(const std::string& transaction, CommitState state) {
  const std::lock_guard lock(mutex_);
  if (const auto found = unknown_.find(transaction); found != unknown_.end()) {
    write(found->second, state, transaction);
  }
}

bool Receipts::close() {
  const std::lock_guard lock(mutex_);
  file_.close();
  return !file_.fail();
}

void Receipts::write(const std::string& name, CommitState state, const std::string& transaction) {
  file_ << name << ' ' << assent::name(state) << ' ' << transaction << '\n';
}

}  // namespace assent::workload
