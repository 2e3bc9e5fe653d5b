// The snapshots of one replica: written and fetched by a thread of their own, verified at start,
// read back for loading and for other replicas. docs/adr/0007 has the design.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/storage/snapshot_file.h"

namespace assent::storage {

struct SnapshotStoreOptions {
  std::string directory;
  std::string cluster;
  // Runs a function on the event loop; called from the store's thread.
  std::function<void(std::function<void()>)> post;
  std::size_t queue_bytes_max = 4u << 20;  // handed over and not yet written
};

// Owned by the event loop, which never waits for it. A full disk gives up the snapshot that is
// being written or fetched, and nothing else; any other failed write or fsync ends the process, as
// it does for the log. Of each kind one at a time: writing, and fetching.
class SnapshotStore {
 public:
  // Runs on the event loop. The snapshot is durable under its name; or an error says why there is
  // none: kUnavailable for a full disk, kInternal for a fetched one that is damaged.
  using Done = std::function<void(Result<SnapshotInfo>)>;

  // Looks for what earlier lives left. The two newest snapshots that are whole, by all their
  // checksums, are kept; a damaged one is skipped, and what was being written is removed.
  // A newer format is refused (kUnsupportedVersion).
  // Precondition: the directory is there and locked. Blocks: reads the snapshots and what was
  // fetched.
  static Result<std::unique_ptr<SnapshotStore>> open(SnapshotStoreOptions options);

  // Does what is queued; a snapshot that was not finished is not kept. No callback runs after it.
  ~SnapshotStore();

  // Usable snapshots, in the order of their slots: the two newest.
  [[nodiscard]] const std::vector<SnapshotInfo>& kept() const;
  [[nodiscard]] std::optional<SnapshotInfo> newest() const;
  // The lowest record of the log that a start from either of the two needs; the first one while
  // there are not two.
  [[nodiscard]] Sequence needed_from() const;
  // Bytes that are free on the disk for this process; 0 when that cannot be told.
  [[nodiscard]] std::uint64_t room() const;
  // A sentence, with file and offset, for each snapshot that was skipped at open.
  [[nodiscard]] const std::vector<std::string>& damaged() const;

  // Hands the chunks of a kept snapshot to `take`, in order, each verified again. An error: the
  // disk does not give it back intact, or `take` refused one; what was taken is to be thrown away.
  // Blocks.
  [[nodiscard]] Result<void> load(Slot through, const TakeChunk& take) const;

  // The same by the store's thread: `take` runs there, `done` on the event loop.
  void load_aside(Slot through, TakeChunk take, std::function<void(Result<void>)> done);

  // At most `bytes_max` bytes of the content of a snapshot, from `offset` on; fewer at its end
  // only. kUnavailable: it is not kept any more. Blocks for one read.
  [[nodiscard]] Result<std::string> read(const SnapshotInfo& snapshot, std::uint64_t offset,
                                         std::size_t bytes_max) const;

  // ── writing ──

  // Begins a snapshot. `on_ready` runs on the event loop when ready() has become true again.
  // `replay_from` is what ReplicaLog::replay_from said when the state was that of `through`.
  // Preconditions: none is being written; the newest is older.
  void begin(Slot through, Sequence replay_from, std::function<void()> on_ready);
  [[nodiscard]] bool writing() const;
  // There is room for another chunk. A caller that heeds it keeps the queue bounded.
  [[nodiscard]] bool ready() const;
  // Preconditions: writing; the chunk is not empty and at most kChunkBytesMax long.
  void append(std::string chunk);
  // No chunk follows. Older snapshots than the two newest are gone when `done` runs.
  void finish(Done done);
  // Gives it up, whether finished or not. `done` does not run; the snapshot may still come to be
  // when it was finished.
  void abandon();

  // ── fetching from another replica ──

  // Begins or goes on with fetching the snapshot of `through` whose content has this id and length,
  // and says how many of its bytes are here. One that is being fetched and is another is removed.
  // Precondition: the newest is older.
  std::uint64_t incoming(std::uint64_t id, Slot through, std::uint64_t bytes);
  [[nodiscard]] bool incoming_ready() const;
  // Why it was given up; what is written afterwards is dropped. Begin again when there is room.
  [[nodiscard]] std::optional<Error> incoming_error() const;
  // Preconditions: incoming() was called, and `offset` is where the bytes that are here end.
  void write(std::uint64_t offset, std::string bytes);
  // Verifies all of it and makes it a snapshot; when it is damaged it is removed. `replay_from` is
  // what ReplicaLog::replay_from(through) says now. Precondition: all bytes were written.
  void complete(Sequence replay_from, Done done);

 private:
  class Impl;
  explicit SnapshotStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::storage
