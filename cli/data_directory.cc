#include "cli/data_directory.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/describe.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::cli {
namespace {

using storage::InspectedRecord;
using storage::InspectedSnapshot;
using storage::LogSummary;
using storage::Problem;
using storage::Sequence;

Error unusable(std::string sentence) {
  return {ErrorCode::kInvalidArgument, std::move(sentence)};
}

Result<void> check_directory(const std::string& directory) {
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return {};
  return tl::unexpected(unusable(directory + " is no directory that can be read" +
                                 (error ? ": " + error.message() : "") +
                                 ". Name the data_directory of a replica's configuration."));
}

std::optional<storage::Identity> look_at_identity(const std::string& directory,
                                                  const DirectoryVisitor& visitor) {
  auto identity = storage::inspect_identity(directory);
  const std::string file = directory + "/identity";
  const char* const remedy = "Restore the file, or replace this replica under a new id.";
  if (!identity) {
    visitor.log.problem({file, 0, identity.error().message, remedy});
    return std::nullopt;
  }
  if (!*identity) {
    visitor.log.problem(
        {file, 0, file + " is missing: whose directory this is is not known.", remedy});
    return std::nullopt;
  }
  visitor.identity(**identity);
  return std::move(*identity);
}

// From where on a start needs the log: it loads the newest snapshot that is whole.
Sequence needed_from(const std::vector<InspectedSnapshot>& snapshots) {
  Sequence needed(1);
  for (const InspectedSnapshot& snapshot : snapshots) {
    if (snapshot.whole) needed = snapshot.info.replay_from;
  }
  return needed;
}

// An entry that cannot be read is found here only: storage does not look into values.
void check_entry(const InspectedRecord& record, const DirectoryVisitor& visitor) {
  if (record.header.type != static_cast<std::uint8_t>(storage::RecordType::kAccepted)) return;
  const Result<std::string> told = words(record);
  if (told) return;
  const std::string file(record.file);
  visitor.log.problem({file, record.offset,
                       storage::at_offset(file, record.offset) + ": " + told.error().message,
                       "Use the version of Assent that wrote it; if that is this one, replace this "
                       "replica under a new id."});
}

}  // namespace

Result<LogSummary> look_at(const std::string& directory, const DirectoryVisitor& visitor) {
  if (auto there = check_directory(directory); !there) return tl::unexpected(there.error());
  const auto identity = look_at_identity(directory, visitor);
  const auto snapshots = storage::inspect_snapshots(directory, identity, visitor.log.problem);
  if (!snapshots) return tl::unexpected(unusable(snapshots.error().message));
  for (const InspectedSnapshot& snapshot : *snapshots) visitor.snapshot(snapshot);
  storage::LogVisitor log = visitor.log;
  log.record = [&](const InspectedRecord& record) {
    visitor.log.record(record);
    check_entry(record, visitor);
  };
  auto summary = storage::inspect_log(directory, needed_from(*snapshots), log);
  if (!summary) return tl::unexpected(unusable(summary.error().message));
  return summary;
}

}  // namespace assent::cli
