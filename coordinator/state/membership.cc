#include "coordinator/state/membership.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/canary.h"
#include "base/check.h"

namespace assent::state {
namespace {

std::string named(ReplicaId replica) {
  return "replica " + to_string(replica);
}

tl::unexpected<Error> unknown(ReplicaId replica) {
  return failure(ErrorCode::kInvalidArgument,
                 named(replica) + " is not in the group: ask for the group's status");
}

}  // namespace

const Member* Membership::find(ReplicaId replica) const {
  const auto found = replicas_.find(replica);
  return found == replicas_.end() ? nullptr : &found->second;
}

Electorate Membership::electorate() const {
  Electorate out{from_, {}, {}};
  for (const auto& [id, replica] : replicas_) {
    (replica.learner ? out.learners : out.members).push_back(id);
  }
  return out;
}

std::vector<Electorate> Membership::electorates() const {
  std::vector<Electorate> out;
  if (before_.from != Slot(0)) out.push_back(before_);
  if (!empty()) out.push_back(electorate());
  return out;
}

// The slots in front of the command were decided by the group that the configuration named to
// everyone: it has governed from the first one on.
Slot Membership::found(const std::vector<Member>& members) {
  if (!empty()) return from_;
  for (const Member& member : members) replicas_.emplace(member.id, member);
  from_ = Slot(1);
  return from_;
}

Slot Membership::change_from(Slot slot) {
  before_ = electorate();
  from_ = Slot(slot.value + kGroupDistance);
  return from_;
}

// One change at a time.
Result<void> Membership::check_quiet(Slot slot) const {
  if (empty()) {
    return failure(ErrorCode::kUnavailable,
                   "the group is not in the log yet: ask again when a leader serves");
  }
  if (from_ <= slot || canary(Canary::kTwoChangesAtOnce)) return {};
  return failure(ErrorCode::kUnavailable, "an earlier change of the group governs from slot " +
                                              to_string(from_) + " on: ask again in a moment");
}

Result<void> Membership::check_addresses(const Member& replica) const {
  for (const auto& [id, other] : replicas_) {
    if (id == replica.id) continue;
    if (other.peer_address != replica.peer_address &&
        other.client_address != replica.client_address) {
      continue;
    }
    return failure(ErrorCode::kInvalidArgument, named(replica.id) + " has an address of " +
                                                    named(id) + ": correct its addresses");
  }
  return {};
}

Result<void> Membership::check_newcomer(const Member& replica) const {
  if (replica.id == ReplicaId(0)) {
    return failure(ErrorCode::kInvalidArgument, "a replica's id counts from 1");
  }
  if (retired(replica.id)) {
    return failure(ErrorCode::kInvalidArgument,
                   named(replica.id) +
                       " has left this group, and nobody comes back under a used id: choose an id"
                       " that was never used, and an empty data directory");
  }
  if (replicas_.size() >= kReplicasMax) {
    return failure(ErrorCode::kInvalidArgument,
                   "the group has " + std::to_string(kReplicasMax) +
                       " replicas, and may not have more: remove one first");
  }
  return check_addresses(replica);
}

Result<Slot> Membership::add(Slot slot, Member replica) {
  replica.learner = true;
  if (const Member* known = find(replica.id)) {
    Member as_asked = replica;
    as_asked.learner = known->learner;
    as_asked.disk = known->disk;
    const bool same_disk = replica.disk == 0 || known->disk == 0 || replica.disk == known->disk;
    if (as_asked == *known && same_disk) return from_;
    return failure(ErrorCode::kInvalidArgument,
                   named(replica.id) +
                       " is in the group, with other addresses or another disk:"
                       " choose an id that was never used");
  }
  return check_quiet(slot).and_then([&] { return check_newcomer(replica); }).map([&] {
    const Slot from = change_from(slot);
    replicas_.emplace(replica.id, std::move(replica));
    return from;
  });
}

Result<Slot> Membership::promote(Slot slot, ReplicaId replica) {
  const auto found = replicas_.find(replica);
  if (found == replicas_.end()) return unknown(replica);
  if (!found->second.learner) return from_;
  return check_quiet(slot).map([&] {
    const Slot from = change_from(slot);
    found->second.learner = false;
    return from;
  });
}

Result<Slot> Membership::remove(Slot slot, ReplicaId replica) {
  if (retired(replica)) return from_;
  const auto found = replicas_.find(replica);
  if (found == replicas_.end()) return unknown(replica);
  if (auto quiet = check_quiet(slot); !quiet) return tl::unexpected(quiet.error());
  if (electorate().members == std::vector<ReplicaId>{replica}) {
    return failure(ErrorCode::kInvalidArgument,
                   named(replica) + " is the last member of the group: add another one first");
  }
  const Slot from = change_from(slot);
  replicas_.erase(found);
  retired_.insert(replica);
  return from;
}

Result<Slot> Membership::move(const Member& replica) {
  const auto found = replicas_.find(replica.id);
  if (found == replicas_.end()) return unknown(replica.id);
  Member& known = found->second;
  if (known.disk != 0 && replica.disk != 0 && known.disk != replica.disk) {
    return failure(ErrorCode::kIdentityMismatch,
                   named(replica.id) +
                       " has another disk than the group knows it by, so it may have lost what it"
                       " promised: replace it under an id that was never used");
  }
  if (auto free = check_addresses(replica); !free) return tl::unexpected(free.error());
  const bool learner = known.learner;
  const std::uint64_t disk = known.disk != 0 ? known.disk : replica.disk;
  known = replica;
  known.learner = learner;
  known.disk = disk;
  return from_;
}

void Membership::check_invariants() const {
  CHECK_EQ(empty(), from_ == Slot(0), "a group governs from some slot on");
  if (empty()) return;
  const Electorate now = electorate();
  CHECK(!now.members.empty(), "a group has a member");
  CHECK_LE(replicas_.size(), kReplicasMax, "a group is bounded");
  for (const auto& [id, replica] : replicas_) {
    CHECK_EQ(id, replica.id, "a replica stands under its id");
    CHECK(!retired(id), "nobody comes back under a used id");
  }
  if (before_.from == Slot(0) || canary(Canary::kTwoChangesAtOnce)) return;
  CHECK_LE(before_.from.value + kGroupDistance, from_.value, "one change at a time");
  std::vector<ReplicaId> apart;
  std::set_symmetric_difference(now.members.begin(), now.members.end(), before_.members.begin(),
                                before_.members.end(), std::back_inserter(apart));
  CHECK_LE(apart.size(), std::size_t{1}, "neighbouring groups differ by one member at most");
}

}  // namespace assent::state
