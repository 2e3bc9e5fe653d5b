// What a replica's process does when its program is older than what it meets (docs/log-format.md,
// "Versions"). The rules are coordinator/server's: a message that brings an unknown entry is
// dropped (paxos_wire), an unknown entry that is chosen in the own log ends the process (GroupLog),
// and so does an unknown snapshot at the start.
#include <algorithm>
#include <variant>

#include "base/overloaded.h"
#include "tests/simulation/host.h"

namespace assent::simulation {
namespace {

// Until somebody runs the version that can read it.
constexpr Micros kUpgradedWithin = 3 * kSecond;

bool can_read(const paxos::Value& value, const state::Formats& formats) {
  return paxos::is_noop(value) || state::decode_entry(*value, formats.entry).has_value();
}

}  // namespace

bool Host::can_read(const paxos::Message& message) const {
  if (formats_ == state::Formats()) return true;
  const auto readable = [&](const paxos::Value& value) {
    return simulation::can_read(value, formats_);
  };
  return std::visit(
      Overloaded{
          [&](const paxos::Accept& accept) { return std::ranges::all_of(accept.values, readable); },
          [&](const paxos::Promise& promise) {
            return std::ranges::all_of(
                promise.accepted, [&](const auto& one) { return readable(one.accepted.value); });
          },
          [](const auto&) { return true; },
      },
      message);
}

void Host::end_unreadable() {
  ++unreadable_;
  around_.trace.event(id_.value, "cannot read what a newer version wrote", life_);
  crash();
  around_.scheduler.after(dice_.skewed(10 * kMillisecond, kUpgradedWithin), [this] {
    if (runs()) return;
    run_version({});
    boot();
  });
}

}  // namespace assent::simulation
