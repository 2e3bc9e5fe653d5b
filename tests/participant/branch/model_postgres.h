// A model of PostgreSQL and of the agent's shell around it, as postgres.md and branch_table.h say.
// It checks that every operation is legal where it arrives; its answers wait in a queue, so that
// later operations cross them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "participant/branch/branch.h"
#include "participant/branch/branch_table.h"
#include "tests/participant/branch/random.h"

namespace assent::branch {

// What a statement of the model does is its SQL.
inline constexpr const char* kSqlWorks = "works";
inline constexpr const char* kSqlReads = "reads";            // assigns no xid
inline constexpr const char* kSqlMisses = "affects no row";  // any other affects one
inline constexpr const char* kSqlFails = "fails";
inline constexpr const char* kSqlRollsBackToSavepoint = "ROLLBACK TO a";
inline constexpr const char* kSqlEndsTransaction = "ends the transaction behind our back";

// The column of every successful statement: its branch and number.
std::string model_column(const BranchId& branch, std::uint32_t number);

class ModelPostgres {
 public:
  // `may_send` is the table's. `decided` says whether the log has that outcome for that branch.
  ModelPostgres(Random& random, std::function<bool(Ballot)> may_send,
                std::function<bool(const BranchId&, Outcome)> decided)
      : random_(random), may_send_(std::move(may_send)), decided_(std::move(decided)) {}

  // Takes an operation over; an illegal one is a test failure.
  void carry_out(const Operation& operation);
  // Does one thing that was asked for, or loses a connection. False: nothing was left to do.
  bool advance();
  // The next answer on its way to the table.
  std::optional<Input> deliver();

  // A branch of an older life that is still prepared, and one that committed in one phase.
  void prepare_before(const BranchId& branch);
  void commit_before(const BranchId& branch);
  // Somebody else ends a prepared transaction.
  void meddle();
  // From now on nothing fails and no connection is lost.
  void heal() { healed_ = true; }

  [[nodiscard]] bool was_prepared(const BranchId& branch) const {
    return evidence_.contains(branch);
  }
  [[nodiscard]] const Evidence& evidence(const BranchId& branch) const {
    return evidence_.at(branch);
  }
  [[nodiscard]] bool is_prepared(const BranchId& branch) const {
    return prepared_.contains(branch);
  }
  [[nodiscard]] std::optional<Fate> fate(const BranchId& branch) const;
  // What the transaction's outcome row says; none when there is no row.
  [[nodiscard]] std::optional<Outcome> outcome_row(const TransactionId& transaction) const;
  [[nodiscard]] std::size_t prepared_count() const { return prepared_.size(); }
  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }
  [[nodiscard]] std::size_t prepares_run() const { return evidence_.size(); }

 private:
  using Work = std::variant<RunStatement, RunPrepare, RunRollback>;
  struct Session {
    bool granted = false;
    bool ending = false;  // PREPARE or ROLLBACK has been asked for: nothing else may follow
    bool dead = false;    // lost during PREPARE; only Release is left
    bool in_transaction = false;
    bool failed = false;
    bool wrote = false;       // it has an xid
    bool miscounted = false;  // a number of rows was wrong, and no ROLLBACK TO came since
    bool cancelled = false;
    std::uint32_t statements = 0;
    std::deque<Work> queue;
  };

  void on(const Acquire& operation);
  void on(const RunStatement& operation);
  void on(const RunPrepare& operation);
  void on(const RunCancel& operation);
  void on(const RunSettle& operation);
  void on(const RunRollback& operation);
  void on(const RunFinish& operation);
  void on(const Release& operation);

  void answer_wish(const BranchId& branch, Session& session);
  void work(const BranchId& branch, Session& session);
  void run(const BranchId& branch, Session& session, const RunStatement& statement);
  void run(const BranchId& branch, Session& session, const RunPrepare& prepare);
  void run(const BranchId& branch, Session& session, const RunRollback& rollback);
  StatementDone execute(Session& session, const RunStatement& statement);
  // False: it failed.
  bool apply(Session& session, const Statement& statement);
  void run_one_shot(const BranchId& branch, Session& session, const OneShotBranch& work);
  PrepareDone vote(const BranchId& branch, Session& session, const RunPrepare& prepare);
  tl::expected<PrepareResult, Error> prepare(const BranchId& branch, Session& session,
                                             bool one_phase);
  void lose(const BranchId& branch, Session& session);
  void finish_one();
  FinishResult settle_gid(const RunFinish& finish);
  void settle_one();

  // The session, or null when it was lost, refused or given up while the operation was on its way.
  Session* session(const BranchId& branch);

  Random& random_;
  std::function<bool(Ballot)> may_send_;
  std::function<bool(const BranchId&, Outcome)> decided_;
  bool healed_ = false;

  std::map<BranchId, Session> sessions_;
  std::set<BranchId> acquired_;
  std::set<BranchId> closed_;  // lost, refused or given up
  std::set<BranchId> lost_;    // of these: lost
  std::set<BranchId> released_;
  std::deque<RunFinish> finishes_;
  std::deque<RunSettle> settles_;
  std::deque<Input> posted_;

  std::map<BranchId, Evidence> evidence_;  // of every branch that ever prepared
  std::set<BranchId> prepared_;            // pg_prepared_xacts
  std::map<BranchId, Fate> fates_;         // of what has ended
  std::set<BranchId> ran_;                 // one-shots whose statements ran
  std::map<TransactionId, Outcome> outcome_rows_;
};

}  // namespace assent::branch
