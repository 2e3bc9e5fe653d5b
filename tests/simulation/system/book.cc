#include "tests/simulation/system/book.h"

#include <string>
#include <utility>
#include <variant>

#include "base/gid.h"
#include "base/overloaded.h"
#include "tests/simulation/violation.h"

namespace assent::simulation::system {
namespace {

constexpr Millis kAheadMax{60'000};          // of an id
constexpr const char* kByHand = "postgres";  // the superuser

}  // namespace

// ── clients ─────────────────────────────────────────────────────────────────────────────────────

void Book::planned(const TransactionId& transaction, const Plan& plan) {
  Entry& one = entry(transaction);
  one.one_shot = plan.one_shot;
  one.miscounts = plan.miscounts;
  for (const PlannedBranch& branch : plan.branches) {
    if (!branch.reads) one.writers.insert(branch.participant);
    for (const Statement& statement : branch.statements) {
      if (statement.parameters.size() != 2) continue;
      one.deltas.push_back({branch.participant, std::stoll(*statement.parameters[1]),
                            std::stoll(*statement.parameters[0])});
    }
  }
}

// What is not told to be pending is readable by now.
void Book::answered(const commit::CommitAsked& asked, const commit::CommitAnswer& answer) {
  if (answer.outcome != Outcome::kCommitted || answer.one_phase) return;
  if (asked.acknowledge != commit::Acknowledge::kApplied) return;
  const Entry& one = entry(asked.transaction);
  const std::set<std::string> pending(answer.pending.begin(), answer.pending.end());
  const std::set<std::string> heuristic(answer.heuristic.begin(), answer.heuristic.end());
  for (const BranchId& branch : one.listed) {
    // It may have been committed when it was confirmed, and lost since.
    if (one.undone.contains(branch)) continue;
    if (pending.contains(branch.participant)) continue;
    const auto hand = one.by_hand.find(branch.participant);
    if (hand != one.by_hand.end() && hand->second == Fate::kRolledBack) {
      if (heuristic.contains(branch.participant)) continue;
      violated(Checker::kAppliedIsReadable,
               to_string(branch) + " was rolled back by hand, and is told to be applied");
    }
    const auto found = one.branches.find(branch);
    if (found != one.branches.end() && found->second == Fate::kCommitted) continue;
    violated(Checker::kAppliedIsReadable,
             to_string(branch) + " is told to be applied, and is not committed");
  }
}

void Book::told(const TransactionId& transaction, Outcome outcome) {
  Entry& one = entry(transaction);
  const bool unknowable = one.one_phase_lost && !known_to_be_lost(one);
  if (one.told && *one.told != outcome && !unknowable) {
    violated(Checker::kAnswersAreFinal, to_string(transaction) + " was told both outcomes");
  }
  if (outcome == Outcome::kAborted && known_to_be_lost(one)) {
    violated(Checker::kAnswersAreFinal,
             to_string(transaction) + " is told ABORTED: it had committed in one phase, and its " +
                 "participant is known to have lost something");
  }
  one.told = outcome;
  if (!one.decided) read_rows_();
  ++(outcome == Outcome::kCommitted ? committed_ : aborted_);
  const bool reads_only = one.writers.empty();
  if (outcome == Outcome::kCommitted && !committed(one) && !reads_only) {
    violated(Checker::kAnswersAreFinal,
             to_string(transaction) + " is told COMMITTED without a decision");
  }
  check_agree(transaction, one);
}

// A record lasts longer than a run's retention lets it be asked for, and then the answer is
// EXPIRED. One-phase commits have none.
void Book::status_told(const TransactionId& transaction, std::optional<Outcome> outcome) const {
  const Entry& one = entries_.at(transaction);
  if (!outcome && one.decided) {
    violated(Checker::kLinearizableReads,
             to_string(transaction) + " is undecided after it was told");
  }
  if (outcome && one.decided != outcome) {
    violated(Checker::kAnswersAreFinal, to_string(transaction) + " has another status");
  }
  if (outcome == Outcome::kAborted && known_to_be_lost(one)) {
    violated(Checker::kAnswersAreFinal,
             to_string(transaction) + " has the status ABORTED: it had committed in one phase");
  }
}

// R9. A presumed abort is of no request, and fits every one.
void Book::reuse_answered(const TransactionId& transaction,
                          const commit::CommitAnswer& answer) const {
  const Entry& one = entries_.at(transaction);
  if (one.request_hash == 0 && one.decided == answer.outcome) return;
  violated(Checker::kReusedIsRefused, to_string(transaction) + " is told " +
                                          std::string(name(answer.outcome)) +
                                          " to another request under its id");
}

bool Book::committed(const Entry& entry) const {
  return entry.decided == Outcome::kCommitted || entry.one_phase.has_value();
}

void Book::check_agree(const TransactionId& transaction, const Entry& entry) const {
  if (entry.one_phase_lost && entry.decided != Outcome::kCommitted) return;
  if (entry.told == Outcome::kAborted && committed(entry)) {
    violated(Checker::kAnswersAreFinal,
             to_string(transaction) + " is told ABORTED, and has committed");
  }
  if (entry.one_phase && entry.decided) {
    violated(Checker::kAtomicity, to_string(transaction) + " has committed in one phase at " +
                                      *entry.one_phase + " and has a decision");
  }
}

// ── the log ─────────────────────────────────────────────────────────────────────────────────────

void Book::executed(const state::Command& command, const state::CommandResult& result) {
  if (!looked_for_.empty()) watch_records();
  if (const auto* life = std::get_if<state::Enrolled>(&command)) {
    if (!std::holds_alternative<state::EpochIssued>(result)) return;
    learn_of_break(life->participant);
  }
  if (!std::holds_alternative<state::TookEffect>(result)) return;
  if (const auto* commit = std::get_if<state::Committed>(&command)) return decided(*commit);
  if (const auto* abort = std::get_if<state::Aborted>(&command)) return decided(*abort);
}

// COMMITTED implies that every listed branch was prepared, and that every writer is listed.
void Book::decided(const state::Committed& command) {
  Entry& one = entry(command.transaction);
  check_rows(command.transaction, one);
  one.outcome_lost = false;
  one.decided = Outcome::kCommitted;
  one.request_hash = command.request_hash;
  std::set<std::string> participants;
  for (const state::DecidedBranch& listed : command.branches) {
    const BranchId branch{command.transaction, listed.participant, listed.epoch, listed.attempt};
    one.listed.insert(branch);
    participants.insert(listed.participant);
    const auto found = one.branches.find(branch);
    if (is_lost(one, branch) && is_broken(branch)) {
      violated(Checker::kCommittedWasPrepared,
               to_string(branch) + " is lost, and is listed though the log knows of the break");
    }
    if (one.by_hand.contains(branch.participant) || is_lost(one, branch)) continue;
    if (found == one.branches.end() || found->second != Fate::kPrepared) {
      violated(Checker::kCommittedWasPrepared,
               to_string(branch) + " is listed as committed, and " +
                   (found == one.branches.end() ? "was never prepared" : "has ended before"));
    }
    if (one.no.contains(branch)) {
      violated(Checker::kNeverMeansNever, to_string(branch) + " voted NO and is listed");
    }
  }
  for (const std::string& writer : one.writers) {
    if (participants.contains(writer)) continue;
    violated(Checker::kAtomicity,
             to_string(command.transaction) + " is committed without its writer at " + writer);
  }
  check_agree(command.transaction, one);
}

void Book::check_rows(const TransactionId& transaction, const Entry& entry) {
  if (!entry.miscounts) return;
  violated(Checker::kRowsAsExpected,
           to_string(transaction) + " commits though a statement expects more rows than it got");
}

void Book::decided(const state::Aborted& command) {
  Entry& one = entry(command.transaction);
  one.decided = Outcome::kAborted;
  one.request_hash = command.request_hash;
  read_rows_();
  check_agree(command.transaction, one);
}

// ── the coordinator ─────────────────────────────────────────────────────────────────────────────

// R17. Whatever the replicas' clocks say, log time is not ahead of the bound.
void Book::prepare_sent(const commit::SendPrepare& prepare) {
  const auto latest = ledger_.time_bound(trace_.now());
  if (latest && *latest + kAheadMax < prepare.branch.transaction.time()) {
    violated(Checker::kIdsInTime,
             to_string(prepare.branch) + " is asked to prepare, and is " +
                 std::to_string((prepare.branch.transaction.time() - *latest).value) + " ms ahead");
  }
  Entry& one = entry(prepare.branch.transaction);
  if (!prepare.one_phase) return;
  one.sent_one_phase.insert(prepare.branch.participant);
  if (one.sent_one_phase.size() > 1) {
    violated(Checker::kAtomicity, to_string(prepare.branch.transaction) +
                                      " is told to commit in one phase in two places");
  }
}

void Book::one_phase_maybe_told(const BranchId& branch) {
  entry(branch.transaction).maybe_told_one_phase.insert(branch);
}

void Book::finish_sent(const commit::SendFinish& finish) {
  const auto found = entries_.find(finish.branch.transaction);
  if (found == entries_.end()) return;
  Entry& one = found->second;
  check_quarantine(one, finish.branch, finish.outcome, "is sent");
  check_finish(one, finish.branch, finish.outcome, "is sent");
  one.sent.insert({finish.branch, finish.outcome});
}

// R1, R3, R5: nothing is finished before, or otherwise than, the log says.
void Book::check_finish(const Entry& entry, const BranchId& branch, Outcome outcome,
                        const char* what) const {
  const bool listed = entry.listed.contains(branch);
  if (outcome == Outcome::kCommitted) {
    if (entry.decided == Outcome::kCommitted && listed) return;
    violated(Checker::kDecidedFirst,
             "COMMIT PREPARED of " + to_string(branch) + " " + what + " undecided");
  }
  if (entry.decided == Outcome::kCommitted && listed) {
    violated(Checker::kAtomicity,
             "ROLLBACK PREPARED of " + to_string(branch) + " " + what + " though it is committed");
  }
  const bool expired = branch.transaction.time() <= ledger_.state().floor();
  if (!entry.decided && !entry.one_phase && !expired) {
    violated(Checker::kDecidedFirst,
             "ROLLBACK PREPARED of " + to_string(branch) + " " + what + " undecided");
  }
}

// ── agents and databases ────────────────────────────────────────────────────────────────────────

// A later life may say NO to what an earlier one has prepared: that is an abort as good as any.
// Only the life that was asked first knows that nothing is prepared, and never will be; or that it
// is prepared all the same.
void Book::voted(const BranchId& branch, const commit::Vote& vote, Epoch life) {
  Entry& one = entry(branch.transaction);
  if (std::holds_alternative<commit::VoteYes>(vote)) {
    if (one.no.contains(branch)) {
      violated(Checker::kNeverMeansNever, to_string(branch) + " voted NO, then YES");
    }
    check_was_prepared(one, branch, life);
    one.yes.insert(branch);
  }
  if (std::holds_alternative<commit::VoteCommitted>(vote)) one.one_phase_voted = true;
  const auto* no = std::get_if<commit::VoteNo>(&vote);
  if (no == nullptr || branch.epoch != life) return;
  one.no.insert(branch);
  if (no->evidence) return check_was_prepared(one, branch, life);
  one.never.insert(branch);
  const auto found = one.branches.find(branch);
  if (found != one.branches.end() && found->second == Fate::kPrepared) {
    violated(Checker::kNeverMeansNever, to_string(branch) + " voted NO, and is prepared");
  }
}

void Book::check_was_prepared(const Entry& entry, const BranchId& branch, Epoch life) {
  const auto undone = entry.undone.find(branch);
  const bool was = undone != entry.undone.end() && life <= undone->second.served_until;
  if (entry.branches.contains(branch) || was) return;
  violated(Checker::kCommittedWasPrepared,
           to_string(branch) + " votes as one that is prepared, and never was");
}

// R6, R7. What is gone is never prepared again.
void Book::confirmed(const BranchId& branch, Outcome asked, FinishResult result, bool evidence,
                     Epoch life) {
  const auto known = entries_.find(branch.transaction);
  if (known == entries_.end() || result == FinishResult::kHazard) return;
  Entry& one = known->second;
  const bool committed = result == FinishResult::kDone ? asked == Outcome::kCommitted
                                                       : result == FinishResult::kHeuristicCommit;
  const Fate said = committed ? Fate::kCommitted : Fate::kRolledBack;
  const auto undone = one.undone.find(branch);
  // Of a life that began before the loss: it may have been so when it was said.
  const bool then = undone != one.undone.end() && life <= undone->second.served_until;
  if (then) return;
  if (committed && is_lost(one, branch)) {
    violated(Checker::kConfirmedIsTrue,
             to_string(branch) + " is lost, and is confirmed to have committed");
  }
  const auto found = one.branches.find(branch);
  const bool unknowable = !evidence && one.by_hand.contains(branch.participant);
  if (found != one.branches.end() && found->second != said && !unknowable) {
    violated(Checker::kConfirmedIsTrue, to_string(branch) + " is confirmed to have " +
                                            (committed ? "committed" : "rolled back") +
                                            ", and has not");
  }
  if (!committed) one.gone.insert(branch);
}

void Book::happened(const std::string& participant, const model::GidEvent& event) {
  const auto gid = parse_gid(event.gid);
  if (!gid || gid->branch.participant != participant) return;
  const auto found = entries_.find(gid->branch.transaction);
  if (found == entries_.end()) return;  // a stranger's, under a name like ours
  trace_.event(0, "gid", gid->branch.transaction.low, static_cast<std::uint64_t>(event.kind), [&] {
    constexpr const char* kWords[] = {"prepared", "committed", "rolled back", "lost", "reappeared"};
    return to_string(gid->branch) + " " + kWords[static_cast<std::size_t>(event.kind)];
  });
  switch (event.kind) {
    case model::GidEvent::Kind::kPrepared:
      if (!event.by.empty()) check_life(gid->branch);
      return prepared(found->second, gid->branch);
    case model::GidEvent::Kind::kCommitted:
      if (event.by == kByHand) return ended_by_hand(found->second, gid->branch, Fate::kCommitted);
      return finished(found->second, gid->branch, true);
    case model::GidEvent::Kind::kRolledBack:
      if (event.by == kByHand) return ended_by_hand(found->second, gid->branch, Fate::kRolledBack);
      return finished(found->second, gid->branch, false);
    case model::GidEvent::Kind::kLost:
      undo(found->second, gid->branch);
      found->second.branches.erase(gid->branch);
      if (found->second.yes.contains(gid->branch)) losing_.told = true;
      return;
    case model::GidEvent::Kind::kReappeared:
      undo(found->second, gid->branch);
      found->second.branches[gid->branch] = Fate::kPrepared;
      return;
  }
}

void Book::prepared(Entry& entry, const BranchId& branch) {
  if (entry.gone.contains(branch)) {
    violated(Checker::kNeverMeansNever,
             to_string(branch) + " was confirmed to have rolled back, and is prepared after it");
  }
  if (entry.never.contains(branch)) {
    violated(Checker::kNeverMeansNever, to_string(branch) + " voted NO, and is prepared after it");
  }
  for (const auto& [other, fate] : entry.branches) {
    if (!entry.one_shot || other.participant != branch.participant || other == branch) continue;
    violated(Checker::kRunsOnce,
             "a one-shot ran as " + to_string(other) + " and as " + to_string(branch));
  }
  entry.branches[branch] = Fate::kPrepared;
}

void Book::finished(Entry& entry, const BranchId& branch, bool committed) {
  const Outcome outcome = committed ? Outcome::kCommitted : Outcome::kAborted;
  if (!entry.sent_before_restore.contains({branch, outcome})) {
    check_quarantine(entry, branch, outcome, "is done");
  }
  check_finish(entry, branch, outcome, "is done");
  if (committed) check_rows(branch.transaction, entry);
  entry.branches[branch] = committed ? Fate::kCommitted : Fate::kRolledBack;
  entry.rolled_back_by_hand.erase(branch);
}

void Book::ended_by_hand(Entry& entry, const BranchId& branch, Fate fate) {
  entry.branches[branch] = fate;
  entry.by_hand[branch.participant] = fate;
  entry.ever_by_hand.insert(branch);
  if (fate == Fate::kRolledBack) entry.rolled_back_by_hand.insert(branch);
}

void Book::committed_one_phase(const std::string& participant, const TransactionId& transaction) {
  Entry& one = entry(transaction);
  if (one.one_phase == participant) return one.one_phase_lost.reset();
  if (one.one_phase) {
    violated(Checker::kRunsOnce, to_string(transaction) + " committed in one phase at " +
                                     *one.one_phase + " and at " + participant);
  }
  trace_.event(0, "one-phase", transaction.low, 0,
               [&] { return to_string(transaction) + " committed at " + participant; });
  check_rows(transaction, one);
  one.one_phase = participant;
  ++one_phase_;
  check_agree(transaction, one);
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

bool Book::has_effect(const Entry& entry, const std::string& participant) const {
  const auto hand = entry.by_hand.find(participant);
  if (hand != entry.by_hand.end()) return hand->second == Fate::kCommitted;
  for (const auto& [branch, undone] : entry.undone) {
    if (branch.participant != participant || !entry.listed.contains(branch)) continue;
    const auto found = entry.branches.find(branch);
    return found != entry.branches.end() && found->second == Fate::kCommitted;
  }
  if (entry.one_phase_lost) return false;
  return committed(entry);
}

void Book::check_balances(const Balances& found) const {
  Balances expected;
  for (const auto& [transaction, one] : entries_) {
    for (const Delta& delta : one.deltas) {
      if (!has_effect(one, delta.participant)) continue;
      expected[delta.participant][delta.account] += delta.amount;
    }
  }
  for (const auto& [participant, accounts] : found) {
    for (const auto& [account, balance] : accounts) {
      const std::int64_t should = expected[participant][account];
      if (balance == should) continue;
      violated(Checker::kAtomicity, "account " + std::to_string(account) + " of " + participant +
                                        " holds " + std::to_string(balance) + " and not " +
                                        std::to_string(should));
    }
  }
}

bool Book::left_to_operators(const BranchId& branch) const {
  const state::Heuristic* told = ledger_.state().heuristics().find(branch.transaction);
  if (told == nullptr || ledger_.state().find(branch.transaction) != nullptr) return false;
  const state::DecidedBranch named{branch.participant, branch.epoch, branch.attempt, {}};
  return told->result_of(named) == FinishResult::kHazard;
}

void Book::check_nothing_prepared(const std::string& participant,
                                  const std::vector<std::string>& gids) const {
  for (const std::string& text : gids) {
    const auto gid = parse_gid(text);
    if (!gid || !entries_.contains(gid->branch.transaction)) continue;
    violated(Checker::kNothingPrepared, text + " is left prepared at " + participant);
  }
}

}  // namespace assent::simulation::system
