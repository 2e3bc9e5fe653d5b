// Questions about the facts that several parts of an explanation ask. PURE.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/explain/explanation.h"
#include "cli/explain/facts.h"

namespace assent::explain {

class Situation {
 public:
  // `facts` outlive it.
  explicit Situation(const Facts& facts) : facts_(facts) {}

  [[nodiscard]] const Facts& facts() const { return facts_; }
  [[nodiscard]] bool leads() const { return facts_.log && facts_.log->leads; }
  // By the log's time.
  [[nodiscard]] LogTime made_at() const { return facts_.transaction->time(); }
  [[nodiscard]] bool below_floor() const;
  [[nodiscard]] bool decided_by_earlier_office() const;

  // Null: the log knows none of that name.
  [[nodiscard]] const Participant* participant(const std::string& name) const;
  // Why the participant's database cannot be asked now; empty: it was.
  [[nodiscard]] std::string unreached(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> all_unreached() const;

  // Prepared transactions whose gid names T, with their participants.
  struct Found {
    const Participant* at;
    const Prepared* prepared;
  };
  [[nodiscard]] std::vector<Found> ours() const;       // branches of T
  [[nodiscard]] std::vector<Found> strangers() const;  // under a name of T, and not ours
  // With the gid that was asked about, where that is none of ours.
  [[nodiscard]] std::vector<Found> foreign() const;

  // Branches of T that the leader waits for: to vote, or to confirm.
  [[nodiscard]] std::vector<commit::BranchView> awaited() const;
  // The first of those whose participant is not reached.
  [[nodiscard]] std::optional<commit::BranchView> awaited_in_vain() const;

  // Without a record, nobody may ever tell what this branch's outcome was (R14, R15).
  [[nodiscard]] bool of_before_restore(const std::string& participant, Epoch epoch) const;
  [[nodiscard]] bool of_before_break(const std::string& participant, Epoch epoch) const;
  // The first branch of the heuristic with such a result.
  [[nodiscard]] const state::HeuristicBranch* heuristic_branch(FinishResult result) const;

 private:
  const Facts& facts_;
};

Cause cause_of(const Situation& situation);
std::vector<Event> timeline_of(const Situation& situation);
std::vector<BranchLine> branches_of(const Situation& situation);

// "db1/3.1"
std::string branch_name(const BranchId& branch);
std::string branch_name(const state::DecidedBranch& branch);

}  // namespace assent::explain
