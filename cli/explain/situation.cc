#include "cli/explain/situation.h"

#include <algorithm>

#include "cli/explain/sorting.h"

namespace assent::explain {

bool Situation::below_floor() const {
  return facts_.log && made_at() <= facts_.log->floor;
}

bool Situation::decided_by_earlier_office() const {
  return leads() && facts_.record && facts_.record->decided_in <= facts_.log->office_after;
}

const Participant* Situation::participant(const std::string& name) const {
  const auto found = std::ranges::find(facts_.participants, name, &Participant::name);
  return found == facts_.participants.end() ? nullptr : &*found;
}

std::string Situation::unreached(const std::string& name) const {
  const Participant* const one = participant(name);
  if (one == nullptr) return "the log knows no participant of that name";
  if (!one->agent) return "its agent does not answer: " + one->unreached;
  if (!one->agent->database_error.empty()) {
    return "its database does not answer: " + one->agent->database_error;
  }
  return "";
}

std::vector<std::string> Situation::all_unreached() const {
  std::vector<std::string> out;
  for (const Participant& one : facts_.participants) {
    if (!unreached(one.name).empty()) out.push_back(one.name);
  }
  return out;
}

namespace {

bool is_stranger(const Facts& facts, const Prepared& prepared) {
  return prepared.belonging != Belonging::kOurs ||
         (facts.record && is_strangers(prepared, *facts.record));
}

}  // namespace

std::vector<Situation::Found> Situation::ours() const {
  std::vector<Found> out;
  for (const Participant& one : facts_.participants) {
    if (!one.agent) continue;
    for (const Prepared& prepared : one.agent->prepared) {
      const bool names_it = prepared.parsed && facts_.transaction &&
                            prepared.parsed->branch.transaction == *facts_.transaction;
      if (names_it && !is_stranger(facts_, prepared)) out.push_back({&one, &prepared});
    }
  }
  return out;
}

// Agents of databases in one server show each other's branches as foreign: those have our
// cluster's name, and another agent answers for them.
std::vector<Situation::Found> Situation::strangers() const {
  std::vector<Found> out;
  for (const Participant& one : facts_.participants) {
    if (!one.agent) continue;
    for (const Prepared& prepared : one.agent->prepared) {
      const bool of_another = prepared.belonging == Belonging::kForeign && prepared.parsed &&
                              participant(prepared.parsed->branch.participant) != nullptr &&
                              prepared.parsed->cluster == facts_.log.value_or(Viewpoint{}).cluster;
      if (!of_another && is_stranger(facts_, prepared)) out.push_back({&one, &prepared});
    }
  }
  return out;
}

std::vector<Situation::Found> Situation::foreign() const {
  std::vector<Found> out;
  for (const Participant& one : facts_.participants) {
    if (!one.agent) continue;
    for (const Prepared& prepared : one.agent->prepared) {
      if (prepared.gid == facts_.asked) out.push_back({&one, &prepared});
    }
  }
  return out;
}

std::vector<commit::BranchView> Situation::awaited() const {
  std::vector<commit::BranchView> out;
  if (!facts_.driven) return out;
  for (const commit::BranchView& one : facts_.driven->branches) {
    if (one.stage == commit::BranchStage::kAsked || one.stage == commit::BranchStage::kEnding ||
        (one.stage == commit::BranchStage::kVoted &&
         one.branch.participant == facts_.driven->writer)) {
      out.push_back(one);
    }
  }
  return out;
}

std::optional<commit::BranchView> Situation::awaited_in_vain() const {
  for (const commit::BranchView& one : awaited()) {
    if (!unreached(one.branch.participant).empty()) return one;
  }
  return std::nullopt;
}

bool Situation::of_before_restore(const std::string& name, Epoch epoch) const {
  const Participant* const one = participant(name);
  return one != nullptr && epoch < one->quarantined_below;
}

bool Situation::of_before_break(const std::string& name, Epoch epoch) const {
  const Participant* const one = participant(name);
  return one != nullptr && epoch < one->broken_below;
}

const state::HeuristicBranch* Situation::heuristic_branch(FinishResult result) const {
  if (!facts_.heuristic) return nullptr;
  const auto& branches = facts_.heuristic->branches;
  const auto found = std::ranges::find(branches, result, &state::HeuristicBranch::result);
  return found == branches.end() ? nullptr : &*found;
}

std::string branch_name(const BranchId& branch) {
  return branch.participant + "/" + to_string(branch.epoch) + "." + to_string(branch.attempt);
}

std::string branch_name(const state::DecidedBranch& branch) {
  return branch.participant + "/" + to_string(branch.epoch) + "." + to_string(branch.attempt);
}

}  // namespace assent::explain
