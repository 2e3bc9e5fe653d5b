#include "coordinator/storage/segment_directory.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "coordinator/storage/newer_format.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

tl::unexpected<Error> damage(std::string sentence) {
  return tl::unexpected(with_remedy({ErrorCode::kInternal, std::move(sentence)}));
}

Error with_remedy(Error damage) {
  if (damage.code == ErrorCode::kInternal) {
    damage.message +=
        " Nothing was changed; restore the file, or replace this replica under a new id.";
  }
  return damage;
}

// Files that do not claim to be segments are not ours to judge.
Result<std::vector<SegmentFile>> list_segments(const std::string& directory) {
  std::vector<SegmentFile> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::filesystem::path& path = at->path();
    if (path.extension() != ".wal") continue;
    const auto first = parse_segment_name(path.filename().string());
    if (!first) {
      return failure(ErrorCode::kInternal, path.string() +
                                               " is not named like a segment of a log, which "
                                               "has 20 digits: move it out of the directory.");
    }
    files.push_back({*first, path.string()});
  }
  if (error) {
    return failure(ErrorCode::kInternal, "cannot list " + directory + ": " + error.message());
  }
  std::ranges::sort(files, {}, &SegmentFile::first);
  return files;
}

Result<SegmentBytes> read_segment(const SegmentFile& named, int flags) {
  Result<File> file = File::open(named.path, flags);
  if (!file) return tl::unexpected(std::move(file.error()));
  Result<std::string> bytes = file->read_all();
  if (!bytes) return tl::unexpected(std::move(bytes.error()));
  return SegmentBytes{std::move(*file), std::move(*bytes)};
}

// A segment gets its name after its header is durable, so no crash leaves a bad header.
Result<SegmentHeader> check_header(const SegmentFile& named, std::string_view bytes) {
  const auto header = decode_segment_header(bytes);
  if (!header) {
    return failure(ErrorCode::kInternal, "The segment header of " + named.path + " is damaged.");
  }
  if (header->format > kSegmentFormat) {
    return newer_format(named.path + " has segment format " + std::to_string(header->format),
                        kSegmentFormat);
  }
  if (header->first != named.first) {
    return failure(ErrorCode::kInternal, named.path + " begins with record " +
                                             to_string(header->first) +
                                             ", which is not what its name says.");
  }
  return *header;
}

Result<Segment> load_segment(const SegmentFile& named) {
  Result<SegmentBytes> segment = read_segment(named, O_RDONLY);
  if (!segment) return tl::unexpected(std::move(segment.error()));
  const Result<SegmentHeader> header = check_header(named, segment->bytes);
  if (!header) return tl::unexpected(header.error());
  return Segment{*header, std::move(segment->bytes)};
}

Result<void> check_known(const RecordHeader& header, const std::string& where) {
  if (header.format > kRecordFormat) {
    return newer_format(where + " has record format " + std::to_string(header.format),
                        kRecordFormat);
  }
  if (header.type < static_cast<std::uint8_t>(RecordType::kPromised)) {
    return failure(ErrorCode::kUnsupportedVersion,
                   where + " has a record of type " + std::to_string(header.type) +
                       ", of an older format of the log, which is not converted: run the version "
                       "that wrote it, or begin a new cluster in an empty data directory.");
  }
  constexpr auto kLastType = static_cast<std::uint8_t>(RecordType::kRepaired);
  if (kLastType < header.type) {
    return newer_format(where + " has a record of type " + std::to_string(header.type), kLastType);
  }
  return {};
}

}  // namespace assent::storage
