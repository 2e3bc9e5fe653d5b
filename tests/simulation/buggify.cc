#include "tests/simulation/buggify.h"

#include "base/check.h"

namespace assent {
namespace simulation {
namespace {

constexpr std::uint64_t kHitPermille = 100;

Buggify*& active() {
  static Buggify* one = nullptr;
  return one;
}

}  // namespace

std::string_view name(Point point) {
  switch (point) {
    case Point::kForgetLate:
      return "forget-late";
    case Point::kInventoryTwice:
      return "inventory-twice";
    case Point::kOrphansLater:
      return "orphans-later";
    case Point::kOverloaded:
      return "overloaded";
    case Point::kForgetBranchesEarly:
      return "forget-branches-early";
    case Point::kPauseBeforeFinish:
      return "pause-before-finish";
    case Point::kDropBeforeGrant:
      return "drop-before-grant";
    case Point::kPauseBeforeSettle:
      return "pause-before-settle";
    case Point::kLateBarrier:
      return "late-barrier";
    case Point::kLateGreeting:
      return "late-greeting";
    case Point::kLandmarkSoon:
      return "landmark-soon";
    case Point::kLateClaim:
      return "late-claim";
    case Point::kBatchOfOne:
      return "batch-of-one";
    case Point::kChunkOfOne:
      return "chunk-of-one";
  }
  return "?";
}

Buggify::Buggify(std::uint64_t seed) : dice_(seed, 903) {
  CHECK(active() == nullptr, "one run at a time");
  active() = this;
  const bool none = dice_.percent(25);
  for (bool& one : on_) one = dice_.percent(50) && !none;
}

Buggify::~Buggify() {
  active() = nullptr;
}

bool Buggify::hit(Point point) {
  const auto index = static_cast<std::size_t>(point);
  if (!on_[index] || !dice_.permille(kHitPermille)) return false;
  ++hits_[index];
  return true;
}

}  // namespace simulation

bool buggify(Point point) {
  simulation::Buggify* const run = simulation::active();
  return run != nullptr && run->hit(point);
}

}  // namespace assent
