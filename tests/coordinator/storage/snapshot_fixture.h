// What the tests of snapshots share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
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
// Format 2 in the header or preamble at `at`, sealed again as a newer version would; the checksum
// stands behind so many bytes.
std::string newer(std::string bytes, std::size_t at, std::size_t fields);

class Snapshots : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  [[nodiscard]] SnapshotStoreOptions options(std::size_t queue_bytes_max = 1'000) {
    return {.directory = directory_.path(),
            .cluster = "demo",
            .post = loop_.poster(),
            .queue_bytes_max = queue_bytes_max};
  }
  void open(std::size_t queue_bytes_max = 1'000) {
    store_.reset();
    auto opened = SnapshotStore::open(options(queue_bytes_max));
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store_ = std::move(*opened);
  }
  SnapshotInfo write(std::uint64_t through, std::uint64_t replay_from, const Chunks& chunks) {
    const auto info = write_snapshot(*store_, loop_, Slot(through), Sequence(replay_from), chunks);
    EXPECT_TRUE(info.has_value()) << info.error().message;
    return info.value_or(SnapshotInfo{});
  }
  [[nodiscard]] Chunks load(std::uint64_t through) const {
    const auto chunks = load_chunks(*store_, Slot(through));
    EXPECT_TRUE(chunks.has_value()) << chunks.error().message;
    return chunks.value_or(Chunks{});
  }
  [[nodiscard]] std::string path(std::uint64_t through) const {
    return directory_.file(snapshot_name(Slot(through)));
  }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& [name, bytes] : contents(directory_.path())) names.insert(name);
    return names;
  }
  // What the thread has been given is done.
  void settle() { open(); }

  ScratchDirectory directory_{memory_directory()};
  TestLoop loop_;
  std::unique_ptr<SnapshotStore> store_;
};

}  // namespace assent::storage
