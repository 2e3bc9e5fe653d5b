// Writes batches of records to the last segment and goes on to a new one when it is full.
// Used by one thread at a time: by the flush thread once that runs.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/error.h"
#include "coordinator/storage/recovery.h"
#include "coordinator/storage/spare_segment.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

// Records on their way to the file, laid out as they will stand there but for their headers. Its
// memory is used again for later batches.
struct Batch {
  struct Item {
    RecordType type;
    std::uint32_t payload_bytes;
  };

  std::string bytes;
  std::vector<Item> items;
  std::vector<Place> places;  // one for each item that is laid out in a segment
  std::size_t put_items = 0;  // written and durable: a disk that was full may have cut it short
  std::size_t put_bytes = 0;

  [[nodiscard]] bool empty() const { return items.empty(); }
  void add(const Record& record);
  // Empties the batch; its places are the caller's.
  std::vector<Place> finish();
};

class SegmentWriter {
 public:
  // Writes go on behind the records in `segment`, which follows the `earlier` ones; `next` is the
  // sequence of the next record.
  SegmentWriter(std::string directory, std::deque<SegmentExtent> earlier, OpenSegment segment,
                Sequence next, SpareSegment spare);

  // Writes all records and makes them durable: one flush, and one more for each new segment.
  // kUnavailable: there is no room for another segment; what is durable by then stays so, and the
  // same call goes on with the rest. After any other error it is unknown what the disk holds.
  [[nodiscard]] Result<void> write(Batch& batch);

  // True when preparing the next segment ahead of need can go on.
  [[nodiscard]] bool wants_spare() const { return !spare_refused_ && !spare_.ready(); }

  // Does a small part of it. A full disk is no error yet: the segment in use has room.
  [[nodiscard]] Result<void> prepare_spare();
  // There was no room for it: it is not wanted before this is called, or a segment deleted.
  [[nodiscard]] bool short_of_space() const { return counters_.short_of_space; }
  void want_spare_again() { spare_refused_ = false; }

  // Segments wholly in front of this record are not needed any more.
  void keep_from(Sequence keep_from) { keep_from_ = keep_from; }
  [[nodiscard]] bool wants_deletion() const;
  // Deletes the oldest segment, durably. Precondition: a deletion is wanted.
  [[nodiscard]] Result<void> delete_oldest();

  [[nodiscard]] const WriteAheadLogCounters& counters() const { return counters_; }

 private:
  // Writes and flushes the records whose bytes are given; they are sealed.
  [[nodiscard]] Result<void> put(std::string_view records);
  [[nodiscard]] Result<void> begin_segment();
  [[nodiscard]] Result<void> reserve_spare();

  std::string directory_;
  std::deque<SegmentExtent> earlier_;  // in front of `segment_`
  OpenSegment segment_;
  Sequence next_;     // of the next record to seal
  Sequence durable_;  // of the last record known durable
  SpareSegment spare_;
  bool spare_refused_ = false;  // no space for it when it was last tried
  Sequence keep_from_{1};
  WriteAheadLogCounters counters_;
};

}  // namespace assent::storage
