#include "coordinator/storage/snapshot_store.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "coordinator/storage/snapshot_shelf.h"
#include "coordinator/storage/worker.h"

namespace assent::storage {
namespace {

// A snapshot on its way to the disk, as the event loop sees it.
struct Stream {
  Slot through;
  std::uint64_t id = 0;     // when fetched
  std::uint64_t bytes = 0;  // when fetched: of all of it
  std::uint64_t have = 0;   // when fetched: handed over
  Sequence replay_from{};   // when written
  std::size_t queued = 0;   // bytes that the thread has not written yet
  bool ended = false;       // nothing more is handed over
  std::optional<Error> error{};
  std::function<void()> on_ready{};
};

// What only the event loop touches. What the thread posts holds it weakly.
struct LoopSide {
  std::size_t queue_bytes_max = 0;
  std::vector<SnapshotInfo> kept;
  std::shared_ptr<Stream> writing;
  std::shared_ptr<Stream> incoming;
  bool open = true;
};

using WeakSide = std::weak_ptr<LoopSide>;

// A callback may end the stream, or the store: nothing is touched behind it.
void written(LoopSide& side, Stream& stream, std::size_t bytes, const Result<void>& result) {
  const bool was_ready = stream.queued < side.queue_bytes_max;
  stream.queued -= bytes;
  if (!result && !stream.error) stream.error = result.error();
  if (was_ready || stream.queued >= side.queue_bytes_max) return;
  if (stream.ended || !stream.on_ready) return;
  const auto on_ready = stream.on_ready;
  on_ready();
}

}  // namespace

class SnapshotStore::Impl {
 public:
  Impl(SnapshotStoreOptions options, SnapshotShelf shelf)
      : options_(std::move(options)),
        damaged_(shelf.damaged()),
        side_(std::make_shared<LoopSide>()),
        shelf_(std::move(shelf)) {
    side_->queue_bytes_max = options_.queue_bytes_max;
    side_->kept = shelf_.kept();
    if (const auto& found = shelf_.found_incoming()) {
      side_->incoming = std::make_shared<Stream>(
          Stream{.through = found->name.through, .id = found->name.id, .have = found->bytes});
    }
  }
  ~Impl() { side_->open = false; }

  using Work = std::function<Result<void>(SnapshotShelf&)>;
  using Make = std::function<Result<SnapshotInfo>(SnapshotShelf&)>;

  void hand_over(const std::shared_ptr<Stream>& stream, std::size_t bytes, Work work);
  void make(const std::shared_ptr<Stream>& stream, std::shared_ptr<Stream> LoopSide::*slot,
            Make make, Done done);

  void load_aside(Slot through, TakeChunk take, std::function<void(Result<void>)> done);
  [[nodiscard]] Result<void> load(const SnapshotInfo& info, const TakeChunk& take) const;
  [[nodiscard]] SnapshotInfo kept(Slot through) const;

  [[nodiscard]] const SnapshotStoreOptions& options() const { return options_; }
  [[nodiscard]] const std::vector<std::string>& damaged() const { return damaged_; }
  [[nodiscard]] LoopSide& side() { return *side_; }

 private:
  const SnapshotStoreOptions options_;
  const std::vector<std::string> damaged_;
  const std::shared_ptr<LoopSide> side_;
  SnapshotShelf shelf_;  // the thread's own
  Worker worker_;        // last: its thread uses the shelf
};

// `work` runs on the thread; the stream hears on the event loop that its bytes are written.
void SnapshotStore::Impl::hand_over(const std::shared_ptr<Stream>& stream, std::size_t bytes,
                                    Work work) {
  stream->queued += bytes;
  worker_.run([this, stream, bytes, work = std::move(work), weak = WeakSide(side_)] {
    options_.post([stream, bytes, weak, result = work(shelf_)] {
      const std::shared_ptr<LoopSide> side = weak.lock();
      if (side && side->open) written(*side, *stream, bytes, result);
    });
  });
}

// `make` runs on the thread and ends the stream. One that was abandoned meanwhile tells nobody.
void SnapshotStore::Impl::make(const std::shared_ptr<Stream>& stream,
                               std::shared_ptr<Stream> LoopSide::*slot, Make make, Done done) {
  worker_.run(
      [this, stream, slot, make = std::move(make), done = std::move(done), weak = WeakSide(side_)] {
        auto result = std::make_shared<Result<SnapshotInfo>>(make(shelf_));
        options_.post([stream, slot, done, weak, result, kept = shelf_.kept()] {
          const std::shared_ptr<LoopSide> side = weak.lock();
          if (!side || !side->open) return;
          side->kept = kept;
          if (side.get()->*slot != stream) return;
          (side.get()->*slot).reset();
          done(std::move(*result));
        });
      });
}

SnapshotInfo SnapshotStore::Impl::kept(Slot through) const {
  const auto info = std::ranges::find(side_->kept, through, &SnapshotInfo::through);
  CHECK(info != side_->kept.end(), "a snapshot that is loaded is kept");
  return *info;
}

Result<void> SnapshotStore::Impl::load(const SnapshotInfo& info, const TakeChunk& take) const {
  const std::string path = options_.directory + "/" + snapshot_name(info.through);
  const Result<File> file = File::open(path, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  return read_snapshot(*file, info, options_.cluster, take);
}

void SnapshotStore::Impl::load_aside(Slot through, TakeChunk take,
                                     std::function<void(Result<void>)> done) {
  worker_.run([this, info = kept(through), take = std::move(take), done = std::move(done),
               weak = WeakSide(side_)] {
    options_.post([done, weak, result = load(info, take)] {
      const std::shared_ptr<LoopSide> side = weak.lock();
      if (side && side->open) done(result);
    });
  });
}

// ── what is there ───────────────────────────────────────────────────────────────────────────────

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::open(SnapshotStoreOptions options) {
  auto shelf = SnapshotShelf::open(options.directory, options.cluster);
  if (!shelf) return tl::unexpected(std::move(shelf.error()));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(*shelf));
  return std::unique_ptr<SnapshotStore>(new SnapshotStore(std::move(impl)));
}

SnapshotStore::SnapshotStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotStore::~SnapshotStore() = default;

const std::vector<SnapshotInfo>& SnapshotStore::kept() const {
  return impl_->side().kept;
}

std::optional<SnapshotInfo> SnapshotStore::newest() const {
  return kept().empty() ? std::nullopt : std::optional(kept().back());
}

Sequence SnapshotStore::needed_from() const {
  if (kept().size() < kSnapshotsKept) return Sequence(1);
  return std::ranges::min(kept(), {}, &SnapshotInfo::replay_from).replay_from;
}

std::uint64_t SnapshotStore::room() const {
  std::error_code failed;
  const auto space = std::filesystem::space(impl_->options().directory, failed);
  return failed ? 0 : space.available;
}

const std::vector<std::string>& SnapshotStore::damaged() const {
  return impl_->damaged();
}

Result<void> SnapshotStore::load(Slot through, const TakeChunk& take) const {
  return impl_->load(impl_->kept(through), take);
}

void SnapshotStore::load_aside(Slot through, TakeChunk take,
                               std::function<void(Result<void>)> done) {
  impl_->load_aside(through, std::move(take), std::move(done));
}

Result<std::string> SnapshotStore::read(const SnapshotInfo& snapshot, std::uint64_t offset,
                                        std::size_t bytes_max) const {
  if (std::ranges::find(kept(), snapshot) == kept().end()) {
    return failure(ErrorCode::kUnavailable,
                   "the snapshot of slot " + to_string(snapshot.through) + " is not kept any more");
  }
  const std::string path = impl_->options().directory + "/" + snapshot_name(snapshot.through);
  const Result<File> file = File::open(path, O_RDONLY);
  // It may go between the two: the list is of the thread's last message.
  if (!file) return failure(ErrorCode::kUnavailable, file.error().message);
  return file->read_at(kSnapshotHeaderBytes + offset, bytes_max);
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

void SnapshotStore::begin(Slot through, Sequence replay_from, std::function<void()> on_ready) {
  CHECK(!writing(), "one snapshot is written at a time");
  if (const auto last = newest()) CHECK_LT(last->through, through, "snapshots are newer and newer");
  auto stream = std::make_shared<Stream>(
      Stream{.through = through, .replay_from = replay_from, .on_ready = std::move(on_ready)});
  impl_->side().writing = stream;
  impl_->hand_over(stream, 0, [through](SnapshotShelf& shelf) { return shelf.begin(through); });
}

bool SnapshotStore::writing() const {
  return impl_->side().writing != nullptr;
}

bool SnapshotStore::ready() const {
  const auto& stream = impl_->side().writing;
  return stream && !stream->ended && stream->queued < impl_->options().queue_bytes_max;
}

void SnapshotStore::append(std::string chunk) {
  CHECK(writing() && !impl_->side().writing->ended, "a chunk belongs to a snapshot that was begun");
  CHECK(!chunk.empty() && chunk.size() <= kChunkBytesMax, "a chunk has a bounded size");
  const std::size_t bytes = chunk.size();
  impl_->hand_over(impl_->side().writing, bytes,
                   [chunk = std::move(chunk)](SnapshotShelf& shelf) { return shelf.add(chunk); });
}

void SnapshotStore::finish(Done done) {
  const auto& stream = impl_->side().writing;
  CHECK(stream && !stream->ended, "a snapshot that is finished was begun, and not yet finished");
  stream->ended = true;
  impl_->make(
      stream, &LoopSide::writing,
      [from = stream->replay_from](SnapshotShelf& shelf) { return shelf.finish(from); },
      std::move(done));
}

void SnapshotStore::abandon() {
  const auto stream = std::exchange(impl_->side().writing, nullptr);
  if (!stream) return;
  stream->ended = true;
  impl_->hand_over(stream, 0, [](SnapshotShelf& shelf) -> Result<void> {
    shelf.give_up();
    return {};
  });
}

// ── fetching ────────────────────────────────────────────────────────────────────────────────────

std::uint64_t SnapshotStore::incoming(std::uint64_t id, Slot through, std::uint64_t bytes) {
  if (const auto last = newest()) CHECK_LT(last->through, through, "snapshots are newer and newer");
  auto& stream = impl_->side().incoming;
  const bool same = stream && stream->id == id && stream->through == through && !stream->error;
  // What is there can be longer than it should be only if it is damaged.
  if (same && stream->have <= bytes) {
    stream->bytes = bytes;
    return stream->have;
  }
  stream = std::make_shared<Stream>(Stream{.through = through, .id = id, .bytes = bytes});
  impl_->hand_over(stream, 0, [name = IncomingName{through, id}](SnapshotShelf& shelf) {
    return shelf.fetch(name);
  });
  return 0;
}

bool SnapshotStore::incoming_ready() const {
  const auto& stream = impl_->side().incoming;
  return stream && stream->queued < impl_->options().queue_bytes_max;
}

std::optional<Error> SnapshotStore::incoming_error() const {
  const auto& stream = impl_->side().incoming;
  return stream ? stream->error : std::nullopt;
}

void SnapshotStore::write(std::uint64_t offset, std::string bytes) {
  const auto& stream = impl_->side().incoming;
  CHECK(stream, "bytes belong to a snapshot that is being fetched");
  CHECK_EQ(offset, stream->have, "a snapshot is fetched in order");
  CHECK_LE(bytes.size(), stream->bytes - stream->have, "no more is fetched than there is");
  stream->have += bytes.size();
  if (stream->error) return;
  const std::size_t count = bytes.size();
  impl_->hand_over(stream, count, [offset, bytes = std::move(bytes)](SnapshotShelf& shelf) {
    return shelf.put(offset, bytes);
  });
}

void SnapshotStore::complete(Sequence replay_from, Done done) {
  const auto& stream = impl_->side().incoming;
  CHECK(stream, "a snapshot that is complete was being fetched");
  CHECK_EQ(stream->have, stream->bytes, "a snapshot is complete with its last byte");
  impl_->make(
      stream, &LoopSide::incoming,
      [bytes = stream->bytes, replay_from](SnapshotShelf& shelf) {
        return shelf.complete(bytes, replay_from);
      },
      std::move(done));
}

}  // namespace assent::storage
