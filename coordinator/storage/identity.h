// Whose data directory it is: a small text file, made once, before the first record of the log.
// docs/log-format.md has the lines, and why the order in which they are made tells a new directory
// from one whose log was lost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"

namespace assent::storage {

struct Identity {
  std::string cluster;
  ReplicaId replica;
  DiskIncarnation incarnation;

  bool operator==(const Identity&) const = default;
};
std::string to_string(const Identity& identity);  // "replica 1 of cluster demo"

// The text of the file. Precondition: the cluster's name is valid, no number is 0.
std::string encode(const Identity& identity);

// Refuses every text that encode() would not have written: kUnsupportedVersion for a newer format,
// kInternal for all others.
Result<Identity> decode_identity(std::string_view text);

// The identity of one data directory, which this process has locked.
class IdentityFile {
 public:
  // Reads the identity, or draws one for a directory that is new. Refused, with the remedy: the
  // directory of another cluster or replica (kIdentityMismatch); a log or snapshots without an
  // identity, an identity without a log, a damaged one (kInternal).
  static Result<IdentityFile> open(std::string directory, const std::string& cluster,
                                   ReplicaId replica);

  [[nodiscard]] const Identity& identity() const { return identity_; }
  // No record was ever written in this directory.
  [[nodiscard]] bool fresh() const { return fresh_; }

  // From now on a log without segments is a lost one; durable on return. Called when the first
  // segment is durable, and before a record is written.
  [[nodiscard]] Result<void> settle();

 private:
  IdentityFile(std::string directory, Identity identity, bool fresh)
      : directory_(std::move(directory)), identity_(std::move(identity)), fresh_(fresh) {}

  std::string directory_;
  Identity identity_;
  bool fresh_;
};

}  // namespace assent::storage
