// How long to pause between the tries of one request.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace assent::client {

inline constexpr Millis kPauseFirst{5};
inline constexpr Millis kPauseMax{200};         // a restarted process is found again within this
inline constexpr Millis kElectionPauseMax{50};  // so is a new leader, which others wait for as well

// Pauses that double, each shortened at random by up to a half so that many clients of one lost
// process do not return to it at the same moment.
class Backoff {
 public:
  explicit Backoff(Millis longest = kPauseMax) : longest_(longest) {}

  // `random` is any number; only its spread matters.
  Millis next(std::uint64_t random) {
    const std::int64_t whole = pause_.value;
    pause_ = Millis(std::min(whole * 2, longest_.value));
    const auto half = static_cast<std::uint64_t>(whole / 2);
    return Millis(whole - static_cast<std::int64_t>(random % (half + 1)));
  }

 private:
  Millis longest_;
  Millis pause_ = kPauseFirst;
};

}  // namespace assent::client
