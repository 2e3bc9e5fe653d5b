#include "base/codec.h"

namespace assent {
namespace {

template <class Int>
Int from_little_endian(std::string_view bytes) {
  Int value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = static_cast<Int>((value << 8) | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

}  // namespace

void Encoder::put_u32(std::uint32_t value) {
  for (int i = 0; i < 4; ++i) put_u8(static_cast<std::uint8_t>(value >> (8 * i)));
}

void Encoder::put_u64(std::uint64_t value) {
  for (int i = 0; i < 8; ++i) put_u8(static_cast<std::uint8_t>(value >> (8 * i)));
}

void Encoder::put_varint(std::uint64_t value) {
  while (value >= 0x80) {
    put_u8(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  put_u8(static_cast<std::uint8_t>(value));
}

void Encoder::put_string(std::string_view value) {
  put_varint(value.size());
  bytes_.append(value);
}

std::string_view Decoder::take(std::size_t count) {
  if (!ok_ || rest_.size() < count) {
    ok_ = false;
    return {};
  }
  const std::string_view part = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return part;
}

std::uint8_t Decoder::get_u8() {
  return from_little_endian<std::uint8_t>(take(1));
}
std::uint32_t Decoder::get_u32() {
  return from_little_endian<std::uint32_t>(take(4));
}
std::uint64_t Decoder::get_u64() {
  return from_little_endian<std::uint64_t>(take(8));
}

std::uint64_t Decoder::get_varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = get_u8();
    if (!ok_) return 0;
    const std::uint64_t bits = byte & 0x7F;
    // The tenth byte holds one bit: more would be lost by the shift.
    if (shift == 63 && bits > 1) break;
    value |= bits << shift;
    if ((byte & 0x80) == 0) return value;
  }
  ok_ = false;
  return 0;
}

std::string_view Decoder::get_string() {
  const std::uint64_t length = get_varint();
  if (length > rest_.size()) {
    ok_ = false;
    return {};
  }
  return take(static_cast<std::size_t>(length));
}

}  // namespace assent
