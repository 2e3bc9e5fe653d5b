// What a database has lost, exactly, and what must be known of it.
#include <algorithm>

#include "base/gid.h"
#include "tests/simulation/system/book.h"

namespace assent::simulation::system {
namespace {

// So long records are there for offices to look for what a database may have lost.
constexpr Micros kHeld =
    state::kHeldAfterBreak.value * kMillisecond * 99 / 100;  // log time may be fast

}  // namespace

// A copy on the same timeline that lacks only the very latest, of which no life has told anything
// that cannot be mended, is not noticed, and need not be (session.cc).
void Book::history_changes(const std::string& participant, const model::Server& server, bool lossy,
                           const std::function<void()>& change) {
  read_rows_();
  History& history = histories_[participant];
  history.changed = true;
  history.served_until = std::max(history.served_until, Epoch(server.epoch_row().epoch));
  const std::uint32_t timeline = server.timeline();
  if (lossy) losing_ = {participant};
  change();
  find_lost_one_phase(participant, server.one_phase_commits(), lossy);
  if (losing_.told || server.timeline() != timeline) history.over_until = history.served_until;
  losing_ = {};
}

// ── the coordinator's log ───────────────────────────────────────────────────────────────────────

void Book::log_restored() {
  for (auto& [transaction, one] : entries_) {
    one.outcome_lost = one.decided && ledger_.state().find(transaction) == nullptr;
    one.sent_before_restore = std::exchange(one.sent, {});
    for (const auto& [branch, fate] : one.branches) {
      if (fate == Fate::kPrepared) one.quarantined.insert(branch);
    }
  }
}

Outcome Book::outcome_known(const TransactionId& transaction) const {
  const auto found = entries_.find(transaction);
  if (found == entries_.end()) return Outcome::kAborted;
  return found->second.decided.value_or(Outcome::kAborted);
}

// R15. The lost log may have decided otherwise, whatever there is to be seen now. It is not
// presumed where that log itself has decided it, and its office has told an agent: the message may
// be on its way when the log is lost, and the agent, in a life of before, carries it out. A later
// life heeds nobody of before (kBallotsFence).
void Book::check_quarantine(const Entry& entry, const BranchId& branch, Outcome outcome,
                            const char* what) const {
  if (!entry.quarantined.contains(branch)) return;
  if (ledger_.state().find(branch.transaction) != nullptr) return;
  const state::Heuristic* told = ledger_.state().heuristics().find(branch.transaction);
  const state::DecidedBranch named{branch.participant, branch.epoch, branch.attempt, {}};
  if (told != nullptr && told->resolved(named) == outcome) return;
  violated(Checker::kPresumesNothing,
           "that " + to_string(branch) + " is " + std::string(name(outcome)) + " " + what +
               ": it was prepared before the log was restored, which knows nothing of its "
               "transaction, and no operator has decided so");
}

void Book::server_crashes(const std::string& participant, const model::Server& server) {
  histories_[participant].crashed_under = Epoch(server.epoch_row().epoch);
}

// An end by hand that nobody had waited for goes even where nothing acknowledged is lost.
void Book::undo(Entry& entry, const BranchId& branch) {
  entry.rolled_back_by_hand.erase(branch);
  entry.by_hand.erase(branch.participant);
  if (branch.participant != losing_.participant) return;
  entry.undone[branch] = {histories_[branch.participant].served_until};
}

// What had been decided, and whose record has left by then, nobody can look for.
void Book::learn_of_break(const std::string& participant) {
  History& history = histories_[participant];
  const Epoch broken_below = ledger_.state().participant(participant)->broken_below;
  if (broken_below <= history.broken_below) return;
  history.broken_below = broken_below;
  for (auto& [transaction, one] : entries_) {
    const bool left = one.decided && ledger_.state().find(transaction) == nullptr;
    for (auto& [branch, undone] : one.undone) {
      if (branch.participant != participant) continue;
      if (left) undone.recorded = false;
      if (!left) looked_for_[transaction] = trace_.now();
    }
  }
}

// Nor where it leaves when it was looked for long enough, or because there is no room for more: an
// office that ends then takes its driver with it, and the next one finds no record.
void Book::watch_records() {
  std::erase_if(looked_for_, [this](const auto& one) {
    const auto& [transaction, since] = one;
    Entry& entry = entries_.at(transaction);
    const bool left = entry.decided && ledger_.state().find(transaction) == nullptr;
    if (left && (trace_.now() - since >= kHeld || ledger_.out_of_room())) {
      for (auto& [branch, undone] : entry.undone) undone.recorded = false;
    }
    return left;
  });
}

// What a synchronous standby lacks nobody was told of: its commit has only been on its way.
void Book::find_lost_one_phase(const std::string& participant, const std::set<std::string>& kept,
                               bool lossy) {
  for (auto& [transaction, one] : entries_) {
    if (one.one_phase != participant || kept.contains(to_string(transaction))) continue;
    if (one.one_phase_lost) continue;
    if (!lossy) {
      if (one.one_phase_voted || one.told == Outcome::kCommitted) {
        violated(Checker::kAnswersAreFinal,
                 to_string(transaction) + " was told to have committed in one phase at " +
                     participant + ", and its synchronous standby lacks it");
      }
      one.one_phase.reset();
      --one_phase_;
      continue;
    }
    one.one_phase_lost = histories_[participant].served_until;
    losing_.told = losing_.told || one.one_phase_voted || one.told == Outcome::kCommitted;
    trace_.event(0, "one-phase", transaction.low, 1,
                 [&, id = transaction] { return to_string(id) + " is lost at " + participant; });
  }
}

bool Book::is_lost(const Entry& entry, const BranchId& branch) {
  return entry.undone.contains(branch) && !entry.branches.contains(branch);
}

bool Book::is_broken(const BranchId& branch) const {
  const auto history = histories_.find(branch.participant);
  return history != histories_.end() && branch.epoch < history->second.broken_below;
}

bool Book::known_to_be_lost(const Entry& entry) const {
  if (!entry.one_phase_lost) return false;
  return *entry.one_phase_lost < histories_.at(*entry.one_phase).broken_below;
}

const state::ParticipantRecord* Book::record_of(const std::string& participant) const {
  return ledger_.state().participant(participant);
}

std::uint64_t Book::lost() const {
  std::uint64_t out = 0;
  for (const auto& [transaction, one] : entries_) {
    if (one.one_phase_lost) ++out;
    for (const BranchId& branch : one.listed) out += is_lost(one, branch) ? 1 : 0;
  }
  return out;
}

// Nothing that begins in another history than its life did can be seen from here but a PREPARE:
// its gid names the life.
void Book::check_life(const BranchId& branch) const {
  const auto history = histories_.find(branch.participant);
  if (history == histories_.end() || branch.epoch > history->second.over_until) return;
  violated(Checker::kLifeKeepsHistory,
           to_string(branch) + " is prepared in another history than its life began in");
}

void Book::life_went_back(const std::string& participant, const Error& why) const {
  const auto history = histories_.find(participant);
  if (history != histories_.end() && history->second.changed) return;
  violated(Checker::kUnbrokenIsTrusted, participant + " has never lost anything: " + why.message);
}

// R7: the log has it, whoever leads now and whatever became of the record.
void Book::check_heuristics() const {
  for (const auto& [transaction, one] : entries_) {
    const state::Heuristic* told = ledger_.state().heuristics().find(transaction);
    if (told != nullptr) check_no_false_alarm(transaction, one);
    if (one.decided != Outcome::kCommitted) continue;
    for (const BranchId& branch : one.rolled_back_by_hand) {
      if (!one.listed.contains(branch) || one.outcome_lost) continue;
      // It had been committed, and was prepared again when the log had no record of it any more.
      const auto undone = one.undone.find(branch);
      if (undone != one.undone.end() && !undone->second.recorded && is_broken(branch)) continue;
      check_told(told, branch, Checker::kHeuristicsAreTold, "was rolled back by hand");
    }
    check_lost(transaction, one);
  }
}

void Book::check_told(const state::Heuristic* told, const BranchId& branch, Checker checker,
                      const char* what) const {
  const state::DecidedBranch named{branch.participant, branch.epoch, branch.attempt, {}};
  if (told != nullptr && told->result_of(named) != FinishResult::kDone) return;
  violated(checker, to_string(branch) + " " + what + ", and the log does not tell");
}

// Where the record had left before the log learnt of it, the log tells of the break alone.
void Book::check_lost(const TransactionId& transaction, const Entry& entry) const {
  const state::Heuristic* told = ledger_.state().heuristics().find(transaction);
  for (const auto& [branch, undone] : entry.undone) {
    if (!is_lost(entry, branch) || !entry.listed.contains(branch)) continue;
    if (undone.recorded) {
      check_told(told, branch, Checker::kLostIsTold, "is lost");
    } else if (!is_broken(branch)) {
      violated(Checker::kLostIsTold,
               to_string(branch) + " is lost, and the log does not know of a break");
    }
  }
}

// A branch whose gid is gone is a hazard where its PREPARE is not proven to be in the history that
// answers now (missing_gid.cc). Either that is another one than the branch's own life began in; or
// the server was started again in that life, which ended before it left a landmark under this
// start.
void Book::check_no_false_alarm(const TransactionId& transaction, const Entry& entry) const {
  for (const auto& found : ledger_.state().heuristics().find(transaction)->branches) {
    if (found.result == FinishResult::kDone) continue;
    const BranchId branch{transaction, found.branch.participant, found.branch.epoch,
                          found.branch.attempt};
    if (entry.ever_by_hand.contains(branch) || entry.quarantined.contains(branch)) continue;
    const auto history = histories_.find(branch.participant);
    if (history != histories_.end() && branch.epoch <= history->second.served_until) continue;
    if (history != histories_.end() && branch.epoch <= history->second.crashed_under) continue;
    // The agent of that life may have got a copy of the prepare and committed, in a history that is
    // lost since: that nobody ever did cannot be known.
    if (entry.maybe_told_one_phase.contains(branch) && is_broken(branch)) continue;
    violated(Checker::kUnbrokenNoHazard,
             to_string(branch) + " is told to have ended otherwise, and nothing befell it");
  }
}

}  // namespace assent::simulation::system
