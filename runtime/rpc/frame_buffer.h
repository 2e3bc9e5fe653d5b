// Bytes of a stream, cut into Thrift frames: four bytes of length, big-endian, then the payload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace assent::rpc {

inline constexpr std::size_t kFrameHeaderBytes = 4;

// Holds only what has arrived: a length that is merely claimed costs nothing.
class FrameBuffer {
 public:
  explicit FrameBuffer(std::uint32_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  void append(std::string_view bytes);

  // Takes the next complete frame off the front and answers its payload, which is valid until the
  // next call of append() or next(). Nothing when more bytes are needed, or when oversized().
  std::optional<std::string_view> next();

  // True when the frame at the front claims to be longer than allowed.
  [[nodiscard]] bool oversized() const { return oversized_; }
  [[nodiscard]] bool empty() const { return taken_ == bytes_.size(); }

 private:
  void release();

  std::uint32_t frame_bytes_max_;
  std::string bytes_;
  std::size_t taken_ = 0;  // bytes of frames already handed out
  bool oversized_ = false;
};

}  // namespace assent::rpc
