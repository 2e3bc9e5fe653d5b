// The checkers of the whole system: what was decided, prepared, ended and told of every
// transaction, seen from outside of the code under test, and what may never be.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "coordinator/commit/office.h"
#include "coordinator/state/state_machine.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/postgres/server.h"
#include "tests/simulation/system/plan.h"
#include "tests/simulation/trace.h"
#include "tests/simulation/violation.h"

namespace assent::simulation::system {

// Balances by participant and account.
using Balances = std::map<std::string, std::map<std::int64_t, std::int64_t>>;

class Book {
 public:
  // `read_rows` tells of what has committed in one phase by now, as the outcome rows say.
  Book(const Ledger& ledger, Trace& trace, std::function<void()> read_rows)
      : ledger_(ledger), trace_(trace), read_rows_(std::move(read_rows)) {}

  // ── clients
  void planned(const TransactionId& transaction, const Plan& plan);
  void answered(const commit::CommitAsked& asked, const commit::CommitAnswer& answer);
  void told(const TransactionId& transaction, Outcome outcome);
  // Another request under the id of a transaction that was `decided` before it was sent.
  void reuse_answered(const TransactionId& transaction, const commit::CommitAnswer& answer) const;
  [[nodiscard]] bool is_decided(const TransactionId& transaction) const {
    return entries_.at(transaction).decided.has_value();
  }
  // It was asked for after it had been told. None: undecided.
  void status_told(const TransactionId& transaction, std::optional<Outcome> outcome) const;

  // ── the log: a command was executed, once it was chosen
  void executed(const state::Command& command, const state::CommandResult& result);

  // ── the coordinator
  void prepare_sent(const commit::SendPrepare& prepare);
  void finish_sent(const commit::SendFinish& finish);
  // A prepare in one phase has perhaps reached an agent: it, or a copy of it, may be carried out.
  void one_phase_maybe_told(const BranchId& branch);

  // ── agents: a vote leaves, of a life with this epoch
  void voted(const BranchId& branch, const commit::Vote& vote, Epoch life);
  // An agent, in a life with this epoch, says how a branch has ended. Without evidence it cannot
  // know what was done by hand.
  void confirmed(const BranchId& branch, Outcome asked, FinishResult result, bool evidence,
                 Epoch life);

  // A life ends because its database went back.
  void life_went_back(const std::string& participant, const Error& why) const;

  // ── databases
  void happened(const std::string& participant, const model::GidEvent& event);
  // Another history takes the place of the one that `server` has; `change` does it. `lossy`: what
  // was acknowledged may not be in it, and what is not in it is known exactly from here on.
  void history_changes(const std::string& participant, const model::Server& server, bool lossy,
                       const std::function<void()>& change);
  // Its outcome row stands: told as often as it is seen.
  void committed_one_phase(const std::string& participant, const TransactionId& transaction);
  // It is killed, to be started again.
  void server_crashes(const std::string& participant, const model::Server& server);
  // ── the end
  // Every account holds what the outcomes say, against what it held at first.
  void check_balances(const Balances& found) const;
  // What somebody else rolled back against the decision, and what was lost, is told; and nothing
  // else.
  void check_heuristics() const;
  // The log was lost, and goes on from a backup.
  void log_restored();
  // What an operator knows of a transaction whose outcome was lost with the log: what its clients
  // and its databases say, or nothing, and then that it is to abort.
  [[nodiscard]] Outcome outcome_known(const TransactionId& transaction) const;
  // The log says that nobody knows how the branch is to end: it has no record, and tells a hazard
  // of a branch that no commit lists.
  [[nodiscard]] bool left_to_operators(const BranchId& branch) const;
  // Of ours, nothing is left prepared.
  void check_nothing_prepared(const std::string& participant,
                              const std::vector<std::string>& gids) const;

  // What the log knows of the participant. Null: it has not enrolled.
  [[nodiscard]] const state::ParticipantRecord* record_of(const std::string& participant) const;

  [[nodiscard]] std::uint64_t committed() const { return committed_; }
  [[nodiscard]] std::uint64_t aborted() const { return aborted_; }
  [[nodiscard]] std::uint64_t one_phase() const { return one_phase_; }
  [[nodiscard]] std::uint64_t transactions() const { return entries_.size(); }
  // What was acknowledged and is lost: branches that were committed, or were committed later; and
  // commits in one phase.
  [[nodiscard]] std::uint64_t lost() const;

 private:
  enum class Fate : std::uint8_t { kPrepared, kCommitted, kRolledBack };
  // A participant's database over all its histories.
  struct History {
    bool changed = false;
    Epoch served_until;   // the last life that began before the latest change
    Epoch over_until;     // lives up to this one have told what is lost, or have another timeline
    Epoch broken_below;   // as the log has it by now
    Epoch crashed_under;  // the last life that had begun when the server was killed
  };
  // A lossy change is under way.
  struct Losing {
    std::string participant;
    bool told = false;  // what lives have told is lost
  };
  // A lossy change took something of a branch back.
  struct Undone {
    Epoch served_until;    // lives up to this one began before
    bool recorded = true;  // when the log learnt of it, it had the decision, or was yet to decide
  };
  struct Delta {
    std::string participant;
    std::int64_t account;
    std::int64_t amount;
  };
  using Finish = std::pair<BranchId, Outcome>;
  struct Entry {
    std::vector<Delta> deltas;
    std::set<std::string> writers;
    bool one_shot = false;
    bool miscounts = false;  // as its plan says
    std::optional<Outcome> decided;
    std::uint64_t request_hash = 0;        // in the decision; 0: it fits every request
    std::set<BranchId> listed;             // of a commit
    std::optional<std::string> one_phase;  // committed so, there
    bool one_phase_voted = false;          // an agent has told so
    std::optional<Epoch> one_phase_lost;   // and lost; lives up to this one began before
    std::set<std::string> sent_one_phase;
    std::set<BranchId> maybe_told_one_phase;
    std::optional<Outcome> told;
    std::map<BranchId, Fate> branches;  // that were ever prepared, in a history that is not lost
    std::map<BranchId, Undone> undone;
    std::map<std::string, Fate> by_hand;  // ended by somebody else, at this participant
    std::set<BranchId> rolled_back_by_hand;
    std::set<BranchId> ever_by_hand;  // in whatever history
    std::set<BranchId> yes;           // voted so
    std::set<BranchId> no;            // their own lives voted so
    std::set<BranchId> never;         // and said that they are not prepared
    std::set<BranchId> quarantined;   // prepared when the log was restored
    std::set<Finish> sent;            // by offices of the log as it is
    std::set<Finish> sent_before_restore;
    bool outcome_lost = false;  // decided by a log that was lost
    std::set<BranchId> gone;    // confirmed to have rolled back
  };

  Entry& entry(const TransactionId& transaction) { return entries_[transaction]; }
  void decided(const state::Committed& command);
  void decided(const state::Aborted& command);
  void prepared(Entry& entry, const BranchId& branch);
  void finished(Entry& entry, const BranchId& branch, bool committed);
  static void ended_by_hand(Entry& entry, const BranchId& branch, Fate fate);
  void learn_of_break(const std::string& participant);
  void watch_records();
  void undo(Entry& entry, const BranchId& branch);
  void find_lost_one_phase(const std::string& participant, const std::set<std::string>& kept,
                           bool lossy);
  static bool is_lost(const Entry& entry, const BranchId& branch);
  // A commit in one phase is lost, and the log says that its participant may have lost something.
  [[nodiscard]] bool known_to_be_lost(const Entry& entry) const;
  [[nodiscard]] bool is_broken(const BranchId& branch) const;
  void check_told(const state::Heuristic* told, const BranchId& branch, Checker checker,
                  const char* what) const;
  void check_lost(const TransactionId& transaction, const Entry& entry) const;
  void check_no_false_alarm(const TransactionId& transaction, const Entry& entry) const;
  void check_life(const BranchId& branch) const;
  static void check_rows(const TransactionId& transaction, const Entry& entry);
  static void check_was_prepared(const Entry& entry, const BranchId& branch, Epoch life);
  void check_quarantine(const Entry& entry, const BranchId& branch, Outcome outcome,
                        const char* what) const;
  void check_finish(const Entry& entry, const BranchId& branch, Outcome outcome,
                    const char* what) const;
  void check_agree(const TransactionId& transaction, const Entry& entry) const;
  [[nodiscard]] bool committed(const Entry& entry) const;
  [[nodiscard]] bool has_effect(const Entry& entry, const std::string& participant) const;

  const Ledger& ledger_;
  Trace& trace_;
  const std::function<void()> read_rows_;
  std::unordered_map<TransactionId, Entry> entries_;
  std::map<std::string, History> histories_;
  Losing losing_;
  std::map<TransactionId, Micros> looked_for_;  // of what is lost, and since when
  std::uint64_t committed_ = 0;
  std::uint64_t aborted_ = 0;
  std::uint64_t one_phase_ = 0;
};

}  // namespace assent::simulation::system
