#include "tests/simulation/scheduler.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace assent::simulation {

bool Scheduler::later(const Event& a, const Event& b) {
  return std::tie(a.when, a.number) > std::tie(b.when, b.number);
}

void Scheduler::at(Micros when, std::function<void()> act) {
  std::size_t place = acts_.size();
  if (free_.empty()) {
    acts_.push_back(std::move(act));
  } else {
    place = free_.back();
    free_.pop_back();
    acts_[place] = std::move(act);
  }
  heap_.push_back({std::max(when, now_), ++number_, place});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

void Scheduler::run_until(Micros until) {
  while (!heap_.empty() && heap_.front().when <= until) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Event event = heap_.back();
    heap_.pop_back();
    now_ = event.when;
    ++steps_;
    const std::function<void()> act = std::exchange(acts_[event.act], nullptr);
    free_.push_back(event.act);
    act();
  }
  now_ = std::max(now_, until);
}

}  // namespace assent::simulation
