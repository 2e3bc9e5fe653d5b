#include "coordinator/storage/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace assent::storage {
namespace {

tl::unexpected<Error> io_failure(std::string_view what, const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return failure(
      full ? ErrorCode::kUnavailable : ErrorCode::kInternal,
      "cannot " + std::string(what) + " " + path + ": " + std::generic_category().message(error));
}

}  // namespace

Result<File> File::open(std::string path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return io_failure("open", path, errno);
  return File(std::move(path), descriptor);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

File::~File() {
  // What matters has been flushed: a failure of close() has nothing left to say.
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::uint64_t> File::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return io_failure("inspect", path_, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::string> File::read_all() const {
  return size().and_then([this](std::uint64_t bytes) { return read_at(0, bytes); });
}

Result<std::string> File::read_at(std::uint64_t offset, std::size_t count) const {
  std::string bytes(count, '\0');
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got =
        ::pread(descriptor_, bytes.data() + done, count - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_failure("read", path_, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

Result<void> File::write_at(std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_failure("write to", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> File::reserve(std::uint64_t bytes) {
  const int error = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes));
  if (error == 0) return {};
  return io_failure("reserve " + std::to_string(bytes) + " bytes for", path_, error);
}

Result<void> File::truncate(std::uint64_t bytes) {
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0) return {};
  return io_failure("cut", path_, errno);
}

Result<void> File::flush() {
  if (::fdatasync(descriptor_) != 0) return io_failure("flush", path_, errno);
  return {};
}

Result<void> File::rename(std::string path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) return io_failure("rename", path_, errno);
  path_ = std::move(path);
  return {};
}

void File::remove() {
  ::unlink(path_.c_str());
}

Result<bool> File::try_lock() {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return io_failure("lock", path_, errno);
}

std::string at_offset(const std::string& path, std::uint64_t offset) {
  return path + " at offset " + std::to_string(offset);
}

Result<void> flush_directory(const std::string& directory) {
  Result<File> opened = File::open(directory, O_RDONLY | O_DIRECTORY);
  if (!opened) return tl::unexpected(std::move(opened.error()));
  return opened->flush();
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return {};
  return io_failure("remove", path, errno);
}

Result<void> make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), S_IRWXU) != 0) {
    if (errno == EEXIST) return {};
    return io_failure("make directory", directory, errno);
  }
  const auto parent = std::filesystem::absolute(directory).lexically_normal().parent_path();
  return flush_directory(parent.string());
}

Result<File> lock_directory(const std::string& directory) {
  if (auto done = make_directory(directory); !done) return tl::unexpected(std::move(done.error()));
  Result<File> file = File::open(directory + "/LOCK", O_RDWR | O_CREAT);
  if (!file) return file;
  const Result<bool> locked = file->try_lock();
  if (!locked) return tl::unexpected(locked.error());
  if (!*locked) {
    return failure(ErrorCode::kUnavailable,
                   "the log in " + directory + " is in use by another process");
  }
  return file;
}

}  // namespace assent::storage
