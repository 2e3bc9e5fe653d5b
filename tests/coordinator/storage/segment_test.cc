#include "coordinator/storage/segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace assent::storage {
namespace {

constexpr std::uint64_t kSalt = 0x0123456789ABCDEF;

std::string sealed(const RecordHeader& header, std::string_view payload, std::uint64_t offset) {
  std::string bytes(record_bytes(payload.size()), '\0');
  bytes.replace(kRecordHeaderBytes, payload.size(), payload);
  seal_record(bytes.data(), header, kSalt, offset);
  return bytes;
}

// A segment whose only record stands at `offset`.
std::string segment_with(const std::string& record, std::size_t offset) {
  return std::string(offset, '\0') + record + std::string(256, '\0');
}

const RecordHeader kHeader{.type = 1, .length = 3, .sequence = Sequence(7), .durable = Sequence(5)};

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

TEST(Segment, NamesSortLikeTheirSequences) {
  EXPECT_EQ(segment_name(Sequence(1)), "00000000000000000001.wal");
  EXPECT_EQ(segment_name(Sequence(UINT64_MAX)), "18446744073709551615.wal");
  EXPECT_LT(segment_name(Sequence(99)), segment_name(Sequence(100)));
}

TEST(Segment, ReadsOnlyItsOwnNames) {
  EXPECT_EQ(parse_segment_name("00000000000000000042.wal"), Sequence(42));
  for (const char* name : {"", "42.wal", "00000000000000000042", "00000000000000000042.wax",
                           "0000000000000000004x.wal", "00000000000000000000.wal",
                           "99999999999999999999.wal", "000000000000000000042.wal"}) {
    EXPECT_EQ(parse_segment_name(name), std::nullopt) << name;
  }
}

TEST(Segment, HeaderSurvivesEncoding) {
  const SegmentHeader header{.first = Sequence(42), .salt = kSalt};

  const std::string bytes = encode(header);

  EXPECT_EQ(bytes.size(), kSegmentHeaderBytes);
  EXPECT_EQ(decode_segment_header(bytes), header);
}

TEST(Segment, HeaderWithAnyFieldBitFlippedIsRefused) {
  const std::string bytes = encode(SegmentHeader{.first = Sequence(42), .salt = kSalt});
  for (std::size_t at = 0; at < 40; ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_EQ(decode_segment_header(damaged), std::nullopt) << at;
  }
  EXPECT_EQ(decode_segment_header(bytes.substr(0, kSegmentHeaderBytes - 1)), std::nullopt);
}

TEST(Segment, FindsTheRecordWhereItWasSealed) {
  const std::string segment = segment_with(sealed(kHeader, "abc", 4'096), 4'096);

  const auto found = find_record(segment, 4'096, kSalt);

  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->header, kHeader);
  EXPECT_EQ(found->payload, "abc");
  EXPECT_EQ(found->end, 4'096u + 48u);
}

TEST(Segment, ARecordCopiedElsewhereIsNone) {
  const std::string record = sealed(kHeader, "abc", 4'096);

  EXPECT_FALSE(find_record(segment_with(record, 4'144), 4'144, kSalt)) << "another offset";
  EXPECT_FALSE(find_record(segment_with(record, 4'096), 4'096, kSalt + 1)) << "another segment";
}

TEST(Segment, ARecordCutShortAnywhereIsNone) {
  const std::string segment = segment_with(sealed(kHeader, "abc", 0), 0);
  for (std::size_t bytes = 0; bytes < 48; ++bytes) {
    EXPECT_FALSE(find_record(std::string_view(segment).substr(0, bytes), 0, kSalt)) << bytes;
  }
  EXPECT_TRUE(find_record(std::string_view(segment).substr(0, 48), 0, kSalt));
}

TEST(Segment, FindsNothingBehindTheEnd) {
  EXPECT_FALSE(find_record("short", 8, kSalt));
  EXPECT_EQ(durable_mark_behind("short", 8, kSalt), Sequence(0));
}

TEST(Segment, AHeaderTellsItsDurableMarkThoughItsPayloadIsTorn) {
  std::string segment = segment_with(sealed(kHeader, "abc", 64), 64);
  segment[64 + kRecordHeaderBytes] = 'x';

  EXPECT_FALSE(find_record(segment, 64, kSalt));
  EXPECT_EQ(durable_mark_behind(segment, 0, kSalt), Sequence(5));
}

TEST(Segment, TheHighestOfAllDurableMarksIsTold) {
  std::string segment = segment_with(sealed(kHeader, "abc", 64), 64);
  RecordHeader later = kHeader;
  later.sequence = Sequence(9);
  later.durable = Sequence(8);
  segment.replace(160, 48, sealed(later, "def", 160));

  EXPECT_EQ(durable_mark_behind(segment, 0, kSalt), Sequence(8));
  EXPECT_EQ(durable_mark_behind(segment, 168, kSalt), Sequence(0));
}

TEST(SegmentDeathTest, NoRecordClaimsToBeDurableAlready) {
  RecordHeader header = kHeader;
  header.durable = header.sequence;
  EXPECT_DEATH(sealed(header, "abc", 0), "not durable before it is written");
}

// The example of docs/log-format.md, byte by byte: the format cannot change unnoticed.
TEST(Segment, BytesAreThoseOfTheDocumentedExample) {
  const std::string header = encode(SegmentHeader{.first = Sequence(1), .salt = kSalt});
  EXPECT_EQ(hex(header.substr(0, 40)),
            "415353454e54574c"    // magic
            "01000000"            // segment format
            "00100000"            // bytes of the header
            "0100000000000000"    // first sequence
            "efcdab8967452301"    // salt
            "158188dcd71e3e7c");  // checksum

  const RecordHeader first{
      .type = 3, .length = 20, .sequence = Sequence(1), .durable = Sequence(0)};
  const std::string ballot("\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\3\0\0\0", 20);
  EXPECT_EQ(hex(sealed(first, ballot, 4'096)),
            "a552"              // magic
            "01"                // record format
            "03"                // type
            "14000000"          // bytes of the payload
            "0100000000000000"  // sequence
            "0000000000000000"  // durable mark
            "09e8a5a6bbf58354"  // checksum of payload and padding
            "e7558b65f64a2459"  // checksum of the header
            "0100000000000000"  // payload: incarnation 1,
            "0700000000000000"  // round 7
            "03000000"          // and replica 3
            "00000000");        // padding
}

}  // namespace
}  // namespace assent::storage
