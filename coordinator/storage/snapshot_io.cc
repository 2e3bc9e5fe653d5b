#include "coordinator/storage/snapshot_io.h"

#include <fcntl.h>

#include <utility>

namespace assent::storage {
namespace {

constexpr std::size_t kReadBytes = 1u << 20;
// A snapshot goes to the disk a little at a time: the log's flushes, of the same disk, do not wait
// for all of it at once.
constexpr std::uint64_t kFlushBytes = 4u << 20;

Result<void> take_nothing(std::string_view) {
  return {};
}

tl::unexpected<Error> of_file(const File& file, const Error& error) {
  return failure(error.code, file.path() + " " + error.message);
}

// Feeds the content to the parser. An error of the parser has no path yet.
Result<void> feed_content(const File& file, SnapshotParser& parser) {
  for (std::uint64_t at = kSnapshotHeaderBytes;;) {
    const Result<std::string> bytes = file.read_at(at, kReadBytes);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) return {};
    if (auto fed = parser.feed(*bytes); !fed) return of_file(file, fed.error());
    at += bytes->size();
  }
}

// What the parser, fed with all of it, must have found.
Result<void> check_whole(const File& file, const SnapshotParser& parser, std::uint64_t id) {
  if (parser.finished() && parser.id() == id) return {};
  return failure(ErrorCode::kInternal,
                 at_offset(file.path(), kSnapshotHeaderBytes + parser.intact()) +
                     (parser.finished() ? " ends another snapshot than the header's."
                                        : " is damaged: the snapshot is cut short."));
}

// The header is durable with the content and before the name: a named snapshot is whole.
Result<void> publish(File& file, const std::string& directory, const SnapshotInfo& info) {
  return file.write_at(0, encode(info))
      .and_then([&] { return file.flush(); })
      .and_then([&] { return file.rename(directory + "/" + snapshot_name(info.through)); })
      .and_then([&] { return flush_directory(directory); });
}

}  // namespace

Result<SnapshotInfo> read_snapshot_header(const File& file, Slot named) {
  const Result<std::string> bytes = file.read_at(0, kSnapshotHeaderBytes);
  if (!bytes) return tl::unexpected(bytes.error());
  Result<SnapshotInfo> info = decode_snapshot_header(*bytes);
  if (!info) return of_file(file, info.error());
  const Result<std::uint64_t> size = file.size();
  if (!size) return tl::unexpected(size.error());
  if (info->through == named && *size == kSnapshotHeaderBytes + info->bytes) return info;
  return failure(ErrorCode::kInternal,
                 file.path() + " is damaged at offset 0: its header is that of slot " +
                     to_string(info->through) + " with " + std::to_string(info->bytes) +
                     " bytes, and it has " + std::to_string(*size) + " with its header.");
}

Result<void> read_snapshot(const File& file, const SnapshotInfo& info, const std::string& cluster,
                           const TakeChunk& take) {
  SnapshotParser parser(cluster, info.through, take);
  if (auto fed = feed_content(file, parser); !fed) return fed;
  return check_whole(file, parser, info.id);
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

Result<SnapshotWriter> SnapshotWriter::create(std::string directory, const std::string& cluster,
                                              Slot through) {
  Result<File> file =
      File::open(directory + "/" + snapshot_name(through) + ".part", O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return tl::unexpected(std::move(file.error()));
  SnapshotWriter writer(std::move(directory), std::move(*file), SnapshotEncoder(cluster, through),
                        through);
  auto done = writer.put(writer.encoder_.preamble());
  if (done) return writer;
  writer.discard();
  return tl::unexpected(std::move(done.error()));
}

Result<void> SnapshotWriter::add(std::string_view chunk) {
  return put(encoder_.chunk(chunk));
}

Result<void> SnapshotWriter::put(std::string_view bytes) {
  if (auto done = file_.write_at(end_, bytes); !done) return done;
  end_ += bytes.size();
  if (end_ - flushed_ < kFlushBytes) return {};
  flushed_ = end_;
  return file_.flush();
}

Result<SnapshotInfo> SnapshotWriter::finish(Sequence replay_from) {
  if (auto done = put(encoder_.end()); !done) return tl::unexpected(std::move(done.error()));
  SnapshotInfo info = encoder_.info(replay_from);
  if (auto done = publish(file_, directory_, info); !done) {
    return tl::unexpected(std::move(done.error()));
  }
  return info;
}

// ── fetching ────────────────────────────────────────────────────────────────────────────────────

Result<IncomingFile> IncomingFile::open(std::string directory, const std::string& cluster,
                                        const IncomingName& name) {
  Result<File> file = File::open(directory + "/" + incoming_name(name), O_RDWR | O_CREAT);
  if (!file) return tl::unexpected(std::move(file.error()));
  return IncomingFile(std::move(directory), cluster, name, std::move(*file));
}

Result<std::uint64_t> IncomingFile::salvage() {
  SnapshotParser parser(cluster_, name_.through, take_nothing);
  // What it says of damage does not matter: the bytes in front of it are good.
  static_cast<void>(feed_content(file_, parser));
  if (auto done = file_.truncate(kSnapshotHeaderBytes + parser.intact()); !done) {
    return tl::unexpected(std::move(done.error()));
  }
  return parser.intact();
}

Result<void> IncomingFile::put(std::uint64_t offset, std::string_view bytes) {
  return file_.write_at(kSnapshotHeaderBytes + offset, bytes);
}

Result<SnapshotInfo> IncomingFile::verify(std::uint64_t bytes, Sequence replay_from) const {
  SnapshotParser parser(cluster_, name_.through, take_nothing);
  if (auto fed = feed_content(file_, parser); !fed) return tl::unexpected(std::move(fed.error()));
  if (auto whole = check_whole(file_, parser, name_.id); !whole) {
    return tl::unexpected(std::move(whole.error()));
  }
  if (parser.intact() != bytes) {
    return failure(ErrorCode::kInternal, file_.path() + " has " + std::to_string(parser.intact()) +
                                             " bytes of content, not " + std::to_string(bytes) +
                                             " as was said.");
  }
  return SnapshotInfo{name_.through, replay_from, bytes, name_.id, parser.chunks()};
}

Result<void> IncomingFile::become_snapshot(const SnapshotInfo& info) {
  return publish(file_, directory_, info);
}

}  // namespace assent::storage
