// Who the replicas of a group are, and what a quorum of them is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "base/canary.h"
#include "base/check.h"
#include "base/ids.h"

namespace assent::paxos {

// The acceptors that govern a slot. Any two quorums of a group share a replica: that is all that
// agreement rests on ("Paxos Made Simple", section 2.2). Learners are sent everything and promise
// and accept like members, but no quorum counts them.
class Group {
 public:
  // Of nobody: it has no quorum. All that a replica knows that joins a group.
  Group() = default;
  // Precondition: at least one member; every replica once, as one or the other.
  explicit Group(std::vector<ReplicaId> members, std::vector<ReplicaId> learners = {})
      : members_(std::move(members)), learners_(std::move(learners)) {
    std::sort(members_.begin(), members_.end());
    std::sort(learners_.begin(), learners_.end());
    CHECK(!members_.empty(), "a group has a member");
    CHECK(std::adjacent_find(members_.begin(), members_.end()) == members_.end(),
          "a member counts once in a quorum");
    for (const ReplicaId learner : learners_) CHECK(!contains(learner), "a learner is no member");
  }

  [[nodiscard]] const std::vector<ReplicaId>& members() const { return members_; }
  [[nodiscard]] const std::vector<ReplicaId>& learners() const { return learners_; }
  [[nodiscard]] bool contains(ReplicaId replica) const {
    return std::binary_search(members_.begin(), members_.end(), replica);
  }
  [[nodiscard]] std::size_t quorum() const {
    if (canary(Canary::kMinorityQuorum)) return (members_.size() + 1) / 2 - (members_.size() > 1);
    return members_.size() / 2 + 1;
  }

  // A quorum of members is like this.
  template <class Predicate>
  [[nodiscard]] bool has_quorum(Predicate is_like_this) const {
    auto found = std::count_if(members_.begin(), members_.end(), is_like_this);
    if (canary(Canary::kLearnerCounts)) {
      found += std::count_if(learners_.begin(), learners_.end(), is_like_this);
    }
    return static_cast<std::size_t>(found) >= quorum();
  }

  // The highest number that a quorum of members has reached; Number() in a group of nobody.
  template <class Number, class Of>
  [[nodiscard]] Number reached_by_quorum(Of number_of) const {
    std::vector<Number> numbers;
    for (const ReplicaId member : members_) numbers.push_back(number_of(member));
    if (canary(Canary::kLearnerCounts)) {
      for (const ReplicaId learner : learners_) numbers.push_back(number_of(learner));
    }
    if (numbers.size() < quorum()) return Number();
    std::sort(numbers.begin(), numbers.end(), std::greater<>());
    return numbers[quorum() - 1];
  }

  bool operator==(const Group&) const = default;

 private:
  std::vector<ReplicaId> members_;   // ascending
  std::vector<ReplicaId> learners_;  // ascending
};

}  // namespace assent::paxos
