#include "tests/simulation/faults.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace assent::simulation {

std::string_view name(Fault fault) {
  switch (fault) {
    case Fault::kCrash:
      return "crash";
    case Fault::kCrashLeader:
      return "crash-leader";
    case Fault::kCrashCandidate:
      return "crash-candidate";
    case Fault::kPowerCut:
      return "power-cut";
    case Fault::kAbsence:
      return "absence";
    case Fault::kPause:
      return "pause";
    case Fault::kHalves:
      return "halves";
    case Fault::kLeaderCutOff:
      return "leader-cut-off";
    case Fault::kOneWay:
      return "one-way";
    case Fault::kBridge:
      return "bridge";
    case Fault::kChain:
      return "chain";
    case Fault::kReset:
      return "reset";
    case Fault::kLossy:
      return "lossy";
    case Fault::kSlowNetwork:
      return "slow-network";
    case Fault::kSlowDisk:
      return "slow-disk";
    case Fault::kStalledDisk:
      return "stalled-disk";
    case Fault::kClockJump:
      return "clock-jump";
    case Fault::kFullDisk:
      return "full-disk";
    case Fault::kRot:
      return "rot";
    case Fault::kWipe:
      return "wipe";
    case Fault::kTransfer:
      return "transfer";
    case Fault::kRepairedRestart:
      return "repaired-restart";
    case Fault::kOtherVersion:
      return "other-version";
  }
  return "?";
}

Faults::Faults(Scheduler& scheduler, Trace& trace, const Setting& setting, Network& network,
               Hosts& hosts, const Operators& operators, const Ledger& ledger)
    : scheduler_(scheduler),
      trace_(trace),
      setting_(setting),
      network_(network),
      hosts_(hosts),
      operators_(operators),
      ledger_(ledger),
      dice_(setting.seed, 3) {}

void Faults::start() {
  network_.set_weather(setting_.weather);
  next();
}

// Rarer as time goes by: a world in which nothing gets done shows little.
void Faults::next() {
  const Micros gap_max = setting_.fault_gap_max * (1 + scheduler_.now() / (20 * kSecond));
  later(dice_.between(20 * kMillisecond, gap_max), [this] {
    strike(dice_.pick(setting_.faults));
    next();
  });
}

// What was to happen during the faults does not happen after them.
void Faults::later(Micros delay, std::function<void()> act) {
  scheduler_.after(delay, [this, act = std::move(act)] {
    if (!calm_) act();
  });
}

void Faults::count(Fault fault) {
  ++counts_[static_cast<std::size_t>(fault)];
  trace_.event(0, name(fault));
}

std::uint64_t Faults::total() const {
  const std::uint64_t all = std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
  return all - counts_[static_cast<std::size_t>(Fault::kTransfer)];
}

void Faults::strike(Fault fault) {
  if (fault == Fault::kCrashCandidate) {
    // Counted when it happens. Somebody has to stand first.
    trap_for_candidates_ = true;
    return crash(leader(), 2 * kSecond);
  }
  if (fault == Fault::kRot) return rot(anyone());
  if (fault == Fault::kWipe) return wipe(anyone());
  count(fault);
  const Micros now = scheduler_.now();
  switch (fault) {
    case Fault::kCrash:
      return crash(anyone(), 2 * kSecond);
    case Fault::kCrashLeader:
      trap_for_leaders_ = dice_.percent(30);
      return crash(leader(), 2 * kSecond);
    case Fault::kCrashCandidate:
    case Fault::kRot:
    case Fault::kWipe:
    case Fault::kRepairedRestart:
      return;
    case Fault::kPowerCut:
      return power_cut();
    case Fault::kAbsence:
      return leave_for_long(anyone());
    case Fault::kPause:
      return (dice_.percent(50) ? leader() : anyone())
          .pause_until(now + dice_.skewed(20 * kMillisecond, 2 * kSecond));
    case Fault::kHalves:
      return part(halves(shuffled()));
    case Fault::kLeaderCutOff:
      return part(cut_off(leader().id().value));
    case Fault::kOneWay:
      return part(one_way(shuffled()));
    case Fault::kBridge:
      return part(bridge(shuffled()));
    case Fault::kChain:
      return part(chain(shuffled()));
    case Fault::kReset:
      return reset_connection();
    case Fault::kLossy:
      return bad_weather({.lost = 50 + dice_.below(350),
                          .doubled = dice_.below(200),
                          .late = dice_.below(100),
                          .delay_max = 20 * kMillisecond});
    case Fault::kSlowNetwork:
      return bad_weather({.lost = dice_.below(20),
                          .late = dice_.below(50),
                          .delay_max = dice_.between(50, 400) * kMillisecond});
    case Fault::kSlowDisk:
      return anyone().disk().slow_until(now + dice_.between(300, 3'000) * kMillisecond);
    case Fault::kStalledDisk:
      return (dice_.percent(60) ? leader() : anyone())
          .disk()
          .stall_until(now + dice_.between(300, 2'500) * kMillisecond);
    case Fault::kFullDisk:
      return fill(dice_.percent(50) ? leader() : anyone());
    case Fault::kClockJump:
      return jump_clock();
    case Fault::kTransfer:
      return leader().hand_over(anyone().id());
    case Fault::kOtherVersion:
      return change_version(anyone());
  }
}

// ── processes ───────────────────────────────────────────────────────────────────────────────────

void Faults::crash(Host& host, Micros down_max) {
  host.crash();
  later(dice_.skewed(2 * kMillisecond, down_max), [&host] { host.boot(); });
}

// It has lost records, and is not whole again; or all of them, and then it counts until it has left
// the group and no quorum of a group that it was in can be needed any more. The budget is one at a
// time: somebody must know what was decided.
bool Faults::others_impaired(const Host& host) const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& other) {
    const bool damaged = !other->switched_off() && other->disk().damaged();
    return other.get() != &host &&
           (damaged || (other->wiped() && !operators_.is_released(other->id())));
  });
}

// Mostly it was up until now, and comes back soon: what others told it is still on its way. Often
// the same one rots again soon: what answered its recovery is still on its way, too.
void Faults::rot(Host& host) {
  if (others_impaired(host) || host.wiped()) return;
  if (host.up()) crash(host, dice_.percent(70) ? 50 * kMillisecond : 2 * kSecond);
  if (!host.disk().rot()) return;
  count(Fault::kRot);
  if (!dice_.percent(40)) return;
  later(dice_.between(100, 2'000) * kMillisecond, [this, &host] { rot(host); });
}

// It starts again from nothing, and is replaced: so only one whose removal leaves enough.
void Faults::wipe(Host& host) {
  if (others_impaired(host) || host.wiped() || !operators_.can_spare(host.id())) return;
  count(Fault::kWipe);
  crash(host, 2 * kSecond);
  host.wipe();
}

// So few records that it stands still soon, or so many that it has time to step aside.
void Faults::fill(Host& host) {
  host.disk().fill(static_cast<std::size_t>(dice_.skewed(0, 100)));
  later(dice_.between(200, 4'000) * kMillisecond, [&host] { host.disk().make_room(); });
}

bool Faults::somebody_recovers() const {
  return std::any_of(hosts_.begin(), hosts_.end(), [](const auto& host) {
    const bool whole = host->up() && !host->core().consensus().recovering();
    return !whole && host->disk().damaged();
  });
}

void Faults::power_cut() {
  for (const auto& host : hosts_) {
    later(dice_.skewed(0, 5 * kMillisecond), [this, &host] { crash(*host, kSecond); });
  }
}

// When it comes back, who could catch it up may leave.
void Faults::leave_for_long(Host& host) {
  host.crash();
  later(dice_.between(1'000, 8'000) * kMillisecond, [this, &host] {
    host.boot();
    if (dice_.percent(50)) crash(leader(), kSecond);
  });
}

// It happens within the next milliseconds, before or after what it said is answered, and the next
// life follows soon: it remembers least when it lost most.
void Faults::moment(ReplicaId replica, Moment moment) {
  if (calm_) return;
  bool& trap = moment == Moment::kAsksPromises ? trap_for_candidates_ : trap_for_leaders_;
  if (!trap || dice_.percent(30)) return;
  trap = false;
  Host& host = *hosts_[replica.value - 1];
  later(dice_.skewed(0, 4 * kMillisecond), [this, &host, moment] {
    count(moment == Moment::kAsksPromises ? Fault::kCrashCandidate : Fault::kCrashLeader);
    crash(host, 100 * kMillisecond);
  });
}

// Upgrades and downgrades, one replica at a time, as nobody should: one that already wrote what the
// first version does not know is started by it again. Where nothing was chosen since the last time,
// too few can read what the leader proposes: somebody notices, and upgrades them all.
void Faults::change_version(Host& host) {
  const bool stuck = std::exchange(executed_, ledger_.executed()) == ledger_.executed();
  if (stuck) {
    for (const auto& each : hosts_) {
      upgrade(*each);
      each->boot();
    }
    return;
  }
  host.crash();
  host.run_version(dice_.percent(60) ? state::Formats() : kFirstVersion);
  later(dice_.skewed(2 * kMillisecond, kSecond), [&host] { host.boot(); });
}

void Faults::jump_clock() {
  const std::int64_t far = dice_.percent(50) ? 1'000 : 7'200'000;
  anyone().clock().jump(Millis(dice_.between(-far, far)));
}

// Mostly of the group: what happens to others concerns nobody.
Host& Faults::anyone() {
  if (setting_.spares == 0 || dice_.percent(10)) return *hosts_[dice_.below(hosts_.size())];
  return host(dice_.pick(operators_.replicas()));
}

// The one that serves, by the highest ballot; anyone when nobody does.
Host& Faults::leader() {
  Host* found = nullptr;
  for (const auto& host : hosts_) {
    if (!host->serving()) continue;
    if (found == nullptr ||
        found->core().consensus().leading() < host->core().consensus().leading()) {
      found = host.get();
    }
  }
  return found == nullptr ? anyone() : *found;
}

// ── the network ─────────────────────────────────────────────────────────────────────────────────

void Faults::part(const Pairs& pairs) {
  for (const auto& [from, to] : pairs) network_.cut(from, to);
  cuts_.insert(cuts_.end(), pairs.begin(), pairs.end());
  later(dice_.skewed(100 * kMillisecond, 4 * kSecond), [this, pairs] {
    for (const auto& pair : pairs) {
      network_.mend(pair.first, pair.second);
      cuts_.erase(std::find(cuts_.begin(), cuts_.end(), pair));
    }
  });
}

void Faults::reset_connection() {
  const std::uint32_t a = anyone().id().value;
  const std::uint32_t b = anyone().id().value;
  if (a != b) network_.reset(a, b);
}

void Faults::bad_weather(const Weather& weather) {
  network_.set_weather(weather);
  later(dice_.between(200, 2'000) * kMillisecond,
        [this] { network_.set_weather(setting_.weather); });
}

// Of the group, and of those who come and go.
Faults::Order Faults::shuffled() {
  std::vector<ReplicaId> all;
  for (std::uint32_t id = 1; id <= setting_.hosts(); ++id) all.emplace_back(id);
  return shuffled(dice_.percent(20) ? all : operators_.replicas());
}

Faults::Order Faults::shuffled(const std::vector<ReplicaId>& replicas) {
  Order out;
  for (const ReplicaId replica : replicas) out.push_back(replica.value);
  for (std::size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[dice_.below(i)]);
  return out;
}

Faults::Pairs Faults::halves(const Order& order) {
  if (order.size() < 2) return {};
  const std::size_t first = 1 + dice_.below(order.size() - 1);
  Pairs out;
  for (std::size_t a = 0; a < first; ++a) {
    for (std::size_t b = first; b < order.size(); ++b) {
      out.emplace_back(order[a], order[b]);
      out.emplace_back(order[b], order[a]);
    }
  }
  return out;
}

Faults::Pairs Faults::cut_off(std::uint32_t one) const {
  Pairs out;
  for (std::uint32_t other = 1; other <= setting_.hosts(); ++other) {
    if (other == one) continue;
    out.emplace_back(one, other);
    out.emplace_back(other, one);
  }
  return out;
}

Faults::Pairs Faults::one_way(const Order& order) {
  Pairs out;
  const Pairs both = halves(order);
  for (std::size_t i = 0; i < both.size(); i += 2) out.push_back(both[i]);
  return out;
}

// The middle one is the bridge.
Faults::Pairs Faults::bridge(const Order& order) {
  const std::size_t middle = order.size() / 2;
  Pairs out;
  for (std::size_t a = 0; a < middle; ++a) {
    for (std::size_t b = middle + 1; b < order.size(); ++b) {
      out.emplace_back(order[a], order[b]);
      out.emplace_back(order[b], order[a]);
    }
  }
  return out;
}

Faults::Pairs Faults::chain(const Order& order) {
  Pairs out;
  for (std::size_t a = 0; a < order.size(); ++a) {
    for (std::size_t b = a + 2; b < order.size(); ++b) {
      out.emplace_back(order[a], order[b]);
      out.emplace_back(order[b], order[a]);
    }
  }
  return out;
}

// ── healing ─────────────────────────────────────────────────────────────────────────────────────

void Faults::mend_all() {
  for (const auto& [from, to] : cuts_) network_.mend(from, to);
  cuts_.clear();
}

void Faults::heal() {
  calm_ = true;
  mend_all();
  network_.set_weather({});
  for (const auto& host : hosts_) {
    host->disk().slow_until(0);
    host->disk().stall_until(0);
    host->disk().make_room();
    host->pause_until(0);
    restart_repaired(*host);
    upgrade(*host);
    host->boot();
  }
}

void Faults::upgrade(Host& host) {
  if (host.formats() == state::Formats()) return;
  host.crash();
  host.run_version({});
}

// A minority may stay away afterwards: those that restart here must do for a majority.
void Faults::restart_repaired(Host& host) {
  if (!host.up() || host.disk().damaged() || !host.disk().lacks_records()) return;
  count(Fault::kRepairedRestart);
  host.crash();
}

void Faults::heal_but(Healing healing) {
  heal();
  if (healing == Healing::kMinorityDown) {
    const auto order = shuffled(ledger_.electorates().members_of_next());
    for (std::size_t i = 0; i < (order.size() - 1) / 2; ++i) hosts_[order[i] - 1]->crash();
  }
  if (healing != Healing::kPartial) return;
  const auto order = shuffled(ledger_.electorates().members_of_next());
  const std::uint64_t roll = dice_.below(3);
  // Two halves of the same size have no quorum between them; and who hears two neighbours hears no
  // quorum of more than five.
  const bool even = order.size() % 2 == 0;
  const bool short_chain = order.size() <= 5;
  cut_for_good(roll == 1 && short_chain ? chain(order)
               : roll == 2 && !even     ? one_way(order)
                                        : bridge(order));
}

void Faults::cut_for_good(const Pairs& pairs) {
  cuts_ = pairs;
  for (const auto& [from, to] : cuts_) network_.cut(from, to);
}

Host& Faults::wound_leader(Healing wound) {
  Host& wounded = leader();
  if (wound == Healing::kLeaderCutOff) cut_for_good(cut_off(wounded.id().value));
  if (wound == Healing::kLeaderStalls) wounded.disk().stall_until(scheduler_.now() + 60 * kSecond);
  if (wound == Healing::kLeaderFull) {
    wounded.disk().fill(static_cast<std::size_t>(dice_.skewed(0, 100)));
  }
  return wounded;
}

}  // namespace assent::simulation
