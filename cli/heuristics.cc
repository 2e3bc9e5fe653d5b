#include "cli/heuristics.h"

#include "cli/describe.h"
#include "cli/words.h"
#include "runtime/rpc/ids.h"

namespace assent::cli {
namespace {

using nlohmann::json;

const char* word(wire::HeuristicKind::type kind) {
  static constexpr Word<wire::HeuristicKind::type> kWords[] = {
      {wire::HeuristicKind::COMMIT, "commit"},
      {wire::HeuristicKind::ROLLBACK, "rollback"},
      {wire::HeuristicKind::MIXED, "mixed"},
      {wire::HeuristicKind::HAZARD, "hazard"},
      {wire::HeuristicKind::SETTLED, "settled"}};
  return word_in(kWords, kind, "hazard");
}

// What happened to the branch, and what is left to do.
std::string sentence(const wire::Heuristic& of, const wire::HeuristicBranch& one) {
  if (of.listed == 0 && one.result == wire::FinishResult::HAZARD) {
    if (of.__isset.resolution) {
      return std::string("is to end as an operator has decided: ") +
             cli::word(of.resolution.outcome);
    }
    // What is prepared was found with its evidence.
    if (!one.__isset.evidence) {
      return "may have committed in one phase in a history that its database has lost: no trace of "
             "it is left. The client was told that its outcome is unknown: compare the data by "
             "hand";
    }
    return "is of a transaction without a record, and nobody knows how it ended or is to end. See "
           "what became of the transaction elsewhere, then: assentctl resolve " +
           of.transaction + " --commit|--abort";
  }
  switch (one.result) {
    case wire::FinishResult::DONE:
      return "was lost, and has ended as decided since: nothing is left to do";
    case wire::FinishResult::HEURISTIC_COMMIT:
      return "was committed by somebody else: take its effects back there by hand";
    case wire::FinishResult::HEURISTIC_ROLLBACK:
      return "was rolled back by somebody else: make its changes there again by hand";
    case wire::FinishResult::HAZARD:
      return "is gone, and its database does not tell how it ended: compare its data by hand";
  }
  return "ended in a way that this version does not know";
}

std::string proof(const wire::HeuristicBranch& one) {
  if (!one.__isset.evidence) return "";
  return " (xid " + std::to_string(one.evidence.xid) + " on timeline " +
         std::to_string(one.evidence.timeline) + ")";
}

json as_json(const wire::HeuristicBranch& one) {
  json out = {{"participant", one.branch.participant},
              {"epoch", one.branch.epoch},
              {"attempt", one.branch.attempt},
              {"result", name(rpc::from_wire(one.result))},
              {"evidence", nullptr}};
  if (one.__isset.evidence) {
    out["evidence"] = {
        {"xid", one.evidence.xid},
        {"system_identifier", static_cast<std::uint64_t>(one.evidence.system_identifier)},
        {"timeline", one.evidence.timeline},
        {"wal_position", one.evidence.wal_position}};
  }
  return out;
}

json as_json(const wire::Resolution& resolution) {
  return {{"outcome", cli::word(resolution.outcome)},
          {"operator", resolution.operator_name},
          {"reason", resolution.reason},
          {"at", utc(LogTime(resolution.at_ms))}};
}

}  // namespace

const char* word(wire::Outcome::type outcome) {
  return outcome == wire::Outcome::COMMITTED ? "COMMITTED" : "ABORTED";
}

std::string branch_name(const wire::BranchId& branch) {
  return branch.participant + "/" + std::to_string(branch.epoch) + "." +
         std::to_string(branch.attempt);
}

std::string words(const wire::Heuristic& one) {
  const bool decided = one.listed > 0 || one.__isset.resolution;
  std::string out = one.transaction + "  " + (decided ? word(one.outcome) : "NO RECORD") + "  " +
                    word(one.kind) + "  found " + utc(LogTime(one.found_at_ms)) + "\n";
  if (one.__isset.resolution) {
    out += "    decided by " + one.resolution.operator_name + " at " +
           utc(LogTime(one.resolution.at_ms)) + ": " + one.resolution.reason + "\n";
  }
  for (const wire::HeuristicBranch& branch : one.branches) {
    out += "    " + branch_name(branch.branch) + " " + sentence(one, branch) + proof(branch) + "\n";
  }
  return out;
}

json as_json(const wire::Heuristic& one) {
  json branches = json::array();
  for (const wire::HeuristicBranch& branch : one.branches) branches.push_back(as_json(branch));
  const bool decided = one.listed > 0 || one.__isset.resolution;
  json out = {
      {"transaction", one.transaction}, {"outcome", decided ? json(word(one.outcome)) : json()},
      {"kind", word(one.kind)},         {"found_at", utc(LogTime(one.found_at_ms))},
      {"listed", one.listed},           {"branches", branches},
      {"resolution", nullptr}};
  if (one.__isset.resolution) out["resolution"] = as_json(one.resolution);
  return out;
}

}  // namespace assent::cli
