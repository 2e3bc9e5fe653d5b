// Structured log lines on standard error, through Boost.Log:
//   2026-01-31T12:00:00.123Z info  assent-coordinator agent enrolled participant=orders epoch=3
// Times are UTC. Safe to call from any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/error.h"

namespace assent::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// Accepts "debug", "info", "warning", "error".
Result<Level> parse_level(std::string_view text);

// Call once, before the first line; until then nothing is written. Lines below `level` cost one
// comparison.
void init(std::string program, Level level);

// A named value of a line. Values with spaces, quotes or control characters are quoted and escaped.
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
