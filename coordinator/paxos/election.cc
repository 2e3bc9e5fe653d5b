// Becoming a leader: an answered question whether anybody minds, then phase 1, once for all slots
// ("Paxos Made Simple", section 3; "Paxos Made Live", section 5).
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "coordinator/paxos/canary.h"
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
  return {std::max(above.incarnation, options_.incarnation), above.round.next(), options_.self};
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
  const std::int64_t third = options_.election_min.value / 3 + 1;
  const Millis wait(third +
                    static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(third))));
  Ballot ballot = next_ballot();
  if (ballot <= asked_about_) ballot.round = asked_about_.round.next();
  asked_about_ = ballot;
  role_ = Canvassing{ballot, {options_.self}, turn.now + wait};
  send_to_peers(turn, PreVote{ballot, learner_.chosen_through()});
  maybe_stand(turn);
}

// A leader writes more than anyone: one without room for it would soon stand still.
bool Consensus::stands_aside() const {
  return disk_short_ && options_.group.members().size() > 1;
}

void Consensus::maybe_stand(Turn& turn) {
  const auto& canvassing = std::get<Canvassing>(role_);
  if (canvassing.welcomed_by.size() >= options_.group.quorum()) become_candidate(turn);
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

// Phase 2 begins with a quorum's promises: with what they report, and no-ops in the holes.
void Consensus::become_leader(Turn& turn) {
  ++elections_won_;
  const Candidate won = std::move(std::get<Candidate>(role_));
  Leader leader;
  leader.ballot = won.ballot;
  leader.last = learner_.chosen_through();
  leader.own_stalled_since = turn.now;
  for (const ReplicaId member : options_.group.members()) {
    Peer& peer = leader.peers[member];
    peer.heard_at = turn.now;
    const auto told = won.chosen_at.find(member);
    if (told == won.chosen_at.end()) continue;
    peer.known = true;
    peer.accepted_through = peer.chosen_through = peer.sent_through = told->second;
  }
  role_ = std::move(leader);
  auto& office = std::get<Leader>(role_);
  const Slot last = won.reported.empty() ? office.last : won.reported.rbegin()->first;
  for (Slot slot = won.from; slot <= last; slot = slot.next()) {
    // P2c: the value of the highest ballot that the quorum reports, if it reports any; it is the
    // only one that may have been chosen. Otherwise none was and none can be under a lower ballot:
    // any value is right, and a no-op costs nothing.
    const auto found = won.reported.find(slot);
    if (found == won.reported.end() && canary(Canary::kSkippedHole)) continue;
    const bool own = found == won.reported.end() || canary(Canary::kOwnValueOverAccepted);
    propose(turn, office, slot, own ? make_value({}) : found->second.value);
  }
  office.last = std::max(office.last, last);
  send_heartbeats(turn, office);
  pump(turn, office);
  count_own(turn, office);
}

// ── pre-vote ────────────────────────────────────────────────────────────────────────────────────

void Consensus::on(Turn& turn, ReplicaId from, const PreVote& question) {
  send_now(turn, from,
           PreVoteAnswer{question.ballot, welcome(turn.now, question), highest_ballot()});
}

// 1. A follower that hears its leader, and a leader that hears a quorum, welcome nobody: a replica
//    that comes back, or lost its own way to the leader only, disturbs nobody.
// 2. A ballot that would be refused is not welcome: the answer says what it must exceed.
// 3. One that is far behind is not welcome: it would have to learn all that before it could serve.
//    Whoever is the furthest of a quorum is welcome to all of it, so somebody always is. Nor is one
//    that lacks what is no longer kept here: it could not be told (on Prepare).
bool Consensus::welcome(MonoTime now, const PreVote& question) const {
  if (canary(Canary::kEverybodyWelcome)) return true;
  return !hears_leader(now) && acceptor_.promised() < question.ballot &&
         can_tell(question.chosen_through.next()) &&
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
  for (const ReplicaId member : options_.group.members()) {
    if (member == options_.self || candidate.promised_by.count(member) != 0) continue;
    const auto part = candidate.next_part.find(member);
    const Slot from = part == candidate.next_part.end() ? candidate.from : part->second;
    send_durable(turn, member, Prepare{candidate.ballot, from});
  }
}

void Consensus::on(Turn& turn, ReplicaId from, const Promise& promise) {
  const auto* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr || promise.ballot != candidate->ballot) return;
  take_part(turn, from, promise);
}

// The parts of one acceptor's promise all say what was accepted below this ballot, and nothing can
// be added to that once the first was given: together they are one promise.
void Consensus::take_part(Turn& turn, ReplicaId from, const Promise& promise) {
  auto& candidate = std::get<Candidate>(role_);
  Slot& next = candidate.next_part.try_emplace(from, candidate.from).first->second;
  if (promise.from != next || candidate.promised_by.count(from) != 0) return;
  for (const PromisedSlot& one : promise.accepted) {
    const auto [known, added] = candidate.reported.try_emplace(one.slot, one.accepted);
    const bool higher = known->second.ballot < one.accepted.ballot;
    if (!added && higher != canary(Canary::kLowestBallotValue)) known->second = one.accepted;
  }
  candidate.chosen_at[from] = promise.chosen_through;
  if (promise.next != Slot(0)) {
    next = promise.next;
    const Prepare rest{candidate.ballot, next};
    if (from == options_.self) return send_durable(turn, from, promise_part(rest));
    return send_durable(turn, from, rest);
  }
  candidate.promised_by.insert(from);
  if (candidate.promised_by.size() >= options_.group.quorum()) become_leader(turn);
}

void Consensus::on(Turn& turn, ReplicaId /*from*/, const Refused& refused) {
  see(refused.promised);
  const auto* candidate = std::get_if<Candidate>(&role_);
  const auto* leader = std::get_if<Leader>(&role_);
  const bool mine = (candidate != nullptr && candidate->ballot == refused.ballot) ||
                    (leader != nullptr && leader->ballot == refused.ballot);
  if (mine && refused.ballot < refused.promised) become_follower(turn, std::nullopt);
}

// The leader itself asks: nobody is disturbed, so nobody is asked first.
void Consensus::on(Turn& turn, ReplicaId from, const TakeOver& order) {
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != from || order.ballot < acceptor_.promised())
    return;
  if (stands_aside()) return;
  become_candidate(turn);
}

}  // namespace assent::paxos
