// Structured log lines on standard error, through Boost.Log:
//   2026-01-31T12:00:00.123Z info  agent enrolled participant=orders epoch=3
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/error.h"

namespace assent::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// Accepts "debug", "info", "warning", "error".
Result<Level> parse_level(std::string_view text);

// Call once, before the first line. Lines below `level` cost one comparison.
void init(std::string program, Level level);

// A named value of a line; values with spaces or quotes are quoted.
struct Field {
  std::string_view name;
  std::string value;
};

[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view text, std::initializer_list<Field> fields = {});

inline void debug(std::string_view text, std::initializer_list<Field> fields = {}) {
  write(Level::kDebug, text, fields);
}
inline void info(std::string_view text, std::initializer_list<Field> fields = {}) {
  write(Level::kInfo, text, fields);
}
inline void warning(std::string_view text, std::initializer_list<Field> fields = {}) {
  write(Level::kWarning, text, fields);
}
inline void error(std::string_view text, std::initializer_list<Field> fields = {}) {
  write(Level::kError, text, fields);
}

}  // namespace assent::log
