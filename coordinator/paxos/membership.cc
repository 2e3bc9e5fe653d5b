// Groups that change (docs/paxos.md, "Which group governs a slot"). A change that was executed in
// slot s governs from s + kGroupDistance on, so whoever has executed up to e knows the group of
// every slot up to e + kGroupDistance, and a leader proposes in no later one.
#include <algorithm>

#include "base/canary.h"
#include "base/check.h"
#include "coordinator/paxos/consensus.h"

namespace assent::paxos {

// ── what is executed ────────────────────────────────────────────────────────────────────────────

void Consensus::take_in(const Executed& executed) {
  CHECK_LE(executed.through, learner_.chosen_through(), "only what is chosen is executed");
  executed_ = std::max(executed_, executed.through);
  for (GovernedFrom change : executed.changes) {
    if (canary(Canary::kGovernsAtOnce) && kGroupDistance < change.from.value) {
      change.from = Slot(change.from.value - kGroupDistance + 1);
    }
    groups_.adopt(std::move(change));
  }
}

void Consensus::on(Turn& turn, const Executed& executed) {
  const Slot governed_from = groups_.first_like(executed_.next());
  take_in(executed);
  maybe_become_whole(turn);
  const bool another_governs = groups_.first_like(executed_.next()) != governed_from;
  if (another_governs || !executed.changes.empty()) write_mark(turn);
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return;
  if (leader->handover && !may_succeed(leader->handover->to)) leader->handover.reset();
  if (!executed.changes.empty()) {
    meet_peers(turn, *leader);
    send_heartbeats(turn, *leader);
    ask_promises(turn, *leader);
  }
  propose_reported(turn, *leader);
  pump(turn, *leader);
  maybe_leave(turn);
}

// The marks at which a change was learned, and at which it came to govern, are durable before
// anybody is told that this replica has executed that. Otherwise a restart would need those again
// who left: a replica that goes back behind the change asks the group of before, for slots that are
// chosen.
void Consensus::write_mark(Turn& turn) {
  turn.effects.persist.emplace_back(ChosenMark{learner_.chosen_through()});
  mark_unwritten_ = false;
  groups_written_ = outbox_.written();
}

bool Consensus::known_to_quorum(Slot slot) const {
  const auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return false;
  return group().has_quorum([&](ReplicaId member) {
    if (member == options_.self) return slot <= executed_ && groups_written_ <= outbox_.durable();
    const auto peer = leader->peers.find(member);
    return peer != leader->peers.end() && slot <= peer->second.chosen_through;
  });
}

// ── who is spoken to ────────────────────────────────────────────────────────────────────────────

void Consensus::meet_peers(Turn& turn, Leader& leader) {
  const Slot next = learner_.chosen_through().next();
  for (const ReplicaId replica : groups_.everybody_from(next)) {
    const auto [peer, is_new] = leader.peers.try_emplace(replica);
    if (is_new) peer->second.heard_at = turn.now;
  }
  leader.peers.try_emplace(options_.self);
}

// Who left is told so: until it knows, or is silent for as long as would depose a leader.
void Consensus::part_with_peers(Turn& turn, Leader& leader) {
  const Slot next = learner_.chosen_through().next();
  const std::set<ReplicaId> needed = groups_.everybody_from(next);
  const Slot governs = groups_.first_like(next);
  const Millis patience = options_.election_min + options_.election_min;
  std::erase_if(leader.peers, [&](const auto& one) {
    const auto& [id, peer] = one;
    const bool told = governs <= peer.chosen_through.next();
    return id != options_.self && !needed.contains(id) &&
           (told || turn.now - peer.heard_at >= patience);
  });
}

// A sender that is in no group known here may well be in a later one, even lead it: then its ballot
// tells, and no quorum counts it before its group is known. But who hears a leader needs no
// stranger to learn from, and is not disturbed by one.
bool Consensus::is_heard(MonoTime now, ReplicaId from) const {
  return groups_.know(from) || leader() == from || !hears_leader(now);
}

// A replica that has left and lags behind stands by a group that governs no more. One that has
// executed as much as this replica knows at least as much of its own standing.
bool Consensus::may_stand(ReplicaId asker, Slot chosen) const {
  return executed_ <= chosen || group().contains(asker) || groups_.latest().contains(asker);
}

// It is in a group that governs a slot which is not chosen. A learner is, too: one that has
// promised a higher ballot, to a candidate that came to nothing, accepts nothing more under this
// one.
bool Consensus::is_in_group(ReplicaId replica) const {
  return groups_.everybody_from(learner_.chosen_through().next()).contains(replica);
}

// ── promises, and where they allow to propose ───────────────────────────────────────────────────

bool Consensus::knows_group(Slot slot) const {
  return slot.value <= executed_.value + kGroupDistance;
}

bool Consensus::has_promises(const Leader& leader, Slot slot) const {
  if (canary(Canary::kPromisesOfOldGroup)) return true;  // phase 1 had a quorum of that
  return groups_.at(slot).has_quorum(
      [&](ReplicaId member) { return leader.promises.is_whole(member); });
}

// Phase 1 for a slot is a quorum of its own group: nothing is proposed in it before. What phase 1
// found waits for free slots like everything else.
bool Consensus::may_propose(const Leader& leader, Slot slot) const {
  const bool free = slot.value <= learner_.chosen_through().value + options_.open_slots_max;
  if (!free || !knows_group(slot) || !has_promises(leader, slot)) return false;
  return groups_.at(slot).contains(options_.self) || canary(Canary::kRemovedLeader);
}

// Everyone who counts or will is asked, from the first slot that is not chosen on, until its
// promise is whole. What it would say of earlier slots is settled, and may not be kept any more.
void Consensus::ask_promises(Turn& turn, Leader& leader) {
  const Slot next = learner_.chosen_through().next();
  for (const auto& [id, peer] : leader.peers) {
    if (id == options_.self || leader.promises.is_whole(id)) continue;
    if (leader.promises.next_part(id, next) < next) leader.promises.restart(id);
    send_durable(turn, id, Prepare{leader.ballot, leader.promises.next_part(id, next)});
  }
}

// The others' promises were enough before the last part of its own was taken in. It is durable, for
// they were asked after that.
void Consensus::complete_own_promise(Leader& leader) {
  if (leader.promises.is_whole(options_.self)) return;
  Promise own{leader.ballot, leader.last.next(), Slot(0), {}, learner_.chosen_through()};
  for (const auto& [slot, accepted] : acceptor_.accepted())
    own.accepted.push_back({slot, accepted});
  leader.promises.restart(options_.self);
  leader.promises.take(options_.self, own, leader.last.next(), [](Slot) { return true; });
}

// What is reported of a slot is of use until a quorum of the slot's group has promised: what was
// chosen in it is among what those report (P2c).
void Consensus::take_part(Turn& turn, Leader& leader, ReplicaId from, const Promise& promise) {
  const auto wanted = [&](Slot slot) {
    return leader.last < slot && !(knows_group(slot) && has_promises(leader, slot));
  };
  if (!leader.promises.take(from, promise, leader.last.next(), wanted)) return;
  if (promise.next != Slot(0)) {
    return send_durable(turn, from, Prepare{leader.ballot, promise.next});
  }
  propose_reported(turn, leader);
  pump(turn, leader);
}

// P2c: the value of the highest ballot that the quorum reports, if it reports any; it is the only
// one that may have been chosen. Otherwise none was and none can be under a lower ballot: any value
// is right, and a no-op costs nothing. Slots whose group is not known, or has not promised, wait.
void Consensus::propose_reported(Turn& turn, Leader& leader) {
  const auto& reported = leader.promises.reported();
  while (!reported.empty() && may_propose(leader, leader.last.next())) {
    const Slot slot = leader.last.next();
    const auto found = reported.find(slot);
    const bool own = found == reported.end() || canary(Canary::kOwnValueOverAccepted);
    if (found == reported.end() && canary(Canary::kSkippedHole)) {
      leader.last = slot;
    } else {
      propose(turn, leader, slot, own ? make_value({}) : found->second.value);
    }
    leader.promises.drop_through(slot);
  }
}

// It has led up to the slot before the one from which on it is no member. Whoever has most of the
// log goes on; it is told of the mark first, for it stands by its own.
void Consensus::maybe_leave(Turn& turn) {
  auto& leader = std::get<Leader>(role_);
  if (group().contains(options_.self) || canary(Canary::kRemovedLeader)) return;
  send_heartbeats(turn, leader);
  yield_office(turn, leader);
}

}  // namespace assent::paxos
