#include "tests/coordinator/storage/snapshot_fixture.h"

#include <xxhash.h>

namespace assent::storage {
namespace {

using Told = std::optional<Result<SnapshotInfo>>;

SnapshotStore::Done tell(Told& told) {
  return [&told](Result<SnapshotInfo> result) { told = std::move(result); };
}

Result<SnapshotInfo> wait_for(const Told& told, TestLoop& loop) {
  if (loop.run_until([&] { return told.has_value(); })) return *told;
  return failure(ErrorCode::kDeadline, "nothing was told");
}

}  // namespace

Result<SnapshotInfo> finish_snapshot(SnapshotStore& store, TestLoop& loop) {
  Told told;
  store.finish(tell(told));
  return wait_for(told, loop);
}

Result<SnapshotInfo> write_snapshot(SnapshotStore& store, TestLoop& loop, Slot through,
                                    Sequence replay_from, const Chunks& chunks) {
  store.begin(through, replay_from, [] {});
  for (const std::string& chunk : chunks) store.append(chunk);
  return finish_snapshot(store, loop);
}

Result<SnapshotInfo> complete_snapshot(SnapshotStore& store, TestLoop& loop, Sequence replay_from) {
  Told told;
  store.complete(replay_from, tell(told));
  return wait_for(told, loop);
}

Result<SnapshotInfo> fetch_snapshot(SnapshotStore& store, TestLoop& loop, const SnapshotStore& from,
                                    const SnapshotInfo& info, Sequence replay_from,
                                    std::size_t part_bytes) {
  std::uint64_t have = store.incoming(info.id, info.through, info.bytes);
  while (have < info.bytes) {
    Result<std::string> part = from.read(info, have, part_bytes);
    if (!part) return tl::unexpected(part.error());
    const std::size_t bytes = part->size();
    store.write(have, std::move(*part));
    have += bytes;
  }
  return complete_snapshot(store, loop, replay_from);
}

Result<Chunks> load_chunks(const SnapshotStore& store, Slot through) {
  Chunks chunks;
  const auto loaded = store.load(through, [&](std::string_view chunk) -> Result<void> {
    chunks.emplace_back(chunk);
    return {};
  });
  if (!loaded) return tl::unexpected(loaded.error());
  return chunks;
}

std::string snapshot_image(Slot through, Sequence replay_from, const Chunks& chunks) {
  SnapshotEncoder encoder("demo", through);
  std::string content = encoder.preamble();
  for (const std::string& chunk : chunks) content += encoder.chunk(chunk);
  content += encoder.end();
  return encode(encoder.info(replay_from)) + content;
}

std::string newer(std::string bytes, std::size_t at, std::size_t fields) {
  bytes[at + 8] = 2;
  std::uint64_t checksum = XXH3_64bits_withSeed(bytes.data() + at, fields, 0);
  for (std::size_t i = 0; i < 8; ++i, checksum >>= 8) {
    bytes[at + fields + i] = static_cast<char>(checksum);
  }
  return bytes;
}

}  // namespace assent::storage
