// What stands in for the operating system of a simulated process: its clock, its randomness, its
// event loop. Production code that runs here (participant/postgres) asks runtime/process.h,
// runtime/timer.h and runtime/logging.h for them; process.cc answers for whichever process is
// being run.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/scheduler.h"

namespace assent::simulation::system {

// What the operating system closes when a process ends, whoever still holds it.
class Descriptor {
 public:
  virtual ~Descriptor() = default;
  // The loop is gone after this.
  virtual void process_ended() = 0;
};

// The event loop of one life of a process. Destroyed with all that waits on it.
class Loop : public boost::asio::io_context {
 public:
  // Runs an act in the process later, unless its life is over by then.
  using Later = std::function<void(Micros, std::function<void()>)>;

  explicit Loop(Later later) : later_(std::move(later)) {}
  ~Loop() {
    for (const auto& weak : descriptors_) {
      if (const auto open = weak.lock()) open->process_ended();
    }
  }

  void keep_account(std::weak_ptr<Descriptor> descriptor) {
    if (descriptors_.size() > 100)
      std::erase_if(descriptors_, [](const auto& one) { return one.expired(); });
    descriptors_.push_back(std::move(descriptor));
  }

  // The loop keeps the act itself: the handlers of coroutines in it must not outlive the loop.
  void after(Micros delay, std::function<void()> act) {
    const std::uint64_t number = ++number_;
    acts_.emplace(number, std::move(act));
    later_(delay, [this, number] {
      const auto found = acts_.find(number);
      const std::function<void()> due = std::move(found->second);
      acts_.erase(found);
      due();
    });
  }
  // Runs all that is ready.
  void run_ready() {
    restart();
    poll();
  }

 private:
  const Later later_;
  std::vector<std::weak_ptr<Descriptor>> descriptors_;
  std::uint64_t number_ = 0;
  std::unordered_map<std::uint64_t, std::function<void()>> acts_;  // that are not due yet
};

// While it lives, production code is told this time, and draws from these dice.
class Running {
 public:
  Running(MonoTime now, Dice& dice);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  MonoTime now() const { return now_; }
  Dice& dice() const { return dice_; }

 private:
  const MonoTime now_;
  Dice& dice_;
  Running* const outer_;
};

}  // namespace assent::simulation::system
