// What happened when, and how each branch looks from the log and from its database.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "cli/explain/situation.h"
#include "cli/explain/sorting.h"
#include "cli/explain/units.h"

namespace assent::explain {
namespace {

// What comes behind what, whatever the clocks say that tell of it.
enum class Phase : std::uint8_t {
  kOutside,
  kMade,
  kOpened,
  kPrepared,
  kDecided,
  kFound,
  kResolved
};

struct Dated {
  Event event;
  Phase phase = Phase::kOutside;
  LogTime sorted_at{};
};

// The log's clock may be some tenths of a second behind the databases' ones, and after a restore a
// minute ahead. Times are shown as they are told; in order a phase does not come before the one
// that it follows.
void sort(std::vector<Dated>& all) {
  LogTime reached{};
  for (const Phase phase : {Phase::kMade, Phase::kOpened, Phase::kPrepared, Phase::kDecided,
                            Phase::kFound, Phase::kResolved}) {
    LogTime latest = reached;
    for (Dated& one : all) {
      if (one.phase != phase || !one.event.at) continue;
      one.sorted_at = std::max(*one.event.at, reached);
      latest = std::max(latest, one.sorted_at);
    }
    reached = latest;
  }
  for (Dated& one : all) {
    if (one.phase == Phase::kOutside && one.event.at) one.sorted_at = *one.event.at;
  }
  std::ranges::stable_sort(all, [](const Dated& a, const Dated& b) {
    if (!a.event.at || !b.event.at) return a.event.at.has_value() && !b.event.at.has_value();
    return std::pair(a.sorted_at, a.phase) < std::pair(b.sorted_at, b.phase);
  });
}

using commit::BranchStage;

std::string xid_of(std::uint64_t xid) {
  return "xid " + std::to_string(static_cast<std::uint32_t>(xid));
}

// ── the timeline ────────────────────────────────────────────────────────────────────────────────

void add_log(const Situation& s, std::vector<Dated>& out) {
  const Facts& facts = s.facts();
  if (s.leads() && s.made_at() < facts.log->office_since) {
    out.push_back({{facts.log->office_since, "log",
                    "replica " + to_string(facts.log->replica) + " took office " +
                        std::to_string(facts.log->office)},
                   Phase::kOutside});
  }
  if (facts.record) {
    const Record& record = *facts.record;
    std::string what = "decided: " + std::string(name(record.outcome)) + ", in slot " +
                       to_string(record.decided_in);
    if (s.leads()) {
      what += s.decided_by_earlier_office() ? ", by an earlier office" : ", by the present office";
    }
    if (record.outcome == Outcome::kAborted) what += "; " + record.reason.message;
    out.push_back({{record.decided_at, "log", what}, Phase::kDecided});
    if (record.forgotten_in != Slot(0)) {
      std::string ended = "every branch had confirmed by slot " + to_string(record.forgotten_in);
      if (s.leads() && facts.log->office_after < record.forgotten_in) {
        ended += ", in the present office";
      }
      out.push_back({{std::nullopt, "log", ended}, Phase::kOutside});
    }
  }
  if (!facts.heuristic) return;
  for (const state::HeuristicBranch& one : facts.heuristic->branches) {
    const std::string branch = branch_name(one.branch);
    std::string what;
    switch (one.result) {
      case FinishResult::kDone:
        what = branch + " was lost, and has ended as decided since";
        break;
      case FinishResult::kHeuristicCommit:
        what = branch + " was found committed by somebody else";
        break;
      case FinishResult::kHeuristicRollback:
        what = branch + " was found rolled back by somebody else";
        break;
      case FinishResult::kHazard:
        what = facts.heuristic->listed == 0 && !facts.record
                   ? branch + " was found prepared, and nobody knows its outcome"
                   : branch + " was found gone, or given up, and nothing proves how it ended";
        break;
    }
    out.push_back({{facts.heuristic->found_at, "log", what}, Phase::kFound});
  }
  if (const auto& resolved = facts.heuristic->resolution) {
    out.push_back({{resolved->at, "operator",
                    resolved->operator_name + " decided " + std::string(name(resolved->outcome)) +
                        ": " + resolved->reason},
                   Phase::kResolved});
  }
}

void add_participant(const Situation& s, const Participant& one, bool touched,
                     std::vector<Dated>& out) {
  if (touched && one.broken_below != Epoch(0) && s.made_at() <= one.broken_at) {
    out.push_back({{one.broken_at, "log",
                    "the log learnt that the database of " + one.name +
                        " was promoted or restored: what its agent's lives before epoch " +
                        to_string(one.broken_below) + " did may be missing in it"},
                   Phase::kOutside});
  }
  if (touched && s.leads() && !s.unreached(one.name).empty() && one.heard_ago) {
    out.push_back({{s.facts().log->now - *one.heard_ago, "log",
                    "the agent of " + one.name + " was heard last"},
                   Phase::kOutside});
  }
  if (!one.agent) return;
  const AgentSays& says = *one.agent;
  if (says.branch && says.branch->opened_ago) {
    out.push_back({{says.now - *says.branch->opened_ago, one.name,
                    branch_name(says.branch->branch) + " was opened"},
                   Phase::kOpened});
  }
  for (const Prepared& prepared : says.prepared) {
    const std::string what = prepared.parsed ? branch_name(prepared.parsed->branch) : prepared.gid;
    out.push_back({{says.now - prepared.age, one.name,
                    what + " was prepared by " + prepared.owner + ", " + xid_of(prepared.xid)},
                   Phase::kPrepared});
  }
  if (says.outcome) {
    out.push_back(
        {{says.outcome->decided_at, one.name,
          says.outcome->committed ? "its outcome row was written: committed in one phase"
                                  : "an abort row was written: it never commits here in one phase"},
         Phase::kPrepared});
  }
}

// ── the branches ────────────────────────────────────────────────────────────────────────────────

// `told`: it is the writer of a transaction that may have committed in one phase.
std::string stage_words(const commit::BranchView& one, bool told) {
  const std::string again = one.next_try ? ", again in " + duration(*one.next_try) : "";
  switch (one.stage) {
    case BranchStage::kHeld:
      return "is asked when the others have voted";
    case BranchStage::kAsked:
      return (told ? "told to commit at once, no answer yet" : "asked to prepare, no vote yet") +
             again + (one.last_loss.empty() ? "" : " (" + one.last_loss + ")");
    case BranchStage::kVoted:
      return "voted YES";
    case BranchStage::kLeft:
      return "had only read, and has left";
    case BranchStage::kStray:
      return "not of the request: rolls back once it is decided";
    case BranchStage::kEnding:
      return "is told the outcome, not confirmed yet" + again;
    case BranchStage::kEnded:
      return "confirmed";
  }
  return "";
}

std::string result_words(FinishResult result) {
  switch (result) {
    case FinishResult::kDone:
      return "ended as decided";
    case FinishResult::kHeuristicCommit:
      return "COMMITTED BY SOMEBODY ELSE";
    case FinishResult::kHeuristicRollback:
      return "ROLLED BACK BY SOMEBODY ELSE";
    case FinishResult::kHazard:
      return "HAZARD";
  }
  return "";
}

class Branches {
 public:
  explicit Branches(const Situation& situation) : s_(situation) {}

  std::vector<BranchLine> collect() {
    const Facts& facts = s_.facts();
    if (facts.record) add(*facts.record);
    if (facts.driven) {
      for (const commit::BranchView& one : facts.driven->branches) {
        line(one.branch).log = stage_words(one, one.branch.participant == facts.driven->writer);
      }
    }
    if (facts.heuristic) {
      for (const state::HeuristicBranch& one : facts.heuristic->branches) {
        line({*facts.transaction, one.branch.participant, one.branch.epoch, one.branch.attempt})
            .log = result_words(one.result);
        ended_otherwise_.insert(one.branch.participant);
      }
    }
    for (const Participant& one : facts.participants) {
      if (one.agent) add(*one.agent);
    }
    std::vector<BranchLine> out;
    for (auto& [branch, told] : lines_) {
      if (told.log.empty()) told.log = "not known";
      if (told.database.empty()) told.database = without(branch);
      out.push_back(told);
    }
    return out;
  }

 private:
  BranchLine& line(const BranchId& branch) {
    BranchLine& out = lines_[branch];
    out.branch = branch_name(branch);
    return out;
  }

  void add(const Record& record) {
    for (const state::DecidedBranch& one : record.branches) {
      line({*s_.facts().transaction, one.participant, one.epoch, one.attempt}).log =
          record.forgotten_in == Slot(0) ? "listed" : "listed, and confirmed";
    }
  }

  void add(const AgentSays& says) {
    if (says.branch) {
      const Remembered& one = *says.branch;
      BranchLine& told = line(one.branch);
      // It remembers what it was told, not what it found.
      const bool otherwise = ended_otherwise_.contains(one.branch.participant);
      told.database = otherwise && one.state == "ended" ? "gone" : one.state;
      if (!otherwise && !one.because.empty()) told.database += ": " + one.because;
      if (one.idle_ends_in) {
        told.database += ", idle: is rolled back in " + duration(*one.idle_ends_in);
      }
    }
    for (const Prepared& one : says.prepared) {
      const bool ours = one.belonging == Belonging::kOurs && one.parsed &&
                        !(s_.facts().record && is_strangers(one, *s_.facts().record));
      if (!ours) continue;
      BranchLine& told = line(one.parsed->branch);
      told.database = "prepared for " + duration(one.age) + ", " + xid_of(one.xid);
      if (!one.waiters.empty()) {
        told.database += ", " +
                         counted(static_cast<std::int64_t>(one.waiters.size()), "backend waits",
                                 "backends wait") +
                         " for its locks";
      }
    }
  }

  // Nothing was said of it there.
  [[nodiscard]] std::string without(const BranchId& branch) const {
    const std::string unreached = s_.unreached(branch.participant);
    return unreached.empty() ? "not prepared" : "not reached";
  }

  const Situation& s_;
  std::map<BranchId, BranchLine> lines_;
  std::set<std::string> ended_otherwise_;  // participants
};

}  // namespace

std::vector<Event> timeline_of(const Situation& s) {
  std::vector<Dated> out;
  if (s.facts().transaction) {
    out.push_back({{s.made_at(), "client", "the id was made"}, Phase::kMade});
  }
  if (s.facts().transaction) add_log(s, out);
  std::vector<BranchLine> touched = branches_of(s);
  for (const Participant& one : s.facts().participants) {
    const bool has_branch = std::ranges::any_of(
        touched, [&](const BranchLine& line) { return line.branch.starts_with(one.name + "/"); });
    add_participant(s, one, has_branch, out);
  }
  sort(out);
  std::vector<Event> events;
  for (Dated& one : out) events.push_back(std::move(one.event));
  return events;
}

std::vector<BranchLine> branches_of(const Situation& s) {
  if (!s.facts().transaction) return {};
  return Branches(s).collect();
}

}  // namespace assent::explain
