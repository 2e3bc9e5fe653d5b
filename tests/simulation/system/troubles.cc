#include "tests/simulation/system/troubles.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tests/simulation/system/book.h"
#include "tests/simulation/system/coordinator.h"
#include "tests/simulation/system/setting.h"

namespace assent::simulation::system {
namespace {

constexpr Micros kLookedAfterEvery = 10 * kSecond;
constexpr Micros kBackUpEvery = 3 * kSecond;
constexpr std::int64_t kRecordsLostMax = 600;

std::string words(const model::Server& server) {
  return "timeline " + std::to_string(server.timeline()) + ", position " +
         std::to_string(server.flushed());
}

}  // namespace

std::string_view name(Trouble trouble) {
  switch (trouble) {
    case Trouble::kAgentCrash:
      return "agent-crash";
    case Trouble::kAgentPause:
      return "agent-pause";
    case Trouble::kSecondAgent:
      return "second-agent";
    case Trouble::kServerCrash:
      return "server-crash";
    case Trouble::kBackendStopped:
      return "backend-stopped";
    case Trouble::kStoppedAndKilled:
      return "stopped-and-killed";
    case Trouble::kBackendKilled:
      return "backend-killed";
    case Trouble::kSlowFlushes:
      return "slow-flushes";
    case Trouble::kWireCut:
      return "wire-cut";
    case Trouble::kBadWire:
      return "bad-wire";
    case Trouble::kStranger:
      return "stranger";
    case Trouble::kAllAtOnce:
      return "all-at-once";
    case Trouble::kPromotion:
      return "promotion";
    case Trouble::kByHand:
      return "by-hand";
    case Trouble::kLaggingPromotion:
      return "lagging-promotion";
    case Trouble::kRestore:
      return "restore";
    case Trouble::kClone:
      return "clone";
  }
  return "?";
}

model::Server* Site::server_of(std::size_t place) const {
  model::Server* const found =
      place == 1 && agents[1]->behind_clone() ? clones.back().get() : server.get();
  return found->is_up() ? found : nullptr;
}

Troubles::Troubles(Neighbours around, const SystemSetting& setting, std::vector<Site>& sites,
                   std::function<void()> power_cut)
    : around_(around),
      setting_(setting),
      sites_(sites),
      power_cut_(std::move(power_cut)),
      dice_(setting.group.seed, 901) {}

void Troubles::start() {
  around_.wire.set_weather(setting_.weather);
  next();
  look_after_agents();
  const auto copies = [](Trouble one) {
    return one == Trouble::kRestore || one == Trouble::kClone;
  };
  if (std::ranges::any_of(setting_.troubles, copies)) back_up();
}

// An agent that was displaced is not started again by itself; somebody sees it in the end.
void Troubles::look_after_agents() {
  later(kLookedAfterEvery, [this] {
    keep_agents_up();
    look_after_agents();
  });
}

// Rarer as time goes by: a world in which nothing gets done shows little.
void Troubles::next() {
  const Micros full = setting_.relentless ? kRelentlessTime : 0;
  const Micros grown = std::max<Micros>(around_.scheduler.now() - full, 0) / (10 * kSecond);
  const Micros gap_max = setting_.trouble_gap_max * (1 + grown);
  later(dice_.between(20 * kMillisecond, gap_max), [this] {
    strike(dice_.pick(setting_.troubles));
    next();
  });
}

void Troubles::later(Micros delay, std::function<void()> act) {
  around_.scheduler.after(delay, [this, act = std::move(act)] {
    if (!calm_) act();
  });
}

std::uint64_t Troubles::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

void Troubles::strike(Trouble trouble) {
  ++counts_[static_cast<std::size_t>(trouble)];
  Site& site = any_site();
  around_.trace.event(0, name(trouble), 0, 0, [&] { return "at " + site.participant; });
  switch (trouble) {
    case Trouble::kAgentCrash:
      return crash(agent_of(site));
    case Trouble::kAgentPause:
      return agent_of(site).pause_until(around_.scheduler.now() +
                                        dice_.skewed(20 * kMillisecond, 6 * kSecond));
    case Trouble::kSecondAgent:
      return second_agent(site);
    case Trouble::kServerCrash:
      return crash(site);
    case Trouble::kBackendStopped:
      return stop_backend(site);
    case Trouble::kStoppedAndKilled:
      stop_backend(site);
      return crash(agent_of(site));
    case Trouble::kBackendKilled:
      return kill_backend(site);
    case Trouble::kSlowFlushes:
      return stall(site);
    case Trouble::kWireCut:
      return cut(site);
    case Trouble::kBadWire:
      return bad_wire();
    case Trouble::kStranger:
      return stranger(site);
    case Trouble::kAllAtOnce:
      return all_at_once();
    case Trouble::kPromotion:
      return promote(site);
    case Trouble::kByHand:
      return by_hand(site);
    case Trouble::kLaggingPromotion:
      return lagging_promotion(site);
    case Trouble::kRestore:
      return restore(site);
    case Trouble::kClone:
      return clone(site);
  }
}

Site& Troubles::any_site() {
  return sites_[dice_.below(sites_.size())];
}

// The one that serves, if there is one.
Agent& Troubles::agent_of(Site& site) {
  for (const auto& agent : site.agents) {
    if (agent->open()) return *agent;
  }
  return *dice_.pick(site.agents);
}

void Troubles::crash(Agent& agent) {
  agent.crash();
  later(dice_.skewed(2 * kMillisecond, 3 * kSecond), [&agent] { agent.boot(); });
}

// It is displaced, or displaces the first when that is silent.
void Troubles::second_agent(Site& site) {
  end_clone(site);
  Agent& first = agent_of(site);
  Agent& second = *site.agents[&first == site.agents[0].get() ? 1 : 0];
  second.repair();
  second.boot();
  if (dice_.percent(50)) {
    first.pause_until(around_.scheduler.now() + dice_.between(1'000, 8'000) * kMillisecond);
  }
  later(dice_.between(2'000, 8'000) * kMillisecond, [this, &first, &second] {
    Agent& leaves = dice_.percent(50) ? first : second;
    leaves.crash();
    Agent& stays = &leaves == &first ? second : first;
    stays.repair();
    stays.boot();
  });
}

void Troubles::crash(Site& site) {
  around_.book.server_crashes(site.participant, *site.server);
  site.server->crash();
  later(dice_.skewed(50 * kMillisecond, 2 * kSecond), [&site] { site.server->start(); });
}

void Troubles::stop_backend(Site& site) {
  const auto sessions = site.server->sessions();
  if (sessions.empty()) return;
  const model::SessionId session = dice_.pick(sessions);
  site.server->stop(session);
  later(dice_.between(100, 4'000) * kMillisecond,
        [&site, session] { site.server->go_on(session); });
}

void Troubles::kill_backend(Site& site) {
  const auto sessions = site.server->sessions();
  if (!sessions.empty()) site.server->terminate(dice_.pick(sessions));
}

void Troubles::stall(Site& site) {
  site.server->stall_flushes(true);
  later(dice_.between(50, 1'500) * kMillisecond, [&site] { site.server->stall_flushes(false); });
}

// From the replicas, mostly.
void Troubles::cut(Site& site) {
  std::vector<std::pair<Place, Place>> cuts;
  for (const auto& agent : site.agents) {
    for (const auto& coordinator : around_.coordinators) {
      if (dice_.percent(80)) cuts.emplace_back(agent->place(), coordinator->place());
    }
  }
  for (const auto& [a, b] : cuts) around_.wire.cut(a, b);
  cuts_.insert(cuts_.end(), cuts.begin(), cuts.end());
  later(dice_.skewed(200 * kMillisecond, 5 * kSecond), [this, cuts] {
    for (const auto& pair : cuts) {
      around_.wire.mend(pair.first, pair.second);
      cuts_.erase(std::find(cuts_.begin(), cuts_.end(), pair));
    }
  });
}

void Troubles::bad_wire() {
  around_.wire.set_weather({.lost = 30 + dice_.below(200),
                            .doubled = dice_.below(200),
                            .late = dice_.below(100),
                            .delay_max = 30 * kMillisecond});
  later(dice_.between(200, 2'000) * kMillisecond,
        [this] { around_.wire.set_weather(setting_.weather); });
}

// Under a name that is none of ours, under one of another cluster, or under one that could be ours
// if it were not for its owner.
void Troubles::stranger(Site& site) {
  const std::string number = std::to_string(++strangers_);
  const std::string gid = dice_.percent(50) ? "other:" + number : "assent:elsewhere:" + number;
  site.server->prepare_by_hand(gid, "postgres", "bank",
                               [&site, gid] { site.strangers.push_back(gid); });
}

// What was acknowledged is on the standby; what was not may be gone.
void Troubles::promote(Site& site) {
  if (!site.server->is_up() || !site.synchronous) return;
  end_clone(site);
  site.backup = nullptr;
  around_.book.history_changes(site.participant, *site.server, /*lossy=*/false,
                               [&site] { site.server->promote(); });
}

// A synchronous standby never lags behind what was acknowledged.
void Troubles::lagging_promotion(Site& site) {
  if (!site.server->is_up() || site.synchronous) return;
  const auto records = static_cast<std::size_t>(dice_.skewed(0, kRecordsLostMax));
  lose(site, [&site, records] { site.server->promote_without(records); });
}

// The copy of this site lacks a landmark of the present history that the log knows.
bool Troubles::lacks_landmark(const Site& site) const {
  const state::ParticipantRecord* known = around_.book.record_of(site.participant);
  return known != nullptr && site.backup->flushed() < known->landmark.wal_position;
}

void Troubles::restore(Site& site) {
  if (!site.server->is_up() || site.backup == nullptr) return;
  // On the same timeline a copy is known by what it lacks of landmarks, which follow within
  // seconds.
  const bool known = lacks_landmark(site);
  const bool new_timeline = dice_.percent(50) || !known;
  lose(site, [&site, new_timeline] { site.server->restore(site.backup, new_timeline); });
}

// Strangers lose theirs, too.
void Troubles::lose(Site& site, const std::function<void()>& change) {
  end_clone(site);
  const std::string from = words(*site.server);
  around_.book.history_changes(site.participant, *site.server, /*lossy=*/true, change);
  around_.trace.event(0, "loses data", 0, 0, [&] {
    return site.participant + ", from " + from + " to " + words(*site.server);
  });
  site.backup = nullptr;
  const auto prepared = site.server->prepared();
  std::erase_if(site.strangers, [&](const std::string& gid) {
    return std::none_of(prepared.begin(), prepared.end(),
                        [&](const auto& one) { return one.gid == gid; });
  });
}

// Somebody starts an old copy of the machine, its agent with it. That one may come while the right
// one is silent, and must be refused all the same: the copy lacks what the log knows.
void Troubles::clone(Site& site) {
  Agent& second = *site.agents[1];
  if (site.backup == nullptr || !lacks_landmark(site)) return;
  const state::ParticipantRecord& known = *around_.book.record_of(site.participant);
  if (known.timeline != site.server->timeline() || second.behind_clone() || second.open()) return;
  second.crash();
  const auto number = static_cast<std::size_t>(&site - sites_.data());
  site.clones.push_back(std::make_unique<model::Server>(
      around_.scheduler, Dice(setting_.group.seed, 930 + 100 * number + site.clones.size()),
      setting_.databases[number]));
  site.clones.back()->begin_as(site.backup, site.server->timeline());
  second.stand_behind_clone(known.broken_below);
  second.boot();
  if (dice_.percent(70)) {
    site.agents[0]->pause_until(around_.scheduler.now() + dice_.between(2, 8) * kSecond);
  }
  later(dice_.between(3, 10) * kSecond, [this, &site] { end_clone(site); });
}

void Troubles::end_clone(Site& site) {
  Agent& second = *site.agents[1];
  if (!second.behind_clone()) return;
  second.crash();
  second.stand_behind_clone(std::nullopt);
}

void Troubles::back_up() {
  for (Site& site : sites_) {
    if (site.server->is_up() && dice_.percent(50)) site.backup = site.server->back_up();
  }
  later(kBackUpEvery, [this] { back_up(); });
}

void Troubles::by_hand(Site& site) {
  const auto prepared = site.server->prepared();
  if (prepared.empty()) return;
  const std::string& gid = dice_.pick(prepared).gid;
  if (gid.starts_with("assent:sim:")) (void)site.server->finish_by_hand(gid, dice_.percent(50));
}

void Troubles::all_at_once() {
  power_cut_();
  for (Site& site : sites_) {
    crash(site);
    for (const auto& agent : site.agents) {
      if (agent->up()) crash(*agent);
    }
  }
}

void Troubles::keep_agents_up() {
  for (Site& site : sites_) {
    const auto any = [&site](bool (Agent::*is)() const) {
      return std::ranges::find_if(site.agents,
                                  [is](const auto& agent) { return (agent.get()->*is)(); });
    };
    const auto none = site.agents.end();
    if (any(&Agent::open) != none) continue;
    const auto refused = any(&Agent::refused);
    if (refused == none && any(&Agent::up) != none) continue;
    Agent& agent = refused == none ? *site.agents[0] : **refused;
    agent.crash();
    agent.repair();
    agent.boot();
  }
}

void Troubles::heal() {
  calm_ = true;
  around_.wire.set_weather({});
  for (const auto& [a, b] : std::exchange(cuts_, {})) around_.wire.mend(a, b);
  for (Site& site : sites_) {
    end_clone(site);
    site.server->stall_flushes(false);
    if (!site.server->is_up()) site.server->start();
    for (const model::SessionId session : site.server->sessions()) site.server->go_on(session);
    Agent& stays = agent_of(site);
    for (const auto& agent : site.agents) {
      agent->pause_until(around_.scheduler.now());
      if (agent.get() != &stays) agent->crash();
    }
  }
  keep_agents_up();
}

}  // namespace assent::simulation::system
