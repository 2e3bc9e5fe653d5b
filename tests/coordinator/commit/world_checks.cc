// The checkers of a World: what may never happen, whatever the office thinks of it.
#include <algorithm>

#include "tests/coordinator/commit/world.h"

namespace assent::commit {

void World::wrong(const std::string& what, const TransactionId& transaction) {
  wrongs_.push_back("at " + std::to_string(mono_.value) + ", " + to_string(transaction) + ": " +
                    what);
}

// ── the log ─────────────────────────────────────────────────────────────────────────────────────

void World::execute(const state::Command& command, const state::CommandResult& result) {
  if (std::holds_alternative<state::BelowFloor>(result)) ++tally_.below_floor;
  if (!std::holds_alternative<state::TookEffect>(result)) return;
  if (const auto* committed = std::get_if<state::Committed>(&command)) decide(*committed);
  if (const auto* aborted = std::get_if<state::Aborted>(&command)) decide(*aborted);
}

// R1, R12: one decision, by the log or by an outcome row.
template <class Command>
World::Decision& World::note_decision(const Command& command, Outcome outcome) {
  const TransactionId& transaction = command.transaction;
  Decision decision{outcome, command.request_hash != 0, {}};
  for (const state::DecidedBranch& branch : command.branches) {
    decision.listed.insert({transaction, branch.participant, branch.epoch, branch.attempt});
  }
  const auto [noted, added] = decided_.emplace(transaction, decision);
  if (!added) wrong("decided twice", transaction);
  if (one_phase_.count(transaction) == 1) wrong("logged past a one-phase commit", transaction);
  return noted->second;
}

// Every listed branch is prepared when T commits.
void World::decide(const state::Committed& command) {
  ++tally_.committed;
  const Decision& decision = note_decision(command, Outcome::kCommitted);
  if (decision.listed.empty()) ++tally_.committed_of_readers;
  for (const BranchId& id : decision.listed) {
    const auto& branches = agents_[id.participant].branches;
    const auto found = branches.find(id);
    const bool prepared = found != branches.end() && found->second.local == Local::kPrepared;
    if (!prepared) wrong("committed without " + to_string(id), id.transaction);
  }
}

void World::decide(const state::Aborted& command) {
  ++tally_.aborted;
  if (command.request_hash == 0) ++tally_.presumed;
  note_decision(command, Outcome::kAborted);
  check_abort_of_one_phase(command.transaction);
}

// R12: what was told to commit in one phase is aborted only when it is certain that it never will:
// its abort row stands, the writer said a definite NO, or it is prepared and therefore did not.
void World::check_abort_of_one_phase(const TransactionId& transaction) {
  if (one_phase_sent_.count(transaction) == 0) return;
  const bool certain = abort_rows_.count(transaction) == 1 ||
                       definite_nos_.count(transaction) == 1 || prepared_anywhere(transaction);
  if (!certain) wrong("aborted without a settle", transaction);
}

// R11, R12: once, and with nothing prepared beside it.
void World::note_one_phase(const BranchId& branch) {
  const TransactionId& transaction = branch.transaction;
  ++tally_.one_phase;
  if (!one_phase_.emplace(transaction, branch).second) {
    wrong("committed in one phase twice", transaction);
  }
  if (decided_.count(transaction) == 1) wrong("one phase after a decision", transaction);
  if (prepared_anywhere(transaction)) wrong("prepared beside one phase", transaction);
}

bool World::prepared_anywhere(const TransactionId& transaction) const {
  return std::any_of(agents_.begin(), agents_.end(), [&](const auto& agent) {
    const auto& branches = agent.second.branches;
    return std::any_of(branches.begin(), branches.end(), [&](const auto& one) {
      return one.first.transaction == transaction && one.second.local == Local::kPrepared;
    });
  });
}

// ── what is sent ────────────────────────────────────────────────────────────────────────────────

void World::check_sent(const SendPrepare& prepare) {
  const TransactionId& transaction = prepare.branch.transaction;
  if (decided_.count(transaction) == 1) wrong("prepare after a decision", transaction);
  if (prepare.one_phase) one_phase_sent_.emplace(transaction, prepare.branch.participant);
  const auto serial = one_shot_serial(prepare.branch.attempt);
  if (serial.has_value() != (prepare.one_shot != nullptr)) wrong("no one-shot's name", transaction);
  if (serial && serial->serial < prepare.low_water) wrong("below its own mark", transaction);
}

// R3, R5, R14: what the decision, and the floor, allow to be sent.
void World::check_sent(const SendFinish& finish) {
  const BranchId& branch = finish.branch;
  const auto decided = decided_.find(branch.transaction);
  if (decided == decided_.end()) {
    ++tally_.rolled_back_without_record;
    if (finish.outcome == Outcome::kCommitted)
      wrong("commit before a decision", branch.transaction);
    const bool row = one_phase_.count(branch.transaction) == 1;
    if (!row && state_.floor() < branch.transaction.time()) {
      wrong("rollback before a decision", branch.transaction);
    }
    return;
  }
  const bool commits =
      decided->second.outcome == Outcome::kCommitted && decided->second.listed.count(branch) == 1;
  if (commits != (finish.outcome == Outcome::kCommitted)) {
    wrong("not the outcome of " + to_string(branch), branch.transaction);
  }
  if (decided->second.outcome == Outcome::kCommitted && !commits) ++tally_.strays_rolled_back;
  if (commits && !finish.evidence) wrong("commit without evidence", branch.transaction);
}

// ── what is told ────────────────────────────────────────────────────────────────────────────────

// R10: an answer is durable when it is told, and for ever.
void World::check_told(const TransactionId& transaction, Outcome outcome) {
  const auto decided = decided_.find(transaction);
  const bool logged = decided != decided_.end() && decided->second.outcome == outcome;
  const bool row = outcome == Outcome::kCommitted && one_phase_.count(transaction) == 1;
  if (!logged && !row) {
    wrong("told " + std::string(name(outcome)) + " against log and row", transaction);
  }
  if (told_.emplace(transaction, outcome).first->second != outcome) {
    wrong("told two outcomes", transaction);
  }
}

// R9: the outcome of a request is told only to those who made that request. An abort also lists
// what recovery had found, and does not list who had left.
void World::check_own_request(const Caller& caller) {
  const auto decided = decided_.find(caller.transaction.id);
  if (decided == decided_.end() || !decided->second.requested) return;
  const Decision& decision = decided->second;
  if (decision.outcome == Outcome::kCommitted) return check_committed_request(caller, decision);
  for (const RequestedBranch& requested : caller.transaction.branches) {
    if (requested.one_shot) continue;
    const BranchId id{caller.transaction.id, requested.participant, requested.epoch,
                      requested.attempt};
    const auto& branches = agents_[id.participant].branches;
    const auto found = branches.find(id);
    const bool left = found != branches.end() && found->second.local == Local::kLeft;
    if (!left && decision.listed.count(id) == 0) {
      wrong("told the abort of another request", caller.transaction.id);
    }
  }
}

void World::check_committed_request(const Caller& caller, const Decision& decision) {
  const auto& requested = caller.transaction.branches;
  for (const BranchId& id : decision.listed) {
    const bool own = std::any_of(requested.begin(), requested.end(), [&](const auto& branch) {
      if (branch.participant != id.participant) return false;
      if (branch.one_shot) return one_shot_serial(id.attempt).has_value();
      return branch.epoch == id.epoch && branch.attempt == id.attempt;
    });
    if (!own) wrong("told the commit of another request", caller.transaction.id);
  }
}

void World::check_applied(const TransactionId& transaction) {
  const auto decided = decided_.find(transaction);
  if (decided == decided_.end()) return;
  for (const BranchId& id : decided->second.listed) {
    if (agents_[id.participant].branches[id].local != Local::kCommitted) {
      wrong("told APPLIED before " + to_string(id), transaction);
    }
  }
}

// Whoever is called a reader has neither committed nor prepared anything.
void World::check_readers(const TransactionId& transaction, const CommitAnswer& answer) {
  for (const std::string& reader : answer.read_only) {
    for (const auto& [id, branch] : agents_[reader].branches) {
      const bool wrote = branch.local == Local::kCommitted || branch.local == Local::kPrepared;
      const auto decided = decided_.find(transaction);
      const bool stray = decided != decided_.end() && decided->second.listed.count(id) == 0;
      if (id.transaction == transaction && wrote && !stray) {
        wrong("called a reader: " + to_string(id), transaction);
      }
    }
  }
}

// R9: the results that are told are those of the runs that took effect, or are said to be gone.
void World::check_results(const Caller& caller, const CommitAnswer& answer) {
  std::vector<std::string> expected;
  for (const RequestedBranch& branch : caller.transaction.branches) {
    if (branch.one_shot) expected.push_back(branch.participant);
  }
  if (answer.results_unavailable) ++tally_.results_gone;
  if (answer.results_unavailable && answer.results.empty() && !expected.empty()) return;
  std::vector<std::string> told;
  for (const BranchResults& results : answer.results) {
    ++tally_.results_told;
    told.push_back(results.participant);
    const BranchId& ran = ran_[static_cast<std::uint64_t>(results.results->front().row_count)];
    const Local local = agents_[ran.participant].branches[ran].local;
    const bool own =
        ran.transaction == caller.transaction.id && ran.participant == results.participant;
    if (!own || local == Local::kOpen || local == Local::kRolledBack) {
      wrong("told the results of " + to_string(ran), caller.transaction.id);
    }
  }
  if (told != expected || answer.results_unavailable) {
    wrong("told other results than it asked for", caller.transaction.id);
  }
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

bool World::settled() const {
  const auto prepared = [](const auto& one) { return one.second.local == Local::kPrepared; };
  const auto holds_prepared = [&](const auto& agent) {
    const auto& branches = agent.second.branches;
    return std::any_of(branches.begin(), branches.end(), prepared);
  };
  return log_.empty() && in_flight_ == 0 && office_->driven_count() == 0 && callers_.empty() &&
         state_.unforgotten().empty() &&
         std::none_of(agents_.begin(), agents_.end(), holds_prepared);
}

// Every branch ended as the log or the row says, and at most one of T at each participant.
void World::check_end() {
  if (!settled()) wrong("not settled after healing", {});
  std::map<Place, int> committed;
  for (const auto& [participant, agent] : agents_) {
    for (const auto& [id, branch] : agent.branches) {
      const auto decided = decided_.find(id.transaction);
      const bool logged = decided != decided_.end() &&
                          decided->second.outcome == Outcome::kCommitted &&
                          decided->second.listed.count(id) == 1;
      const auto row = one_phase_.find(id.transaction);
      const bool commits = logged || (row != one_phase_.end() && row->second == id);
      const bool has = branch.local == Local::kCommitted;
      if (commits != has) wrong("ended against the log: " + to_string(id), id.transaction);
      if (has && ++committed[{id.transaction, participant}] > 1) {
        wrong("committed twice at " + participant, id.transaction);
      }
    }
  }
}

}  // namespace assent::commit
