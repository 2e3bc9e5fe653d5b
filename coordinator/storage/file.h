// Files and directories of the log: thin, move-only, every failure an Error that names the path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace assent::storage {

// An open file; closes itself.
class File {
 public:
  // `flags` as of open(2); the file is closed on exec, and made readable by its owner only.
  static Result<File> open(std::string path, int flags);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  [[nodiscard]] const std::string& path() const { return path_; }

  // Bytes in the file.
  [[nodiscard]] Result<std::uint64_t> size() const;

  // All bytes of the file.
  [[nodiscard]] Result<std::string> read_all() const;

  // At most `count` bytes from `offset` on; fewer at the end of the file only.
  [[nodiscard]] Result<std::string> read_at(std::uint64_t offset, std::size_t count) const;

  // Writes all of `bytes`; they are durable after flush() only.
  [[nodiscard]] Result<void> write_at(std::uint64_t offset, std::string_view bytes);

  // Makes the file `bytes` long with blocks of its own, so that later writes cannot lack space.
  [[nodiscard]] Result<void> reserve(std::uint64_t bytes);

  // Cuts off what stands behind the first `bytes`, or adds zeros.
  [[nodiscard]] Result<void> truncate(std::uint64_t bytes);

  // Makes what was written durable. After a failure it is unknown what is: never try again.
  [[nodiscard]] Result<void> flush();

  // Gives the file another name in its directory; durable after flush_directory() only.
  [[nodiscard]] Result<void> rename(std::string path);

  // Removes the name; the space goes with the last descriptor. Best effort.
  void remove();

  // Takes the file for this process until it is closed. False: another one has it.
  [[nodiscard]] Result<bool> try_lock();

 private:
  File(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;  // -1 when moved from
};

// How messages name a place in a file.
std::string at_offset(const std::string& path, std::uint64_t offset);

// Makes names made, changed and removed in the directory durable.
[[nodiscard]] Result<void> flush_directory(const std::string& directory);

// Removes the name, which must be there; durable after flush_directory() only.
[[nodiscard]] Result<void> remove_file(const std::string& path);

// Makes the directory, durably, unless it is there. Its parent must exist.
[[nodiscard]] Result<void> make_directory(const std::string& directory);

// Makes the directory unless it is there, and takes it for this process, until the file is closed.
// kUnavailable: another process has it.
Result<File> lock_directory(const std::string& directory);

}  // namespace assent::storage
