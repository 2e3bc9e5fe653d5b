// A replica's clocks: each drifts, the wall clock is off and jumps, the monotonic clock of a life
// begins anywhere.
#pragma once

#include "base/time.h"
#include "coordinator/replica/core.h"
#include "tests/simulation/scheduler.h"

namespace assent::simulation {

// Of the true wall clock when a run begins, in Unix milliseconds.
inline constexpr std::int64_t kEpoch = 1'700'000'000'000;
// Clocks drift by at most this, in millionths.
inline constexpr std::int64_t kDriftMax = 2'000;

class Clock {
 public:
  Clock(std::int64_t drift_ppm, Millis wall_offset)
      : drift_ppm_(drift_ppm), wall_offset_(wall_offset) {}

  // A new life begins: its monotonic clock shows `mono`.
  void boot(Micros now, MonoTime mono) {
    booted_ = now;
    mono_ = mono;
  }
  void jump(Millis by) { wall_offset_ = wall_offset_ + by; }

  [[nodiscard]] replica::Now read(Micros now) const {
    return {mono_ + Millis(drifted(now - booted_) / kMillisecond),
            LogTime(kEpoch + drifted(now) / kMillisecond) + wall_offset_};
  }
  // The first point of simulated time at which the monotonic clock shows this.
  [[nodiscard]] Micros when(MonoTime mono) const {
    const Micros elapsed = (mono - mono_).value * kMillisecond;
    return booted_ + elapsed - elapsed * drift_ppm_ / (kSecond + drift_ppm_) + 2;
  }

 private:
  [[nodiscard]] Micros drifted(Micros elapsed) const {
    return elapsed + elapsed * drift_ppm_ / kSecond;
  }

  const std::int64_t drift_ppm_;
  Millis wall_offset_;
  Micros booted_ = 0;
  MonoTime mono_;
};

}  // namespace assent::simulation
