// The snapshots of a directory: found, written, fetched, and the oldest removed. Blocks for the
// disk; used by one thread at a time, by the store's own once that runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "coordinator/storage/snapshot_io.h"

namespace assent::storage {

inline constexpr std::size_t kSnapshotsKept = 2;

// A full disk (kUnavailable) gives up what is being written or fetched: later calls say so again.
// Any other failed write or fsync ends the process.
class SnapshotShelf {
 public:
  // A snapshot of which a part was fetched in an earlier life.
  struct FoundIncoming {
    IncomingName name;
    std::uint64_t bytes = 0;  // of its content that are intact
  };

  // See SnapshotStore::open.
  static Result<SnapshotShelf> open(std::string directory, std::string cluster);

  // Usable, in the order of their slots, at most kSnapshotsKept.
  [[nodiscard]] const std::vector<SnapshotInfo>& kept() const { return kept_; }
  [[nodiscard]] const std::vector<std::string>& damaged() const { return damaged_; }
  [[nodiscard]] const std::optional<FoundIncoming>& found_incoming() const { return found_; }

  [[nodiscard]] Result<void> begin(Slot through);
  [[nodiscard]] Result<void> add(std::string_view chunk);
  Result<SnapshotInfo> finish(Sequence replay_from);
  void give_up();

  // Fetches this snapshot, from its first byte; another one that was being fetched is removed.
  [[nodiscard]] Result<void> fetch(const IncomingName& name);
  [[nodiscard]] Result<void> put(std::uint64_t offset, std::string_view bytes);
  Result<SnapshotInfo> complete(std::uint64_t bytes, Sequence replay_from);

 private:
  SnapshotShelf(std::string directory, std::string cluster)
      : directory_(std::move(directory)), cluster_(std::move(cluster)) {}

  struct Names {
    std::vector<Slot> snapshots;
    std::vector<IncomingName> incoming;
    std::vector<std::string> leftovers;
  };

  Result<Names> list() const;
  [[nodiscard]] Result<void> find_snapshots(std::vector<Slot> slots);
  Result<SnapshotInfo> examine(Slot slot) const;
  [[nodiscard]] Result<void> find_incoming(const std::vector<IncomingName>& names);
  [[nodiscard]] Result<void> keep(const SnapshotInfo& info);
  [[nodiscard]] Result<void> remove_outdated();
  [[nodiscard]] std::string path(std::string_view name) const;

  std::string directory_;
  std::string cluster_;
  std::vector<SnapshotInfo> kept_;
  std::vector<std::string> damaged_;
  std::optional<FoundIncoming> found_;

  std::optional<SnapshotWriter> writer_;
  std::optional<Error> writing_failed_;
  std::optional<IncomingFile> incoming_;
  std::optional<Error> fetching_failed_;
};

}  // namespace assent::storage
