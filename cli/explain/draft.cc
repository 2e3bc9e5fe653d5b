#include "cli/explain/draft.h"

#include <utility>

#include "cli/explain/units.h"

namespace assent::explain {

void Draft::is(std::string headline, std::string why) {
  out_.headline = std::move(headline);
  out_.why = std::move(why);
}

void Draft::pending() {
  if (!facts_.driven) {
    if (out_.next.empty()) next("Nothing: it is over.");
    return;
  }
  for (const commit::BranchView& one : s_.awaited()) {
    const std::string& who = one.branch.participant;
    const std::string unreached = s_.unreached(who);
    next(branch_name(one.branch) + " is told " +
         (one.next_try ? "again in " + duration(*one.next_try) : std::string("now")) +
         (unreached.empty() ? "."
                            : ", and at the moment when its agent is back. Until then it keeps "
                              "its slot and its locks."));
    if (!unreached.empty()) bring_back(who);
  }
}

void Draft::bring_back(const std::string& who) {
  const Participant* const one = s_.participant(who);
  const bool agent_answers = one != nullptr && one->agent.has_value();
  out_.commands.push_back(
      {agent_answers ? "start, or reach, the PostgreSQL server of " + who
                     : "start, or reach, the agent of " + who + ", and its PostgreSQL server",
       "that is all that it needs; ending its branch by hand would break the decision"});
  out_.needs_somebody = true;
}

void Draft::forget(const std::string& when) {
  command("assentctl heuristic forget " + id() + " --reason WHY", when + "it is not told any more");
  out_.needs_somebody = true;
}

std::optional<Outcome> Draft::outcome() const {
  // It may have committed, and been acknowledged, in a history that is lost (R10).
  const bool unknown = facts_.record && facts_.record->reason.code == ErrorCode::kOutcomeUnknown;
  if (facts_.record) return unknown ? std::nullopt : std::optional(facts_.record->outcome);
  if (out_.cause == Cause::kOnePhase) return Outcome::kCommitted;
  if (facts_.heuristic && facts_.heuristic->resolution) {
    return facts_.heuristic->resolution->outcome;
  }
  if (facts_.heuristic && facts_.heuristic->listed > 0) return facts_.heuristic->outcome;
  return std::nullopt;
}

void Draft::add_waiting() {
  for (const Participant& at : facts_.participants) {
    if (!at.agent) continue;
    for (const Prepared& one : at.agent->prepared) {
      for (const LockWaiter& waiter : one.waiters) {
        std::string words = "backend " + std::to_string(waiter.pid) + " of " + waiter.user;
        if (!waiter.application.empty()) words += " (" + waiter.application + ")";
        words += " at " + at.name + " waits for " + waiter.object;
        if (waiter.waiting) words += ", for " + duration(*waiter.waiting);
        out_.waiting.push_back(words);
      }
    }
  }
}

void Draft::add_missing() {
  if (!facts_.log) out_.missing.push_back("no replica of the coordinator: " + facts_.log_unreached);
  if (facts_.log && !facts_.log->leads) {
    out_.missing.push_back("the leader; replica " + to_string(facts_.log->replica) +
                           " has told what it has executed so far: " + facts_.leader_unreached);
  }
  for (const std::string& who : s_.all_unreached()) {
    out_.missing.push_back(who + ": " + s_.unreached(who));
  }
  if (!facts_.log) out_.needs_somebody = true;
}

std::string Draft::deadline_words() const {
  if (!facts_.driven || !facts_.driven->deadline_in) return "";
  return ", in " + duration(*facts_.driven->deadline_in) + " at the latest";
}

std::string Draft::ended_because() const {
  std::string out;
  for (const Participant& one : facts_.participants) {
    if (!one.agent || !one.agent->branch || one.agent->branch->because.empty()) continue;
    out += (out.empty() ? "" : "; ") + branch_name(one.agent->branch->branch) +
           " has ended: " + one.agent->branch->because;
  }
  return out.empty() ? "its branches were rolled back" : out;
}

std::string Draft::said_no() const {
  for (const Participant& one : facts_.participants) {
    if (!one.agent || !one.agent->branch) continue;
    if (!one.agent->branch->because.empty()) {
      return branch_name(one.agent->branch->branch) + ": " + one.agent->branch->because;
    }
  }
  return "";
}

}  // namespace assent::explain
