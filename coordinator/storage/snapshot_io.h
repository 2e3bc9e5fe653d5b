// One snapshot file on a disk: written, read and verified, fetched. Blocks for the disk;
// SnapshotStore has the thread, and the order in which these are used.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/snapshot_file.h"

namespace assent::storage {

// Reads the header of a snapshot, and holds the file's name and size against it. Errors name the
// file: kInternal for a damaged one, kUnsupportedVersion for a newer format.
Result<SnapshotInfo> read_snapshot_header(const File& file, Slot named);

// Reads the whole content, hands its chunks to `take` one by one, each verified, and verifies the
// whole. Errors name file and offset; some chunks may have been taken then. One chunk and
// one mebibyte in memory at a time.
[[nodiscard]] Result<void> read_snapshot(const File& file, const SnapshotInfo& info,
                                         const std::string& cluster, const TakeChunk& take);

// A snapshot being written to `<directory>/snapshot-….part`.
class SnapshotWriter {
 public:
  static Result<SnapshotWriter> create(std::string directory, const std::string& cluster,
                                       Slot through);

  [[nodiscard]] Result<void> add(std::string_view chunk);

  // Ends the snapshot. It is durable under its name on return.
  Result<SnapshotInfo> finish(Sequence replay_from);

  // Gives it up; the file is removed.
  void discard() { file_.remove(); }

 private:
  SnapshotWriter(std::string directory, File file, SnapshotEncoder encoder, Slot through)
      : directory_(std::move(directory)),
        file_(std::move(file)),
        encoder_(std::move(encoder)),
        through_(through) {}

  [[nodiscard]] Result<void> put(std::string_view bytes);

  std::string directory_;
  File file_;
  SnapshotEncoder encoder_;
  Slot through_;
  std::uint64_t end_ = kSnapshotHeaderBytes;
  std::uint64_t flushed_ = kSnapshotHeaderBytes;
};

// A snapshot being fetched into `<directory>/incoming-….part`: its content stands where it will
// stand in the snapshot, and the header comes last.
class IncomingFile {
 public:
  // Opens what is there, or begins anew.
  static Result<IncomingFile> open(std::string directory, const std::string& cluster,
                                   const IncomingName& name);

  // Bytes of the content that are intact, from its beginning; what stands behind them is cut off.
  // Reads all of it.
  Result<std::uint64_t> salvage();

  // Precondition: `offset` is the end of what was written. Durable with complete() only.
  [[nodiscard]] Result<void> put(std::uint64_t offset, std::string_view bytes);

  // What the content is, were it whole. An error (kInternal): it is not the snapshot that it should
  // be.
  Result<SnapshotInfo> verify(std::uint64_t bytes, Sequence replay_from) const;

  // Makes it the snapshot; durable under its name on return. Precondition: verify() said so.
  [[nodiscard]] Result<void> become_snapshot(const SnapshotInfo& info);

  void discard() { file_.remove(); }

 private:
  IncomingFile(std::string directory, std::string cluster, IncomingName name, File file)
      : directory_(std::move(directory)),
        cluster_(std::move(cluster)),
        name_(name),
        file_(std::move(file)) {}

  std::string directory_;
  std::string cluster_;
  IncomingName name_;
  File file_;
};

}  // namespace assent::storage
