#include "runtime/rpc/frame_buffer.h"

namespace assent::rpc {
namespace {

// Memory that an idle connection may keep; thousands of them are idle at any time.
constexpr std::size_t kKeptBytes = 4096;

std::uint32_t claimed_length(std::string_view header) {
  std::uint32_t length = 0;
  for (const char byte : header.substr(0, kFrameHeaderBytes)) {
    length = (length << 8) | static_cast<unsigned char>(byte);
  }
  return length;
}

}  // namespace

void FrameBuffer::append(std::string_view bytes) {
  bytes_.erase(0, taken_);
  taken_ = 0;
  bytes_.append(bytes);
}

std::optional<std::string_view> FrameBuffer::next() {
  if (empty()) release();
  const std::string_view rest = std::string_view(bytes_).substr(taken_);
  if (rest.size() < kFrameHeaderBytes) return std::nullopt;
  const std::uint32_t length = claimed_length(rest);
  oversized_ = length > frame_bytes_max_;
  if (oversized_ || rest.size() - kFrameHeaderBytes < length) return std::nullopt;
  taken_ += kFrameHeaderBytes + length;
  return rest.substr(kFrameHeaderBytes, length);
}

void FrameBuffer::release() {
  if (bytes_.capacity() > kKeptBytes) bytes_ = std::string();
  bytes_.clear();
  taken_ = 0;
}

}  // namespace assent::rpc
