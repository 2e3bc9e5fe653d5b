#include "base/codec.h"

#include <gtest/gtest.h>

#include <limits>

namespace assent {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kOne = 1;

TEST(Codec, EveryValueComesBack) {
  Encoder out;
  out.put_u8(0xAB);
  out.put_u32(0x0102'0304);
  out.put_u64(kMax - 1);
  out.put_varint(300);
  out.put_string(std::string_view("a\0b", 3));
  Decoder in(out.bytes());
  EXPECT_EQ(in.get_u8(), 0xAB);
  EXPECT_EQ(in.get_u32(), 0x0102'0304u);
  EXPECT_EQ(in.get_u64(), kMax - 1);
  EXPECT_EQ(in.get_varint(), 300u);
  EXPECT_EQ(in.get_string(), std::string_view("a\0b", 3));
  EXPECT_TRUE(in.finished());
}

TEST(Codec, FixedIntegersAreLittleEndian) {
  Encoder out;
  out.put_u32(0x0102'0304);
  EXPECT_EQ(out.bytes(), std::string_view("\x04\x03\x02\x01", 4));
}

TEST(Codec, VarintsOfEveryWidthComeBack) {
  for (int bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t value :
         {kOne << bits, (kOne << bits) - 1, kMax - static_cast<std::uint64_t>(bits)}) {
      Encoder out;
      out.put_varint(value);
      Decoder in(out.bytes());
      EXPECT_EQ(in.get_varint(), value);
      EXPECT_TRUE(in.finished());
    }
  }
}

TEST(Codec, AVarintAbove64BitsIsRefused) {
  for (const std::string& bytes : {
           std::string(9, '\xFF') + '\x02',  // the 65th bit
           std::string(10, '\xFF') + '\x01',
           std::string(11, '\x80'),
       }) {
    Decoder in(bytes);
    EXPECT_EQ(in.get_varint(), 0u);
    EXPECT_FALSE(in.ok());
  }
}

TEST(Codec, AStringLongerThanTheBytesIsRefusedWithoutReading) {
  Encoder out;
  out.put_varint(kMax);
  Decoder in(out.bytes());
  EXPECT_EQ(in.get_string(), "");
  EXPECT_FALSE(in.ok());
}

TEST(Codec, AfterTheFirstMissingValueNothingIsRead) {
  Decoder in("\x01\x02\x03");
  EXPECT_EQ(in.get_u32(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.get_u8(), 0u);
  EXPECT_EQ(in.get_string(), "");
  EXPECT_FALSE(in.finished());
}

}  // namespace
}  // namespace assent
