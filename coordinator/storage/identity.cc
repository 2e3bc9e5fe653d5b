#include "coordinator/storage/identity.h"

#include <fcntl.h>
#include <xxhash.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "coordinator/storage/file.h"
#include "coordinator/storage/newer_format.h"
#include "coordinator/storage/random.h"

namespace assent::storage {
namespace {

constexpr std::string_view kComment =
    "# Whose data directory this is. Never edit, copy or remove this file.\n";
constexpr std::uint64_t kFormat = 1;
constexpr int kDecimal = 10;
constexpr int kHexadecimal = 16;
constexpr std::string_view kReplace =
    " If it cannot be restored, replace this replica under a new id.";

std::string hexadecimal(std::uint64_t number) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number));
  return digits;
}

// The value of the line "key = value"; empty when there is none.
std::string_view value_of(std::string_view text, std::string_view key) {
  const std::string line = "\n" + std::string(key) + " = ";
  const std::size_t at = text.find(line);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + line.size());
  return rest.substr(0, rest.find('\n'));
}

// 0 for what is no number: no number in the file is.
template <class Int>
Int number_of(std::string_view text, std::string_view key, int base) {
  const std::string_view digits = value_of(text, key);
  Int number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  return error == std::errc() && end == digits.data() + digits.size() ? number : Int{0};
}

struct Names {
  explicit Names(const std::string& directory)
      : settled(directory + "/identity"), fresh(settled + ".new"), part(settled + ".part") {}

  std::string settled;  // a log has been begun
  std::string fresh;    // none has
  std::string part;     // being written
};

// Nothing: there is no such file.
Result<std::optional<Identity>> read_identity(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  const auto text =
      File::open(path, O_RDONLY).and_then([](const File& file) { return file.read_all(); });
  if (!text) return tl::unexpected(text.error());
  Result<Identity> identity = decode_identity(*text);
  if (identity) return std::optional(std::move(*identity));
  return failure(identity.error().code,
                 path + " " + identity.error().message + std::string(kReplace));
}

Result<void> write_identity(const Names& names, const std::string& directory,
                            const Identity& identity) {
  Result<File> file = File::open(names.part, O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return tl::unexpected(std::move(file.error()));
  return file->write_at(0, encode(identity))
      .and_then([&] { return file->flush(); })
      .and_then([&] { return file->rename(names.fresh); })
      .and_then([&] { return flush_directory(directory); });
}

struct Found {
  bool segments = false;
  bool snapshots = false;
};

Result<Found> look_around(const std::string& directory) {
  Found found;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    found.segments |= name.ends_with(".wal");
    found.snapshots |= name.starts_with("snapshot-");
  }
  if (!error) return found;
  return failure(ErrorCode::kInternal, "cannot list " + directory + ": " + error.message());
}

// Ballots and slots of one replica mean nothing in the log of another: it would keep promises that
// it never gave, and forget its own.
Result<void> check_owner(const std::string& directory, const Identity& found,
                         const std::string& cluster, ReplicaId replica) {
  if (found.cluster == cluster && found.replica == replica) return {};
  return failure(ErrorCode::kIdentityMismatch,
                 "the data directory " + directory + " is that of " + to_string(found) +
                     ", and this is " + to_string(Identity{cluster, replica, {}}) +
                     ": correct the cluster, the replica id or the data directory.");
}

tl::unexpected<Error> lost(std::string sentence) {
  return failure(ErrorCode::kInternal,
                 std::move(sentence) + " Nothing was changed." + std::string(kReplace));
}

}  // namespace

std::string to_string(const Identity& identity) {
  return "replica " + to_string(identity.replica) + " of cluster " + identity.cluster;
}

std::string encode(const Identity& identity) {
  std::string text(kComment);
  text += "format = " + std::to_string(kFormat) + "\n";
  text += "cluster = " + identity.cluster + "\n";
  text += "replica = " + to_string(identity.replica) + "\n";
  text += "incarnation = " + hexadecimal(identity.incarnation.value) + "\n";
  return text + "checksum = " + hexadecimal(XXH3_64bits(text.data(), text.size())) + "\n";
}

Result<Identity> decode_identity(std::string_view text) {
  const auto format = number_of<std::uint64_t>(text, "format", kDecimal);
  if (format > kFormat) {
    return newer_format("has format " + std::to_string(format), kFormat);
  }
  const Identity identity{
      std::string(value_of(text, "cluster")),
      ReplicaId(number_of<std::uint32_t>(text, "replica", kDecimal)),
      DiskIncarnation(number_of<std::uint64_t>(text, "incarnation", kHexadecimal))};
  const bool valid = valid_cluster_name(identity.cluster) && identity.replica != ReplicaId(0) &&
                     identity.incarnation != DiskIncarnation(0);
  // Whatever differs from what would be written, in any byte, is not taken.
  if (valid && encode(identity) == text) return identity;
  return failure(ErrorCode::kInternal,
                 "is damaged: it is not the identity of a replica as this version writes it. "
                 "Nothing was changed; restore the file.");
}

Result<IdentityFile> IdentityFile::open(std::string directory, const std::string& cluster,
                                        ReplicaId replica) {
  const Names names(directory);
  const Result<Found> found = look_around(directory);
  if (!found) return tl::unexpected(found.error());
  auto settled = read_identity(names.settled);
  if (!settled) return tl::unexpected(settled.error());
  const bool fresh = !settled->has_value();
  auto known = fresh ? read_identity(names.fresh) : std::move(settled);
  if (!known) return tl::unexpected(known.error());
  if (*known) {
    if (auto same = check_owner(directory, **known, cluster, replica); !same) {
      return tl::unexpected(same.error());
    }
    if (!fresh && !found->segments) {
      return lost("The log of " + to_string(**known) + " is gone: " + names.settled +
                  " is there, and no segment is. A replica that forgot what it promised must not "
                  "take part again.");
    }
    return IdentityFile(std::move(directory), std::move(**known), fresh);
  }
  if (found->segments || found->snapshots) {
    return lost(names.settled + " is missing beside " + (found->segments ? "a log" : "snapshots") +
                ": whose they are is not known. Restore the file.");
  }
  Identity drawn{cluster, replica, DiskIncarnation(random_number() | 1)};
  if (auto done = write_identity(names, directory, drawn); !done) {
    return tl::unexpected(std::move(done.error()));
  }
  return IdentityFile(std::move(directory), std::move(drawn), true);
}

Result<void> IdentityFile::settle() {
  if (!fresh_) return {};
  const Names names(directory_);
  Result<File> file = File::open(names.fresh, O_RDONLY);
  if (!file) return tl::unexpected(std::move(file.error()));
  auto done = file->rename(names.settled).and_then([&] { return flush_directory(directory_); });
  fresh_ = !done;
  return done;
}

}  // namespace assent::storage
