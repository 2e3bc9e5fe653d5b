// A replica's data directory made from a backup: for a group that was lost as a whole (R15;
// docs/adr/0008). For a process of its own, not for one that serves.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/server/config.h"

namespace assent::coordinator {

// What stands in a backup: an intact snapshot of a replica's state.
struct Backup {
  std::string file;
  std::uint64_t id = 0;  // of its content
  Slot through;          // the state after this slot
  LogTime time;          // of the log, then
  std::uint64_t records = 0;
  std::uint64_t unforgotten = 0;  // of them: decided, and not confirmed by every branch
  std::uint64_t participants = 0;
};

// Reads all of it and verifies every checksum. Errors name the file: kInvalidArgument when it is no
// backup, kInternal when it is damaged or of another cluster,
// kUnsupportedVersion when a newer version wrote it. Blocks.
Result<Backup> inspect_backup(const std::string& file, const std::string& cluster);

// Makes the configured data directory, which must not be there or be empty, from the backup: its
// replica begins a new incarnation. All replicas that found the group are to restore the same file.
// It is durable and whole, or is not there. Errors are those of inspect_backup, and
// kInvalidArgument with a remedy for a configuration or a directory that does not allow it. Blocks.
// `may`: asked once, when the backup is read and before anything is written; its error is answered.
Result<Backup> restore_backup(
    const std::string& file, const Config& config,
    const std::function<Result<void>(const Backup&)>& may = [](const Backup&) {
      return Result<void>();
    });

}  // namespace assent::coordinator
