#include "tests/participant/branch/model_postgres.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace assent::branch {
namespace {

Error coded(ErrorCode code) {
  return Error{.code = code, .message = "the model says so"};
}

Error sql_error(std::string sqlstate) {
  SqlError sql;
  sql.sqlstate = std::move(sqlstate);
  return Error{.code = ErrorCode::kSql, .message = "the model says so", .sql = std::move(sql)};
}

std::shared_ptr<const StatementResult> answer(const RunStatement& statement) {
  const std::string& sql = statement.statement.sql;
  StatementResult result;
  result.columns = {{model_column(statement.branch, statement.number), 0}};
  result.command_tag = sql == kSqlRollsBackToSavepoint ? "ROLLBACK" : "OTHER";
  result.row_count = sql == kSqlMisses ? 0 : 1;
  return std::make_shared<const StatementResult>(std::move(result));
}

}  // namespace

std::string model_column(const BranchId& branch, std::uint32_t number) {
  return to_string(branch) + "/" + std::to_string(number);
}

void ModelPostgres::carry_out(const Operation& operation) {
  std::visit([this](const auto& one) { on(one); }, operation);
}

std::optional<Input> ModelPostgres::deliver() {
  if (posted_.empty()) {
    return std::nullopt;
  }
  Input input = std::move(posted_.front());
  posted_.pop_front();
  return input;
}

void ModelPostgres::prepare_before(const BranchId& branch) {
  evidence_[branch] = Evidence{.xid = 1'000 + branch.attempt.value};
  prepared_.insert(branch);
}

void ModelPostgres::commit_before(const BranchId& branch) {
  outcome_rows_.emplace(branch.transaction, Outcome::kCommitted);
  fates_[branch] = Fate::kCommitted;
}

std::optional<Outcome> ModelPostgres::outcome_row(const TransactionId& transaction) const {
  const auto found = outcome_rows_.find(transaction);
  return found == outcome_rows_.end() ? std::nullopt : std::optional(found->second);
}

void ModelPostgres::meddle() {
  if (!prepared_.empty()) {
    const auto victim = std::next(prepared_.begin(), random_.below(prepared_.size()));
    fates_[*victim] = random_.one_in(2) ? Fate::kCommitted : Fate::kRolledBack;
    prepared_.erase(victim);
  }
}

std::optional<Fate> ModelPostgres::fate(const BranchId& branch) const {
  const auto found = fates_.find(branch);
  return found == fates_.end() ? std::nullopt : std::optional(found->second);
}

ModelPostgres::Session* ModelPostgres::session(const BranchId& branch) {
  const auto found = sessions_.find(branch);
  EXPECT_NE(found != sessions_.end(), closed_.contains(branch)) << to_string(branch);
  EXPECT_FALSE(released_.contains(branch)) << "nothing is asked of a released connection";
  return found == sessions_.end() ? nullptr : &found->second;
}

// ── operations ──────────────────────────────────────────────────────────────────────────────────

void ModelPostgres::on(const Acquire& operation) {
  EXPECT_TRUE(acquired_.insert(operation.branch).second) << "one connection for a branch";
  sessions_[operation.branch];
}

void ModelPostgres::on(const RunStatement& operation) {
  Session* const open = session(operation.branch);
  if (open == nullptr) {
    EXPECT_TRUE(lost_.contains(operation.branch)) << "no statement without a connection";
    return;
  }
  EXPECT_TRUE(open->granted && !open->ending) << "a branch that ends runs no statement";
  EXPECT_EQ(operation.number, ++open->statements) << "each statement runs once, in order";
  open->queue.push_back(operation);
}

void ModelPostgres::on(const RunPrepare& operation) {
  EXPECT_TRUE(may_send_(operation.ballot)) << "no prepare is asked for under a stale ballot";
  EXPECT_EQ(operation.one_shot != nullptr, one_shot_serial(operation.branch.attempt).has_value())
      << "the statements of a one-shot come with its prepare";
  Session* const open = session(operation.branch);
  if (open == nullptr) {
    EXPECT_TRUE(lost_.contains(operation.branch)) << "no prepare without a connection";
    if (random_.one_in(2)) {
      posted_.push_back(
          PrepareDone{operation.branch, tl::unexpected(coded(ErrorCode::kUnavailable))});
    }
    return;
  }
  EXPECT_TRUE(open->granted && !open->ending) << "a branch that ends is not prepared";
  open->ending = true;
  open->queue.push_back(operation);
}

void ModelPostgres::on(const RunCancel& operation) {
  if (Session* const open = session(operation.branch)) {
    EXPECT_FALSE(open->cancelled) << "once is enough";
    open->cancelled = true;
  }
}

void ModelPostgres::on(const RunSettle& operation) {
  EXPECT_TRUE(may_send_(operation.ballot)) << "no settle is asked for under a stale ballot";
  for (const RunSettle& other : settles_) {
    EXPECT_FALSE(other.transaction == operation.transaction) << "one settle at a time";
  }
  for (const auto& [branch, session] : sessions_) {
    EXPECT_FALSE(branch.transaction == operation.transaction) << "its live branch ends first";
  }
  settles_.push_back(operation);
}

void ModelPostgres::on(const RunRollback& operation) {
  Session* const open = session(operation.branch);
  if (open == nullptr) {
    if (!lost_.contains(operation.branch) || random_.one_in(2)) {
      posted_.push_back(RollbackDone{operation.branch});
    }
    return;
  }
  EXPECT_FALSE(open->ending) << "a branch that was asked to prepare is not rolled back like this";
  if (!open->granted) {
    sessions_.erase(operation.branch);
    closed_.insert(operation.branch);
    posted_.push_back(RollbackDone{operation.branch});
    return;
  }
  open->ending = true;
  open->queue.push_back(operation);
}

void ModelPostgres::on(const RunFinish& operation) {
  for (const RunFinish& other : finishes_) {
    EXPECT_FALSE(other.branch == operation.branch) << "one finish of a gid at a time";
  }
  const auto open = sessions_.find(operation.branch);
  EXPECT_TRUE(open == sessions_.end() || open->second.queue.empty())
      << "a gid is finished only when its PREPARE is over";
  EXPECT_TRUE(decided_(operation.branch, operation.outcome)) << "only what the log says is done";
  finishes_.push_back(operation);
}

void ModelPostgres::on(const Release& operation) {
  Session* const open = session(operation.branch);
  EXPECT_TRUE(released_.insert(operation.branch).second) << "a connection is released once";
  if (open == nullptr) {
    EXPECT_TRUE(lost_.contains(operation.branch)) << "only a granted connection is released";
    return;
  }
  EXPECT_TRUE(open->granted && open->queue.empty() && !open->in_transaction)
      << "a connection is released when nothing is left on it";
  sessions_.erase(operation.branch);
}

// ── PostgreSQL at work ──────────────────────────────────────────────────────────────────────────

bool ModelPostgres::advance() {
  std::vector<BranchId> busy;
  for (const auto& [branch, session] : sessions_) {
    if (!session.granted || !session.queue.empty() || (!healed_ && !session.dead)) {
      busy.push_back(branch);
    }
  }
  const std::size_t choice = random_.below(busy.size() + finishes_.size() + settles_.size() + 1);
  if (choice < busy.size()) {
    const BranchId& branch = busy[choice];
    Session& session = sessions_.at(branch);
    session.granted ? work(branch, session) : answer_wish(branch, session);
  } else if (choice < busy.size() + finishes_.size()) {
    finish_one();
  } else if (!settles_.empty()) {
    settle_one();
  }
  return !busy.empty() || !finishes_.empty() || !settles_.empty();
}

void ModelPostgres::answer_wish(const BranchId& branch, Session& session) {
  if (!healed_ && random_.one_in(5)) {
    sessions_.erase(branch);
    closed_.insert(branch);
    posted_.push_back(ConnectionRefused{branch, coded(ErrorCode::kOverloaded)});
    return;
  }
  session.granted = true;
  posted_.push_back(ConnectionGranted{branch});
}

void ModelPostgres::work(const BranchId& branch, Session& session) {
  if (!healed_ && random_.one_in(12)) {
    return lose(branch, session);
  }
  if (!session.queue.empty()) {
    const Work next = std::move(session.queue.front());
    session.queue.pop_front();
    std::visit([&](const auto& one) { run(branch, session, one); }, next);
  }
}

void ModelPostgres::run(const BranchId& branch, Session& session, const RunStatement& statement) {
  const bool cancelled =
      !session.queue.empty() && std::holds_alternative<RunRollback>(session.queue.back());
  if (cancelled && random_.one_in(2)) {
    session.queue = {RunRollback{branch}};  // the others are not answered at all
    return;
  }
  StatementDone done = execute(session, statement);
  if (!done.transaction_open) {
    // A failed transaction can only roll back; what succeeds may have committed.
    const Fate fate = done.result ? Fate::kUnknown : Fate::kRolledBack;
    fates_[branch] = std::max(fates_.emplace(branch, fate).first->second, fate);
  }
  posted_.push_back(std::move(done));
}

StatementDone ModelPostgres::execute(Session& session, const RunStatement& statement) {
  const std::string& sql = statement.statement.sql;
  StatementDone done{statement.branch, statement.number, nullptr, true};
  session.in_transaction = session.in_transaction || statement.number == 1;
  if (sql == kSqlEndsTransaction) {
    session.in_transaction = false;
  }
  if (!apply(session, statement.statement)) {
    done.result = tl::unexpected(sql_error("23505"));
  } else {
    done.result = answer(statement);
  }
  done.transaction_open = session.in_transaction;
  return done;
}

bool ModelPostgres::apply(Session& session, const Statement& statement) {
  if (statement.sql == kSqlRollsBackToSavepoint) {
    session.failed = false;
    session.miscounted = false;
  }
  session.failed = session.failed || statement.sql == kSqlFails;
  if (session.failed) {
    return false;
  }
  session.wrote = session.wrote || statement.sql == kSqlWorks;
  const std::int64_t rows = statement.sql == kSqlMisses ? 0 : 1;
  session.miscounted =
      session.miscounted || (statement.expected_rows && *statement.expected_rows != rows);
  return true;
}

void ModelPostgres::run(const BranchId& branch, Session& session, const RunPrepare& prepare_now) {
  if (!may_send_(prepare_now.ballot)) {
    session.ending = false;
    posted_.push_back(PrepareDone{branch, tl::unexpected(coded(ErrorCode::kStaleBallot))});
    return;
  }
  posted_.push_back(vote(branch, session, prepare_now));
}

PrepareDone ModelPostgres::vote(const BranchId& branch, Session& session,
                                const RunPrepare& prepare_now) {
  PrepareDone done{branch, LeftReadOnly{}};
  bool in_vain = false;
  if (prepare_now.one_shot) {
    run_one_shot(branch, session, *prepare_now.one_shot);
    done.results = std::make_shared<const std::vector<StatementResult>>(
        prepare_now.one_shot->statements.size());
    // PREPARE may be behind the statements when their rows are counted.
    const bool miscounted = std::exchange(session.miscounted, false);
    in_vain = miscounted && session.wrote && !prepare_now.one_phase && !random_.one_in(4);
    session.failed = session.failed || (miscounted && !in_vain);
  }
  done.result = prepare(branch, session, prepare_now.one_phase);
  const auto* evidence = done.result ? std::get_if<Evidence>(&*done.result) : nullptr;
  if (in_vain && evidence != nullptr) {
    done.result = PreparedInVain{*evidence, coded(ErrorCode::kRowCount)};
  }
  return done;
}

void ModelPostgres::run_one_shot(const BranchId& branch, Session& session,
                                 const OneShotBranch& work) {
  EXPECT_TRUE(ran_.insert(branch).second) << "the statements of a one-shot run once";
  EXPECT_FALSE(fates_.contains(branch)) << "what has ended never begins";
  session.in_transaction = true;
  for (const Statement& statement : work.statements) {
    (void)apply(session, statement);
  }
}

tl::expected<PrepareResult, Error> ModelPostgres::prepare(const BranchId& branch, Session& session,
                                                          bool one_phase) {
  const bool in_transaction = std::exchange(session.in_transaction, false);
  const bool cancelled = session.cancelled && random_.one_in(2);
  if (!in_transaction || session.failed || cancelled || (!healed_ && random_.one_in(6))) {
    fates_.emplace(branch, Fate::kRolledBack);
    return tl::unexpected(sql_error("40001"));
  }
  EXPECT_FALSE(session.miscounted) << "its table has counted them before";
  EXPECT_FALSE(fates_.contains(branch)) << "what has ended is never prepared";
  if (!session.wrote) {
    fates_[branch] = Fate::kLeft;
    return LeftReadOnly{};
  }
  if (!one_phase) {
    prepared_.insert(branch);
    return evidence_[branch] = Evidence{.xid = 1'000 + branch.attempt.value};
  }
  const bool committed = outcome_rows_.emplace(branch.transaction, Outcome::kCommitted).second;
  fates_[branch] = committed ? Fate::kCommitted : Fate::kRolledBack;
  if (committed) {
    return CommittedOnePhase{};
  }
  return tl::unexpected(sql_error("23505"));
}

void ModelPostgres::run(const BranchId& branch, Session& session, const RunRollback&) {
  session.in_transaction = false;
  fates_.emplace(branch, Fate::kRolledBack);
  posted_.push_back(RollbackDone{branch});
}

// With PREPARE in flight the shell finds out which way it went; without, the branch is rolled back.
void ModelPostgres::lose(const BranchId& branch, Session& session) {
  const auto* prepare_sent =
      session.queue.empty() ? nullptr : std::get_if<RunPrepare>(&session.queue.back());
  if (prepare_sent != nullptr && may_send_(prepare_sent->ballot)) {
    for (const Work& work : session.queue) {
      if (const auto* statement = std::get_if<RunStatement>(&work)) {
        (void)execute(session, *statement);
      }
    }
    const RunPrepare sent = *prepare_sent;
    session.queue.clear();
    session.dead = true;
    posted_.push_back(vote(branch, session, sent));
    return;
  }
  if (session.dead) {
    return;
  }
  fates_.emplace(branch, Fate::kRolledBack);
  sessions_.erase(branch);
  closed_.insert(branch);
  lost_.insert(branch);
  posted_.push_back(ConnectionLost{branch, coded(ErrorCode::kUnavailable)});
}

void ModelPostgres::finish_one() {
  const auto chosen =
      finishes_.begin() + static_cast<std::ptrdiff_t>(random_.below(finishes_.size()));
  const RunFinish finish = *chosen;
  finishes_.erase(chosen);
  if (!may_send_(finish.ballot)) {
    posted_.push_back(FinishDone{finish.branch, tl::unexpected(coded(ErrorCode::kStaleBallot))});
  } else if (!healed_ && random_.one_in(5)) {
    posted_.push_back(FinishDone{finish.branch, tl::unexpected(coded(ErrorCode::kUnavailable))});
  } else {
    posted_.push_back(FinishDone{finish.branch, settle_gid(finish)});
  }
}

FinishResult ModelPostgres::settle_gid(const RunFinish& finish) {
  const Fate wanted = finish.outcome == Outcome::kCommitted ? Fate::kCommitted : Fate::kRolledBack;
  if (prepared_.erase(finish.branch) > 0) {
    fates_[finish.branch] = wanted;
  }
  if (evidence_.contains(finish.branch)) {
    EXPECT_TRUE(finish.outcome == Outcome::kAborted || finish.evidence) << "R7";
  }
  return result_of(fates_.emplace(finish.branch, Fate::kRolledBack).first->second, finish.outcome);
}

void ModelPostgres::settle_one() {
  const auto chosen =
      settles_.begin() + static_cast<std::ptrdiff_t>(random_.below(settles_.size()));
  const RunSettle settle = *chosen;
  settles_.erase(chosen);
  SettleDone done{settle.transaction, false};
  if (!may_send_(settle.ballot)) {
    done.committed = tl::unexpected(coded(ErrorCode::kStaleBallot));
  } else if (!healed_ && random_.one_in(5)) {
    done.committed = tl::unexpected(coded(ErrorCode::kUnavailable));
  } else {
    const auto row = outcome_rows_.emplace(settle.transaction, Outcome::kAborted).first;
    done.committed = row->second == Outcome::kCommitted;
  }
  posted_.push_back(std::move(done));
}

}  // namespace assent::branch
