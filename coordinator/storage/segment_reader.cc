#include "coordinator/storage/segment_reader.h"

#include <fcntl.h>

#include <utility>

namespace assent::storage {

std::string SegmentReader::path(Sequence segment) const {
  return directory_ + "/" + segment_name(segment);
}

std::string SegmentReader::where(const Place& place) const {
  return at_offset(path(place.segment), place.offset);
}

Result<void> SegmentReader::open(Sequence segment) {
  if (open_ && open_->first == segment) return {};
  Result<File> file = File::open(path(segment), O_RDONLY);
  if (!file) return tl::unexpected(std::move(file.error()));
  const Result<std::string> bytes = file->read_at(0, kSegmentHeaderBytes);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto header = decode_segment_header(*bytes);
  if (!header || header->first != segment) {
    return failure(ErrorCode::kInternal, "The segment header of " + file->path() + " is damaged.");
  }
  open_ = OpenFile{segment, header->salt, std::move(*file)};
  return {};
}

// The header first: it says how long the record is.
Result<SegmentReader::Payload> SegmentReader::read(const Place& place) {
  if (auto done = open(place.segment); !done) return tl::unexpected(std::move(done.error()));
  const Result<std::string> head = open_->file.read_at(place.offset, kRecordHeaderBytes);
  if (!head) return tl::unexpected(head.error());
  const auto header = find_header(*head, place.offset, open_->salt);
  const std::size_t length = header ? record_bytes(header->length) : 0;
  const Result<std::string> bytes = open_->file.read_at(place.offset, length);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto record = parse_record(*bytes, place.offset, open_->salt);
  if (!record) {
    return failure(ErrorCode::kInternal, "The record in " + where(place) +
                                             " is damaged: it was durable and is not there.");
  }
  return Payload{record->header, std::string(record->payload)};
}

}  // namespace assent::storage
