#include "tests/simulation/system/setting.h"

#include <algorithm>

#include "tests/simulation/dice.h"
#include "tests/simulation/system/plan.h"

namespace assent::simulation::system {
namespace {

// In so many of the runs, clocks of replicas and clients are wrong and jump.
constexpr std::uint64_t kWrongClocksPercent = 20;

// The group's world as its own simulation makes it, with the bounds that the office counts on.
Setting group_setting(std::uint64_t seed, bool wrong_clocks) {
  Setting out = setting_of(seed);
  const replica::Options usual{.paxos = {.self = ReplicaId(1), .group = paxos::Group()},
                               .state = {}};
  out.options.commands_waiting_max = usual.commands_waiting_max;
  out.options.paxos.reads_waiting_max = usual.paxos.reads_waiting_max;
  out.options.paxos.accept_bytes_max =
      std::max<std::size_t>(out.options.paxos.accept_bytes_max, 4'000);
  out.healing = Healing::kWhole;
  out.fault_gap_max *= 3;
  if (!wrong_clocks) {
    out.wall_offset_max = std::min(out.wall_offset_max, Millis(200));
    std::erase(out.faults, Fault::kClockJump);
  }
  std::erase(out.faults, Fault::kOtherVersion);
  return out;
}

model::Options database_options(Dice& dice, std::uint64_t number) {
  model::Options out;
  out.system_identifier = 7'000'000'000'000'000'001ULL + number;
  out.database = "bank";
  out.max_prepared_transactions = dice.percent(20) ? 4 : 64;
  out.synchronous_standby = dice.percent(40);
  for (std::int64_t account = 1; account <= kAccounts; ++account) out.balances[account] = kBalance;
  return out;
}

std::vector<Trouble> choose_troubles(Dice& dice) {
  std::vector<Trouble> out{Trouble::kAgentCrash, Trouble::kServerCrash};
  for (std::size_t i = 0; i < kLosslessTroubleKinds; ++i) {
    if (dice.percent(55)) out.push_back(static_cast<Trouble>(i));
  }
  return out;
}

// In the runs of these seeds databases lose what they had acknowledged. Of their own, for as long
// as some of them fail.
constexpr std::uint64_t kLossyFrom = 10'001;
constexpr std::uint64_t kLossyTo = 20'000;

void add_losses(std::uint64_t seed, std::vector<Trouble>& troubles) {
  if (seed < kLossyFrom || kLossyTo < seed) return;
  Dice dice(seed, 906);
  if (dice.percent(70)) troubles.push_back(Trouble::kLaggingPromotion);
  if (dice.percent(60)) troubles.push_back(Trouble::kRestore);
}

// In the runs of these seeds the coordinator is lost, and restored from a backup. Everything else
// is as usual, but that its group stays what it is.
constexpr std::uint64_t kRestoredFrom = 20'001;
constexpr std::uint64_t kRestoredTo = 30'000;

void add_restore(std::uint64_t seed, SystemSetting& out) {
  if (seed < kRestoredFrom || kRestoredTo < seed) return;
  Dice dice(seed, 909);
  out.backed_up_at = dice.between(3'000, 9'000) * kMillisecond;
  out.restored_after = dice.skewed(50 * kMillisecond, 6 * kSecond);
  out.relentless = false;
  out.group.spares = 0;
  std::erase(out.group.faults, Fault::kWipe);
}

void add_clones(std::uint64_t seed, std::vector<Trouble>& troubles) {
  if (Dice(seed, 908).percent(20)) troubles.push_back(Trouble::kClone);
}

Weather choose_weather(Dice& dice) {
  Weather out;
  if (dice.percent(30)) return out;
  out.lost = dice.below(20);
  out.doubled = dice.below(30);
  out.late = dice.below(10);
  out.delay_max = dice.skewed(kMillisecond, 20 * kMillisecond);
  return out;
}

}  // namespace

SystemSetting system_setting_of(std::uint64_t seed) {
  Dice dice(seed, 900);
  Dice clocks(seed, 907);
  const bool wrong_clocks = clocks.percent(kWrongClocksPercent);
  SystemSetting out{
      .group = group_setting(seed, wrong_clocks), .participants = {}, .databases = {}};
  if (wrong_clocks) out.client_clock_max = Millis(clocks.between(1'000, 200'000));
  const std::uint64_t count = 2 + dice.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    out.participants.push_back("db" + std::to_string(i + 1));
    out.databases.push_back(database_options(dice, i));
  }
  out.clients = static_cast<std::uint32_t>(dice.between(4, 10));
  out.think_max = dice.between(20, 300) * kMillisecond;
  out.weather = choose_weather(dice);
  out.troubles = choose_troubles(dice);
  add_losses(seed, out.troubles);
  add_clones(seed, out.troubles);
  out.relentless = dice.percent(5);
  out.trouble_gap_max = dice.between(400, 2'000) * kMillisecond;
  add_restore(seed, out);
  return out;
}

}  // namespace assent::simulation::system
