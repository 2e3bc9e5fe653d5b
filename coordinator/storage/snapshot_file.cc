#include "coordinator/storage/snapshot_file.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "coordinator/storage/newer_format.h"

namespace assent::storage {
namespace {

constexpr std::string_view kHeaderMagic = "ASSENTSH";
constexpr std::string_view kContentMagic = "ASSENTSC";
constexpr std::string_view kChunkMagic =
    "\xA5"
    "C";
constexpr std::string_view kEndMagic =
    "\xA5"
    "E";
constexpr std::size_t kMagicBytes = 8;
constexpr std::size_t kPartMagicBytes = 2;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kNameDigits = 20;  // of the greatest 64-bit number
constexpr std::size_t kIdDigits = 16;
constexpr std::string_view kSnapshotPrefix = "snapshot-";
constexpr std::string_view kIncomingPrefix = "incoming-";
constexpr std::string_view kPartSuffix = ".part";

// Seeded by the place, so that a part that was moved is none.
std::uint64_t checksum_of(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string sealed(std::string_view magic, std::string fields, std::uint64_t seed) {
  std::string bytes = std::string(magic) + std::move(fields);
  Encoder checksum;
  checksum.put_u64(checksum_of(bytes, seed));
  return bytes + checksum.take();
}

// True when the bytes end with the checksum of those in front of it.
bool seal_intact(std::string_view bytes, std::string_view magic, std::uint64_t seed) {
  if (!bytes.starts_with(magic)) return false;
  const std::size_t fields = bytes.size() - kChecksumBytes;
  return Decoder(bytes.substr(fields)).get_u64() == checksum_of(bytes.substr(0, fields), seed);
}

tl::unexpected<Error> newer(std::uint32_t format) {
  return newer_format("has snapshot format " + std::to_string(format), kSnapshotFormat);
}

std::string digits_of(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kNameDigits - digits.size(), '0') + digits;
}

// Takes a number of exactly `digits` digits off the front.
std::optional<std::uint64_t> take_number(std::string_view& name, std::size_t digits, int base) {
  if (name.size() < digits) return {};
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + digits, number, base);
  if (error != std::errc() || end != name.data() + digits) return {};
  name.remove_prefix(digits);
  return number;
}

std::string part_header(std::string_view magic, std::string_view payload, std::uint64_t number,
                        std::uint64_t offset) {
  Encoder out;
  out.put_u8(0);
  out.put_u8(0);
  out.put_u32(static_cast<std::uint32_t>(payload.size()));
  out.put_u64(number);
  out.put_u64(checksum_of(payload, offset));
  return sealed(magic, out.take(), offset);
}

}  // namespace

std::string encode(const SnapshotInfo& info) {
  Encoder out;
  out.put_u32(kSnapshotFormat);
  out.put_u32(kSnapshotHeaderBytes);
  out.put_u64(info.through.value);
  out.put_u64(info.replay_from.value);
  out.put_u64(info.bytes);
  out.put_u64(info.id);
  out.put_u64(info.chunks);
  return sealed(kHeaderMagic, out.take(), 0);
}

Result<SnapshotInfo> decode_snapshot_header(std::string_view bytes) {
  if (bytes.size() != kSnapshotHeaderBytes || !seal_intact(bytes, kHeaderMagic, 0)) {
    return failure(ErrorCode::kInternal, "is damaged: it has no intact header");
  }
  Decoder in(bytes.substr(kMagicBytes));
  const std::uint32_t format = in.get_u32();
  if (format > kSnapshotFormat) return newer(format);
  in.get_u32();
  SnapshotInfo info;
  info.through = Slot(in.get_u64());
  info.replay_from = Sequence(in.get_u64());
  info.bytes = in.get_u64();
  info.id = in.get_u64();
  info.chunks = in.get_u64();
  return info;
}

std::string snapshot_name(Slot through) {
  return std::string(kSnapshotPrefix) + digits_of(through.value);
}

std::optional<Slot> parse_snapshot_name(std::string_view name) {
  if (!name.starts_with(kSnapshotPrefix)) return {};
  name.remove_prefix(kSnapshotPrefix.size());
  const auto through = take_number(name, kNameDigits, 10);
  if (!through || *through == 0 || !name.empty()) return {};
  return Slot(*through);
}

std::string incoming_name(const IncomingName& incoming) {
  char id[kIdDigits + 1];
  std::snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(incoming.id));
  return std::string(kIncomingPrefix) + digits_of(incoming.through.value) + "-" + id +
         std::string(kPartSuffix);
}

std::optional<IncomingName> parse_incoming_name(std::string_view name) {
  if (!name.starts_with(kIncomingPrefix)) return {};
  std::string_view rest = name.substr(kIncomingPrefix.size());
  const auto through = take_number(rest, kNameDigits, 10);
  if (!through || *through == 0 || !rest.starts_with('-')) return {};
  rest.remove_prefix(1);
  const auto id = take_number(rest, kIdDigits, 16);
  if (!id) return {};
  const IncomingName incoming{Slot(*through), *id};
  // One spelling only, so that a name leads back to its file.
  if (incoming_name(incoming) != name) return {};
  return incoming;
}

// ── checksum ────────────────────────────────────────────────────────────────────────────────────

struct StreamChecksum::State {
  State() : xxh(XXH3_createState()) { XXH3_64bits_reset(xxh); }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  XXH3_state_t* xxh;
};

StreamChecksum::StreamChecksum() : state_(std::make_unique<State>()) {}
StreamChecksum::~StreamChecksum() = default;
StreamChecksum::StreamChecksum(StreamChecksum&&) noexcept = default;
StreamChecksum& StreamChecksum::operator=(StreamChecksum&&) noexcept = default;

void StreamChecksum::add(std::string_view bytes) {
  XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}

std::uint64_t StreamChecksum::value() const {
  return XXH3_64bits_digest(state_->xxh);
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

SnapshotEncoder::SnapshotEncoder(const std::string& cluster, Slot through)
    : cluster_(cluster), through_(through) {
  CHECK(valid_cluster_name(cluster), "a snapshot belongs to a cluster");
}

std::string SnapshotEncoder::counted(std::string bytes) {
  checksum_.add(bytes);
  bytes_ += bytes.size();
  return bytes;
}

std::string SnapshotEncoder::preamble() {
  Encoder out;
  out.put_u32(kSnapshotFormat);
  out.put_u32(static_cast<std::uint32_t>(cluster_.size()));
  out.put_u64(through_.value);
  std::string name = cluster_;
  name.resize(kClusterNameMax, '\0');
  return counted(sealed(kContentMagic, out.take() + name, 0));
}

std::string SnapshotEncoder::chunk(std::string_view payload) {
  CHECK_LE(payload.size(), kChunkBytesMax, "a reader holds a whole chunk");
  CHECK(!payload.empty(), "a chunk holds something");
  ++chunks_;
  return counted(part_header(kChunkMagic, payload, chunks_, bytes_) + std::string(payload));
}

std::string SnapshotEncoder::end() {
  return counted(part_header(kEndMagic, {}, chunks_, bytes_));
}

SnapshotInfo SnapshotEncoder::info(Sequence replay_from) const {
  return {through_, replay_from, bytes_, checksum_.value(), chunks_};
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────

SnapshotParser::SnapshotParser(std::string cluster, Slot through, TakeChunk take)
    : cluster_(std::move(cluster)), through_(through), take_(std::move(take)) {}

tl::unexpected<Error> SnapshotParser::damage(std::string_view what) const {
  return failure(ErrorCode::kInternal, "is damaged at offset " +
                                           std::to_string(kSnapshotHeaderBytes + intact_) + ": " +
                                           std::string(what));
}

Result<void> SnapshotParser::feed(std::string_view bytes) {
  checksum_.add(bytes);
  // Parts are taken where they lie, but for one that came in several pieces.
  rest_ += bytes;
  std::string_view unread = rest_;
  while (!unread.empty()) {
    const Result<std::size_t> taken = next_part(unread);
    if (!taken) return tl::unexpected(taken.error());
    if (*taken == 0) break;
    intact_ += *taken;
    unread.remove_prefix(*taken);
  }
  rest_.erase(0, rest_.size() - unread.size());
  return {};
}

// Length of the part that begins the bytes; 0 while it is not whole.
Result<std::size_t> SnapshotParser::next_part(std::string_view bytes) {
  if (ended_) return damage("bytes follow the end mark");
  return intact_ == 0 ? preamble(bytes) : chunk(bytes);
}

Result<std::size_t> SnapshotParser::preamble(std::string_view bytes) {
  if (bytes.size() < kSnapshotPreambleBytes) return 0;
  if (!seal_intact(bytes.substr(0, kSnapshotPreambleBytes), kContentMagic, 0)) {
    return damage("the content does not begin with an intact preamble");
  }
  Decoder in(bytes.substr(kMagicBytes));
  const std::uint32_t format = in.get_u32();
  if (format > kSnapshotFormat) return newer(format);
  const std::uint32_t name_bytes = in.get_u32();
  const Slot through(in.get_u64());
  const std::string_view name =
      bytes.substr(kMagicBytes + 16, std::min<std::size_t>(name_bytes, kClusterNameMax));
  if (name != cluster_ || through != through_) {
    return damage("it is the state of cluster " + std::string(name) + " after slot " +
                  to_string(through) + ", not of " + cluster_ + " after slot " +
                  to_string(through_));
  }
  return kSnapshotPreambleBytes;
}

// A chunk or the end mark. The header is trusted by its own checksum, before its length is used.
Result<std::size_t> SnapshotParser::chunk(std::string_view bytes) {
  if (bytes.size() < kChunkHeaderBytes) return 0;
  const bool end = bytes.starts_with(kEndMagic);
  const std::string_view header = bytes.substr(0, kChunkHeaderBytes);
  if (!seal_intact(header, end ? kEndMagic : kChunkMagic, intact_)) {
    return damage("neither a chunk nor the end mark");
  }
  Decoder in(header.substr(kPartMagicBytes + 2));
  const std::uint32_t length = in.get_u32();
  const std::uint64_t number = in.get_u64();
  const std::uint64_t checksum = in.get_u64();
  if (length > kChunkBytesMax || number != chunks_ + (end ? 0 : 1)) {
    return damage("a chunk that no version writes");
  }
  const std::size_t size = kChunkHeaderBytes + length;
  if (bytes.size() < size) return 0;
  const std::string_view payload = bytes.substr(kChunkHeaderBytes, length);
  if (checksum_of(payload, intact_) != checksum) return damage("the bytes of a chunk");
  if (end) {
    ended_ = true;
    return size;
  }
  ++chunks_;
  if (auto taken = take_(payload); !taken) return tl::unexpected(std::move(taken.error()));
  return size;
}

}  // namespace assent::storage
