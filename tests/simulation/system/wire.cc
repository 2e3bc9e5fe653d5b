#include "tests/simulation/system/wire.h"

namespace assent::simulation::system {

void Wire::repeat(Place from, Place to, std::function<void()> arrive) {
  ++counts_.doubled;
  this->arrive(from, to, dice_.skewed(weather_.delay_max, 3 * kSecond), std::move(arrive));
}

void Wire::fly(Place from, Place to, std::function<void()> arrive) {
  ++counts_.sent;
  if (dice_.permille(weather_.lost)) {
    ++counts_.lost;
    return;
  }
  const bool late = dice_.permille(weather_.late);
  if (late) ++counts_.late;
  this->arrive(from, to, late ? dice_.between(1, 9) * kSecond : delay(), std::move(arrive));
}

void Wire::arrive(Place from, Place to, Micros delay, std::function<void()> arrive) {
  scheduler_.after(delay, [this, from, to, arrive = std::move(arrive)] {
    if (is_cut(from, to)) {
      ++counts_.cut;
      return;
    }
    arrive();
  });
}

}  // namespace assent::simulation::system
