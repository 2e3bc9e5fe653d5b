#include "coordinator/storage/recovery.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "coordinator/storage/segment_directory.h"
#include "coordinator/storage/segment_scan.h"

namespace assent::storage {
namespace {

std::string records_of(Sequence first, Sequence next) {
  return first.next() == next
             ? "Record " + to_string(first)
             : "Records " + to_string(first) + " to " + to_string(Sequence(next.value - 1));
}

bool has_ballot(std::uint8_t type) {
  return type == static_cast<std::uint8_t>(RecordType::kPromised) ||
         type == static_cast<std::uint8_t>(RecordType::kAccepted);
}

Tail make_tail(SegmentBytes segment, const SegmentHeader& header, const SegmentEnd& end) {
  const std::uint64_t size = segment.bytes.size();
  return {.segment = {std::move(segment.file), header.first, header.salt, end.end, size},
          .bytes = std::move(segment.bytes),
          .proven = end.proven};
}

// Reads one log, once.
class Recovery {
 public:
  Recovery(const std::string& directory, Sequence needed_from, const WriteAheadLog::Replay& replay,
           const WriteAheadLog::OnDamage& damaged)
      : directory_(directory), needed_from_(needed_from), replay_(replay), damaged_(damaged) {}

  Result<Recovered> run() {
    const Result<std::vector<SegmentFile>> files = list_segments(directory_);
    if (!files) return tl::unexpected(files.error());
    if (auto begun = begin(*files); !begun) return tl::unexpected(begun.error());
    for (std::size_t i = 0; i < files->size(); ++i) {
      const SegmentFile* follower = i + 1 < files->size() ? &(*files)[i + 1] : nullptr;
      auto taken = take_segment((*files)[i], follower);
      if (!taken) return tl::unexpected(taken.error());
    }
    if (auto bounded = check_bounded(); !bounded) return tl::unexpected(bounded.error());
    return std::move(found_);
  }

 private:
  // Where the log begins. What lay in front of it was not needed, if all is well.
  Result<void> begin(const std::vector<SegmentFile>& files) {
    found_.next = needed_from_;
    const std::string missing =
        "The segment that begins with record " + to_string(needed_from_) + " is missing in ";
    if (files.empty()) {
      if (needed_from_ == Sequence(1)) return {};
      return damage(missing + directory_ + ", which has none.");
    }
    const SegmentFile& front = files.front();
    if (front.first <= needed_from_) {
      found_.next = front.first;
      return {};
    }
    return lack({.sentence = missing + "front of " + front.path + ".",
                 .file = directory_ + "/" + segment_name(needed_from_),
                 .segment = needed_from_,
                 .first = needed_from_,
                 .next = front.first});
  }

  // Reads one segment. `follower` is the one behind it, null for the last.
  Result<void> take_segment(const SegmentFile& named, const SegmentFile* follower) {
    Result<SegmentBytes> segment = read_segment(named, O_RDWR);
    if (!segment) return tl::unexpected(std::move(segment.error()));
    const std::uint64_t size = segment->bytes.size();
    if (follower != nullptr) found_.earlier.push_back({named.first, size});
    const Result<SegmentHeader> header = check_header(named, segment->bytes);
    if (header) return take_records(named, std::move(*segment), *header, follower);
    if (header.error().code != ErrorCode::kInternal || follower == nullptr) {
      return tl::unexpected(with_remedy(header.error()));
    }
    // The header has the salt: without it no record of the segment can be told from any bytes.
    return lack({.sentence = header.error().message,
                 .file = named.path,
                 .length = size,
                 .segment = named.first,
                 .first = named.first,
                 .next = follower->first});
  }

  Result<void> take_records(const SegmentFile& named, SegmentBytes segment,
                            const SegmentHeader& header, const SegmentFile* follower) {
    const SegmentVisitor visitor{
        .record = [&](const FoundRecord& record,
                      std::uint64_t offset) { return take_record(record, named, offset); },
        .damaged = [&](const DamagedRegion& region) { return lack(named, region, follower); }};
    const auto next = follower != nullptr ? std::optional(follower->first) : std::nullopt;
    const auto end = scan_segment(segment.bytes, header, next, visitor);
    if (!end) return tl::unexpected(end.error());
    found_.next = end->next;
    if (follower != nullptr) return check_ended(segment, header, *end, *follower);
    found_.torn_bytes = end->torn_bytes;
    found_.tail = make_tail(std::move(segment), header, *end);
    return {};
  }

  // A record stands in one segment only.
  static Result<void> check_ended(const SegmentBytes& segment, const SegmentHeader& header,
                                  const SegmentEnd& end, const SegmentFile& follower) {
    const auto more = find_record(segment.bytes, end.end, header.salt);
    if (!more || more->header.sequence != end.next) return {};
    return damage("Record " + to_string(end.next) + " stands in " +
                  at_offset(segment.file.path(), end.end) + " and begins " + follower.path +
                  " again.");
  }

  Result<void> take_record(const FoundRecord& record, const SegmentFile& named,
                           std::uint64_t offset) {
    const std::string where = at_offset(named.path, offset);
    const RecordHeader& header = record.header;
    if (auto known = check_known(header, where); !known) return known;
    Result<void> taken = replay_({.type = static_cast<RecordType>(header.type),
                                  .payload = record.payload,
                                  .place = {named.first, offset}});
    if (!taken) taken.error().message = where + ": " + taken.error().message;
    if (has_ballot(header.type)) unbounded_.reset();
    return taken;
  }

  Result<void> lack(const SegmentFile& named, const DamagedRegion& region,
                    const SegmentFile* follower) {
    const std::string where = at_offset(named.path, region.offset);
    const std::string records = records_of(region.first, region.next);
    const bool one = region.first.next() == region.next;
    const bool to_the_end = follower != nullptr && region.next == follower->first;
    return lack({.sentence = to_the_end
                                 ? records + " cannot be read in " + where + ", although " +
                                       follower->path +
                                       " follows: either they are damaged, or a segment is missing."
                                 : records + " in " + where +
                                       (one ? " is damaged: what follows shows that it was durable."
                                            : " are damaged: what follows shows that they were"
                                              " durable."),
                 .file = named.path,
                 .offset = region.offset,
                 .length = region.end - region.offset,
                 .segment = named.first,
                 .first = region.first,
                 .next = region.next});
  }

  // What lacks in front of what a start needs is only noted: it was replaced by later records.
  Result<void> lack(LogDamage what) {
    what.needed = needed_from_ < what.next;
    found_.next = what.next;
    if (what.needed) unbounded_ = what;
    return damaged_(what);
  }

  // Ballots of a log never go back: a later one is as high as every promise that is lost. Without
  // one a promise may have been forgotten, and what this replica would say could undo a decision.
  Result<void> check_bounded() {
    if (!unbounded_) return {};
    return damage(unbounded_->sentence +
                  " No record with a ballot stands behind it, so what was promised is not known.");
  }

  const std::string& directory_;
  const Sequence needed_from_;
  const WriteAheadLog::Replay& replay_;
  const WriteAheadLog::OnDamage& damaged_;
  Recovered found_;
  std::optional<LogDamage> unbounded_;  // the last one, as long as no record with a ballot follows
};

}  // namespace

Result<Recovered> recover(const std::string& directory, Sequence needed_from,
                          const WriteAheadLog::Replay& replay,
                          const WriteAheadLog::OnDamage& damaged) {
  return Recovery(directory, needed_from, replay, damaged).run();
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
