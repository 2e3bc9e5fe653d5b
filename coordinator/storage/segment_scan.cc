#include "coordinator/storage/segment_scan.h"

#include <algorithm>

namespace assent::storage {
namespace {

struct Intact {
  std::uint64_t offset = 0;
  Sequence sequence;
};

std::uint64_t aligned(std::uint64_t offset) {
  return (offset + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

class Scan {
 public:
  Scan(std::string_view segment, const SegmentHeader& header, std::optional<Sequence> follower,
       const SegmentVisitor& visitor)
      : segment_(segment), header_(header), follower_(follower), visitor_(visitor) {
    at_.next = header.first;
  }

  Result<SegmentEnd> run() {
    while (true) {
      if (auto taken = take_intact(); !taken) return tl::unexpected(taken.error());
      if (complete()) return at_;
      if (torn()) {
        at_.torn_bytes = used() - std::min(used(), at_.end);
        return at_;
      }
      const DamagedRegion region = damaged_region();
      if (auto taken = visitor_.damaged(region); !taken) return tl::unexpected(taken.error());
      at_.end = region.end;
      at_.next = region.next;
    }
  }

 private:
  // The records that stand one behind the other.
  Result<void> take_intact() {
    while (!complete()) {
      const auto record = find_record(segment_, at_.end, header_.salt);
      if (!record || record->header.sequence != at_.next) return {};
      // The first record of a batch: all before it was durable when it was written.
      if (record->header.durable.next() == at_.next) at_.proven = at_.end;
      if (auto taken = visitor_.record(*record, at_.end); !taken) return taken;
      at_.end = record->end;
      at_.next = at_.next.next();
    }
    return {};
  }

  [[nodiscard]] bool complete() const { return follower_ && *follower_ <= at_.next; }

  // At the end of the log a record may lack only if no later record knew it to be durable.
  [[nodiscard]] bool torn() const { return !follower_ && durable_through() < at_.next; }

  [[nodiscard]] Sequence durable_through() const {
    return durable_mark_behind(segment_, at_.end, header_.salt);
  }

  [[nodiscard]] DamagedRegion damaged_region() const {
    if (const auto intact = next_intact()) {
      return {at_.end, intact->offset, at_.next, intact->sequence};
    }
    const Sequence next = follower_ ? *follower_ : durable_through().next();
    return {at_.end, std::max(at_.end, aligned(used())), at_.next, next};
  }

  // Records begin at multiples of their alignment, and one that is intact by its checksums was
  // written at this very place: so it is where the log goes on.
  [[nodiscard]] std::optional<Intact> next_intact() const {
    for (std::uint64_t offset = aligned(at_.end); offset < segment_.size();
         offset += kRecordAlignment) {
      const auto record = find_record(segment_, offset, header_.salt);
      if (!record || record->header.sequence <= at_.next) continue;
      if (follower_ && *follower_ <= record->header.sequence) continue;
      return Intact{offset, record->header.sequence};
    }
    return {};
  }

  // Where the bytes end that are not zero.
  [[nodiscard]] std::uint64_t used() const {
    const std::size_t last = segment_.find_last_not_of('\0');
    return last == std::string_view::npos ? 0 : last + 1;
  }

  const std::string_view segment_;
  const SegmentHeader& header_;
  const std::optional<Sequence> follower_;
  const SegmentVisitor& visitor_;
  SegmentEnd at_;
};

}  // namespace

Result<SegmentEnd> scan_segment(std::string_view segment, const SegmentHeader& header,
                                std::optional<Sequence> follower, const SegmentVisitor& visitor) {
  return Scan(segment, header, follower, visitor).run();
}

}  // namespace assent::storage
