#include "coordinator/storage/spare_segment.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <utility>

#include "coordinator/storage/random.h"

namespace assent::storage {
namespace {

constexpr std::size_t kSliceBytes = 256u << 10;  // about two milliseconds with its flush

}  // namespace

SpareSegment::SpareSegment(std::string directory, std::uint64_t bytes)
    : directory_(std::move(directory)), bytes_(bytes) {}

Result<void> SpareSegment::reserve() {
  if (reserved()) return {};
  // Not *.wal: a spare is no part of the log.
  Result<File> file = File::open(directory_ + "/spare", O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return tl::unexpected(std::move(file.error()));
  if (auto done = file->reserve(bytes_); !done) {
    file->remove();  // a part of the space may have been reserved: others can use it
    return done;
  }
  file_ = std::move(*file);
  zeroed_ = 0;
  return {};
}

Result<void> SpareSegment::zero_slice() {
  static constexpr std::array<char, kSliceBytes> kZeros{};
  const std::uint64_t count = std::min<std::uint64_t>(kSliceBytes, bytes_ - zeroed_);
  auto done = file_->write_at(zeroed_, {kZeros.data(), count});
  if (!done) return done;
  zeroed_ += count;
  return file_->flush();
}

Result<void> SpareSegment::finish() {
  auto done = reserve();
  while (done && !ready()) done = zero_slice();
  return done;
}

// The order matters. The header is durable before the name, so that a named segment has an intact
// header; the name is durable before any record, so that no record is lost with it.
Result<OpenSegment> SpareSegment::become_segment(Sequence first) {
  if (auto done = finish(); !done) return tl::unexpected(std::move(done.error()));
  OpenSegment segment{*std::exchange(file_, std::nullopt), first, random_number(),
                      kSegmentHeaderBytes, bytes_};
  const std::string header = encode(SegmentHeader{.first = first, .salt = segment.salt});
  const auto named =
      segment.file.write_at(0, header)
          .and_then([&] { return segment.file.flush(); })
          .and_then([&] { return segment.file.rename(directory_ + "/" + segment_name(first)); })
          .and_then([&] { return flush_directory(directory_); });
  if (!named) return tl::unexpected(named.error());
  return segment;
}

}  // namespace assent::storage
