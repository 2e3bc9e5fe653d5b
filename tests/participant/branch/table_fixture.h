// A branch table whose shell is the test, with the vocabulary of its tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "participant/branch/branch_table.h"
#include "tests/participant/branch/shown.h"

namespace assent::branch {

inline TransactionId transaction(std::uint64_t number) {
  return TransactionId{0x0190000000007000ULL, 0x8000000000000000ULL + number, 1};
}

inline Ballot ballot(std::uint64_t round) {
  return Ballot{Incarnation(1), Round(round), ReplicaId(1)};
}

inline BranchTableOptions options_of_test() {
  return BranchTableOptions{.participant = "orders",
                            .epoch = Epoch(3),
                            .branches_max = 4,
                            .answers_kept = 3,
                            .remember_ended = Millis(600'000)};
}

inline std::shared_ptr<const StatementResult> tagged(std::string tag) {
  StatementResult result;
  result.command_tag = std::move(tag);
  return std::make_shared<const StatementResult>(std::move(result));
}

inline std::shared_ptr<const StatementResult> counted(std::string tag, std::int64_t rows) {
  StatementResult result;
  result.command_tag = std::move(tag);
  result.row_count = rows;
  return std::make_shared<const StatementResult>(std::move(result));
}

inline Statement expecting(std::int64_t rows) {
  return Statement{.sql = "UPDATE a SET b = 1", .parameters = {}, .expected_rows = rows};
}

inline OneShotWork work_of(std::vector<std::string> statements) {
  OneShotBranch work;
  for (std::string& sql : statements) {
    work.statements.push_back({.sql = std::move(sql), .parameters = {}});
  }
  return std::make_shared<const OneShotBranch>(std::move(work));
}

inline StatementResults results_of(std::size_t count) {
  return std::make_shared<const std::vector<StatementResult>>(count);
}

inline Error sql_error(std::string sqlstate) {
  SqlError sql;
  sql.sqlstate = std::move(sqlstate);
  return Error{.code = ErrorCode::kSql, .message = "refused", .sql = sql};
}

inline Error coded(ErrorCode code) {
  return Error{.code = code, .message = "for the test"};
}

inline constexpr Evidence kEvidence{.xid = 77, .system_identifier = 5, .timeline = 1};

// The attempt of a one-shot, issued in office 1.
inline BranchId one_shot_id(std::uint64_t serial = 1, std::uint64_t number = 1) {
  return {transaction(number), "orders", Epoch(3), one_shot_attempt({1, serial})};
}

// Steps of one table; every one checks the table's invariants. The branch that most words are about
// is `id`: the first attempt of transaction 1, unless another is given.
class Table {
 public:
  explicit Table(BranchTableOptions options = options_of_test(),
                 BranchId named = {transaction(1), "orders", Epoch(3), Attempt(1)})
      : id(std::move(named)), table_(std::move(options), ballot(1)) {}
  explicit Table(BranchId named) : Table(options_of_test(), std::move(named)) {}

  std::string step(const Input& input) { return shown(effects(input)); }
  Effects effects(const Input& input) {
    Effects result = table_.step(now_, input);
    table_.check_invariants();
    return result;
  }
  void pass(Millis time) { now_ = now_ + time; }
  std::string tick() { return step(Tick{}); }

  BranchTable& table() { return table_; }
  MonoTime now() const { return now_; }
  std::string state() const { return std::string(table_.state_of(id)); }
  std::string state(const BranchId& branch) const { return std::string(table_.state_of(branch)); }

  // ── callers ──
  std::string open(std::uint64_t token, std::string nonce = "nonce", std::uint64_t number = 1) {
    return step(ExecuteAsked{.token = Token(token),
                             .transaction = transaction(number),
                             .branch = Opening{std::move(nonce)},
                             .number = 1,
                             .statement = {.sql = "SELECT 1", .parameters = {}}});
  }
  std::string execute(std::uint64_t token, std::uint32_t number, std::string sql = "SELECT 1") {
    return step(ExecuteAsked{.token = Token(token),
                             .transaction = id.transaction,
                             .branch = BranchRef{id.epoch, id.attempt},
                             .number = number,
                             .statement = {.sql = std::move(sql), .parameters = {}}});
  }
  std::string execute(std::uint64_t token, std::uint32_t number, Statement statement) {
    return step(ExecuteAsked{.token = Token(token),
                             .transaction = id.transaction,
                             .branch = BranchRef{id.epoch, id.attempt},
                             .number = number,
                             .statement = std::move(statement)});
  }
  std::string prepare(std::uint64_t token, std::uint32_t statements, std::uint64_t round = 1) {
    return prepare(id, token, statements, round);
  }
  std::string prepare(const BranchId& branch, std::uint64_t token, std::uint32_t statements,
                      std::uint64_t round = 1) {
    return step(PrepareAsked{Token(token), ballot(round), branch, statements});
  }
  std::string prepare_one_phase(std::uint64_t token, std::uint32_t statements,
                                std::uint64_t round = 1) {
    return prepare_one_phase(id, token, statements, round);
  }
  std::string prepare_one_phase(const BranchId& branch, std::uint64_t token,
                                std::uint32_t statements, std::uint64_t round = 1) {
    return step(PrepareAsked{.token = Token(token),
                             .ballot = ballot(round),
                             .branch = branch,
                             .statements = statements,
                             .one_phase = true});
  }
  // Two statements, unless others are given.
  std::string one_shot(std::uint64_t token, const BranchId& branch = one_shot_id(),
                       std::uint64_t round = 1) {
    return step(PrepareAsked{.token = Token(token),
                             .ballot = ballot(round),
                             .branch = branch,
                             .one_shot = work_of({"UPDATE a", "SELECT 1"})});
  }
  std::string settle(std::uint64_t token, std::uint64_t round = 1) {
    return step(SettleAsked{Token(token), ballot(round), id.transaction});
  }
  std::string cancel(std::uint64_t token, std::string nonce = "nonce") {
    return step(CancelAsked{Token(token), id.transaction, std::move(nonce)});
  }
  std::string cancel_by_name(std::uint64_t token) {
    return step(CancelAsked{Token(token), id.transaction, BranchRef{id.epoch, id.attempt}});
  }
  std::string commit(std::uint64_t token, std::uint64_t round = 1) {
    return finish(id, token, Outcome::kCommitted, round);
  }
  std::string roll_back(std::uint64_t token, std::uint64_t round = 1) {
    return finish(id, token, Outcome::kAborted, round);
  }
  std::string finish(const BranchId& branch, std::uint64_t token, Outcome outcome,
                     std::uint64_t round = 1) {
    return step(FinishAsked{Token(token), ballot(round), branch, outcome, std::nullopt});
  }

  // ── PostgreSQL ──
  std::string granted() { return step(ConnectionGranted{id}); }
  std::string refused() { return step(ConnectionRefused{id, coded(ErrorCode::kOverloaded)}); }
  std::string done(std::uint32_t number, std::string tag) {
    return step(StatementDone{id, number, tagged(std::move(tag)), true});
  }
  std::string failed(std::uint32_t number, std::string sqlstate) {
    return step(StatementDone{id, number, tl::unexpected(sql_error(std::move(sqlstate))), true});
  }
  std::string prepared() { return step(PrepareDone{id, kEvidence}); }
  std::string left() { return step(PrepareDone{id, LeftReadOnly{}}); }
  std::string committed_one_phase() { return step(PrepareDone{id, CommittedOnePhase{}}); }
  std::string settled(bool committed) { return step(SettleDone{id.transaction, committed}); }
  std::string not_settled(const Error& why) {
    return step(SettleDone{id.transaction, tl::unexpected(why)});
  }
  std::string not_prepared(const Error& why) { return step(PrepareDone{id, tl::unexpected(why)}); }
  std::string rolled_back() { return step(RollbackDone{id}); }
  std::string finished(FinishResult result) { return finished(id, result); }
  std::string finished(const BranchId& branch, FinishResult result) {
    return step(FinishDone{branch, result});
  }
  std::string not_finished(const Error& why) { return step(FinishDone{id, tl::unexpected(why)}); }
  std::string lost() { return step(ConnectionLost{id, coded(ErrorCode::kUnavailable)}); }

  // ── ways into a state; tokens from 1 ──
  void be_open() {  // with one statement answered
    open(1);
    granted();
    done(1, "ONE");
  }
  void be_preparing() {
    be_open();
    prepare(2, 1);
  }
  void be_preparing_one_phase() {
    be_open();
    prepare_one_phase(2, 1);
  }
  void be_prepared() {
    be_preparing();
    prepared();
  }

  const BranchId id;

 private:
  BranchTable table_;
  MonoTime now_{1'000'000};
};

}  // namespace assent::branch
