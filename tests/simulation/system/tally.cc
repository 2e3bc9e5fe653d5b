#include "tests/simulation/system/tally.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/gid.h"

namespace assent::simulation::system {
namespace {

constexpr double kStepsPerOctave = 4;

}  // namespace

void count(Durations& durations, Micros duration) {
  const double milliseconds = static_cast<double>(duration) / static_cast<double>(kMillisecond);
  const auto step = static_cast<std::size_t>(kStepsPerOctave * std::log2(milliseconds + 1));
  ++durations[std::min(step, kDurationSteps - 1)];
}

Micros median(const Durations& durations) {
  const std::uint64_t total = std::accumulate(durations.begin(), durations.end(), std::uint64_t{0});
  std::uint64_t below = 0;
  for (std::size_t step = 0; step < kDurationSteps; ++step) {
    below += durations[step];
    if (total == 0 || 2 * below < total) continue;
    const double bound = std::exp2(static_cast<double>(step + 1) / kStepsPerOctave) - 1;
    return static_cast<Micros>(bound * static_cast<double>(kMillisecond));
  }
  return 0;
}

void Tally::happened(const model::GidEvent& event, Micros now) {
  if (!parse_gid(event.gid)) return;  // a stranger's
  using Kind = model::GidEvent::Kind;
  ++events_[static_cast<std::size_t>(event.kind)];
  if (event.kind == Kind::kPrepared || event.kind == Kind::kReappeared) {
    prepared_.insert(event.gid);
    return;
  }
  prepared_.erase(event.gid);
  if (in_doubt_.erase(event.gid) == 0) return;
  count(durations_, now - healed_at_);
  longest_ = std::max(longest_, now - healed_at_);
}

void Tally::healed(Micros now) {
  healed_at_ = now;
  in_doubt_ = prepared_;
}

void Tally::write(SystemFigures& out) const {
  out.gid_events = events_;
  out.in_doubt = durations_;
  out.in_doubt_max = longest_;
}

}  // namespace assent::simulation::system
