// Becoming whole again after records of the own log were lost; docs/paxos.md, "Lost records".
#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "coordinator/paxos/consensus.h"

namespace assent::paxos {

void Consensus::restore_lost_records() {
  if (!recovering_) recovering_.emplace();
}

// Every record was restored, so the promise is as high as every lost one: ballots of a log never go
// back, and the log is refused unless one with a ballot stands behind the damage.
void Consensus::begin_recovering() {
  if (!recovering_) return;
  recovering_->nonce = random_.next();
  recovering_->promised = acceptor_.promised();
}

// With each heartbeat, until whole: a later leader may know a lower bound that is reached sooner.
void Consensus::maybe_ask_to_recover(Turn& turn, ReplicaId leader, const Ballot& ballot) {
  if (!recovering_) return;
  const Slot through = acceptor_.contiguous_through(learner_.chosen_through(), ballot);
  send_now(turn, leader, RecoveryAsk{ballot, recovering_->nonce, through});
}

// Nothing is promised by it and nothing need be durable: it says up to where this ballot has gone,
// which only grows. What the member told in an earlier life it did accept; but it has not got it
// any more, so that is sent again, and does not count before it is told again.
void Consensus::on(Turn& turn, ReplicaId from, const RecoveryAsk& ask) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || leader->ballot != ask.ballot) return;
  answer_recovery(turn, *leader, from, ask.nonce);
  const auto peer = leader->peers.find(from);
  if (peer == leader->peers.end() || peer->second.accepted_through <= ask.through) return;
  peer->second.accepted_through = peer->second.sent_through = ask.through;
  peer->second.in_flight.clear();
  pump(turn, *leader);
}

// As long as phase 1 is not whole for every group that it knows, it could not tell what others may
// have chosen: the next question comes with the next heartbeat.
void Consensus::answer_recovery(Turn& turn, const Leader& leader, ReplicaId to,
                                std::uint64_t nonce) {
  const auto& reported = leader.promises.reported();
  const Slot last =
      reported.empty() ? leader.last : std::max(leader.last, reported.rbegin()->first);
  const Slot governed(executed_.value + kGroupDistance);
  for (Slot slot = leader.last.next(); slot <= governed; slot = slot.next()) {
    if (!has_promises(leader, slot)) return;
  }
  if (last < governed) send_now(turn, to, RecoveryAnswer{leader.ballot, nonce, last, governed});
}

// Let (s, b, v) be a lost acceptance, and B the ballot of the answer.
// 1. b ≤ B: b is at most the restored promise, and B is not below that.
// 2. b = B: the leader of B proposed in s before this life began, and answered a question of this
//    life: s ≤ last.
// 3. b < B, and v is chosen under b, now or ever: a quorum accepts it under b, one of those
//    promised B to its leader after it had accepted, and reported it: s ≤ last.
// So what was lost above `last` was not chosen and never will be: it need not be reported. What was
// lost up to it will be known chosen here, and reported as such. 3 needs phase 1 of B to be whole
// for the group of s: see maybe_become_whole.
void Consensus::on(Turn& turn, ReplicaId /*from*/, const RecoveryAnswer& answer) {
  if (!recovering_) return;
  if (answer.nonce != recovering_->nonce && !canary(Canary::kAnyRecoveryNonce)) return;
  if (answer.ballot < recovering_->promised) return;
  std::optional<Recovering::Bound>& bound = recovering_->bound;
  if (!bound || answer.last < bound->through) bound = {answer.last, answer.governed_through};
  maybe_become_whole(turn);
}

// With the bound executed, the group of every slot up to kGroupDistance behind it is known here. In
// a later one nothing can have been chosen under a ballot below the answer's: its leader would have
// had to know that slot's group, and so the bound would be higher.
void Consensus::maybe_become_whole(Turn& turn) {
  if (!recovering_ || !recovering_->bound) return;
  const Recovering::Bound bound = *recovering_->bound;
  if (executed_ < bound.through) return;
  // A group came to govern that the leader did not know: a later answer will.
  const Slot known(bound.through.value + kGroupDistance);
  if (bound.governed_through < groups_.first_like(known)) return recovering_->bound.reset();
  recovering_.reset();
  write_repaired(turn);
  turn.effects.recovered = true;
}

// The next life is to be sound as well, though what is lost lacks there, too. Let R be this record.
// A start that reads the log from the same state up to R
// 1. restores a promise no lower than any that was given: all ballots in front of R are no lower
//    than those that are lost, but for those that stand in front of these.
// 2. finds every slot up to the mark with its chosen value in its last record in front of R, or in
//    the state. Slots up to the mark in front of the damage: no later record of them was ever
//    written. The others were learned in this life, each with a record of exactly the ballot B of
//    a leader, and B is no lower than the restored promise. A lost record of the slot behind that
//    one would have a ballot between B and the promise: it is B, with the same value.
// 3. needs no lost acceptance of a later slot: those are not of chosen values, and never will be
//    (see on(RecoveryAnswer)).
// So it knows what this acceptor knows now. And it is durable before the first promise that is
// given from now on is told: records are durable in their order, and answers wait for all in front.
void Consensus::write_repaired(Turn& turn) {
  mark_unwritten_ = false;
  write(turn, Repaired{learner_.chosen_through()});
}

}  // namespace assent::paxos
