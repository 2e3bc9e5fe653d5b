#include "tests/coordinator/paxos/stage.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace assent::paxos {

AcceptedValue RecordedLog::read(Slot slot) const {
  if (slot < kept_from) ADD_FAILURE() << "slot " << slot.value << " is not kept any more";
  for (auto at = durable.rbegin(); at != durable.rend(); ++at) {
    const auto* accepted = std::get_if<Accepted>(&*at);
    if (accepted != nullptr && accepted->slot == slot) return {accepted->ballot, accepted->value};
  }
  ADD_FAILURE() << "slot " << slot.value << " is not in the log";
  return {};
}

namespace {

std::vector<ReplicaId> replicas_of(const std::string& digits) {
  std::vector<ReplicaId> out;
  for (const char digit : digits) out.emplace_back(static_cast<std::uint32_t>(digit - '0'));
  return out;
}

}  // namespace

Group group_of(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return Group(replicas_of(text));
  return Group(replicas_of(text.substr(0, slash)), replicas_of(text.substr(slash + 1)));
}

namespace {

bool are_neighbours(const Group& a, const Group& b) {
  std::vector<ReplicaId> apart;
  std::set_symmetric_difference(a.members().begin(), a.members().end(), b.members().begin(),
                                b.members().end(), std::back_inserter(apart));
  return apart.size() <= 1;
}

}  // namespace

Executed Player::execute(const std::vector<ChosenValue>& values) {
  Executed out;
  for (const ChosenValue& one : values) {
    out.through = one.slot;
    if (one.value->empty() || one.value->front() != '=' || one.slot < governs_from) continue;
    Group next = group_of(one.value->substr(1));
    if (!group.members().empty() && !are_neighbours(group, next)) continue;
    governs_from = Slot(one.slot.value + kGroupDistance);
    group = std::move(next);
    out.changes.push_back({governs_from, group});
  }
  return out;
}

Options Stage::options_of(std::vector<std::uint32_t> members) {
  std::vector<ReplicaId> ids;
  for (const std::uint32_t member : members) ids.emplace_back(member);
  return Options{.self = ReplicaId(1), .group = Group(std::move(ids)), .seed = 7};
}

Stage::Stage(std::uint32_t count, Options options) : options_(std::move(options)) {
  std::vector<ReplicaId> members;
  for (std::uint32_t id = 1; id <= count; ++id) members.emplace_back(id);
  options_.group = Group(members);
  for (std::uint32_t id = 1; id <= count; ++id) start(id);
}

void Stage::start(std::uint32_t id) {
  Options options = options_;
  if (joined_.contains(id)) options.group = Group();
  options.self = ReplicaId(id);
  options.seed = id;
  Player& one = players_[id];
  one.consensus = std::make_unique<Consensus>(options, one.log);
  one.recorded = 0;
  one.governs_from = Slot(1);
  one.group = Group();
  one.recovered = false;
  for (std::size_t i = 0; i < one.log.durable.size(); ++i) {
    if (one.log.lost_before.contains(i)) one.consensus->restore_lost_records();
    std::vector<ChosenValue> chosen = one.consensus->restore(one.log.durable[i]);
    if (!chosen.empty()) one.consensus->restore(one.execute(chosen));
    std::move(chosen.begin(), chosen.end(), std::back_inserter(one.chosen));
  }
  one.consensus->start(now_);
}

void Stage::join(std::uint32_t id) {
  joined_.insert(id);
  start(id);
}

void Stage::rot(std::uint32_t id, std::size_t first, std::size_t end) {
  RecordedLog& log = player(id).log;
  const auto at = [&](std::size_t n) {
    return log.durable.begin() + static_cast<std::ptrdiff_t>(n);
  };
  log.durable.erase(at(first), at(end));
  std::erase_if(log.lost_before, [&](std::size_t before) { return first < before; });
  log.lost_before.insert(first);
  const auto behind = std::remove_if(at(first), log.durable.end(), [](const Record& record) {
    return std::holds_alternative<Repaired>(record);
  });
  log.durable.erase(behind, log.durable.end());
}

void Stage::restart(std::uint32_t id) {
  player(id).log.written.clear();
  player(id).chosen.clear();
  start(id);
}

void Stage::step(std::uint32_t id, const Input& input) {
  take_in(id, at(id).step(now_, input));
  at(id).check_invariants();
}

void Stage::take_in(std::uint32_t id, Effects effects) {
  Player& one = player(id);
  one.recorded += effects.persist.size();
  std::move(effects.persist.begin(), effects.persist.end(), std::back_inserter(one.log.written));
  for (Envelope& sent : effects.send) {
    wire_.push_back({ReplicaId(id), sent.to, std::move(sent.message)});
  }
  const Executed done = one.execute(effects.chosen);
  std::move(effects.chosen.begin(), effects.chosen.end(), std::back_inserter(one.chosen));
  one.recovered = one.recovered || effects.recovered;
  if (effects.offered) one.offered = effects.offered;
  one.reads.insert(one.reads.end(), effects.reads.begin(), effects.reads.end());
  one.reads_lost.insert(one.reads_lost.end(), effects.reads_lost.begin(), effects.reads_lost.end());
  if (done.through != Slot()) take_in(id, at(id).step(now_, done));
}

void Stage::persist(std::uint32_t id) {
  Player& one = player(id);
  std::move(one.log.written.begin(), one.log.written.end(), std::back_inserter(one.log.durable));
  one.log.written.clear();
  step(id, Persisted{RecordIndex(one.recorded)});
}

void Stage::pass(Millis time) {
  now_ = now_ + time;
  for (auto& [id, one] : players_) {
    if (one.consensus->next_deadline() <= now_) step(id, Tick{});
  }
}

void Stage::settle(const std::vector<std::uint32_t>& cut) {
  const auto is_cut = [&](ReplicaId id) {
    return std::find(cut.begin(), cut.end(), id.value) != cut.end();
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& [id, one] : players_) {
      if (one.log.written.empty() || is_cut(ReplicaId(id))) continue;
      persist(id);
      moved = true;
    }
    while (!wire_.empty()) {
      OnTheWire next = std::move(wire_.front());
      wire_.pop_front();
      if (is_cut(next.from) || is_cut(next.to)) continue;
      step(next.to.value, Arrived{next.from, std::move(next.message)});
      moved = true;
    }
  }
}

void Stage::deliver(std::size_t place, bool arrives) {
  const auto at = wire_.begin() + static_cast<std::ptrdiff_t>(place);
  const OnTheWire next = std::move(*at);
  wire_.erase(at);
  if (arrives) step(next.to.value, Arrived{next.from, next.message});
}

void Stage::elect(std::uint32_t id, const std::vector<std::uint32_t>& cut) {
  for (int i = 0; i < 10'000 && !at(id).leading(); ++i) {
    now_ = now_ + Millis(10);
    for (auto& [other, one] : players_) {
      // Only the one that is to win stands; the others wait.
      const bool stands = other == id || one.consensus->leading();
      if (stands && one.consensus->next_deadline() <= now_) step(other, Tick{});
    }
    settle(cut);
  }
  ASSERT_TRUE(at(id).leading().has_value());
}

void Stage::propose(std::uint32_t id, const std::string& value) {
  ASSERT_TRUE(at(id).can_propose());
  step(id, Propose{make_value(value)});
}

std::vector<std::string> Stage::values(std::uint32_t id) const {
  std::vector<std::string> out;
  for (const ChosenValue& one : players_.at(id).chosen) out.push_back(*one.value);
  return out;
}

}  // namespace assent::paxos
