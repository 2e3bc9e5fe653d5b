// Staying a leader, and giving way: heartbeats, check-quorum, the watch over the own disk, handing
// over.
#include <algorithm>
#include <tuple>
#include <utility>

#include "base/canary.h"
#include "coordinator/paxos/consensus.h"

namespace assent::paxos {

void Consensus::send_heartbeats(Turn& turn, Leader& leader) {
  leader.probe = leader.probe.next();
  leader.heartbeat_at = turn.now + options_.heartbeat_every;
  for (const auto& [id, peer] : leader.peers) {
    if (id == options_.self) continue;
    send_now(turn, id, Accept{leader.ballot, Slot(), {}, learner_.chosen_through(), leader.probe});
  }
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
  return group().has_quorum([&](ReplicaId member) {
    const auto peer = leader.peers.find(member);
    return member == options_.self ||
           (peer != leader.peers.end() && now - peer->second.heard_at < patience);
  });
}

// A leader alone in its group goes on waiting: nobody else could do better.
bool Consensus::disk_stalled(MonoTime now, const Leader& leader) const {
  if (canary(Canary::kPatientLeader)) return false;
  return group().members().size() > 1 && !leader.own_writing.empty() &&
         now - leader.own_stalled_since >= options_.disk_stall_max;
}

void Consensus::keep_office(Turn& turn, Leader& leader) {
  if (!hears_quorum(turn.now, leader)) return become_follower(turn, std::nullopt);
  if (disk_stalled(turn.now, leader)) return yield_office(turn, leader);
  if (leader.handover && leader.handover->until <= turn.now) leader.handover.reset();
  if (turn.now < leader.heartbeat_at) return;
  part_with_peers(turn, leader);
  send_heartbeats(turn, leader);
  ask_promises(turn, leader);
}

// Someone who may stand now and after the latest change, too.
bool Consensus::may_succeed(ReplicaId replica) const {
  return replica != options_.self && group().contains(replica) &&
         groups_.latest().contains(replica);
}

// To whoever has most of the log and was heard last.
void Consensus::yield_office(Turn& turn, Leader& leader) {
  const auto worth = [&](const auto& one) {
    return std::tuple(may_succeed(one.first), one.second.accepted_through, one.second.heard_at);
  };
  const auto best =
      std::max_element(leader.peers.begin(), leader.peers.end(),
                       [&](const auto& a, const auto& b) { return worth(a) < worth(b); });
  if (may_succeed(best->first)) send_now(turn, best->first, TakeOver{leader.ballot});
  become_follower(turn, std::nullopt);
}

void Consensus::on(Turn& turn, const TransferAsked& asked) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || !may_succeed(asked.to)) return;
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
