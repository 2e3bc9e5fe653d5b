// What a leader does: phase 2 for many slots at once, catching others up, reads.
#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "coordinator/paxos/consensus.h"

namespace assent::paxos {

// ── phase 2a ────────────────────────────────────────────────────────────────────────────────────

// The leader is an acceptor too: it accepts at once, and counts that when it is durable. Others may
// be asked before: their answers do not speak for this disk ("Paxos Made Moderately Complex", 4.4).
void Consensus::propose(Turn& turn, Leader& leader, Slot slot, const Value& value) {
  const bool accepted = acceptor_.accept(slot, {leader.ballot, value});
  CHECK(accepted, "a leader promised no higher ballot");
  if (leader.own_writing.empty()) leader.own_stalled_since = turn.now;
  leader.own_writing.emplace_back(write(turn, Accepted{slot, leader.ballot, value}), slot);
  leader.last = slot;
  if (canary(Canary::kOwnCountsUnpersisted)) {
    leader.peers.at(options_.self).accepted_through = slot;
  }
}

// Every member gets every value, from where it is: a replica that was away is caught up by the same
// message. To propose a chosen value again is right under any ballot: phase 1 of this ballot would
// have found it (P2c).
void Consensus::pump(Turn& turn, Leader& leader) {
  for (auto& [id, peer] : leader.peers) {
    if (id == options_.self || !peer.known) continue;
    // What it lacks is no longer kept: its heartbeats bring an offer of a snapshot.
    if (peer.sent_through.next() < learner_.first()) continue;
    while (peer.sent_through < leader.last &&
           peer.in_flight.size() < options_.messages_in_flight_max) {
      send_values(turn, leader, id, peer);
    }
  }
}

void Consensus::send_values(Turn& turn, Leader& leader, ReplicaId to, Peer& peer) {
  Accept accept = next_values(leader, peer);
  if (accept.values.empty()) {
    // Only a skipped hole has no value; the rest of the log then waits behind it.
    CHECK(canary(Canary::kSkippedHole), "every slot up to the last was proposed");
    peer.sent_through = leader.last;
    return;
  }
  peer.sent_through = Slot(accept.first.value + accept.values.size() - 1);
  peer.in_flight.push_back(peer.sent_through);
  peer.sent_probe = leader.probe;
  send_now(turn, to, std::move(accept));
}

Accept Consensus::next_values(const Leader& leader, const Peer& peer) const {
  const Slot chosen = learner_.chosen_through();
  Accept out{leader.ballot, peer.sent_through.next(), {}, chosen, leader.probe};
  std::size_t bytes = 0;
  for (Slot slot = out.first; slot <= leader.last; slot = slot.next()) {
    const AcceptedValue* open = acceptor_.find(slot);
    if (chosen < slot && open == nullptr) break;
    Value value = open != nullptr ? open->value : learner_.read(slot).value;
    bytes += value->size();
    if (bytes > options_.accept_bytes_max && !out.values.empty()) break;
    out.values.push_back(std::move(value));
  }
  return out;
}

// ── phase 2b ────────────────────────────────────────────────────────────────────────────────────

void Consensus::count_own(Turn& turn, Leader& leader) {
  Peer& own = leader.peers.at(options_.self);
  own.accepted_through = std::max(own.accepted_through, learner_.chosen_through());
  while (!leader.own_writing.empty() && leader.own_writing.front().first <= outbox_.durable()) {
    own.accepted_through = leader.own_writing.front().second;
    leader.own_writing.pop_front();
    leader.own_stalled_since = turn.now;
  }
  advance_chosen(turn, leader);
  pump(turn, leader);
}

void Consensus::on(Turn& turn, ReplicaId from, const AcceptedThrough& accepted) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || accepted.ballot != leader->ballot) return;
  const auto peer = leader->peers.find(from);
  if (peer == leader->peers.end()) return;
  take_progress(turn, peer->second, accepted, leader->last);
  advance_chosen(turn, *leader);
  answer_reads(turn, *leader);
  maybe_hand_over(turn, *leader);
  pump(turn, *leader);
}

void Consensus::take_progress(Turn& turn, Peer& peer, const AcceptedThrough& accepted, Slot last) {
  // A late answer is no sign of life: only one to a later probe was given since the last.
  if (peer.probe < accepted.probe) peer.heard_at = turn.now;
  peer.probe = std::max(peer.probe, accepted.probe);
  peer.chosen_through = std::max(peer.chosen_through, accepted.chosen_through);
  peer.accepted_through = std::max(peer.accepted_through, std::min(accepted.through, last));
  // An answer to a heartbeat that left after the last values, and the values are not accepted: they
  // were lost. The network mostly keeps the order; where it does not, something is sent twice.
  const bool lost = peer.sent_probe < accepted.probe && peer.accepted_through < peer.sent_through;
  if (!peer.known || lost) {
    peer.known = true;
    peer.sent_through = peer.accepted_through;
    peer.in_flight.clear();
  }
  peer.sent_through = std::max(peer.sent_through, peer.accepted_through);
  while (!peer.in_flight.empty() && peer.in_flight.front() <= peer.accepted_through) {
    peer.in_flight.pop_front();
  }
}

// A value is chosen when a quorum has accepted it under one ballot ("Paxos Made Simple",
// section 2.2). Acceptances count only under this leader's own ballot: one of an earlier ballot,
// even by a quorum's worth of replicas, was proposed again first. Each slot is chosen by a quorum
// of its own group: those of one group after those of the one before.
void Consensus::advance_chosen(Turn& turn, Leader& leader) {
  const auto accepted = [&](ReplicaId member) {
    const auto peer = leader.peers.find(member);
    return peer == leader.peers.end() ? Slot() : peer->second.accepted_through;
  };
  Slot through = learner_.chosen_through();
  for (bool whole_group = true; whole_group && through < leader.last;) {
    const Slot next = through.next();
    const Slot reached = groups_.at(next).reached_by_quorum<Slot>(accepted);
    const Slot end = std::min(groups_.last_like(next).value_or(leader.last), leader.last);
    whole_group = end <= reached;
    through = std::max(through, std::min(reached, end));
  }
  if (canary(Canary::kSkippedHole)) {
    through =
        std::min(through, acceptor_.contiguous_through(learner_.chosen_through(), leader.ballot));
  }
  learn(turn, through);
}

// ── reads ───────────────────────────────────────────────────────────────────────────────────────

// Read-index (Ongaro, "Consensus: Bridging Theory and Practice", 6.4).
// 1. A read that comes at time t waits until a quorum has answered a probe that was sent after t:
//    at the time of its answer each had promised no higher ballot. The quorum is one of the group
//    of the slot behind the mark m, as the mark is then; the read sees what is executed up to m.
// 2. Another leader that acknowledged something above m before t had slot m + 1 accepted by a
//    quorum of the same group before t, so by one of those, under a higher ballot: it had promised
//    that before it answered, which 1 excludes. A leader of a lower ballot cannot have: this one
//    has executed its own no-op (R1), and what phase 1 found was before that.
void Consensus::on(Turn& turn, const ReadAsked& asked) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || leader->reads.size() >= options_.reads_waiting_max) {
    turn.effects.reads_lost.push_back(asked.token);
    return;
  }
  if (canary(Canary::kStaleRead)) {
    turn.effects.reads.push_back({asked.token, learner_.chosen_through()});
    return;
  }
  // Reads that come while a round is out share the next one.
  const bool round_is_out = !leader->reads.empty();
  leader->reads.push_back({asked.token, leader->probe.next()});
  if (!round_is_out) send_heartbeats(turn, *leader);
  answer_reads(turn, *leader);
}

void Consensus::answer_reads(Turn& turn, Leader& leader) {
  if (leader.reads.empty()) return;
  const Probe answered = group().reached_by_quorum<Probe>([&](ReplicaId member) {
    if (member == options_.self) return leader.probe;
    const auto peer = leader.peers.find(member);
    return peer == leader.peers.end() ? Probe() : peer->second.probe;
  });
  while (!leader.reads.empty() && leader.reads.front().probe <= answered) {
    turn.effects.reads.push_back({leader.reads.front().token, learner_.chosen_through()});
    leader.reads.pop_front();
  }
  const bool next_round = !leader.reads.empty() && leader.probe <= answered;
  if (next_round) send_heartbeats(turn, leader);
}

}  // namespace assent::paxos
