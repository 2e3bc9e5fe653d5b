// What a replica's process does about its disk: whose it is, and whether there is room. The rules
// are coordinator/server's (GroupLog): who is let in is decided by replica::Admission.
#include <algorithm>
#include <utility>

#include "tests/simulation/host.h"

namespace assent::simulation {
namespace {

constexpr Micros kGreetEvery = 100 * kMillisecond;
constexpr Micros kAsideEvery = 5 * kSecond;

}  // namespace

// ── whose it is ─────────────────────────────────────────────────────────────────────────────────

void Host::wipe() {
  around_.trace.event(id_.value, "loses its disk", disk_.incarnation().value);
  around_.witness.wiped(id_);
  disk_.wipe();
}

void Host::greet_all() {
  if (!runs() || up()) return;
  for (const ReplicaId other : others_) {
    if (!admission_->is_known_by(other)) around_.greet({id_, disk_.incarnation()}, other);
  }
  later(kGreetEvery, [this] { greet_all(); });
}

// Who waits to be let in itself answers, too: else no group would ever begin.
void Host::greeted_by(const Sender& other) {
  enter([this, other] {
    if (up() && core_->state().membership().retired(other.replica)) return;
    around_.answer_greeting(other.replica, id_, meet(other));
  });
}

// What the group has agreed on is right, whoever was met here first.
DiskIncarnation Host::meet(const Sender& other) {
  const DiskIncarnation met = disk_.meet(other.replica, other.disk);
  const state::Member* agreed = up() ? core_->state().membership().find(other.replica) : nullptr;
  return agreed == nullptr || agreed->disk == 0 ? met : DiskIncarnation(agreed->disk);
}

void Host::greeting_answered(ReplicaId by, DiskIncarnation known) {
  enter([this, by, known] {
    if (up()) return;
    if (known != disk_.incarnation()) {
      around_.trace.event(id_.value, "is refused", by.value);
      refused_ = true;
      return switch_off();
    }
    admission_->known_by(by);
    if (admission_->admitted()) take_part();
  });
}

// ── room ────────────────────────────────────────────────────────────────────────────────────────

void Host::hear_of_space(bool is_short) {
  around_.trace.event(id_.value, is_short ? "has no room" : "has room again");
  step(paxos::DiskShort{is_short});
  step_aside();
}

// What is reserved holds the decisions in flight, while another member takes the office: whoever is
// furthest of those that are connected.
void Host::step_aside() {
  if (!up() || !disk_.full()) return;
  const paxos::Group& group = core_->consensus().group();
  std::optional<ReplicaId> furthest;
  const auto chosen = core_->consensus().peers_chosen();
  for (const auto& [peer, mark] : chosen) {
    const bool able =
        peer != id_ && group.contains(peer) && around_.network.connected(id_.value, peer.value);
    if (able && (!furthest || chosen.at(*furthest) < mark)) furthest = peer;
  }
  if (furthest && serving()) step(paxos::TransferAsked{*furthest});
  later(kAsideEvery, [this] { step_aside(); });
}

}  // namespace assent::simulation
