#include "tests/simulation/setting.h"

#include <algorithm>
#include <set>

#include "tests/simulation/dice.h"
#include "tests/simulation/operators.h"

namespace assent::simulation {
namespace {

constexpr std::uint64_t kVersionsStream = 9;

// Mostly as in production, sometimes so small that the bound is met.
template <class T>
void choose(Dice& dice, T& option, T small) {
  if (dice.percent(30)) option = small;
}

void choose_bounds(Dice& dice, replica::Options& options) {
  paxos::Options& paxos = options.paxos;
  choose(dice, paxos.open_slots_max, std::size_t{2});
  choose(dice, paxos.accept_bytes_max, std::size_t{700});
  choose(dice, paxos.messages_in_flight_max, std::size_t{2});
  choose(dice, paxos.recent_bytes_max, std::size_t{1'000});
  choose(dice, paxos.waiting_messages_max, std::size_t{24});
  choose(dice, paxos.reads_waiting_max, std::size_t{3});
  choose(dice, paxos.lag_max, std::uint64_t{8});
  choose(dice, options.entry_commands_max, std::size_t{2});
  choose(dice, options.commands_waiting_max, std::size_t{6});
  options.state.retention = dice.percent(50) ? Millis(4'000) : Millis(600'000);
  choose(dice, options.state.forgotten_max, std::size_t{40});
  if (options.state.forgotten_max == 40) options.state.retention_min = Millis(1'500);
}

Weather choose_weather(Dice& dice) {
  Weather weather;
  if (dice.percent(30)) return weather;
  weather.lost = dice.below(30);
  weather.doubled = dice.below(30);
  weather.late = dice.below(10);
  weather.delay_max = dice.skewed(1 * kMillisecond, 30 * kMillisecond);
  return weather;
}

const std::set<Fault> kChosenApart = {Fault::kRot, Fault::kWipe, Fault::kRepairedRestart,
                                      Fault::kOtherVersion};

// Each run has some kinds only: what happens often together is seldom what happens alone.
std::vector<Fault> choose_faults(Dice& dice, std::uint32_t replicas) {
  constexpr auto kFirst = static_cast<std::size_t>(Fault::kPause);
  constexpr auto kLast = static_cast<std::size_t>(Fault::kSlowNetwork);
  std::vector<Fault> out{Fault::kCrash};
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (kChosenApart.contains(fault)) continue;
    const bool of_peers = kFirst < i && i <= kLast;
    if (replicas == 1 && of_peers) continue;
    if (dice.percent(55)) out.push_back(fault);
  }
  return out;
}

std::uint32_t choose_replicas(Dice& dice) {
  const std::uint64_t roll = dice.below(100);
  if (roll < 6) return 1;
  return roll < 60 ? 3 : 5;
}

// In half of the runs the group changes.
std::uint32_t choose_spares(Dice& dice, std::uint32_t replicas) {
  if (dice.percent(50)) return 0;
  return static_cast<std::uint32_t>(dice.between(1, kReplicasMax - replicas));
}

Healing choose_healing(Dice& dice, std::uint32_t replicas) {
  const std::uint64_t roll = dice.below(100);
  if (replicas == 1 || roll < 20) return Healing::kWhole;
  if (roll < 25) return Healing::kMinorityDown;
  if (roll < 70) return Healing::kPartial;
  if (roll < 80) return Healing::kLeaderCutOff;
  return roll < 90 ? Healing::kLeaderStalls : Healing::kLeaderFull;
}

// Of records between two snapshots: so few that one who is away for a second needs one, some, or
// more than a run has.
std::uint64_t choose_log_bytes(Dice& dice) {
  const std::uint64_t roll = dice.below(100);
  if (roll < 25) return static_cast<std::uint64_t>(dice.between(2'000, 6'000));
  return roll < 65 ? static_cast<std::uint64_t>(dice.between(5'000, 60'000)) : 1'000'000'000;
}

}  // namespace

std::size_t Setting::members_at_least() const {
  const auto loses_records = [](Fault one) { return one == Fault::kRot || one == Fault::kWipe; };
  return std::any_of(faults.begin(), faults.end(), loses_records) ? 3 : 1;
}

bool Setting::mixes_versions() const {
  return std::find(faults.begin(), faults.end(), Fault::kOtherVersion) != faults.end();
}

Setting setting_of(std::uint64_t seed) {
  Dice dice(seed, 1);
  const std::uint32_t replicas = choose_replicas(dice);
  std::vector<ReplicaId> members;
  for (std::uint32_t id = 1; id <= replicas; ++id) members.emplace_back(id);
  Setting out{
      .seed = seed,
      .replicas = replicas,
      .options = {.paxos = {.self = members[0], .group = paxos::Group(members)}, .state = {}}};
  choose_bounds(dice, out.options);
  out.clients = static_cast<std::uint32_t>(dice.between(4, 10));
  out.think_max = dice.between(200, 700) * kMillisecond;
  out.burst_percent = dice.percent(60) ? dice.below(20) : 0;
  out.turn_max = dice.percent(50) ? kMillisecond : 20;
  out.weather = choose_weather(dice);
  out.faults = choose_faults(dice, replicas);
  out.fault_gap_max = dice.between(300, 1'500) * kMillisecond;
  out.wall_offset_max = dice.percent(50) ? Millis(200) : Millis(3'600'000);
  out.healing = choose_healing(dice, replicas);
  out.snapshot_log_bytes = choose_log_bytes(dice);
  out.snapshot_chunk_records = dice.percent(50) ? 3 : 50;
  out.snapshot_part_bytes = dice.percent(50) ? 2'000 : 100'000;
  out.spares = choose_spares(dice, replicas);
  // Not in every group that changes: where records rot, a group never shrinks below
  // members_at_least().
  if (replicas > 1 && (out.spares == 0 || dice.percent(50))) out.faults.push_back(Fault::kRot);
  if (replicas > 1 && out.spares > 0 && dice.percent(50)) out.faults.push_back(Fault::kWipe);
  if (Dice(seed, kVersionsStream).percent(15)) {
    for (int weight = 0; weight < 3; ++weight) out.faults.push_back(Fault::kOtherVersion);
  }
  for (const ReplicaId member : members) out.options.founders.push_back(member_of(member));
  return out;
}

}  // namespace assent::simulation
