// What the tests of snapshots share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/storage/snapshot_store.h"
#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {

using Chunks = std::vector<std::string>;

// Ends the snapshot that is being written, and waits for what becomes of it.
Result<SnapshotInfo> finish_snapshot(SnapshotStore& store, TestLoop& loop);

// Writes a whole snapshot.
Result<SnapshotInfo> write_snapshot(SnapshotStore& store, TestLoop& loop, Slot through,
                                    Sequence replay_from, const Chunks& chunks);

// Ends the snapshot that is being fetched.
Result<SnapshotInfo> complete_snapshot(SnapshotStore& store, TestLoop& loop, Sequence replay_from);

// Fetches a whole snapshot from another store, in parts of so many bytes, from where it stands.
Result<SnapshotInfo> fetch_snapshot(SnapshotStore& store, TestLoop& loop, const SnapshotStore& from,
                                    const SnapshotInfo& info, Sequence replay_from,
                                    std::size_t part_bytes = 1'000);

// All chunks of a kept snapshot.
Result<Chunks> load_chunks(const SnapshotStore& store, Slot through);

// The bytes of a whole snapshot file of cluster "demo".
std::string snapshot_image(Slot through, Sequence replay_from, const Chunks& chunks);

}  // namespace assent::storage
