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
  // It was asked for after it had been told. None: undecided.
  void status_told(const TransactionId& transaction, std::optional<Outcome> outcome) const;

  // ── the log: a command was executed, once it was chosen
  void executed(const state::Command& command, const state::CommandResult& result);

  // ── the coordinator
  void prepare_sent(const commit::SendPrepare& prepare);
  void finish_sent(const commit::SendFinish& finish);

  // ── agents: a vote leaves, of a life with this epoch
  void voted(const BranchId& branch, const commit::Vote& vote, Epoch life);
  // An agent says how a branch has ended. Without evidence it cannot know what was done by hand.
  void confirmed(const BranchId& branch, Outcome asked, FinishResult result, bool evidence);

  // ── databases
  void happened(const std::string& participant, const model::GidEvent& event);
  // Its outcome row stands: told as often as it is seen.
  void committed_one_phase(const std::string& participant, const TransactionId& transaction);
  // ── the end
  // Every account holds what the outcomes say, against what it held at first.
  void check_balances(const Balances& found) const;
  // What somebody else rolled back against the decision is told.
  void check_heuristics() const;
  // The log says that nobody knows how the branch is to end.
  [[nodiscard]] bool left_to_operators(const BranchId& branch) const;
  // Of ours, nothing is left prepared.
  void check_nothing_prepared(const std::string& participant,
                              const std::vector<std::string>& gids) const;

  [[nodiscard]] std::uint64_t committed() const { return committed_; }
  [[nodiscard]] std::uint64_t aborted() const { return aborted_; }
  [[nodiscard]] std::uint64_t one_phase() const { return one_phase_; }
  [[nodiscard]] std::uint64_t transactions() const { return entries_.size(); }

 private:
  enum class Fate : std::uint8_t { kPrepared, kCommitted, kRolledBack };
  struct Delta {
    std::string participant;
    std::int64_t account;
    std::int64_t amount;
  };
  struct Entry {
    std::vector<Delta> deltas;
    std::set<std::string> writers;
    bool one_shot = false;
    std::optional<Outcome> decided;
    std::set<BranchId> listed;             // of a commit
    std::optional<std::string> one_phase;  // committed so, there
    std::set<std::string> sent_one_phase;
    std::optional<Outcome> told;
    std::map<BranchId, Fate> branches;    // that were ever prepared
    std::map<std::string, Fate> by_hand;  // ended by somebody else, at this participant
    std::set<BranchId> rolled_back_by_hand;
    std::set<BranchId> never;  // their own lives voted NO
    std::set<BranchId> gone;   // confirmed to have rolled back
  };

  Entry& entry(const TransactionId& transaction) { return entries_[transaction]; }
  void decided(const state::Committed& command);
  void decided(const state::Aborted& command);
  void prepared(Entry& entry, const BranchId& branch);
  void finished(Entry& entry, const BranchId& branch, bool committed);
  static void ended_by_hand(Entry& entry, const BranchId& branch, Fate fate);
  void check_finish(const Entry& entry, const BranchId& branch, Outcome outcome,
                    const char* what) const;
  void check_agree(const TransactionId& transaction, const Entry& entry) const;
  [[nodiscard]] bool committed(const Entry& entry) const;
  [[nodiscard]] bool has_effect(const Entry& entry, const std::string& participant) const;

  const Ledger& ledger_;
  Trace& trace_;
  const std::function<void()> read_rows_;
  std::unordered_map<TransactionId, Entry> entries_;
  std::uint64_t committed_ = 0;
  std::uint64_t aborted_ = 0;
  std::uint64_t one_phase_ = 0;
};

}  // namespace assent::simulation::system
