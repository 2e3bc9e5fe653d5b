// What happened, as a hash of all of it and, on request, as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/simulation/scheduler.h"

namespace assent::simulation {

class Trace {
 public:
  // `printed`: every event is a line on standard output.
  Trace(const Scheduler& scheduler, bool printed) : scheduler_(scheduler), printed_(printed) {}

  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] bool printed() const { return printed_; }

  // An event of replica `who` (0: of no replica): `what`, a literal, and numbers that tell it from
  // others of its kind. `text` makes the words and runs only when they are printed.
  template <class Text>
  void event(std::uint32_t who, std::string_view what, std::uint64_t a, std::uint64_t b,
             Text text) {
    mix(static_cast<std::uint64_t>(scheduler_.now()));
    mix(who * 1'000 + what.size());
    mix(a);
    mix(b);
    if (printed_) print(who, what, text());
  }
  void event(std::uint32_t who, std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0) {
    event(who, what, a, b, [] { return std::string(); });
  }

 private:
  void mix(std::uint64_t number) {
    hash_ = (hash_ ^ number) * 0x9E3779B97F4A7C15ULL;
    hash_ ^= hash_ >> 29;
  }
  void print(std::uint32_t who, std::string_view what, const std::string& text) const;

  const Scheduler& scheduler_;
  const bool printed_;
  std::uint64_t hash_ = 1;
};

}  // namespace assent::simulation
