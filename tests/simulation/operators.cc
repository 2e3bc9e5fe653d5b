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
  return {replica, kFirstDisk.value, false, host + ":1", host + ":2", ""};
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
  if (const auto lost = lost_one()) return remove(*lost);
  if (only_replaces_) return std::nullopt;
  const state::Electorate now = group.electorates().back();
  const std::uint64_t roll = dice_.below(100);
  if (roll < 40 && !now.learners.empty()) return promote(dice_.pick(now.learners));
  const std::uint64_t removal = now.members.size() > kMembersUsual ? 80 : 60;
  if (roll < removal) return remove(dice_.pick(now.members));
  if (roll < 65 && !now.learners.empty()) return remove(dice_.pick(now.learners));
  return add();
}

std::optional<ReplicaId> Operators::lost_one() const {
  for (const ReplicaId replica : replicas()) {
    if (host(replica).wiped() || (only_replaces_ && !host(replica).up())) return replica;
  }
  return std::nullopt;
}

// However many of the orders that are on their way are carried out, and when: enough are left.
bool Operators::can_spare(ReplicaId replica) const {
  const state::Membership& group = ledger_.state().membership();
  if (group.empty()) return false;
  const auto members = group.electorates().back().members;
  const auto stays = [&](ReplicaId one) { return one != replica && !doomed_.contains(one); };
  const auto left = std::count_if(members.begin(), members.end(), stays);
  return setting_.members_at_least() <= static_cast<std::size_t>(left);
}

// A replica that has written nothing yet is let in by the others of its configuration: as long as
// there is one, nobody leaves.
bool Operators::all_have_begun() const {
  const auto members = ledger_.state().membership().electorates().back().members;
  return std::none_of(members.begin(), members.end(), [&](ReplicaId one) {
    return host(one).disk().fresh() && !host(one).wiped();
  });
}

std::optional<state::Command> Operators::remove(ReplicaId replica) {
  if (!can_spare(replica) || !all_have_begun()) return std::nullopt;
  doomed_.insert(replica);
  return state::ReplicaRemoved{replica};
}

std::optional<state::Command> Operators::promote(ReplicaId replica) {
  if (doomed_.contains(replica)) return remove(replica);
  // Nor does such a one become a member.
  if (host(replica).disk().fresh()) return std::nullopt;
  return state::ReplicaPromoted{replica};
}

std::optional<state::Command> Operators::add() {
  const state::Membership& group = ledger_.state().membership();
  for (const auto& host : hosts_) {
    if (group.find(host->id()) != nullptr || group.retired(host->id())) continue;
    host->install(replicas());
    host->boot();
    return state::ReplicaAdded{member_of(host->id())};
  }
  return std::nullopt;
}

// The leader says when a replica that has left is needed no more; then it never comes back.
void Operators::switch_off_those_who_left() {
  for (const auto& host : hosts_) {
    if (!ledger_.state().membership().retired(host->id())) continue;
    if (needed_no_more(host->id())) released_.insert(host->id());
    const bool goes = released_.contains(host->id()) && !host->switched_off();
    if (goes && dice_.percent(30)) host->switch_off();
  }
  scheduler_.after(kLookEvery, [this] { switch_off_those_who_left(); });
}

bool Operators::is_released(ReplicaId replica) const {
  const state::Membership& group = ledger_.state().membership();
  const bool comes = !group.retired(replica) && group.find(replica) == nullptr;
  return comes ? !group.empty() : released_.contains(replica);
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
