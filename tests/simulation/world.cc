#include "tests/simulation/world.h"

#include <algorithm>

namespace assent::simulation {
namespace {

// A run goes on until it has both, and for no longer than the last.
constexpr std::uint64_t kCommandsMin = 500;
constexpr std::uint64_t kFaultsMin = 20;
constexpr Micros kFaultsTimeMin = 10 * kSecond;
constexpr Micros kFaultsTimeMax = 90 * kSecond;

// How long after the healing what must happen.
constexpr Micros kLeaderWithin = 3 * kSecond;
constexpr Micros kGivesWayWithin = 3 * kSecond;
constexpr Micros kProgressWithin = 3 * kSecond;
constexpr Micros kCaughtUpWithin = 3 * kSecond;
constexpr Micros kAnsweredWithin = 3 * kSecond;
constexpr Micros kChangesEndWithin = 30 * kSecond;
// Offices may be lost for so long after a leader serves, and then no more.
constexpr Micros kCalmAfter = kSecond;
constexpr Micros kStableFor = 2 * kSecond;

constexpr Micros kPoll = 10 * kMillisecond;

}  // namespace

Run run_seed(std::uint64_t seed, const TraceSink& sink) {
  World world(seed, sink);
  std::optional<Violation> violation;
  try {
    world.run();
  } catch (const Violation& thrown) {
    violation = thrown;
  }
  return {world.figures(), violation};
}

World::World(std::uint64_t seed, const TraceSink& sink)
    : setting_(setting_of(seed)),
      trace_(scheduler_, sink),
      group_(
          scheduler_, trace_, setting_,
          [this](std::uint64_t operation, const Answer& answer) {
            clients_.answered(operation, answer);
          },
          [](ReplicaId, const replica::OfficeChange*) {}),
      clients_(scheduler_, setting_, operators_, [this](ReplicaId to, const Request& request) {
        hosts_[to.value - 1]->ask(request);
      }) {}

void World::run() {
  group_.boot();
  clients_.start();
  faults_.start();
  operators_.start();
  break_things();
  let_changes_end();
  const Healing healing = faults_.somebody_recovers() ? Healing::kWhole : setting_.healing;
  demand_life(healing);
  demand_succession(healing);
  if (healing != Healing::kWhole) demand_life(Healing::kWhole);
  settle();
  check_end();
}

void World::break_things() {
  trace_.event(0, "safety");
  const auto enough = [&] {
    return ledger_.commands() >= kCommandsMin && faults_.total() >= kFaultsMin;
  };
  while (scheduler_.now() < kFaultsTimeMin || (!enough() && scheduler_.now() < kFaultsTimeMax)) {
    scheduler_.run_until(scheduler_.now() + 100 * kMillisecond);
  }
  if (enough()) return;
  violated(Checker::kTame, std::to_string(ledger_.commands()) + " commands and " +
                               std::to_string(faults_.total()) + " faults");
}

// What is whole in the end is chosen among the members, so they must not change any more:
// everything is mended, and clients go on until what was on its way is chosen or has lost its slot.
void World::let_changes_end() {
  if (setting_.spares == 0) return;
  trace_.event(0, "lets changes end");
  operators_.only_replace();
  faults_.heal();
  await(Checker::kProgressAfterHeal, kChangesEndWithin,
        "a replica that lost its disk is not removed", [&] { return !operators_.lost_one(); });
  operators_.stop();
  clients_.give_changes_up();
  const Slot begun = ledger_.executed();
  await(Checker::kProgressAfterHeal, kChangesEndWithin, "changes of the group do not end", [&] {
    return begun.value + 3 * kGroupDistance < ledger_.executed().value &&
           ledger_.state().membership().governs_from() <= ledger_.executed();
  });
}

// Two cannot do without one.
bool World::can_spare_one() const {
  return ledger_.electorates().members_of_next().size() > 2;
}

void World::demand_life(Healing healing) {
  trace_.event(0, "heals", static_cast<std::uint64_t>(healing));
  faults_.heal_but(healing);
  clients_.calm();
  const Micros healed = scheduler_.now();
  leader_after_heal_ =
      std::max(leader_after_heal_, await(Checker::kLeaderAfterHeal, kLeaderWithin, "nobody serves",
                                         [&] { return somebody_serves(); }));
  await_progress(healed);
  expect_stable_leader();
}

void World::await_progress(Micros begun) {
  await(Checker::kProgressAfterHeal, kProgressWithin, "nothing is answered",
        [&] { return clients_.answered_since(begun) > 0; });
  progress_after_heal_ = std::max(progress_after_heal_, scheduler_.now() - begun);
}

// Check-quorum and the watch over the own disk at work: who cannot lead does not stand in the way.
void World::demand_succession(Healing wound) {
  const bool wounds = wound == Healing::kLeaderCutOff || wound == Healing::kLeaderStalls ||
                      wound == Healing::kLeaderFull;
  if (!wounds || !can_spare_one()) return;
  trace_.event(0, "wounds", static_cast<std::uint64_t>(wound));
  const Host& wounded = faults_.wound_leader(wound);
  await(Checker::kLeaderGivesWay, kGivesWayWithin, "a leader that cannot lead holds on",
        [&] { return !wounded.serving() && somebody_serves(); });
  await_progress(scheduler_.now());
  expect_stable_leader();
}

// Pre-vote and check-quorum at work: who cannot do better disturbs nobody who can. Only an order of
// the leader itself may still move the office, one of before the healing that comes late: then the
// watch begins anew.
void World::expect_stable_leader() {
  std::uint64_t orders = 0;
  do {
    orders = sum(&Host::orders_heard);
    scheduler_.run_until(scheduler_.now() + kCalmAfter);
    const std::uint64_t lost = sum(&Host::offices_lost);
    scheduler_.run_until(scheduler_.now() + kStableFor);
    if (sum(&Host::offices_lost) == lost && somebody_serves()) return;
  } while (sum(&Host::orders_heard) != orders);
  violated(Checker::kStableLeader, "an office was lost though a quorum hears each other");
}

void World::settle() {
  clients_.stop();
  await(Checker::kAnsweredAfterHeal, kAnsweredWithin, "a client waits",
        [&] { return clients_.outstanding() == 0; });
  await(Checker::kCaughtUpAfterHeal, kCaughtUpWithin, "a replica is behind",
        [&] { return all_caught_up(); });
}

template <class Condition>
Micros World::await(Checker checker, Micros patience, const char* what, Condition condition) {
  const Micros begun = scheduler_.now();
  while (!condition()) {
    if (scheduler_.now() - begun >= patience) {
      violated(checker, std::string(what) + " for " + std::to_string(patience / kMillisecond) +
                            " ms after the healing");
    }
    scheduler_.run_until(scheduler_.now() + kPoll);
  }
  return scheduler_.now() - begun;
}

bool World::somebody_serves() const {
  return std::any_of(hosts_.begin(), hosts_.end(),
                     [](const auto& host) { return host->serving(); });
}

bool World::all_caught_up() const {
  const auto group = operators_.replicas();
  return std::all_of(group.begin(), group.end(), [&](ReplicaId id) {
    return host(id).up() && host(id).core().state().executed() == ledger_.executed();
  });
}

std::uint64_t World::sum(std::uint64_t (Host::*of)() const) const {
  std::uint64_t out = 0;
  for (const auto& host : hosts_) out += (*host.*of)();
  return out;
}

void World::check_end() const {
  for (const ReplicaId id : operators_.replicas()) {
    host(id).core().state().check_invariants();
    ledger_.compare(id, host(id).core().state(), true);
    history_.check_kept(id, host(id).core().state());
  }
}

Figures World::figures() const {
  Figures out;
  out.seed = setting_.seed;
  out.time = scheduler_.now();
  out.commands = ledger_.commands();
  out.slots = ledger_.executed().value;
  out.repeated = ledger_.repeated();
  out.acknowledged = history_.acknowledgements();
  out.reads = history_.reads();
  out.snapshots_written = sum(&Host::snapshots_written);
  out.snapshots_installed = sum(&Host::snapshots_installed);
  out.changes = ledger_.electorates().changes();
  out.refused = static_cast<std::uint64_t>(std::count_if(
      hosts_.begin(), hosts_.end(), [](const auto& host) { return host->refused(); }));
  out.fault_total = faults_.total();
  out.faults = faults_.counts();
  out.network = network_.counts();
  out.leader_after_heal = leader_after_heal_;
  out.progress_after_heal = progress_after_heal_;
  out.trace_hash = trace_.hash();
  return out;
}

}  // namespace assent::simulation
