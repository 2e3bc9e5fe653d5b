// A TOML configuration file whose every key must be known: values are taken out by name, and what
// nobody took is an error that names file, line and key.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace assent::config {

class File {
 public:
  // Reads and parses; an error names file and line.
  static Result<File> load(const std::string& path);
  // The same for text in memory; `name` stands in messages for the path.
  static Result<File> parse(std::string_view text, const std::string& name);
  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  ~File();

  // Takes the value of a dotted key ("postgres.port"). A missing key leaves `value` as it is; a
  // value of another type or outside [low, high] is remembered as an error for finish().
  void take(std::string_view key, std::string& value);
  void take(std::string_view key, std::int64_t& value, std::int64_t low, std::int64_t high);
  void take(std::string_view key, bool& value);
  void take(std::string_view key, std::vector<std::string>& value);
  // As above, and a missing or empty value is an error.
  void require(std::string_view key, std::string& value);

  // The keys of the table at this dotted key; empty when there is none.
  [[nodiscard]] std::vector<std::string> keys(std::string_view table) const;

  // Refuses the value at `key`, which was taken, with a reason of the caller's; finish() names it.
  void refuse(std::string_view key, const std::string& what);

  // The first value that was wrong; else the first key in the file that nobody took (a misspelt key
  // explains a missing one); else the first required key that is missing. Call it last.
  Result<void> finish();

 private:
  struct Impl;
  explicit File(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::config
