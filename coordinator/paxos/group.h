// Who the replicas of a group are, and what a quorum of them is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/check.h"
#include "base/ids.h"
#include "coordinator/paxos/canary.h"

namespace assent::paxos {

// The acceptors that govern a slot. Any two quorums of a group share a replica: that is all that
// agreement rests on ("Paxos Made Simple", section 2.2). Today one group governs every slot; a
// change of membership will be a value of the log that names the first slot it governs.
class Group {
 public:
  // Precondition: at least one member, each once.
  explicit Group(std::vector<ReplicaId> members) : members_(std::move(members)) {
    std::sort(members_.begin(), members_.end());
    CHECK(!members_.empty(), "a group has a member");
    CHECK(std::adjacent_find(members_.begin(), members_.end()) == members_.end(),
          "a member counts once in a quorum");
  }

  [[nodiscard]] const std::vector<ReplicaId>& members() const { return members_; }
  [[nodiscard]] bool contains(ReplicaId replica) const {
    return std::binary_search(members_.begin(), members_.end(), replica);
  }
  [[nodiscard]] std::size_t quorum() const {
    if (canary(Canary::kMinorityQuorum)) return (members_.size() + 1) / 2 - (members_.size() > 1);
    return members_.size() / 2 + 1;
  }

 private:
  std::vector<ReplicaId> members_;  // ascending
};

}  // namespace assent::paxos
