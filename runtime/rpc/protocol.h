// Thrift's protocols over one frame. Every frame has a memory buffer of its own: Thrift's
// transports count what was read and end after 100 MiB in total.
#pragma once

#include <thrift/TConfiguration.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

namespace assent::rpc {

enum class Encoding : std::uint8_t { kBinary, kCompact };

// By the first byte of a message; nothing when it is neither strict binary nor compact.
std::optional<Encoding> detect_encoding(std::string_view payload);

// True when the message begins as `encoding` says and is a call or a oneway.
bool is_call(std::string_view payload, Encoding encoding);

using Configuration = std::shared_ptr<apache::thrift::TConfiguration>;
Configuration make_configuration(std::uint32_t message_bytes_max);

struct DecodeLimits {
  std::int32_t string_bytes_max;
  std::int32_t container_size_max;
};

// The protocol of `encoding` over a buffer that outlives it.
class AnyProtocol {
 public:
  AnyProtocol(Encoding encoding, apache::thrift::transport::TMemoryBuffer& buffer,
              DecodeLimits limits);
  AnyProtocol(const AnyProtocol&) = delete;
  AnyProtocol& operator=(const AnyProtocol&) = delete;

  apache::thrift::protocol::TProtocol& get() { return *protocol_; }

 private:
  using Buffer = apache::thrift::transport::TMemoryBuffer;
  std::variant<std::monostate, apache::thrift::protocol::TBinaryProtocolT<Buffer>,
               apache::thrift::protocol::TCompactProtocolT<Buffer>>
      storage_;
  apache::thrift::protocol::TProtocol* protocol_ = nullptr;
};

// Reads one message out of bytes that it does not own and that outlive it.
class FrameInput {
 public:
  FrameInput(std::string_view payload, Encoding encoding, DecodeLimits limits,
             const Configuration& configuration);

  apache::thrift::protocol::TProtocol& protocol() { return protocol_.get(); }

 private:
  apache::thrift::transport::TMemoryBuffer buffer_;
  AnyProtocol protocol_;
};

// Writes one message as a frame.
class FrameOutput {
 public:
  FrameOutput(Encoding encoding, const Configuration& configuration);

  apache::thrift::protocol::TProtocol& protocol() { return protocol_.get(); }
  // The frame with its header; empty when nothing was written. Valid until the next write.
  [[nodiscard]] std::string_view frame();
  // Forgets what was written, keeps the memory.
  void reset();
  [[nodiscard]] std::size_t capacity() const { return buffer_.getBufferSize(); }

 private:
  apache::thrift::transport::TMemoryBuffer buffer_;
  AnyProtocol protocol_;
};

// A pointer for interfaces that ask for shared ownership but do not need it.
template <class T>
std::shared_ptr<T> unowned(T& object) {
  return std::shared_ptr<T>(std::shared_ptr<void>(), &object);
}

}  // namespace assent::rpc
