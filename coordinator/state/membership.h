// The replicas of the coordinator, as its log has made them: part of the replicated state.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace assent::state {

// One replica, and where it is reached: "host:port" each.
struct Member {
  ReplicaId id;
  // Incarnation of its data directory: a disk that was wiped has another. 0: not known yet.
  std::uint64_t disk = 0;
  bool learner = false;  // is sent everything, and counts in no quorum
  std::string client_address;
  std::string peer_address;
  std::string admin_address;  // empty: not told

  bool operator==(const Member&) const = default;
};

// The ids alone of a group, and the first slot that it governs.
struct Electorate {
  Slot from;
  std::vector<ReplicaId> members;   // ascending
  std::vector<ReplicaId> learners;  // ascending

  bool operator==(const Electorate&) const = default;
};

inline constexpr std::size_t kReplicasMax = 9;  // of a group, learners included

// A change that is executed in slot s governs the slots from s + kGroupDistance on, and is refused
// while the one before it does not govern yet: so any two neighbouring groups differ by at most one
// member, and any kGroupDistance slots in a row are governed by at most two groups (docs/paxos.md).
// Every change answers from where on the group governs that it leads to; one that has been made
// already changes nothing. Refusals say what to do.
class Membership {
 public:
  // No group was founded: the configuration's governs.
  [[nodiscard]] bool empty() const { return replicas_.empty(); }
  // As of the latest change, which may not govern yet.
  [[nodiscard]] const std::map<ReplicaId, Member>& replicas() const { return replicas_; }
  [[nodiscard]] Slot governs_from() const { return from_; }
  // The group before the latest change, if there was one, and the group of the latest change.
  [[nodiscard]] std::vector<Electorate> electorates() const;
  // Null: no such replica.
  [[nodiscard]] const Member* find(ReplicaId replica) const;
  // It was in the group once, and never comes back under this id.
  [[nodiscard]] bool retired(ReplicaId replica) const { return retired_.contains(replica); }

  // What the configuration says becomes what the log says. Only the first one counts.
  Slot found(const std::vector<Member>& members);
  // `slot`: of the command. The replica comes as a learner.
  Result<Slot> add(Slot slot, Member replica);
  Result<Slot> promote(Slot slot, ReplicaId replica);
  Result<Slot> remove(Slot slot, ReplicaId replica);
  // Other addresses, and the disk where it was not known: counts from now on, and in no quorum.
  Result<Slot> move(const Member& replica);

  void check_invariants() const;

  bool operator==(const Membership&) const = default;

 private:
  friend struct MembershipEncoding;

  [[nodiscard]] Result<void> check_quiet(Slot slot) const;
  [[nodiscard]] Result<void> check_newcomer(const Member& replica) const;
  [[nodiscard]] Result<void> check_addresses(const Member& replica) const;
  [[nodiscard]] Electorate electorate() const;
  Slot change_from(Slot slot);

  Slot from_;  // where the group of replicas_ governs from on; 0: none was founded
  std::map<ReplicaId, Member> replicas_;
  Electorate before_;            // of the slots in front of from_; from 0: none
  std::set<ReplicaId> retired_;  // grows by one with every removal
};

}  // namespace assent::state
