#include "coordinator/storage/snapshot_shelf.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace assent::storage {
namespace {

// A failed write or flush leaves unknown what the disk holds; a full disk has only refused.
void end_unless_full(const Error& error) {
  CHECK(error.code == ErrorCode::kUnavailable,
        error.message +
            ": a snapshot cannot be written, so the process ends; nothing acknowledged "
            "is lost. Check this disk, then start again.");
}

template <class T>
Result<T> or_end(Result<T> done) {
  if (!done) end_unless_full(done.error());
  return done;
}

}  // namespace

std::string SnapshotShelf::path(std::string_view name) const {
  return directory_ + "/" + std::string(name);
}

// ── what earlier lives left ─────────────────────────────────────────────────────────────────────

Result<SnapshotShelf> SnapshotShelf::open(std::string directory, std::string cluster) {
  SnapshotShelf shelf(std::move(directory), std::move(cluster));
  Result<Names> names = shelf.list();
  if (!names) return tl::unexpected(std::move(names.error()));
  // A name that an earlier process gave, and died, may be known to the page cache only.
  const auto done = flush_directory(shelf.directory_)
                        .and_then([&] { return shelf.find_snapshots(names->snapshots); })
                        .and_then([&] { return shelf.find_incoming(names->incoming); });
  if (!done) return tl::unexpected(done.error());
  // Not sooner: who refuses a snapshot of a newer version has left everything as it was.
  for (const std::string& leftover : names->leftovers) {
    if (auto gone = remove_file(shelf.path(leftover)); !gone) return tl::unexpected(gone.error());
  }
  return shelf;
}

Result<SnapshotShelf::Names> SnapshotShelf::list() const {
  Names names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory_, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (const auto slot = parse_snapshot_name(name)) {
      names.snapshots.push_back(*slot);
    } else if (const auto incoming = parse_incoming_name(name)) {
      names.incoming.push_back(*incoming);
    } else if (name.starts_with("snapshot-") && name.ends_with(".part")) {
      names.leftovers.push_back(name);
    }
  }
  if (!error) return names;
  return failure(ErrorCode::kInternal, "cannot list " + directory_ + ": " + error.message());
}

// Both are read whole: one that has rotted must not take the place of an older one that has not.
Result<void> SnapshotShelf::find_snapshots(std::vector<Slot> slots) {
  std::ranges::sort(slots, std::ranges::greater{});
  for (const Slot slot : slots) {
    if (kept_.size() == kSnapshotsKept) break;
    Result<SnapshotInfo> info = examine(slot);
    if (info) {
      kept_.insert(kept_.begin(), *info);
      continue;
    }
    if (info.error().code != ErrorCode::kInternal) return tl::unexpected(std::move(info.error()));
    damaged_.push_back(std::move(info.error().message));
  }
  return remove_outdated();
}

Result<SnapshotInfo> SnapshotShelf::examine(Slot slot) const {
  const Result<File> file = File::open(path(snapshot_name(slot)), O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  Result<SnapshotInfo> info = read_snapshot_header(*file, slot);
  if (!info) return info;
  const auto whole =
      read_snapshot(*file, *info, cluster_, [](std::string_view) -> Result<void> { return {}; });
  if (!whole) return tl::unexpected(whole.error());
  return info;
}

// The one that would be the newest is gone on with; others are of no use.
Result<void> SnapshotShelf::find_incoming(const std::vector<IncomingName>& names) {
  for (const IncomingName& name : names) {
    const bool newer = kept_.empty() || kept_.back().through < name.through;
    if (!newer || (found_ && name.through < found_->name.through)) {
      if (auto done = remove_file(path(incoming_name(name))); !done) return done;
      continue;
    }
    if (auto done = fetch(name); !done) return done;
    Result<std::uint64_t> bytes = incoming_->salvage();
    if (!bytes) return tl::unexpected(std::move(bytes.error()));
    found_ = FoundIncoming{name, *bytes};
  }
  return {};
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

Result<void> SnapshotShelf::begin(Slot through) {
  writing_failed_.reset();
  Result<SnapshotWriter> writer = or_end(SnapshotWriter::create(directory_, cluster_, through));
  if (!writer) {
    writing_failed_ = writer.error();
    return tl::unexpected(std::move(writer.error()));
  }
  writer_ = std::move(*writer);
  return {};
}

Result<void> SnapshotShelf::add(std::string_view chunk) {
  if (writing_failed_) return tl::unexpected(*writing_failed_);
  auto done = or_end(writer_->add(chunk));
  if (done) return done;
  give_up();
  writing_failed_ = done.error();
  return done;
}

Result<SnapshotInfo> SnapshotShelf::finish(Sequence replay_from) {
  if (writing_failed_) return tl::unexpected(*writing_failed_);
  auto info = or_end(writer_->finish(replay_from));
  if (!info) {
    give_up();
    return info;
  }
  writer_.reset();
  or_end(keep(*info));
  return info;
}

void SnapshotShelf::give_up() {
  if (writer_) writer_->discard();
  writer_.reset();
}

// Only now that it is durable may older ones go.
Result<void> SnapshotShelf::keep(const SnapshotInfo& info) {
  std::erase_if(kept_, [&](const SnapshotInfo& other) { return other.through == info.through; });
  kept_.push_back(info);
  std::ranges::sort(kept_, {}, &SnapshotInfo::through);
  if (kept_.size() > kSnapshotsKept) kept_.erase(kept_.begin());
  return remove_outdated();
}

// With two kept, whatever is older than both goes, damaged or not.
Result<void> SnapshotShelf::remove_outdated() {
  if (kept_.size() < kSnapshotsKept) return {};
  const Result<Names> names = list();
  if (!names) return tl::unexpected(names.error());
  for (const Slot slot : names->snapshots) {
    if (kept_.front().through <= slot) continue;
    if (auto done = remove_file(path(snapshot_name(slot))); !done) return done;
  }
  return flush_directory(directory_);
}

// ── fetching ────────────────────────────────────────────────────────────────────────────────────

Result<void> SnapshotShelf::fetch(const IncomingName& name) {
  if (incoming_) incoming_->discard();
  incoming_.reset();
  fetching_failed_.reset();
  Result<IncomingFile> file = or_end(IncomingFile::open(directory_, cluster_, name));
  if (!file) {
    fetching_failed_ = file.error();
    return tl::unexpected(std::move(file.error()));
  }
  incoming_ = std::move(*file);
  return {};
}

Result<void> SnapshotShelf::put(std::uint64_t offset, std::string_view bytes) {
  if (fetching_failed_) return tl::unexpected(*fetching_failed_);
  auto done = or_end(incoming_->put(offset, bytes));
  if (done) return done;
  incoming_->discard();
  incoming_.reset();
  fetching_failed_ = done.error();
  return done;
}

Result<SnapshotInfo> SnapshotShelf::complete(std::uint64_t bytes, Sequence replay_from) {
  if (fetching_failed_) return tl::unexpected(*fetching_failed_);
  Result<SnapshotInfo> info = incoming_->verify(bytes, replay_from);
  if (info) {
    const auto published = or_end(incoming_->become_snapshot(*info));
    if (!published) info = tl::unexpected(published.error());
  }
  if (!info) incoming_->discard();
  incoming_.reset();
  if (info) or_end(keep(*info));
  return info;
}

}  // namespace assent::storage
