#include "cli/explain/sorting.h"

#include <algorithm>

#include "cli/explain/units.h"

namespace assent::explain {
namespace {

constexpr Millis kForeignUsual{600'000};

const state::DecidedBranch* listed_in(const Record& record, const BranchId& branch) {
  const auto found = std::ranges::find_if(record.branches, [&](const auto& one) {
    return one.participant == branch.participant && one.epoch == branch.epoch &&
           one.attempt == branch.attempt;
  });
  return found == record.branches.end() ? nullptr : &*found;
}

Sorted by_record(const Prepared& one, const Record& record) {
  if (is_strangers(one, record)) {
    return {Sort::kStranger,
            "it has another xid than the branch that voted: somebody has prepared it under our "
            "name; its owner, " +
                one.owner + ", has to end it"};
  }
  const bool commits =
      record.outcome == Outcome::kCommitted && listed_in(record, one.parsed->branch) != nullptr;
  return {Sort::kOurs, std::string(name(record.outcome)) + ": it is being " +
                           (commits ? "committed" : "rolled back")};
}

Sorted by_driver(const commit::DrivenView& driven) {
  switch (driven.stage) {
    case commit::DrivenStage::kPreparing:
    case commit::DrivenStage::kOnePhase:
    case commit::DrivenStage::kSettling:
      return {Sort::kOurs,
              "not decided yet" +
                  (driven.deadline_in
                       ? ": it is, in " + duration(*driven.deadline_in) + " at the latest"
                       : std::string())};
    case commit::DrivenStage::kProposing:
      return {Sort::kOurs, "the decision is on its way through the log"};
    case commit::DrivenStage::kFinishing:
      return {Sort::kOurs, driven.expired ? "too old to commit: it is being rolled back"
                                          : "decided: it is being told"};
  }
  return {Sort::kOurs, "the leader works on it"};
}

Sorted without_record(const Prepared& one, const Known& known, const Viewpoint& log,
                      const Participant& participant) {
  const BranchId& branch = one.parsed->branch;
  const std::string id = to_string(branch.transaction);
  const bool below_floor = branch.transaction.time() <= log.floor;
  const bool nobody_knows = branch.epoch < participant.quarantined_below ||
                            (below_floor && branch.epoch < participant.broken_below);
  if (known.heuristic && known.heuristic->resolution) {
    return {Sort::kOurs, "an operator has decided it: it is being ended"};
  }
  if (nobody_knows) {
    return {Sort::kOperators, "nobody knows its outcome: assentctl explain " + id};
  }
  return {Sort::kOrphan, below_floor ? "nobody can commit it any more: recovery rolls it back"
                                     : "nobody is committing it: recovery aborts it within "
                                       "seconds"};
}

}  // namespace

std::string_view name(Sort sort) {
  switch (sort) {
    case Sort::kOurs:
      return "ours";
    case Sort::kOrphan:
      return "orphan";
    case Sort::kOperators:
      return "operator's";
    case Sort::kStranger:
      return "stranger";
    case Sort::kForeign:
      return "foreign";
    case Sort::kNotKnown:
      return "not known";
  }
  return "not known";
}

bool is_strangers(const Prepared& one, const Record& record) {
  if (!one.parsed) return false;
  const state::DecidedBranch* const listed = listed_in(record, one.parsed->branch);
  return listed != nullptr && listed->evidence != Evidence{} &&
         static_cast<std::uint32_t>(listed->evidence.xid) != one.xid;
}

Sorted sort(const Prepared& one, const Known& known, const Viewpoint* log,
            const Participant* participant) {
  if (one.belonging == Belonging::kForeign || !one.parsed) {
    return {Sort::kForeign, one.age < kForeignUsual
                                ? "none of ours: whoever prepared it ends it"
                                : "none of ours, and old: ask " + one.owner + " to end it"};
  }
  if (one.belonging == Belonging::kStranger) {
    return {Sort::kStranger, "prepared under our name by " + one.owner +
                                 ", and left alone: " + one.owner + " has to end it"};
  }
  if (known.record) return by_record(one, *known.record);
  if (known.driven) return by_driver(*known.driven);
  if (log == nullptr || !log->leads) {
    return {Sort::kNotKnown, "no leader has told what the log knows of it"};
  }
  if (participant == nullptr || participant->epoch < one.parsed->branch.epoch) {
    return {Sort::kStranger,
            "of a life of its agent that the log does not know: it is left alone; its owner, " +
                one.owner + ", has to end it"};
  }
  return without_record(one, known, *log, *participant);
}

}  // namespace assent::explain
