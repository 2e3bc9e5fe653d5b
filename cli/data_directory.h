// What `log dump` and `log verify` share: one data directory, looked at from its identity to the
// end of its log.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "coordinator/storage/inspection.h"

namespace assent::cli {

// Called in the order in which things are met: identity, snapshots, the log.
struct DirectoryVisitor {
  std::function<void(const storage::Identity&)> identity;
  std::function<void(const storage::InspectedSnapshot&)> snapshot;
  storage::LogVisitor log;  // its problems are those of the whole directory
};

// kInvalidArgument: it is not a directory that can be read, or holds nothing of a replica.
Result<storage::LogSummary> look_at(const std::string& directory, const DirectoryVisitor& visitor);

// The path of a data directory, as an argument of a verb.
inline constexpr const char* kDirectoryHelp =
    "data directory of a replica. Nothing is changed or locked. The replica may be running: what "
    "it writes meanwhile is then seen or not";

}  // namespace assent::cli
