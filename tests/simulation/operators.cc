#include "tests/simulation/operators.h"

#include <algorithm>
#include <string>

namespace assent::simulation {
namespace {

constexpr Micros kLookEvery = 100 * kMillisecond;
constexpr std::size_t kMembersUsual = 5;

}  // namespace

state::Member member_of(ReplicaId replica) {
  const std::string host = "r" + to_string(replica);
  return {replica, replica.value, false, host + ":1", host + ":2", ""};
}

Operators::Operators(Scheduler& scheduler, const Setting& setting, const Ledger& ledger,
                     std::vector<std::unique_ptr<Host>>& hosts)
    : scheduler_(scheduler),
      setting_(setting),
      ledger_(ledger),
      hosts_(hosts),
      dice_(setting.seed, 6) {}

void Operators::start() {
  if (setting_.spares > 0) switch_off_those_who_left();
}

std::vector<ReplicaId> Operators::replicas() const {
  std::vector<ReplicaId> out;
  for (const auto& [id, member] : ledger_.state().membership().replicas()) out.push_back(id);
  if (!out.empty()) return out;
  for (std::uint32_t id = 1; id <= setting_.replicas; ++id) out.emplace_back(id);
  return out;
}

// Learners are promoted whether they have caught up or not: that is a matter of life, not of
// safety.
std::optional<state::Command> Operators::next_change() {
  const state::Membership& group = ledger_.state().membership();
  if (stopped_ || setting_.spares == 0 || group.empty()) return std::nullopt;
  const state::Electorate now = group.electorates().back();
  const std::uint64_t roll = dice_.below(100);
  if (roll < 40 && !now.learners.empty()) return state::ReplicaPromoted{dice_.pick(now.learners)};
  const std::uint64_t removal = now.members.size() > kMembersUsual ? 80 : 60;
  if (roll < removal) return remove(now.members);
  if (roll < 65 && !now.learners.empty()) return state::ReplicaRemoved{dice_.pick(now.learners)};
  return add();
}

// However many of the orders that are on their way are carried out, and when: so many are left.
std::optional<state::Command> Operators::remove(const std::vector<ReplicaId>& members) {
  const ReplicaId chosen = dice_.pick(members);
  const auto stays = [&](ReplicaId one) { return one != chosen && !doomed_.contains(one); };
  const auto left = std::count_if(members.begin(), members.end(), stays);
  if (static_cast<std::size_t>(left) < setting_.members_at_least()) return std::nullopt;
  doomed_.insert(chosen);
  return state::ReplicaRemoved{chosen};
}

std::optional<state::Command> Operators::add() {
  const state::Membership& group = ledger_.state().membership();
  for (const auto& host : hosts_) {
    if (group.find(host->id()) != nullptr || group.retired(host->id())) continue;
    return state::ReplicaAdded{member_of(host->id())};
  }
  return std::nullopt;
}

// The leader says when a replica that has left is needed no more; then it never comes back.
void Operators::switch_off_those_who_left() {
  for (const auto& host : hosts_) {
    if (!ledger_.state().membership().retired(host->id()) || host->switched_off()) continue;
    if (needed_no_more(host->id()) && dice_.percent(30)) host->switch_off();
  }
  scheduler_.after(kLookEvery, [this] { switch_off_those_who_left(); });
}

bool Operators::needed_no_more(ReplicaId replica) const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& host) {
    if (!host->serving()) return false;
    const auto& consensus = host->core().consensus();
    const Slot next = consensus.chosen_through().next();
    return !consensus.groups().everybody_from(next).contains(replica) &&
           consensus.known_to_quorum(Slot(consensus.groups().first_like(next).value - 1));
  });
}

}  // namespace assent::simulation
