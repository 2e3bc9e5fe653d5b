// What a leader does: phase 2 for many slots at once, catching others up, reads, handing over.
#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "coordinator/paxos/canary.h"
#include "coordinator/paxos/consensus.h"

namespace assent::paxos {
namespace {

// The highest number that a quorum reaches.
template <class Number, class Of>
Number reached_by_quorum(const Leader& leader, std::size_t quorum, Of of) {
  std::vector<Number> numbers;
  for (const auto& [id, peer] : leader.peers) numbers.push_back(of(id, peer));
  std::sort(numbers.begin(), numbers.end(), std::greater<>());
  return numbers[quorum - 1];
}

}  // namespace

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
  take_progress(turn, leader->peers.at(from), accepted, leader->last);
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
// even by a quorum's worth of replicas, was proposed again first.
void Consensus::advance_chosen(Turn& turn, Leader& leader) {
  const Slot reached =
      reached_by_quorum<Slot>(leader, options_.group.quorum(),
                              [](ReplicaId, const Peer& peer) { return peer.accepted_through; });
  Slot through = std::min(reached, leader.last);
  if (canary(Canary::kSkippedHole)) {
    through =
        std::min(through, acceptor_.contiguous_through(learner_.chosen_through(), leader.ballot));
  }
  learn(turn, through);
}

// ── reads ───────────────────────────────────────────────────────────────────────────────────────

// Read-index (Ongaro, "Consensus: Bridging Theory and Practice", 6.4).
// 1. A read that comes at time t notes the chosen mark: everything acknowledged before t by this
//    leader, or by an earlier one (it has executed its own no-op, R1), is at or below it.
// 2. It waits until a quorum has answered a probe that was sent after t: at the time of its answer
//    each had promised no higher ballot.
// 3. A later leader needs the promises of a quorum, so of one of those, given after that answer,
//    after t. So no other leader acknowledged anything before t.
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
  leader->reads.push_back({asked.token, learner_.chosen_through(), leader->probe.next()});
  if (!round_is_out) send_heartbeats(turn, *leader);
  answer_reads(turn, *leader);
}

void Consensus::answer_reads(Turn& turn, Leader& leader) {
  const Probe answered = reached_by_quorum<Probe>(
      leader, options_.group.quorum(), [&](ReplicaId id, const Peer& peer) {
        return id == options_.self ? leader.probe : peer.probe;
      });
  const bool waited = !leader.reads.empty();
  while (!leader.reads.empty() && leader.reads.front().probe <= answered) {
    turn.effects.reads.push_back({leader.reads.front().token, leader.reads.front().index});
    leader.reads.pop_front();
  }
  const bool next_round = waited && !leader.reads.empty() && leader.probe <= answered;
  if (next_round) send_heartbeats(turn, leader);
}

// ── holding office ──────────────────────────────────────────────────────────────────────────────

void Consensus::send_heartbeats(Turn& turn, Leader& leader) {
  leader.probe = leader.probe.next();
  leader.heartbeat_at = turn.now + options_.heartbeat_every;
  send_to_peers(turn, Accept{leader.ballot, Slot(), {}, learner_.chosen_through(), leader.probe});
  offer_snapshots(turn, leader);
}

// Again with every heartbeat, until the member has told that it is further. A snapshot that ends
// before what is kept of the log would lead nowhere; a later one is on its way then.
void Consensus::offer_snapshots(Turn& turn, const Leader& leader) {
  if (canary(Canary::kNoOffers)) return;
  if (!snapshot_ || snapshot_->through.next() < learner_.first()) return;
  for (const auto& [id, peer] : leader.peers) {
    if (id == options_.self || !peer.known) continue;
    if (peer.accepted_through.next() < learner_.first() &&
        peer.accepted_through < snapshot_->through) {
      send_now(turn, id, SnapshotOffer{leader.ballot, *snapshot_});
    }
  }
}

bool Consensus::hears_quorum(MonoTime now, const Leader& leader) const {
  if (canary(Canary::kDeafLeader)) return true;
  const Millis patience = options_.election_min + options_.election_min;
  const auto heard = std::count_if(leader.peers.begin(), leader.peers.end(), [&](const auto& one) {
    return one.first == options_.self || now - one.second.heard_at < patience;
  });
  return static_cast<std::size_t>(heard) >= options_.group.quorum();
}

// A leader alone in its group goes on waiting: nobody else could do better.
bool Consensus::disk_stalled(MonoTime now, const Leader& leader) const {
  if (canary(Canary::kPatientLeader)) return false;
  return options_.group.members().size() > 1 && !leader.own_writing.empty() &&
         now - leader.own_stalled_since >= options_.disk_stall_max;
}

void Consensus::keep_office(Turn& turn, Leader& leader) {
  if (!hears_quorum(turn.now, leader)) return become_follower(turn, std::nullopt);
  if (disk_stalled(turn.now, leader)) return yield_office(turn, leader);
  if (leader.handover && leader.handover->until <= turn.now) leader.handover.reset();
  if (leader.heartbeat_at <= turn.now) send_heartbeats(turn, leader);
}

// To whoever has most of the log and was heard last.
void Consensus::yield_office(Turn& turn, Leader& leader) {
  const auto best =
      std::max_element(leader.peers.begin(), leader.peers.end(), [&](const auto& a, const auto& b) {
        const auto worth = [&](const auto& one) {
          return std::tuple(one.first != options_.self, one.second.accepted_through,
                            one.second.heard_at);
        };
        return worth(a) < worth(b);
      });
  send_now(turn, best->first, TakeOver{leader.ballot});
  become_follower(turn, std::nullopt);
}

void Consensus::on(Turn& turn, const TransferAsked& asked) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || asked.to == options_.self || !options_.group.contains(asked.to)) return;
  leader->handover = Leader::Handover{asked.to, turn.now + options_.election_min};
  maybe_hand_over(turn, *leader);
}

// The successor has the whole log first: it need not learn anything from others.
void Consensus::maybe_hand_over(Turn& turn, Leader& leader) {
  if (!leader.handover || leader.handover->ordered) return;
  if (leader.peers.at(leader.handover->to).accepted_through < leader.last) return;
  leader.handover->ordered = true;
  send_now(turn, leader.handover->to, TakeOver{leader.ballot});
}

}  // namespace assent::paxos
