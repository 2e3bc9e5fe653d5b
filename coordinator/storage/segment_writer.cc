#include "coordinator/storage/segment_writer.h"

#include <utility>

namespace assent::storage {

void Batch::add(const Record& record) {
  const std::size_t start = bytes.size();
  bytes.append(kRecordHeaderBytes, '\0');
  bytes.append(record.payload);
  bytes.resize(start + record_bytes(record.payload.size()), '\0');
  items.push_back({record.type, static_cast<std::uint32_t>(record.payload.size())});
}

std::vector<Place> Batch::finish() {
  bytes.clear();
  items.clear();
  return std::exchange(places, {});
}

SegmentWriter::SegmentWriter(std::string directory, std::deque<SegmentExtent> earlier,
                             OpenSegment segment, Sequence next, SpareSegment spare)
    : directory_(std::move(directory)),
      earlier_(std::move(earlier)),
      segment_(std::move(segment)),
      next_(next),
      durable_(next.value - 1),
      spare_(std::move(spare)) {
  counters_.bytes_held = segment_.size;
  for (const SegmentExtent& extent : earlier_) counters_.bytes_held += extent.bytes;
}

Result<void> SegmentWriter::write(Batch& batch) {
  std::size_t begin = 0;  // of the records sealed and not yet written
  std::size_t at = 0;
  batch.places.reserve(batch.items.size());
  for (const Batch::Item& item : batch.items) {
    const std::size_t bytes = record_bytes(item.payload_bytes);
    if (segment_.end + (at - begin) + bytes > segment_.size) {
      const std::string_view sealed(batch.bytes.data() + begin, at - begin);
      const auto done = put(sealed).and_then([this] { return begin_segment(); });
      if (!done) return done;
      begin = at;
    }
    const RecordHeader header{.type = static_cast<std::uint8_t>(item.type),
                              .length = item.payload_bytes,
                              .sequence = next_,
                              .durable = durable_};
    const Place place{segment_.first, segment_.end + (at - begin)};
    seal_record(batch.bytes.data() + at, header, segment_.salt, place.offset);
    batch.places.push_back(place);
    next_ = next_.next();
    at += bytes;
  }
  return put(std::string_view(batch.bytes).substr(begin));
}

Result<void> SegmentWriter::put(std::string_view records) {
  if (records.empty()) return {};
  const auto done = segment_.file.write_at(segment_.end, records).and_then([this] {
    return segment_.file.flush();
  });
  if (!done) return done;
  segment_.end += records.size();
  counters_.records += next_.value - 1 - durable_.value;
  counters_.bytes += records.size();
  ++counters_.flushes;
  durable_ = Sequence(next_.value - 1);
  return {};
}

Result<void> SegmentWriter::begin_segment() {
  Result<OpenSegment> next = spare_.become_segment(next_);
  if (!next) return tl::unexpected(std::move(next.error()));
  earlier_.push_back({segment_.first, segment_.size});
  segment_ = std::move(*next);
  counters_.bytes_held += segment_.size;
  spare_refused_ = false;
  return {};
}

bool SegmentWriter::wants_deletion() const {
  if (earlier_.empty()) return false;
  const Sequence behind = earlier_.size() > 1 ? earlier_[1].first : segment_.first;
  return behind <= keep_from_;
}

Result<void> SegmentWriter::delete_oldest() {
  const SegmentExtent oldest = earlier_.front();
  const auto done = remove_file(directory_ + "/" + segment_name(oldest.first)).and_then([this] {
    return flush_directory(directory_);
  });
  if (!done) return done;
  earlier_.pop_front();
  ++counters_.segments_deleted;
  counters_.bytes_held -= oldest.bytes;
  spare_refused_ = false;  // there is room again
  return {};
}

Result<void> SegmentWriter::prepare_spare() {
  if (spare_.reserved()) return spare_.zero_slice();
  spare_refused_ = !spare_.reserve();
  return {};
}

}  // namespace assent::storage
