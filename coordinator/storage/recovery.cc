#include "coordinator/storage/recovery.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "coordinator/storage/segment_directory.h"

namespace assent::storage {
namespace {

// Where the intact records of a segment end.
struct Scan {
  std::uint64_t end = kSegmentHeaderBytes;
  std::uint64_t proven = kSegmentHeaderBytes;
  Sequence next;
};

Result<void> replay_record(const FoundRecord& record, const Segment& segment, std::uint64_t offset,
                           const WriteAheadLog::Replay& replay) {
  const std::string where = at_offset(segment.file.path(), offset);
  const RecordHeader& header = record.header;
  if (auto known = check_known(header, where); !known) return known;
  Result<void> taken = replay({.type = static_cast<RecordType>(header.type),
                               .payload = record.payload,
                               .place = {segment.header.first, offset}});
  if (!taken) taken.error().message = where + ": " + taken.error().message;
  return taken;
}

Result<Scan> scan_records(const Segment& segment, const WriteAheadLog::Replay& replay) {
  Scan scan{.next = segment.header.first};
  while (const auto record = find_record(segment.bytes, scan.end, segment.header.salt)) {
    if (record->header.sequence != scan.next) break;
    // The first record of a batch: all before it was durable when it was written.
    if (record->header.durable.next() == scan.next) scan.proven = scan.end;
    const auto taken = replay_record(*record, segment, scan.end, replay);
    if (!taken) return tl::unexpected(taken.error());
    scan.end = record->end;
    scan.next = scan.next.next();
  }
  return scan;
}

// A segment is begun after all records before it are durable: none may lack then.
Result<void> check_followed(const Segment& segment, const Scan& scan, const SegmentFile& next) {
  if (scan.next == next.first) return {};
  return damage("Record " + to_string(scan.next) + " does not stand in " +
                at_offset(segment.file.path(), scan.end) + ", although " + next.path +
                " follows: either the record is damaged, or a segment is missing.");
}

// At the end of the log a record may lack only if no later record knew it to be durable.
Result<void> check_torn(const Segment& segment, const Scan& scan) {
  const Sequence mark = durable_mark_behind(segment.bytes, scan.end, segment.header.salt);
  if (mark < scan.next) return {};
  return damage("Record " + to_string(scan.next) + " in " +
                at_offset(segment.file.path(), scan.end) +
                " is damaged: a later record says that all up to record " + to_string(mark) +
                " were durable.");
}

std::uint64_t torn_bytes(std::string_view segment, std::uint64_t end) {
  const std::size_t last = segment.find_last_not_of('\0');
  return last == std::string_view::npos || last < end ? 0 : last + 1 - end;
}

Tail make_tail(Segment segment, const Scan& scan) {
  const std::uint64_t size = segment.bytes.size();
  return {.segment = {std::move(segment.file), segment.header.first, segment.header.salt, scan.end,
                      size},
          .bytes = std::move(segment.bytes),
          .proven = scan.proven};
}

// Reads one segment. `follower` is the one behind it, null for the last.
Result<void> recover_segment(const SegmentFile& named, const SegmentFile* follower,
                             const WriteAheadLog::Replay& replay, Recovered& found) {
  if (named.first != found.next) {
    return damage("The segment that begins with record " + to_string(found.next) +
                  " is missing in front of " + named.path + ".");
  }
  Result<Segment> segment = load_segment(named, O_RDWR);
  if (!segment) return tl::unexpected(std::move(segment.error()));
  const Result<Scan> scan = scan_records(*segment, replay);
  if (!scan) return tl::unexpected(scan.error());
  const auto complete = follower != nullptr ? check_followed(*segment, *scan, *follower)
                                            : check_torn(*segment, *scan);
  if (!complete) return complete;
  found.next = scan->next;
  if (follower != nullptr) {
    found.earlier.push_back({named.first, segment->bytes.size()});
    return {};
  }
  found.torn_bytes = torn_bytes(segment->bytes, scan->end);
  found.tail = make_tail(std::move(*segment), *scan);
  return {};
}

// Where the log begins. What lay in front of it was not needed, if all is well.
Result<Sequence> check_beginning(const std::string& directory,
                                 const std::vector<SegmentFile>& files, Sequence needed_from) {
  if (files.empty() && needed_from == Sequence(1)) return needed_from;
  if (!files.empty() && files.front().first <= needed_from) return files.front().first;
  return damage(
      "The segment that begins with record " + to_string(needed_from) + " is missing in " +
      (files.empty() ? directory + ", which has none." : "front of " + files.front().path + "."));
}

}  // namespace

Result<Recovered> recover(const std::string& directory, Sequence needed_from,
                          const WriteAheadLog::Replay& replay) {
  const Result<std::vector<SegmentFile>> files = list_segments(directory);
  if (!files) return tl::unexpected(files.error());
  const Result<Sequence> first = check_beginning(directory, *files, needed_from);
  if (!first) return tl::unexpected(first.error());
  Recovered found{.next = *first};
  for (std::size_t i = 0; i < files->size(); ++i) {
    const SegmentFile* follower = i + 1 < files->size() ? &(*files)[i + 1] : nullptr;
    const auto recovered = recover_segment((*files)[i], follower, replay, found);
    if (!recovered) return tl::unexpected(recovered.error());
  }
  return found;
}

Result<OpenSegment> settle(Tail tail) {
  OpenSegment& segment = tail.segment;
  std::fill(tail.bytes.begin() + static_cast<std::ptrdiff_t>(segment.end), tail.bytes.end(), '\0');
  // All of it is written, also what reads back as it should: the page cache can hold what a failed
  // flush of an earlier process left, which the disk does not have and a flush alone would skip.
  const std::string_view rewritten = std::string_view(tail.bytes).substr(tail.proven);
  if (auto done = segment.file.write_at(tail.proven, rewritten); !done) {
    return tl::unexpected(std::move(done.error()));
  }
  if (auto done = segment.file.flush(); !done) return tl::unexpected(std::move(done.error()));
  return std::move(segment);
}

}  // namespace assent::storage
