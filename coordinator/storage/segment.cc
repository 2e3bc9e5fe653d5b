#include "coordinator/storage/segment.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace assent::storage {
namespace {

constexpr std::string_view kSegmentMagic = "ASSENTWL";
constexpr std::string_view kRecordMagic = "\xA5R";
constexpr std::string_view kSegmentSuffix = ".wal";
constexpr std::size_t kSegmentNameDigits = 20;  // of the greatest 64-bit number

// What the segment header's checksum covers, in every format.
constexpr std::size_t kSegmentFieldsBytes = 32;

// Offsets in the record header.
constexpr std::size_t kFormatAt = 2;
constexpr std::size_t kTypeAt = 3;
constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kSequenceAt = 8;
constexpr std::size_t kDurableAt = 16;
constexpr std::size_t kPayloadChecksumAt = 24;
constexpr std::size_t kHeaderChecksumAt = 32;

template <class Int>
void store(char* to, Int value) {
  for (std::size_t i = 0; i < sizeof(Int); ++i) to[i] = static_cast<char>(value >> (8 * i));
}

template <class Int>
Int load(const char* from) {
  Int value = 0;
  for (std::size_t i = sizeof(Int); i-- > 0;) {
    value = static_cast<Int>(value << 8 | static_cast<unsigned char>(from[i]));
  }
  return value;
}

// Seeded by place: the same bytes at another offset, or in another segment, are no record.
std::uint64_t checksum_at(std::string_view bytes, std::uint64_t salt, std::uint64_t offset) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), salt + offset);
}

// The header is trusted by its own checksum, before the length in it is used for anything.
bool header_intact(const char* record, std::uint64_t salt, std::uint64_t offset) {
  return std::string_view(record, kRecordMagic.size()) == kRecordMagic &&
         checksum_at({record, kHeaderChecksumAt}, salt, offset) ==
             load<std::uint64_t>(record + kHeaderChecksumAt);
}

// Of the payload and the padding behind it: no byte of a record is without a checksum.
std::uint64_t payload_checksum(const char* record, std::size_t payload_bytes, std::uint64_t salt,
                               std::uint64_t offset) {
  const std::size_t bytes = record_bytes(payload_bytes) - kRecordHeaderBytes;
  return checksum_at({record + kRecordHeaderBytes, bytes}, salt, offset);
}

RecordHeader load_header(const char* record) {
  return {.format = load<std::uint8_t>(record + kFormatAt),
          .type = load<std::uint8_t>(record + kTypeAt),
          .length = load<std::uint32_t>(record + kLengthAt),
          .sequence = Sequence(load<std::uint64_t>(record + kSequenceAt)),
          .durable = Sequence(load<std::uint64_t>(record + kDurableAt))};
}

bool holds_header(std::string_view segment, std::size_t offset) {
  return offset <= segment.size() && segment.size() - offset >= kRecordHeaderBytes;
}

}  // namespace

std::string encode(const SegmentHeader& header) {
  std::string bytes(kSegmentHeaderBytes, '\0');
  char* at = bytes.data();
  std::copy(kSegmentMagic.begin(), kSegmentMagic.end(), at);
  store<std::uint32_t>(at + 8, header.format);
  store<std::uint32_t>(at + 12, kSegmentHeaderBytes);
  store<std::uint64_t>(at + 16, header.first.value);
  store<std::uint64_t>(at + 24, header.salt);
  store<std::uint64_t>(at + kSegmentFieldsBytes, XXH3_64bits(at, kSegmentFieldsBytes));
  return bytes;
}

std::optional<SegmentHeader> decode_segment_header(std::string_view segment) {
  if (segment.size() < kSegmentHeaderBytes || !segment.starts_with(kSegmentMagic)) return {};
  const char* at = segment.data();
  const auto checksum = load<std::uint64_t>(at + kSegmentFieldsBytes);
  if (XXH3_64bits(at, kSegmentFieldsBytes) != checksum) return {};
  return SegmentHeader{.format = load<std::uint32_t>(at + 8),
                       .first = Sequence(load<std::uint64_t>(at + 16)),
                       .salt = load<std::uint64_t>(at + 24)};
}

std::string segment_name(Sequence first) {
  const std::string digits = std::to_string(first.value);
  return std::string(kSegmentNameDigits - digits.size(), '0') + digits +
         std::string(kSegmentSuffix);
}

std::optional<Sequence> parse_segment_name(std::string_view name) {
  if (name.size() != kSegmentNameDigits + kSegmentSuffix.size()) return {};
  if (!name.ends_with(kSegmentSuffix)) return {};
  const char* end = name.data() + kSegmentNameDigits;
  std::uint64_t first = 0;
  const auto [parsed, error] = std::from_chars(name.data(), end, first);
  if (error != std::errc() || parsed != end || first == 0) return {};
  return Sequence(first);
}

void seal_record(char* record, const RecordHeader& header, std::uint64_t salt,
                 std::uint64_t offset) {
  CHECK_EQ(offset % kRecordAlignment, 0u, "records are looked for at aligned offsets only");
  CHECK_LT(header.durable, header.sequence, "a record is not durable before it is written");
  std::copy(kRecordMagic.begin(), kRecordMagic.end(), record);
  store(record + kFormatAt, header.format);
  store(record + kTypeAt, header.type);
  store(record + kLengthAt, header.length);
  store(record + kSequenceAt, header.sequence.value);
  store(record + kDurableAt, header.durable.value);
  store(record + kPayloadChecksumAt, payload_checksum(record, header.length, salt, offset));
  store(record + kHeaderChecksumAt, checksum_at({record, kHeaderChecksumAt}, salt, offset));
}

std::optional<RecordHeader> find_header(std::string_view record, std::size_t offset,
                                        std::uint64_t salt) {
  if (record.size() < kRecordHeaderBytes) return {};
  if (!header_intact(record.data(), salt, offset)) return {};
  return load_header(record.data());
}

std::optional<FoundRecord> parse_record(std::string_view record, std::size_t offset,
                                        std::uint64_t salt) {
  const auto header = find_header(record, offset, salt);
  // A file that was cut short may end inside a record whose header is intact.
  if (!header || record.size() < record_bytes(header->length)) return {};
  const auto checksum = load<std::uint64_t>(record.data() + kPayloadChecksumAt);
  if (payload_checksum(record.data(), header->length, salt, offset) != checksum) return {};
  return FoundRecord{*header, record.substr(kRecordHeaderBytes, header->length),
                     offset + record_bytes(header->length)};
}

std::optional<FoundRecord> find_record(std::string_view segment, std::size_t offset,
                                       std::uint64_t salt) {
  if (!holds_header(segment, offset)) return {};
  return parse_record(segment.substr(offset), offset, salt);
}

Sequence durable_mark_behind(std::string_view segment, std::size_t offset, std::uint64_t salt) {
  Sequence mark;
  for (; holds_header(segment, offset); offset += kRecordAlignment) {
    const char* record = segment.data() + offset;
    if (header_intact(record, salt, offset)) mark = std::max(mark, load_header(record).durable);
  }
  return mark;
}

}  // namespace assent::storage
