// The disks on which a replica has met the others: a small text file, beside its identity.
// docs/log-format.md has the lines, and why a disk that was wiped is found out by it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"

namespace assent::storage {

using DisksOfReplicas = std::map<ReplicaId, DiskIncarnation>;

// The text of the file. Precondition: the cluster's name is valid, no number is 0.
std::string encode(const std::string& cluster, const DisksOfReplicas& disks);

// Refuses every text that encode() would not have written for this cluster: kUnsupportedVersion for
// a newer format, kInternal for all others.
Result<DisksOfReplicas> decode_disks(const std::string& cluster, std::string_view text);

// The file of one data directory, which this process has locked. Blocks for the disk.
class KnownDisks {
 public:
  // Reads the file; without one nobody was met. Errors name it: kInternal for a damaged one.
  static Result<KnownDisks> open(std::string directory, std::string cluster);

  // No other replica was ever met.
  [[nodiscard]] bool empty() const { return disks_.empty(); }
  // Nothing: this replica was never met.
  [[nodiscard]] std::optional<DiskIncarnation> find(ReplicaId replica) const;

  // Durable on return: two flushes, once for each replica. Precondition: no other disk of this
  // replica is known.
  [[nodiscard]] Result<void> remember(ReplicaId replica, DiskIncarnation disk);

 private:
  KnownDisks(std::string directory, std::string cluster, DisksOfReplicas disks)
      : directory_(std::move(directory)), cluster_(std::move(cluster)), disks_(std::move(disks)) {}

  std::string directory_;
  std::string cluster_;
  DisksOfReplicas disks_;
};

}  // namespace assent::storage
