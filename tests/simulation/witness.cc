#include "tests/simulation/witness.h"

#include <algorithm>
#include <string>
#include <variant>

#include "tests/simulation/violation.h"

namespace assent::simulation {

Witness::Witness(const Ledger& ledger, std::size_t replicas)
    : ledger_(ledger), replicas_(replicas + 1) {}

void Witness::booted(ReplicaId replica) {
  Known& known = of(replica);
  ++known.life;
  known.nonce = 0;
  known.answered = false;
  known.promised_written = known.promised_durable;
}

void Witness::wiped(ReplicaId replica) {
  of(replica).forgot = of(replica).spoke;
}

void Witness::written(ReplicaId replica, const paxos::Record& record) {
  Known& known = of(replica);
  if (const auto* promised = std::get_if<paxos::Promised>(&record)) {
    known.promised_written = std::max(known.promised_written, promised->ballot);
  }
  const auto* accepted = std::get_if<paxos::Accepted>(&record);
  if (accepted == nullptr) return;
  if (accepted->ballot < known.promised_written) {
    violated(Checker::kPromiseKept, "replica " + to_string(replica) + " promised " +
                                        to_string(known.promised_written) + " and accepts slot " +
                                        to_string(accepted->slot) + " under " +
                                        to_string(accepted->ballot));
  }
  known.promised_written = accepted->ballot;
}

void Witness::durable(ReplicaId replica, const paxos::Record& record) {
  Known& known = of(replica);
  if (const auto* promised = std::get_if<paxos::Promised>(&record)) {
    known.promised_durable = std::max(known.promised_durable, promised->ballot);
  }
  const auto* accepted = std::get_if<paxos::Accepted>(&record);
  if (accepted == nullptr) return;
  known.promised_durable = std::max(known.promised_durable, accepted->ballot);
  const std::size_t slot = accepted->slot.value;
  if (known.ballots.size() <= slot) {
    known.ballots.resize(slot + 1);
    known.values.resize(slot + 1);
  }
  known.ballots[slot].push_back(accepted->ballot);
  known.values[slot] = accepted->value;
}

void Witness::sent(ReplicaId replica, const paxos::Message& message) {
  of(replica).spoke = true;
  if (of(replica).forgot) {
    violated(Checker::kWipedIsSilent, "replica " + to_string(replica) + " lost its disk and says " +
                                          std::string(paxos::name(message)) +
                                          " under its old identity");
  }
  if (const auto* promise = std::get_if<paxos::Promise>(&message)) told(replica, *promise);
  if (const auto* accepted = std::get_if<paxos::AcceptedThrough>(&message)) {
    told(replica, *accepted);
  }
  if (const auto* ask = std::get_if<paxos::RecoveryAsk>(&message)) of(replica).nonce = ask->nonce;
  const auto* prepare = std::get_if<paxos::Prepare>(&message);
  if (prepare == nullptr) return;
  const Life now = life(replica);
  if (candidates_.try_emplace(prepare->ballot, now).first->second == now) return;
  violated(Checker::kBallotsNeverReused, "replica " + to_string(replica) +
                                             " asks for promises of " + to_string(prepare->ballot) +
                                             ", as an earlier life or another replica did");
}

void Witness::heard(ReplicaId replica, const paxos::Message& message) {
  const auto* answer = std::get_if<paxos::RecoveryAnswer>(&message);
  if (answer != nullptr && answer->nonce == of(replica).nonce) of(replica).answered = true;
}

void Witness::recovered(ReplicaId replica) const {
  if (of(replica).answered) return;
  violated(Checker::kWholeByThisLife,
           "replica " + to_string(replica) + " is whole again: nobody answered this life of it");
}

void Witness::proposed(const Ballot& ballot, Slot slot) const {
  const auto promised = promised_.find(ballot);
  const std::uint32_t by = promised == promised_.end() ? 0 : promised->second;
  const std::uint32_t own = 1u << ballot.replica.value;
  if (ledger_.electorates().quorum_among(slot, by | own).value_or(true)) return;
  violated(Checker::kPromisesOfGroup, "the leader of " + to_string(ballot) + " proposes in slot " +
                                          to_string(slot) +
                                          " without the promises of a quorum of its group");
}

void Witness::told(ReplicaId replica, const paxos::Promise& promise) {
  if (promise.next == Slot(0)) promised_[promise.ballot] |= 1u << replica.value;
  const Known& known = of(replica);
  if (known.promised_durable < promise.ballot) {
    violated(Checker::kDurableBeforeTold, "replica " + to_string(replica) + " tells a promise of " +
                                              to_string(promise.ballot) +
                                              " that is not on its disk");
  }
  for (const paxos::PromisedSlot& one : promise.accepted) {
    if (has(known, one.slot, one.accepted.ballot)) continue;
    violated(Checker::kDurableBeforeTold, "replica " + to_string(replica) + " reports slot " +
                                              to_string(one.slot) + ", not on its disk");
  }
}

void Witness::told(ReplicaId replica, const paxos::AcceptedThrough& accepted) {
  Known& known = of(replica);
  Slot& through = known.told_through[accepted.ballot];
  for (; through < accepted.through; through = through.next()) {
    const Slot slot = through.next();
    if (has(known, slot, accepted.ballot) || holds_chosen(known, slot)) continue;
    if (slot <= known.snapshot && ledger_.chosen(slot) != nullptr) continue;
    violated(Checker::kDurableBeforeTold, "replica " + to_string(replica) + " tells that slot " +
                                              to_string(slot) + " is accepted under " +
                                              to_string(accepted.ballot) + ", not on its disk");
  }
}

bool Witness::has(const Known& known, Slot slot, const Ballot& ballot) {
  if (known.ballots.size() <= slot.value) return false;
  const auto& ballots = known.ballots[slot.value];
  return std::find(ballots.rbegin(), ballots.rend(), ballot) != ballots.rend();
}

bool Witness::holds_chosen(const Known& known, Slot slot) const {
  const paxos::Value* chosen = ledger_.chosen(slot);
  if (chosen == nullptr || known.values.size() <= slot.value) return false;
  const paxos::Value& held = known.values[slot.value];
  return held != nullptr && (held == *chosen || *held == **chosen);
}

void Witness::snapshot(ReplicaId by, const StoredSnapshot& snapshot, std::uint64_t hash,
                       const state::StateOptions& options) const {
  const auto held = state_of(*snapshot.content, options);
  const Slot through = snapshot.info.through;
  const bool same = held != nullptr && held->executed() == through && held->state_hash() == hash;
  if (same) return;
  violated(Checker::kSnapshotIsState, "replica " + to_string(by) + "'s snapshot of slot " +
                                          to_string(through) + " holds another state");
}

void Witness::kept(ReplicaId replica, Slot through) {
  of(replica).snapshot = std::max(of(replica).snapshot, through);
}

void Witness::restore(Slot through) {
  for (Known& known : replicas_) {
    const std::uint64_t life = known.life;
    known = {};
    known.life = life;
    known.snapshot = through;
  }
}

void Witness::led(ReplicaId replica, const Ballot& ballot) {
  const Life now = life(replica);
  if (ballot.replica == replica && leaders_.try_emplace(ballot, now).first->second == now) return;
  violated(Checker::kOneLeaderPerBallot, "replica " + to_string(replica) + " leads under " +
                                             to_string(ballot) +
                                             ", as an earlier life or another replica did");
}

}  // namespace assent::simulation
