#include "coordinator/storage/known_disks.h"

#include <fcntl.h>
#include <xxhash.h>

#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/newer_format.h"

namespace assent::storage {
namespace {

constexpr std::string_view kComment =
    "# The disks on which this replica has met the others. Never edit, copy or remove this file.\n";
constexpr unsigned kFormat = 1;
constexpr std::string_view kName = "/peers";

std::string line(const char* format, std::uint64_t number) {
  char text[64];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

// The number in the line "format = "; 0: there is none.
unsigned format_of(std::string_view text) {
  constexpr std::string_view kKey = "\nformat = ";
  const std::size_t at = text.find(kKey);
  unsigned format = 0;
  if (at != std::string_view::npos) {
    std::sscanf(std::string(text.substr(at + kKey.size())).c_str(), "%u", &format);
  }
  return format;
}

}  // namespace

std::string encode(const std::string& cluster, const DisksOfReplicas& disks) {
  std::string text(kComment);
  text += "format = " + std::to_string(kFormat) + "\ncluster = " + cluster + "\n";
  for (const auto& [replica, disk] : disks) {
    text += "replica " + to_string(replica) + line(" = %016" PRIx64 "\n", disk.value);
  }
  return text + line("checksum = %016" PRIx64 "\n", XXH3_64bits(text.data(), text.size()));
}

// Lines are read loosely: whatever differs from what would be written, in any byte, is not taken.
Result<DisksOfReplicas> decode_disks(const std::string& cluster, std::string_view text) {
  if (const unsigned format = format_of(text); format > kFormat) {
    return newer_format("has format " + std::to_string(format), kFormat);
  }
  DisksOfReplicas disks;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at)) {
    ++at;
    std::uint32_t replica = 0;
    std::uint64_t disk = 0;
    const std::string rest(text.substr(at, 64));
    if (std::sscanf(rest.c_str(), "replica %" SCNu32 " = %" SCNx64, &replica, &disk) == 2) {
      disks[ReplicaId(replica)] = DiskIncarnation(disk);
    }
  }
  if (encode(cluster, disks) == text) return disks;
  return failure(
      ErrorCode::kInternal,
      "is damaged, or is that of another cluster than " + cluster +
          ". Nothing was changed; restore the file. If it cannot be restored, replace this "
          "replica under a new id.");
}

Result<KnownDisks> KnownDisks::open(std::string directory, std::string cluster) {
  const std::string path = directory + std::string(kName);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return KnownDisks(std::move(directory), std::move(cluster), {});
  }
  const auto text =
      File::open(path, O_RDONLY).and_then([](const File& file) { return file.read_all(); });
  if (!text) return tl::unexpected(text.error());
  auto disks = decode_disks(cluster, *text);
  if (!disks) return failure(disks.error().code, path + " " + disks.error().message);
  return KnownDisks(std::move(directory), std::move(cluster), std::move(*disks));
}

std::optional<DiskIncarnation> KnownDisks::find(ReplicaId replica) const {
  const auto found = disks_.find(replica);
  return found == disks_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> KnownDisks::remember(ReplicaId replica, DiskIncarnation disk) {
  CHECK(disk != DiskIncarnation(0), "a disk has an incarnation");
  if (const auto known = find(replica)) {
    CHECK_EQ(*known, disk, "a replica has one disk");
    return {};
  }
  DisksOfReplicas next = disks_;
  next[replica] = disk;
  const std::string path = directory_ + std::string(kName);
  Result<File> file = File::open(path + ".part", O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return tl::unexpected(std::move(file.error()));
  auto done = file->write_at(0, encode(cluster_, next))
                  .and_then([&] { return file->flush(); })
                  .and_then([&] { return file->rename(path); })
                  .and_then([&] { return flush_directory(directory_); });
  if (done) disks_ = std::move(next);
  return done;
}

}  // namespace assent::storage
