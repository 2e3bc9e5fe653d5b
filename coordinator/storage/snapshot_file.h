// The bytes of a snapshot file: a header that is its replica's own, and the content, which is the
// same wherever it is copied. No IO here. docs/log-format.md has the grammar.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/storage/segment.h"

namespace assent::storage {

inline constexpr std::uint32_t kSnapshotFormat = 1;
inline constexpr std::size_t kSnapshotHeaderBytes = 64;    // the content begins behind it
inline constexpr std::size_t kSnapshotPreambleBytes = 64;  // begins the content
inline constexpr std::size_t kChunkHeaderBytes = 32;
inline constexpr std::size_t kChunkBytesMax = 64u << 20;

// A snapshot that is whole and durable.
struct SnapshotInfo {
  Slot through;             // the state after this slot
  Sequence replay_from;     // the log is needed from this record on, to go on from this state
  std::uint64_t bytes = 0;  // of the content
  std::uint64_t id = 0;     // checksum of the content: equal contents have equal ids
  std::uint64_t chunks = 0;

  bool operator==(const SnapshotInfo&) const = default;
};

// kSnapshotHeaderBytes long.
std::string encode(const SnapshotInfo& info);
// kInternal: these bytes are no intact header. kUnsupportedVersion: a newer version wrote them.
Result<SnapshotInfo> decode_snapshot_header(std::string_view bytes);

// "snapshot-00000000000000001000"
std::string snapshot_name(Slot through);
// Nothing: no snapshot is called so.
std::optional<Slot> parse_snapshot_name(std::string_view name);

// A snapshot that is being fetched from another replica.
struct IncomingName {
  Slot through;
  std::uint64_t id = 0;

  bool operator==(const IncomingName&) const = default;
};
// "incoming-00000000000000001000-0123456789abcdef.part"
std::string incoming_name(const IncomingName& incoming);
std::optional<IncomingName> parse_incoming_name(std::string_view name);

// Checksum of bytes that come in pieces.
class StreamChecksum {
 public:
  StreamChecksum();
  ~StreamChecksum();
  StreamChecksum(StreamChecksum&&) noexcept;
  StreamChecksum& operator=(StreamChecksum&&) noexcept;

  void add(std::string_view bytes);
  [[nodiscard]] std::uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Makes the content of a snapshot, piece by piece.
class SnapshotEncoder {
 public:
  SnapshotEncoder(const std::string& cluster, Slot through);

  // The bytes that begin the content.
  [[nodiscard]] std::string preamble();
  // The bytes of the next chunk. Precondition: at most kChunkBytesMax, not empty.
  [[nodiscard]] std::string chunk(std::string_view payload);
  // The bytes that end it.
  [[nodiscard]] std::string end();

  // Of all that was made. Precondition: it has ended.
  [[nodiscard]] SnapshotInfo info(Sequence replay_from) const;

 private:
  std::string counted(std::string bytes);

  std::string cluster_;
  Slot through_;
  std::uint64_t bytes_ = 0;
  std::uint64_t chunks_ = 0;
  StreamChecksum checksum_;
};

// Takes one chunk of a snapshot; its bytes are the caller's. An error of it ends the reading.
using TakeChunk = std::function<Result<void>(std::string_view chunk)>;

// Reads the content of a snapshot that comes in pieces of any size, and hands on its chunks, each
// verified, one by one.
class SnapshotParser {
 public:
  // Another cluster's content, or another slot's, is refused.
  SnapshotParser(std::string cluster, Slot through, TakeChunk take);

  // Errors: kInternal for what is no snapshot's content, with the offset in the file;
  // kUnsupportedVersion for a newer format; and what `take` refuses. Nothing is fed after one.
  [[nodiscard]] Result<void> feed(std::string_view bytes);

  // The end mark was read, and nothing behind it.
  [[nodiscard]] bool finished() const { return ended_; }
  // Bytes of the content up to the end of the last part that was read whole.
  [[nodiscard]] std::uint64_t intact() const { return intact_; }
  [[nodiscard]] std::uint64_t chunks() const { return chunks_; }
  // Checksum of all that was fed.
  [[nodiscard]] std::uint64_t id() const { return checksum_.value(); }

 private:
  Result<std::size_t> next_part(std::string_view bytes);
  Result<std::size_t> preamble(std::string_view bytes);
  Result<std::size_t> chunk(std::string_view bytes);
  [[nodiscard]] tl::unexpected<Error> damage(std::string_view what) const;

  std::string cluster_;
  Slot through_;
  TakeChunk take_;
  std::string rest_;  // of a part that is not whole yet
  std::uint64_t intact_ = 0;
  std::uint64_t chunks_ = 0;
  bool ended_ = false;
  StreamChecksum checksum_;
};

}  // namespace assent::storage
