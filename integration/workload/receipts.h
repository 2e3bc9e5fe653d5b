// What clients were told of each transfer, to be compared with what the databases hold: every
// branch of a transfer writes the transfer's name into a table, and the answer goes into a file.
#pragma once

#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "assent/client.h"

namespace assent::workload {

// A line for each transfer: its name, "committed", "aborted" or "unknown", and the transaction's
// id. Every method may be called from any thread.
class Receipts {
 public:
  // Writes to the file `path`, anew.
  explicit Receipts(const std::string& path);

  // A name that no other transfer has, in this run or another one.
  std::string next_name();

  // What commit() or abort() answered. Of an unknown one nothing is written yet.
  void told(const std::string& name, const CommitResult& result);

  // What asking again for the outcome of an unknown one gave.
  void resolved(const std::string& transaction, CommitState state);

  // Everything is in the file: false when it is not, for example because the disk is full.
  bool close();

 private:
  void write(const std::string& name, CommitState state, const std::string& transaction);

  std::mutex mutex_;
  std::ofstream file_;
  const std::string run_;
  std::uint64_t last_ = 0;
  std::map<std::string, std::string> unknown_;  // names by the transaction's id
};

}  // namespace assent::workload
