// A random conversation of clients, leaders and PostgreSQL with one branch table, and the checkers
// outside of it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/participant/branch/model_postgres.h"
#include "tests/participant/branch/random.h"

namespace assent::branch {

class Conversation {
 public:
  explicit Conversation(std::uint64_t seed);

  // Failures are failures of the running test.
  void run(std::size_t steps);

  [[nodiscard]] const BranchCounters& counters() const { return table_.counters(); }
  // Votes of COMMITTED that were read from a row.
  [[nodiscard]] std::size_t committed_by_row() const { return committed_by_row_; }
  [[nodiscard]] std::size_t prepared_in_vain() const { return prepared_in_vain_; }

 private:
  // What the log says of a transaction.
  struct Decision {
    Outcome outcome = Outcome::kAborted;
    std::optional<BranchId> listed = {};  // of a commit: the one branch at this participant
  };
  struct Ask {
    BranchId branch;  // of an execute, a settle or a cancel: by transaction only
    std::uint32_t number = 0;
    std::optional<Outcome> outcome = std::nullopt;
    bool one_phase = false;
  };
  // A one-shot that a leader has issued, and perhaps sent.
  struct Issued {
    BranchId branch;
    Ballot ballot;
    OneShotWork work;
  };

  // ── the script: conversation.cc ──
  void act();
  void act_as_coordinator();
  void act_rarely();
  void open();
  void execute();
  void prepare();
  void one_shot();
  void settle();
  void cancel();
  void decide();
  void finish();
  void ask_for_the_unknown();
  void ask_prepare(const PrepareAsked& asked);
  void ask_finish(const BranchId& branch, Outcome outcome, Ballot under);
  void ask_settle(const TransactionId& transaction, Ballot under);
  void deliver();
  void heal();
  void settle_down();

  // ── small choices ──
  [[nodiscard]] TransactionId any_transaction();
  const BranchId& any_branch();
  Ballot any_ballot();
  Statement any_statement();
  Issued issue_one_shot();
  [[nodiscard]] std::uint64_t low_water() const;
  Token issue(Ask ask);

  // ── what the coordinator knows ──
  // One branch of a transaction may go in one phase, and none after the decision (ADR 5, 6 and 7).
  bool may_go_one_phase(const BranchId& branch);
  [[nodiscard]] bool may_abort(const TransactionId& transaction) const;
  [[nodiscard]] bool may_decide(const TransactionId& transaction) const;
  [[nodiscard]] bool may_commit(const BranchId& branch) const;
  [[nodiscard]] std::optional<Outcome> logged(const BranchId& branch) const;
  [[nodiscard]] bool decided(const BranchId& branch, Outcome outcome) const {
    return logged(branch) == outcome;
  }

  // ── the checkers: conversation_checks.cc ──
  void step(const Input& input);
  void check(const Operation& operation);
  void check(const Reply& reply);
  void check_answer(const Ask& ask, const ExecuteAnswer& answer);
  void check_vote(const Ask& ask, const std::string& vote, const StatementResults& results);
  void check_yes(const BranchId& branch, const Yes& yes);
  void check_read_only(const BranchId& branch);
  void check_committed(const Ask& ask);
  void check_no(const Ask& ask, const No& no);
  void check_finish(const Ask& ask, FinishResult result);
  void check_settled(const TransactionId& transaction, bool committed);
  void check_cancelled(const TransactionId& transaction);
  void check_end();

  Random random_;
  const bool strangers_;  // a stranger ends prepared transactions
  BranchTable table_;
  ModelPostgres postgres_;
  MonoTime now_{1'000'000};
  std::uint64_t round_ = 1;

  std::vector<BranchId> branches_;  // every one that may have come to life
  std::map<BranchId, std::uint32_t> sent_;
  std::map<std::uint64_t, std::uint64_t> serials_;  // last issued, by office
  std::vector<Issued> one_shots_;
  std::set<OneShotSerial> unanswered_;
  std::map<TransactionId, Decision> decisions_;
  std::map<TransactionId, BranchId> one_phase_;  // asked to commit in one phase
  std::map<Token, Ask> asks_;
  std::set<Token> answered_;

  std::map<BranchId, std::string> votes_;  // the first, of branches of this life
  std::set<BranchId> yes_;
  std::set<BranchId> no_;  // definite ones
  std::set<BranchId> rolled_back_;
  std::set<TransactionId> committed_;  // in one phase
  std::set<TransactionId> never_committed_;
  std::size_t committed_by_row_ = 0;
  std::size_t prepared_in_vain_ = 0;
};

}  // namespace assent::branch
