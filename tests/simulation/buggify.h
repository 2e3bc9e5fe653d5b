// The points of base/buggify.h in one run.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/buggify.h"
#include "tests/simulation/dice.h"

namespace assent::simulation {

std::string_view name(Point point);

// While it lives, and until it is stopped, points are on: about half of them, as the seed says, and
// none in every fourth run. One at a time.
class Buggify {
 public:
  using Hits = std::array<std::uint64_t, kPoints>;

  explicit Buggify(std::uint64_t seed);
  ~Buggify();
  Buggify(const Buggify&) = delete;
  Buggify& operator=(const Buggify&) = delete;

  // Nothing unusual happens any more.
  void stop() { on_ = {}; }

  bool hit(Point point);
  [[nodiscard]] const Hits& hits() const { return hits_; }

 private:
  Dice dice_;
  std::array<bool, kPoints> on_{};
  Hits hits_{};
};

}  // namespace assent::simulation
