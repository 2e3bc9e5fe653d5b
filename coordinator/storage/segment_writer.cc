#include "coordinator/storage/segment_writer.h"

#include <utility>

namespace assent::storage {

namespace {

// No room is an error that can be waited out only where nothing has been written yet.
Result<void> or_lost(Result<void> done) {
  if (!done) done.error().code = ErrorCode::kInternal;
  return done;
}

}  // namespace

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
  put_items = put_bytes = 0;
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
  std::size_t at = batch.put_bytes;
  batch.places.reserve(batch.items.size());
  const auto put_sealed = [&](std::size_t items) {
    return put(std::string_view(batch.bytes).substr(batch.put_bytes, at - batch.put_bytes))
        .map([&] {
          batch.put_items = items;
          batch.put_bytes = at;
        });
  };
  for (std::size_t i = batch.put_items; i < batch.items.size(); ++i) {
    const Batch::Item& item = batch.items[i];
    const std::size_t bytes = record_bytes(item.payload_bytes);
    if (segment_.end + (at - batch.put_bytes) + bytes > segment_.size) {
      const auto done = put_sealed(i).and_then([this] { return begin_segment(); });
      if (!done) return done;
    }
    const RecordHeader header{.type = static_cast<std::uint8_t>(item.type),
                              .length = item.payload_bytes,
                              .sequence = next_,
                              .durable = durable_};
    const Place place{segment_.first, segment_.end + (at - batch.put_bytes)};
    seal_record(batch.bytes.data() + at, header, segment_.salt, place.offset);
    batch.places.push_back(place);
    next_ = next_.next();
    at += bytes;
  }
  return put_sealed(batch.items.size());
}

Result<void> SegmentWriter::put(std::string_view records) {
  if (records.empty()) return {};
  const auto done = or_lost(segment_.file.write_at(segment_.end, records).and_then([this] {
    return segment_.file.flush();
  }));
  if (!done) return done;
  segment_.end += records.size();
  counters_.records += next_.value - 1 - durable_.value;
  counters_.bytes += records.size();
  ++counters_.flushes;
  durable_ = Sequence(next_.value - 1);
  return {};
}

Result<void> SegmentWriter::begin_segment() {
  if (auto room = reserve_spare(); !room) return room;
  Result<OpenSegment> next = spare_.become_segment(next_);
  if (!next) return or_lost(tl::unexpected(std::move(next.error())));
  earlier_.push_back({segment_.first, segment_.size});
  segment_ = std::move(*next);
  counters_.bytes_held += segment_.size;
  return {};
}

Result<void> SegmentWriter::reserve_spare() {
  auto done = spare_.reserve();
  counters_.short_of_space = spare_refused_ = !done;
  return done;
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
  if (spare_.reserved()) return or_lost(spare_.zero_slice());
  static_cast<void>(reserve_spare());
  return {};
}

}  // namespace assent::storage
