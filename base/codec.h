// Bytes of log records: little-endian fixed integers, LEB128 varints, length-prefixed strings.
// docs/log-format.md describes what is built from them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assent {

// Appends values to a buffer that it owns.
class Encoder {
 public:
  void put_u8(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void put_u32(std::uint32_t value);
  void put_u64(std::uint64_t value);
  void put_varint(std::uint64_t value);
  void put_string(std::string_view value);  // varint length, then the bytes

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Takes values off the front of bytes that it does not own. After the first value that is not
// there, `ok()` is false for good and every getter returns zero or empty.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t get_u8();
  std::uint32_t get_u32();
  std::uint64_t get_u64();
  std::uint64_t get_varint();
  std::string_view get_string();

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

 private:
  std::string_view take(std::size_t count);

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace assent
