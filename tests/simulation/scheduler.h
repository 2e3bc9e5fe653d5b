// Simulated time, and what is to happen when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace assent::simulation {

// Simulated time: a duration, or a point since the run began.
using Micros = std::int64_t;
inline constexpr Micros kMillisecond = 1'000;
inline constexpr Micros kSecond = 1'000'000;

class Scheduler {
 public:
  [[nodiscard]] Micros now() const { return now_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

  // What is due at the same time happens in the order in which it was asked for.
  void at(Micros when, std::function<void()> act);
  void after(Micros delay, std::function<void()> act) { at(now_ + delay, std::move(act)); }

  // Lets happen what is due until then.
  void run_until(Micros until);

 private:
  struct Event {
    Micros when;
    std::uint64_t number;
    std::size_t act;  // its place in acts_
  };
  // A heap with the first event in front.
  static bool later(const Event& a, const Event& b);

  Micros now_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<Event> heap_;
  std::vector<std::function<void()>> acts_;
  std::vector<std::size_t> free_;  // places in acts_ that hold none
};

}  // namespace assent::simulation
