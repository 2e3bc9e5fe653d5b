// The bytes of a segment file: its header, its records, and how they are found again. No IO here.
// docs/log-format.md has the grammar and the argument for recovery.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/strong.h"

namespace assent::storage {

using Sequence = Strong<struct SequenceTag>;  // a record's place in the log, from 1

// Where a record stands. It never moves.
struct Place {
  Sequence segment{};        // of the first record of its segment, which names the file
  std::uint64_t offset = 0;  // in that file

  bool operator==(const Place&) const = default;
};

inline constexpr std::size_t kSegmentHeaderBytes = 4'096;  // a block of its own, written once
inline constexpr std::size_t kRecordHeaderBytes = 40;
inline constexpr std::size_t kRecordAlignment = 8;
inline constexpr std::uint32_t kSegmentFormat = 1;
inline constexpr std::uint8_t kRecordFormat = 1;

struct SegmentHeader {
  std::uint32_t format = kSegmentFormat;
  Sequence first{};        // of the record that stands, or will stand, first
  std::uint64_t salt = 0;  // random: a record of another segment never passes for one of this

  bool operator==(const SegmentHeader&) const = default;
};

// kSegmentHeaderBytes long.
std::string encode(const SegmentHeader& header);

// Nothing: these bytes are no intact header. The format may be newer than ours.
std::optional<SegmentHeader> decode_segment_header(std::string_view segment);

// "00000000000000000001.wal"
std::string segment_name(Sequence first);
// Nothing: no segment is called so.
std::optional<Sequence> parse_segment_name(std::string_view name);

struct RecordHeader {
  std::uint8_t format = kRecordFormat;
  std::uint8_t type = 0;     // a RecordType, or one that a newer version knows
  std::uint32_t length = 0;  // of the payload, in bytes
  Sequence sequence{};
  Sequence durable{};  // every record up to this one was durable before this one was written

  bool operator==(const RecordHeader&) const = default;
};

// Bytes that a record takes in the segment: header, payload, padding.
constexpr std::size_t record_bytes(std::size_t payload_bytes) {
  const std::size_t bytes = kRecordHeaderBytes + payload_bytes;
  return (bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

// Writes the header in front of the payload, which stands at `record` + kRecordHeaderBytes already,
// with its padding. `offset` is where the record will stand in its segment: it passes at no other
// place.
void seal_record(char* record, const RecordHeader& header, std::uint64_t salt,
                 std::uint64_t offset);

struct FoundRecord {
  RecordHeader header;
  std::string_view payload;  // into the segment
  std::size_t end = 0;       // offset of what follows
};

// The header of the record whose bytes begin `record` and stand at `offset` in their segment.
// Nothing: no intact header stands there. The payload may be torn.
std::optional<RecordHeader> find_header(std::string_view record, std::size_t offset,
                                        std::uint64_t salt);

// The record whose bytes begin `record` and stand at `offset` in their segment. Nothing: they are
// no intact record.
std::optional<FoundRecord> parse_record(std::string_view record, std::size_t offset,
                                        std::uint64_t salt);

// The record at `offset`, a multiple of kRecordAlignment. Nothing: none stands there intact.
std::optional<FoundRecord> find_record(std::string_view segment, std::size_t offset,
                                       std::uint64_t salt);

// The highest durable mark of all intact record headers at or behind `offset`, whatever their
// payloads are like; zero when there is none. Cost: linear in the bytes.
Sequence durable_mark_behind(std::string_view segment, std::size_t offset, std::uint64_t salt);

}  // namespace assent::storage
