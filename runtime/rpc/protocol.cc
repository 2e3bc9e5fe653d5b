#include "runtime/rpc/protocol.h"

#include <algorithm>

#include "runtime/rpc/frame_buffer.h"

namespace assent::rpc {
namespace {

using apache::thrift::protocol::TBinaryProtocolT;
using apache::thrift::protocol::TCompactProtocolT;
using apache::thrift::transport::TMemoryBuffer;

constexpr unsigned char kBinaryFirst = 0x80;
constexpr unsigned char kCompactFirst = 0x82;
constexpr std::size_t kBinaryTypeAt = 3;   // 0x80 0x01 0x00 type
constexpr std::size_t kCompactTypeAt = 1;  // 0x82 type:3 version:5
constexpr unsigned kCompactTypeShift = 5;

unsigned char byte_at(std::string_view payload, std::size_t index) {
  return static_cast<unsigned char>(payload[index]);
}

std::optional<unsigned> message_type(std::string_view payload, Encoding encoding) {
  if (payload.size() <= kBinaryTypeAt || detect_encoding(payload) != encoding) return std::nullopt;
  if (encoding == Encoding::kBinary) return byte_at(payload, kBinaryTypeAt);
  return byte_at(payload, kCompactTypeAt) >> kCompactTypeShift;
}

// Every byte of a string and every element of a container is at least one byte of the frame: what
// claims more is refused before memory is taken for it.
DecodeLimits within_frame(DecodeLimits limits, std::size_t frame_bytes) {
  const auto bytes = static_cast<std::int32_t>(frame_bytes);
  return {std::min(limits.string_bytes_max, bytes), std::min(limits.container_size_max, bytes)};
}

std::uint8_t* mutable_bytes(std::string_view payload) {
  // TMemoryBuffer asks for a mutable pointer, but never writes to what it merely observes.
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(payload.data()));
}

}  // namespace

std::optional<Encoding> detect_encoding(std::string_view payload) {
  if (payload.empty()) return std::nullopt;
  if (byte_at(payload, 0) == kBinaryFirst) return Encoding::kBinary;
  if (byte_at(payload, 0) == kCompactFirst) return Encoding::kCompact;
  return std::nullopt;
}

bool is_call(std::string_view payload, Encoding encoding) {
  const std::optional<unsigned> type = message_type(payload, encoding);
  return type == apache::thrift::protocol::T_CALL || type == apache::thrift::protocol::T_ONEWAY;
}

Configuration make_configuration(std::uint32_t message_bytes_max) {
  const int bytes = static_cast<int>(message_bytes_max);
  return std::make_shared<apache::thrift::TConfiguration>(bytes, bytes);
}

AnyProtocol::AnyProtocol(Encoding encoding, TMemoryBuffer& buffer, DecodeLimits limits) {
  const int strings = limits.string_bytes_max;
  const int containers = limits.container_size_max;
  switch (encoding) {
    case Encoding::kBinary:
      protocol_ = &storage_.emplace<TBinaryProtocolT<TMemoryBuffer>>(unowned(buffer), strings,
                                                                     containers, true, true);
      break;
    case Encoding::kCompact:
      protocol_ =
          &storage_.emplace<TCompactProtocolT<TMemoryBuffer>>(unowned(buffer), strings, containers);
      break;
  }
}

FrameInput::FrameInput(std::string_view payload, Encoding encoding, DecodeLimits limits,
                       const Configuration& configuration)
    : buffer_(mutable_bytes(payload), static_cast<std::uint32_t>(payload.size()),
              TMemoryBuffer::OBSERVE, configuration),
      protocol_(encoding, buffer_, within_frame(limits, payload.size())) {
  buffer_.updateKnownMessageSize(static_cast<long>(payload.size()));
}

FrameOutput::FrameOutput(Encoding encoding, const Configuration& configuration)
    : buffer_(configuration), protocol_(encoding, buffer_, {0, 0}) {
  reset();
}

std::string_view FrameOutput::frame() {
  std::uint8_t* bytes = nullptr;
  std::uint32_t size = 0;
  buffer_.getBuffer(&bytes, &size);
  if (size == kFrameHeaderBytes) return {};
  const std::uint32_t length = size - static_cast<std::uint32_t>(kFrameHeaderBytes);
  for (std::size_t i = 0; i < kFrameHeaderBytes; ++i) {
    bytes[i] = static_cast<std::uint8_t>(length >> (8 * (kFrameHeaderBytes - 1 - i)));
  }
  return {reinterpret_cast<const char*>(bytes), size};
}

void FrameOutput::reset() {
  const std::uint8_t header[kFrameHeaderBytes] = {};
  buffer_.resetBuffer();
  buffer_.write(header, kFrameHeaderBytes);
}

}  // namespace assent::rpc
