// What happened, as a hash of all of it and, on request, as text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/simulation/scheduler.h"

namespace assent::simulation {

// An event in words.
struct TraceLine {
  Micros when;
  std::uint32_t who;  // 0: nobody
  std::string_view what;
  const std::string& text;
};
// Gets each event as it happens; none: nobody wants words.
using TraceSink = std::function<void(const TraceLine&)>;

// Writes it to standard output.
void print(const TraceLine& line);

class Trace {
 public:
  Trace(const Scheduler& scheduler, TraceSink sink)
      : scheduler_(scheduler), sink_(std::move(sink)) {}

  [[nodiscard]] Micros now() const { return scheduler_.now(); }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

  // An event of replica `who` (0: of no replica): `what`, a literal, and numbers that tell it from
  // others of its kind. `text` makes the words and runs only when somebody wants them.
  template <class Text>
  void event(std::uint32_t who, std::string_view what, std::uint64_t a, std::uint64_t b,
             Text text) {
    mix(static_cast<std::uint64_t>(scheduler_.now()));
    mix(who * 1'000 + what.size());
    mix(a);
    mix(b);
    if (sink_) sink_({scheduler_.now(), who, what, text()});
  }
  void event(std::uint32_t who, std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0) {
    event(who, what, a, b, [] { return std::string(); });
  }

 private:
  void mix(std::uint64_t number) {
    hash_ = (hash_ ^ number) * 0x9E3779B97F4A7C15ULL;
    hash_ ^= hash_ >> 29;
  }

  const Scheduler& scheduler_;
  const TraceSink sink_;
  std::uint64_t hash_ = 1;
};

}  // namespace assent::simulation
