// Requests and their answers between processes: clients, agents and coordinators. They are lost,
// repeated, late and overtaken; who asks hears one answer, or that none came.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/network.h"
#include "tests/simulation/scheduler.h"

namespace assent::simulation::system {

// A process on the network.
using Place = std::uint32_t;

template <class T>
using Done = std::function<void(Result<T>)>;

class Wire {
 public:
  // `scheduler` outlives this.
  Wire(Scheduler& scheduler, Dice dice) : scheduler_(scheduler), dice_(dice) {}

  void set_weather(const Weather& weather) { weather_ = weather; }
  // Between two processes, in both directions. Cuts add up.
  void cut(Place a, Place b) { ++cuts_[key(a, b)]; }
  void mend(Place a, Place b) { --cuts_[key(a, b)]; }

  // How often a request may arrive. Repeats come from whoever asks again, not from a connection:
  // one copy of a commit that is promised to be the first is one copy (R9).
  enum class Copies { kOneAtMost, kAny };

  // Asks `to`, whose process runs (`listens`) or not. `at` is called there, once, twice or never,
  // with where its answer goes. `done` is called once: with kUnavailable without a participant when
  // the request certainly never left, with kOutcomeUnknown when no answer came within `patience`.
  template <class T>
  void ask(Place from, Place to, bool listens, Micros patience, std::function<void(Done<T>)> at,
           Done<T> done, Copies copies = Copies::kAny) {
    struct Call {
      Done<T> done;
      void end(Result<T> result) {
        if (auto once = std::exchange(done, nullptr)) once(std::move(result));
      }
    };
    const auto call = std::make_shared<Call>(Call{std::move(done)});
    if ((!listens || is_cut(from, to)) && dice_.percent(50)) {
      return scheduler_.after(delay(), [call] {
        call->end(failure(ErrorCode::kUnavailable, "the connection was refused"));
      });
    }
    scheduler_.after(patience, [call] {
      call->end(failure(ErrorCode::kOutcomeUnknown, "no answer came in time"));
    });
    // A repeat comes over another connection: its answer reaches nobody. That the answer to one
    // copy says nothing was begun would be no news of the other.
    if (copies == Copies::kAny && doubled())
      repeat(from, to, [at] { at([](const Result<T>&) {}); });
    fly(from, to, [this, from, to, at = std::move(at), call] {
      at([this, from, to, call](Result<T> result) {
        fly(to, from, [call, result = std::move(result)] { call->end(result); });
      });
    });
  }

  [[nodiscard]] const NetworkCounts& counts() const { return counts_; }

 private:
  using Pair = std::pair<Place, Place>;

  static Pair key(Place a, Place b) { return a < b ? Pair(a, b) : Pair(b, a); }
  [[nodiscard]] bool is_cut(Place a, Place b) const {
    const auto found = cuts_.find(key(a, b));
    return found != cuts_.end() && found->second > 0;
  }
  Micros delay() { return dice_.skewed(weather_.delay_min, weather_.delay_max); }
  [[nodiscard]] bool doubled() { return dice_.permille(weather_.doubled); }
  void repeat(Place from, Place to, std::function<void()> arrive);
  void fly(Place from, Place to, std::function<void()> arrive);
  void arrive(Place from, Place to, Micros delay, std::function<void()> arrive);

  Scheduler& scheduler_;
  Dice dice_;
  Weather weather_;
  NetworkCounts counts_;
  std::map<Pair, int> cuts_;
};

}  // namespace assent::simulation::system
