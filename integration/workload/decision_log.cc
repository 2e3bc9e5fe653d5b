#include "integration/workload/decision_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace assent::workload {
namespace {

constexpr std::uint64_t kRecordBytes = 128;
constexpr std::uint64_t kFileBytes = std::uint64_t{16} << 20;  // then it begins anew

}  // namespace

Result<std::unique_ptr<DecisionLog>> DecisionLog::create(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    return failure(ErrorCode::kInvalidArgument, path + ": " + std::strerror(errno));
  }
  std::unique_ptr<DecisionLog> log(new DecisionLog(file));
  // Written, not only reserved: a first write to reserved blocks would cost a change of metadata.
  const std::vector<char> zeros(kFileBytes);
  if (::pwrite(file, zeros.data(), zeros.size(), 0) != static_cast<ssize_t>(zeros.size()) ||
      ::fsync(file) != 0) {
    return failure(ErrorCode::kInvalidArgument, path + ": " + std::strerror(errno));
  }
  return log;
}

DecisionLog::~DecisionLog() {
  ::close(file_);
}

void DecisionLog::append() {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++appended_;
  while (durable_ < mine) {
    if (flushing_) {
      flushed_.wait(lock);
    } else {
      flush(lock);
    }
  }
}

// Takes all that were appended so far; those that come meanwhile wait for the next one.
void DecisionLog::flush(std::unique_lock<std::mutex>& lock) {
  flushing_ = true;
  const std::uint64_t upto = appended_;
  const std::vector<char> records((upto - durable_) * kRecordBytes, 'd');
  const std::uint64_t at = durable_ * kRecordBytes % (kFileBytes / 2);
  lock.unlock();
  const ssize_t written = ::pwrite(file_, records.data(), records.size(), static_cast<off_t>(at));
  CHECK_EQ(written, static_cast<ssize_t>(records.size()), "the records are written");
  CHECK_EQ(::fdatasync(file_), 0, "the records are flushed");
  lock.lock();
  durable_ = upto;
  flushing_ = false;
  ++flushes_;
  flushed_.notify_all();
}

std::int64_t DecisionLog::flushes() const {
  const std::lock_guard lock(mutex_);
  return flushes_;
}

}  // namespace assent::workload
