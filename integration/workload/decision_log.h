// The cheapest log that a coordinator of one process could keep: records of 128 bytes in a
// preallocated file, one flush for all clients that wait.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"

namespace assent::workload {

// append() may be called from any thread.
class DecisionLog {
 public:
  // Makes the file anew.
  static Result<std::unique_ptr<DecisionLog>> create(const std::string& path);
  ~DecisionLog();
  DecisionLog(const DecisionLog&) = delete;
  DecisionLog& operator=(const DecisionLog&) = delete;

  // Returns when one more record is on stable storage. A write or a flush that fails ends the
  // process: nobody knows what is on the disk then.
  void append();

  [[nodiscard]] std::int64_t flushes() const;

 private:
  explicit DecisionLog(int file) : file_(file) {}
  void flush(std::unique_lock<std::mutex>& lock);

  const int file_;
  mutable std::mutex mutex_;
  std::condition_variable flushed_;
  std::uint64_t appended_ = 0;  // records asked for
  std::uint64_t durable_ = 0;   // of those, on stable storage
  bool flushing_ = false;       // by one of the threads that wait
  std::int64_t flushes_ = 0;
};

}  // namespace assent::workload
