// Durations and times as plain numbers. PURE code never reads a clock: times come in as inputs.
#pragma once

#include <compare>
#include <cstdint>

#include "base/strong.h"

namespace assent {

// A duration in milliseconds.
struct Millis {
  std::int64_t value{};

  constexpr Millis() = default;
  constexpr explicit Millis(std::int64_t milliseconds) : value(milliseconds) {}
  constexpr auto operator<=>(const Millis&) const = default;
  friend constexpr Millis operator+(Millis a, Millis b) { return Millis(a.value + b.value); }
  friend constexpr Millis operator-(Millis a, Millis b) { return Millis(a.value - b.value); }
};

// A point on one process's monotonic clock; points of different processes do not compare.
struct MonoTime {
  std::int64_t value{};

  constexpr MonoTime() = default;
  constexpr explicit MonoTime(std::int64_t milliseconds) : value(milliseconds) {}
  constexpr auto operator<=>(const MonoTime&) const = default;
  friend constexpr MonoTime operator+(MonoTime t, Millis d) { return MonoTime(t.value + d.value); }
  friend constexpr Millis operator-(MonoTime a, MonoTime b) { return Millis(a.value - b.value); }
};

// Milliseconds of Unix time as the log tells it: monotone, and the same on every replica.
struct LogTime {
  std::int64_t value{};

  constexpr LogTime() = default;
  constexpr explicit LogTime(std::int64_t milliseconds) : value(milliseconds) {}
  constexpr auto operator<=>(const LogTime&) const = default;
  friend constexpr LogTime operator+(LogTime t, Millis d) { return LogTime(t.value + d.value); }
  friend constexpr LogTime operator-(LogTime t, Millis d) { return LogTime(t.value - d.value); }
  friend constexpr Millis operator-(LogTime a, LogTime b) { return Millis(a.value - b.value); }
};

}  // namespace assent
