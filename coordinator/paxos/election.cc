// Becoming a leader: an answered question whether anybody minds, then phase 1, once for all slots
// ("Paxos Made Simple", section 3; "Paxos Made Live", section 5).
#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "coordinator/paxos/consensus.h"

namespace assent::paxos {

// From the whole of [min, 2 min): replicas that lost the same leader seldom stand at once.
Millis Consensus::random_timeout() {
  const auto spread = static_cast<std::uint64_t>(options_.election_min.value);
  return options_.election_min + Millis(static_cast<std::int64_t>(random_.below(spread)));
}

// Ballots never repeat: a ballot of this replica is used only after its own promise of it is
// durable (become_candidate), so every ballot that an earlier life used is at most the promise that
// this life restored, and this one is above that.
Ballot Consensus::next_ballot() const {
  const Ballot above = highest_ballot();
  return {std::max(above.incarnation, incarnation_), above.round.next(), options_.self};
}

// ── roles ───────────────────────────────────────────────────────────────────────────────────────

void Consensus::become_follower(Turn& turn, std::optional<ReplicaId> leader) {
  if (auto* left = std::get_if<Leader>(&role_)) {
    for (const PendingRead& read : left->reads) turn.effects.reads_lost.push_back(read.token);
  }
  role_ = Follower{leader, turn.now, turn.now + random_timeout()};
}

// Each question has a ballot of its own: a welcome to an earlier one may come when its giver has
// long found a leader.
void Consensus::become_canvassing(Turn& turn) {
  // Who joins, learns or has left waits for a leader to come: it stands for no office.
  if (!group().contains(options_.self)) return become_follower(turn, std::nullopt);
  const std::int64_t third = options_.election_min.value / 3 + 1;
  const Millis wait(third +
                    static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(third))));
  Ballot ballot = next_ballot();
  if (ballot <= asked_about_) ballot.round = asked_about_.round.next();
  asked_about_ = ballot;
  role_ = Canvassing{ballot, {options_.self}, turn.now + wait};
  for (const ReplicaId member : group().members()) {
    if (member != options_.self) {
      send_now(turn, member, PreVote{ballot, learner_.chosen_through()});
    }
  }
  maybe_stand(turn);
}

// A leader writes more than anyone: one without room for it would soon stand still.
bool Consensus::stands_aside() const {
  if (recovering_ && !canary(Canary::kStandWhileRecovering)) return true;
  return disk_short_ && group().members().size() > 1;
}

void Consensus::maybe_stand(Turn& turn) {
  const auto& welcomed_by = std::get<Canvassing>(role_).welcomed_by;
  const auto welcomes = [&](ReplicaId member) { return welcomed_by.contains(member); };
  if (group().contains(options_.self) && group().has_quorum(welcomes)) become_candidate(turn);
}

// Phase 1a leaves when this replica's own promise is durable, and not before (send_durable).
void Consensus::become_candidate(Turn& turn) {
  ++candidacies_;
  const auto* welcomed = std::get_if<Canvassing>(&role_);
  const Ballot ballot = welcomed ? std::max(welcomed->ballot, next_ballot()) : next_ballot();
  see(ballot);
  acceptor_.promise(ballot);
  if (!canary(Canary::kBallotReuse)) write(turn, Promised{ballot});
  Candidate candidate;
  candidate.ballot = ballot;
  candidate.from = learner_.chosen_through().next();
  candidate.gives_up_at = turn.now + random_timeout();
  role_ = std::move(candidate);
  ask_promises(turn);
  send_durable(turn, options_.self, promise_part({ballot, learner_.chosen_through().next()}));
}

// Phase 2 begins with the promises of a quorum of the next slot's group: with what they report, and
// no-ops in the holes, as far as the groups are known and have promised.
void Consensus::become_leader(Turn& turn) {
  ++elections_won_;
  Candidate won = std::move(std::get<Candidate>(role_));
  Leader leader;
  leader.ballot = won.ballot;
  leader.last = learner_.chosen_through();
  leader.own_stalled_since = turn.now;
  leader.promises = std::move(won.promises);
  role_ = std::move(leader);
  auto& office = std::get<Leader>(role_);
  meet_peers(turn, office);
  complete_own_promise(office);
  propose_reported(turn, office);
  for (const auto& [member, chosen] : won.chosen_at) {
    const auto found = office.peers.find(member);
    if (found == office.peers.end()) continue;
    found->second.known = true;
    found->second.accepted_through = found->second.sent_through = std::min(chosen, office.last);
  }
  send_heartbeats(turn, office);
  pump(turn, office);
  count_own(turn, office);
}

// ── pre-vote ────────────────────────────────────────────────────────────────────────────────────

void Consensus::on(Turn& turn, ReplicaId from, const PreVote& question) {
  send_now(turn, from,
           PreVoteAnswer{question.ballot, welcome(turn.now, from, question), highest_ballot()});
}

// 1. A follower that hears its leader, and a leader that hears a quorum, welcome nobody: a replica
//    that comes back, or lost its own way to the leader only, disturbs nobody.
// 2. A ballot that would be refused is not welcome: the answer says what it must exceed.
// 3. To be welcomed by one that will not promise is of no use (recovering).
// 4. One that is far behind is not welcome: it would have to learn all that before it could serve.
//    Whoever is the furthest of a quorum is welcome to all of it, so somebody always is. Nor is one
//    that lacks what is no longer kept here: it could not be told (on Prepare).
// 5. Nor is one that has left the group and may not know it yet.
bool Consensus::welcome(MonoTime now, ReplicaId asker, const PreVote& question) const {
  if (canary(Canary::kEverybodyWelcome)) return true;
  if (recovering_) return false;
  return !hears_leader(now) && may_stand(asker, question.chosen_through) &&
         acceptor_.promised() < question.ballot && can_tell(question.chosen_through.next()) &&
         learner_.chosen_through().value <= question.chosen_through.value + options_.lag_max;
}

// A promise for the slots from this one on could be told.
bool Consensus::can_tell(Slot from) const {
  return learner_.first() <= from || canary(Canary::kPromiseDespiteTruncation);
}

bool Consensus::hears_leader(MonoTime now) const {
  if (const auto* leader = std::get_if<Leader>(&role_)) return hears_quorum(now, *leader);
  const auto* follower = std::get_if<Follower>(&role_);
  return follower != nullptr && follower->leader &&
         now - follower->heard_at < options_.election_min;
}

void Consensus::on(Turn& turn, ReplicaId from, const PreVoteAnswer& answer) {
  see(answer.promised);
  auto* canvassing = std::get_if<Canvassing>(&role_);
  if (canvassing == nullptr || answer.ballot != canvassing->ballot) return;
  if (answer.welcome) {
    canvassing->welcomed_by.insert(from);
    return maybe_stand(turn);
  }
  if (canvassing->ballot <= answer.promised) become_canvassing(turn);
}

// ── phase 1 ─────────────────────────────────────────────────────────────────────────────────────

// Asks those whose promises are not whole, from where each left off.
void Consensus::ask_promises(Turn& turn) {
  auto& candidate = std::get<Candidate>(role_);
  candidate.resend_at = turn.now + options_.heartbeat_every + options_.heartbeat_every;
  for (const ReplicaId replica : groups_.everybody_from(candidate.from)) {
    if (replica == options_.self || candidate.promises.is_whole(replica)) continue;
    const Slot from = candidate.promises.next_part(replica, candidate.from);
    send_durable(turn, replica, Prepare{candidate.ballot, from});
  }
}

void Consensus::on(Turn& turn, ReplicaId from, const Promise& promise) {
  const auto* candidate = std::get_if<Candidate>(&role_);
  if (candidate != nullptr && promise.ballot == candidate->ballot) {
    return take_part(turn, from, promise);
  }
  auto* leader = std::get_if<Leader>(&role_);
  if (leader != nullptr && promise.ballot == leader->ballot) {
    take_part(turn, *leader, from, promise);
  }
}

void Consensus::take_part(Turn& turn, ReplicaId from, const Promise& promise) {
  auto& candidate = std::get<Candidate>(role_);
  const auto all = [](Slot) { return true; };
  if (!candidate.promises.take(from, promise, candidate.from, all)) return;
  candidate.chosen_at[from] = promise.chosen_through;
  if (promise.next != Slot(0)) {
    const Prepare rest{candidate.ballot, promise.next};
    if (from == options_.self) return send_durable(turn, from, promise_part(rest));
    return send_durable(turn, from, rest);
  }
  const auto promised = [&](ReplicaId member) { return candidate.promises.is_whole(member); };
  if (group().has_quorum(promised)) become_leader(turn);
}

// Who has left moves no office.
void Consensus::on(Turn& turn, ReplicaId from, const Refused& refused) {
  see(refused.promised);
  if (!is_in_group(from)) return;
  const auto* candidate = std::get_if<Candidate>(&role_);
  const auto* leader = std::get_if<Leader>(&role_);
  const bool mine = (candidate != nullptr && candidate->ballot == refused.ballot) ||
                    (leader != nullptr && leader->ballot == refused.ballot);
  if (mine && refused.ballot < refused.promised) become_follower(turn, std::nullopt);
}

// The leader itself asks: nobody is disturbed, so nobody is asked first.
void Consensus::on(Turn& turn, ReplicaId from, const TakeOver& order) {
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != from) return;
  if (order.ballot < acceptor_.promised() || !group().contains(options_.self)) return;
  if (stands_aside()) return;
  become_candidate(turn);
}

}  // namespace assent::paxos
