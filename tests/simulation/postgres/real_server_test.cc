// The model against the real server: the same scripts on both, and every answer compared. Where
// they differ, the model is wrong; the script that showed it is kept below.
#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "participant/postgres/branch_commands.h"
#include "tests/simulation/postgres/peers.h"
#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {
namespace {

constexpr int kScripts = 200;
constexpr int kSteps = 40;

testing::PostgresServer& prepared_server() {
  testing::PostgresServer& server = testing::PostgresServer::shared();
  server.admin("postgres").query("CREATE DATABASE orders");
  server.install_schema("orders");
  testing::Admin admin = server.admin("orders");
  admin.query("CREATE ROLE stranger LOGIN");
  admin.query(kBankSchema);
  server.stop_cleanly();
  server.start(kScriptSettings);
  return server;
}

RealPeer& real_peer() {
  static RealPeer peer(prepared_server());
  return peer;
}

// The agent's own commands stand for themselves in a script.
postgres::Command command_of(const std::string& text) {
  if (text == "reader check") return postgres::reader_check().front();
  postgres::Batch batch;
  if (text == "before prepare" || text == "before row") {
    const BranchId any{{}, "any", Epoch(1), Attempt(1)};
    postgres::add_prepare(batch, "any", any, text == "before row" ? "unused" : "", false);
    return batch.front();
  }
  if (text == "before commit") {
    postgres::add_one_phase(batch, {}, "unused");
    return batch.front();
  }
  return {text, {}};
}

postgres::Batch batch_of(const std::string& text) {
  postgres::Batch batch;
  std::size_t at = 0;
  for (;;) {
    const std::size_t bar = text.find(" | ", at);
    batch.push_back(command_of(text.substr(at, bar - at)));
    if (bar == std::string::npos) return batch;
    at = bar + 3;
  }
}

std::string shown(const Value& value) {
  return value.value_or("NULL");
}

// ── running one script on both ──────────────────────────────────────────────────────────────────

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed) : model_(seed), real_(real_peer()) { real_.reset(); }

  // False: they differ, and difference() says how.
  bool run(const std::string& step);
  [[nodiscard]] const std::set<int>& waiting() const { return waiting_; }
  [[nodiscard]] const std::string& difference() const { return difference_; }
  // Two transactions waited for each other, and the servers chose different ones to fail: both are
  // right, and from there the script makes no sense.
  [[nodiscard]] bool parted() const { return parted_; }

 private:
  struct XidPair {
    std::string model;
    std::string real;
  };

  void act(const std::string& step);
  void send(int session, const std::string& sql);
  void ask_status(int session);
  bool settle();
  bool compare_heard(int session, const Heard& model);
  bool compare_blocked(int session);
  bool compare(int session, const Heard& model, const Heard& real);
  bool compare(const postgres::Answer& model, const postgres::Answer& real);
  bool compare_values(const std::string& column, const Value& model, const Value& real);
  bool differ(const std::string& what, const std::string& model, const std::string& real);
  void learn_xid(int session, const Heard& model, const Heard& real);

  ModelPeer model_;
  RealPeer& real_;
  std::set<int> waiting_;
  std::map<int, XidPair> xids_;
  std::string difference_;
  bool parted_ = false;
  std::uint64_t deadlocks_ = 0;  // that the model ended so far
  bool deadlock_ = false;        // it ended one in this step
};

bool Comparison::differ(const std::string& what, const std::string& model,
                        const std::string& real) {
  difference_ = what + ": the model says " + model + ", PostgreSQL " + real;
  return false;
}

void Comparison::act(const std::string& step) {
  const int session = std::atoi(step.substr(step.find_last_of(' ', step.find(':')) + 1).c_str());
  if (step == "crash") {
    model_.crash();
    real_.crash();
    waiting_.clear();
    xids_.clear();
  } else if (step.starts_with("terminate ")) {
    model_.terminate(session);
    model_.settle();
    real_.terminate(session);
    waiting_.erase(session);
  } else if (step.starts_with("cancel ")) {
    if (!waiting_.contains(session)) return;
    model_.cancel(session);
    real_.cancel(session);
  } else if (step.starts_with("hang up ")) {
    model_.hang_up(session);
    model_.settle();
    real_.hang_up(session);
  } else if (step == "hold standby" || step == "release standby") {
    model_.hold_standby(step == "hold standby");
    real_.hold_standby(step == "hold standby");
  } else if (step.starts_with("status ")) {
    ask_status(session);
  } else {
    send(std::atoi(step.c_str()), step.substr(step.find(": ") + 2));
  }
}

void Comparison::send(int session, const std::string& sql) {
  model_.send(session, batch_of(sql));
  real_.send(session, batch_of(sql));
  waiting_.insert(session);
}

void Comparison::ask_status(int session) {
  const auto pair = xids_.find(session);
  if (pair == xids_.end() || waiting_.contains(5)) return;
  const auto sql = [](const std::string& xid) {
    return batch_of("SELECT pg_xact_status('" + xid + "'::text::xid8)");
  };
  model_.send(5, sql(pair->second.model));
  real_.send(5, sql(pair->second.real));
  waiting_.insert(5);
}

bool Comparison::run(const std::string& step) {
  act(step);
  if (!settle()) return false;
  if (parted_) return true;
  const Content model = model_.content();
  const Content real = real_.content();
  if (model != real) return differ("content", "\n" + model, "\n" + real);
  model_.server().check_invariants();
  return true;
}

// What is answered first, so that nobody is asked whom he waits for while another is at work.
bool Comparison::settle() {
  model_.settle();
  const std::uint64_t deadlocks = model_.server().counters().deadlocks;
  deadlock_ = std::exchange(deadlocks_, deadlocks) != deadlocks;
  for (const int session : std::set<int>(waiting_)) {
    if (const auto model = model_.take(session); model && !compare_heard(session, *model)) {
      return false;
    }
    if (parted_) return true;
  }
  return std::ranges::all_of(waiting_, [&](int session) { return compare_blocked(session); });
}

bool Comparison::compare_heard(int session, const Heard& model) {
  const auto real = real_.await(session);
  const std::string name = "session " + std::to_string(session);
  if (deadlock_ && (!real || Client::told(*real) != Client::told(model))) {
    parted_ = true;
    return true;
  }
  if (!real) return differ(name, Client::told(model), "nothing");
  waiting_.erase(session);
  if (compare(session, model, *real)) return true;
  difference_ = name + ": " + difference_;
  return false;
}

bool Comparison::compare_blocked(int session) {
  const std::set<int> model = model_.blockers(session);
  const std::set<int> real = real_.await_blockers(session);
  if (model == real) return true;
  const auto list = [](const std::set<int>& sessions) {
    std::string text = "{";
    for (const int one : sessions) text += " " + std::to_string(one);
    return text + " }";
  };
  std::string heard;
  if (real_.answered(session)) {
    const auto answer = real_.await(session);
    heard = answer ? " answered " + Client::told(*answer) : " lost";
  }
  return differ("session " + std::to_string(session) + " waits for", list(model),
                list(real) + heard);
}

bool Comparison::compare(int session, const Heard& model, const Heard& real) {
  if (model.answers.size() != real.answers.size()) {
    return differ("answers", std::to_string(model.answers.size()),
                  std::to_string(real.answers.size()));
  }
  for (std::size_t i = 0; i < model.answers.size(); ++i) {
    if (compare(model.answers[i], real.answers[i])) continue;
    difference_ = "command " + std::to_string(i + 1) + ": " + difference_;
    return false;
  }
  if (model.status != real.status) {
    return differ("transaction status", std::to_string(static_cast<int>(model.status)),
                  std::to_string(static_cast<int>(real.status)));
  }
  learn_xid(session, model, real);
  return true;
}

bool Comparison::compare(const postgres::Answer& model, const postgres::Answer& real) {
  const auto told = [](const postgres::Answer& one) {
    if (one.skipped()) return std::string("skipped");
    std::string text =
        one.ok() ? std::string(one.tag()) : one.sql.sqlstate + " " + one.sql.constraint_name;
    for (const auto& warning : one.warnings) text += ", warning: " + warning;
    return text;
  };
  if (told(model) != told(real)) {
    return differ("answer", told(model) + " (" + model.sql.message + ")",
                  told(real) + " (" + real.sql.message + ")");
  }
  if (model.result.row_count != real.result.row_count ||
      model.result.rows.size() != real.result.rows.size()) {
    return differ("rows", std::to_string(model.result.row_count),
                  std::to_string(real.result.row_count));
  }
  for (std::size_t row = 0; row < model.result.rows.size(); ++row) {
    const Row& ours = model.result.rows[row];
    const Row& theirs = real.result.rows[row];
    if (ours.size() != theirs.size()) return differ("columns of a row", "other", "other");
    for (std::size_t i = 0; i < ours.size(); ++i) {
      if (!compare_values(real.result.columns[i].name, ours[i], theirs[i])) return false;
    }
  }
  const bool named = !model.result.columns.empty() && !model.result.columns.front().name.empty();
  if (named && model.result.columns != real.result.columns) {
    return differ("column",
                  model.result.columns.front().name + " of type " +
                      std::to_string(model.result.columns.front().type_oid),
                  real.result.columns.front().name + " of type " +
                      std::to_string(real.result.columns.front().type_oid));
  }
  return true;
}

// Numbers that cannot be equal must both be there or not.
bool Comparison::compare_values(const std::string& column, const Value& model, const Value& real) {
  const bool of_its_own = column.find("xact_id") != std::string::npos ||
                          column.find("lsn") != std::string::npos ||
                          column == "pg_logical_emit_message";
  const bool same = of_its_own ? model.has_value() == real.has_value() : model == real;
  return same || differ("column " + column, shown(model), shown(real));
}

void Comparison::learn_xid(int session, const Heard& model, const Heard& real) {
  for (std::size_t i = 0; i < real.answers.size(); ++i) {
    const auto& columns = real.answers[i].result.columns;
    for (std::size_t column = 0; column < columns.size(); ++column) {
      if (columns[column].name.find("xact_id") == std::string::npos) continue;
      const Value& ours = model.answers[i].result.rows.at(0).at(column);
      const Value& theirs = real.answers[i].result.rows.at(0).at(column);
      if (ours) xids_[session] = {*ours, *theirs};
    }
  }
}

// ── the tests ───────────────────────────────────────────────────────────────────────────────────

std::string listed(const Script& script) {
  std::string text;
  for (const std::string& step : script) text += "  \"" + step + "\",\n";
  return text;
}

// A script must not leave the standby held.
void expect_same(const Script& script) {
  Comparison comparison(1);
  for (std::size_t step = 0; step < script.size(); ++step) {
    ASSERT_TRUE(comparison.run(script[step]))
        << "step " << step + 1 << ", " << script[step] << ": " << comparison.difference();
  }
}

// Runs a script as it is written; how many steps there were.
std::size_t run_random(std::uint64_t seed) {
  Comparison comparison(seed);
  ScriptWriter writer(seed);
  Script script;
  while (script.size() < kSteps && !comparison.parted()) {
    script.push_back(writer.next(comparison.waiting()));
    if (comparison.run(script.back())) continue;
    ADD_FAILURE() << "script " << seed << ":\n" << listed(script) << comparison.difference();
    break;
  }
  return script.size();
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(RealServer, AnswersRandomScriptsAsTheModelDoes) {
  const std::uint64_t first = from_environment("ASSENT_FIRST_SCRIPT", 1);
  const std::uint64_t count = from_environment("ASSENT_SCRIPTS", kScripts);
  std::size_t steps = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) steps += run_random(seed);
  EXPECT_GE(steps, count * kSteps * 9 / 10);
}

// ── scripts that have shown a difference once, and what random ones do not reach ────────────────

TEST(RealServer, TemporaryTableIsRememberedThroughARollbackToItsSavepoint) {
  expect_same({"1: BEGIN", "1: SAVEPOINT s", "1: CREATE TEMP TABLE scratch (n int)",
               "1: ROLLBACK TO s", "1: PREPARE TRANSACTION 'g1'"});
}

TEST(RealServer, TransactionModesOutsideOfABlockWarnAndHoldForTheBatch) {
  expect_same(
      {"1: SELECT 1 | SET TRANSACTION READ ONLY | SELECT balance FROM account WHERE id = 1 "
       "FOR UPDATE",
       "1: reader check | SET TRANSACTION READ ONLY | COMMIT"});
}

TEST(RealServer, IsolationLevelIsSetBeforeTheFirstQuery) {
  expect_same({"1: SELECT 1 | BEGIN ISOLATION LEVEL REPEATABLE READ | SELECT 1", "1: BEGIN",
               "1: SELECT 1", "1: BEGIN ISOLATION LEVEL REPEATABLE READ", "1: ROLLBACK", "1: BEGIN",
               "1: SHOW search_path", "1: BEGIN ISOLATION LEVEL REPEATABLE READ", "1: COMMIT"});
}

TEST(RealServer, ReadOnlyComesBeforeRights) {
  expect_same({"6: BEGIN READ ONLY",
               "6: INSERT INTO entry (id, account, amount) VALUES ('a', 1, 1)", "6: ROLLBACK",
               "6: INSERT INTO entry (id, account, amount) VALUES ('a', 1, 1)"});
}

TEST(RealServer, DeferredConstraintLocksItsParentWhichReadOnlyForbids) {
  expect_same({"1: BEGIN", "1: INSERT INTO child (id, parent) VALUES (10, 1)",
               "1: SET TRANSACTION READ ONLY", "1: PREPARE TRANSACTION 'g1'"});
}

TEST(RealServer, SnapshotOfRepeatableReadIsThatOfItsFirstQuery) {
  expect_same({"1: BEGIN ISOLATION LEVEL REPEATABLE READ", "1: SET LOCAL application_name TO 'x'",
               "2: UPDATE account SET balance = balance + 5 WHERE id = 1",
               "1: SELECT balance FROM account WHERE id = 1",
               "2: UPDATE account SET balance = balance + 5 WHERE id = 1",
               "1: SELECT balance FROM account WHERE id = 1",
               "1: UPDATE account SET balance = balance + 5 WHERE id = 1", "1: ROLLBACK"});
}

TEST(RealServer, LockWithoutAChangeIsNoConcurrentUpdate) {
  expect_same({"1: BEGIN ISOLATION LEVEL REPEATABLE READ",
               "1: SELECT balance FROM account WHERE id = 2", "3: BEGIN",
               "3: SELECT balance FROM account WHERE id = 1 FOR UPDATE", "3: COMMIT",
               "1: UPDATE account SET balance = balance + 5 WHERE id = 1", "1: COMMIT"});
}

TEST(RealServer, ConstraintsOfARowAreCheckedBeforeItIsWaitedFor) {
  expect_same({"1: BEGIN", "1: UPDATE account SET balance = balance + 100 WHERE id = 1",
               "2: UPDATE account SET balance = balance - 150 WHERE id = 1", "3: BEGIN",
               "3: UPDATE account SET balance = balance - 60 WHERE id = 2",
               "6: UPDATE account SET balance = balance - 150 WHERE id = 1", "5: BEGIN",
               "1: UPDATE account SET balance = balance - 60 WHERE id = 2", "3: COMMIT"});
}

TEST(RealServer, BatchThatWarnsAndThenWaitsIsNotAnsweredYet) {
  expect_same({"5: BEGIN", "5: UPDATE account SET balance = balance + 1 WHERE id = 1", "1: BEGIN",
               "1: BEGIN | UPDATE account SET balance = balance + 1 WHERE id = 1", "5: COMMIT"});
}

TEST(RealServer, UnlistenOfASessionThatNeverListenedIsNothing) {
  expect_same({"1: BEGIN", "1: UNLISTEN *", "1: PREPARE TRANSACTION 'g1'", "1: LISTEN c",
               "1: BEGIN", "1: UNLISTEN *", "1: PREPARE TRANSACTION 'g2'", "2: BEGIN",
               "2: LISTEN c", "2: UNLISTEN c", "2: PREPARE TRANSACTION 'g3'", "2: BEGIN",
               "2: UNLISTEN c", "2: PREPARE TRANSACTION 'g4'"});
}

TEST(RealServer, DeadlockIsEndedByPostgresAndNotThroughAPreparedTransaction) {
  expect_same({"1: BEGIN", "2: BEGIN", "1: UPDATE account SET balance = balance + 1 WHERE id = 1",
               "3: BEGIN", "3: UPDATE account SET balance = balance + 1 WHERE id = 2",
               "1: UPDATE account SET balance = balance + 1 WHERE id = 2",
               "3: UPDATE account SET balance = balance + 1 WHERE id = 1"});
  expect_same({"1: BEGIN", "1: UPDATE account SET balance = balance + 1 WHERE id = 1", "2: BEGIN",
               "2: UPDATE account SET balance = balance + 1 WHERE id = 2",
               "1: PREPARE TRANSACTION 'g1'",
               "2: UPDATE account SET balance = balance + 1 WHERE id = 1"});
}

TEST(RealServer, WaitersStandInLineForARow) {
  expect_same({"5: BEGIN", "5: UPDATE account SET balance = balance + 1 WHERE id = 1",
               "1: UPDATE account SET balance = balance - 50 WHERE id = 1 RETURNING balance",
               "6: SELECT 1", "5: PREPARE TRANSACTION 'g1'", "5: COMMIT PREPARED 'g1'"});
}

constexpr char kPut[] = "1: UPDATE account SET balance = balance + 1 WHERE id = 1";

TEST(RealServer, PrepareThatWaitsForTheStandbyIsListedAndBusy) {
  expect_same({"1: BEGIN", kPut, "hold standby", "1: PREPARE TRANSACTION 'g1'",
               "2: COMMIT PREPARED 'g1'", "cancel 1", "2: COMMIT PREPARED 'g1'",
               "release standby"});
}

TEST(RealServer, TerminatedWaitOfAPrepareLeavesItPrepared) {
  expect_same({"1: BEGIN", kPut, "hold standby", "1: PREPARE TRANSACTION 'g1'", "terminate 1",
               "5: COMMIT PREPARED 'g1'", "release standby"});
}

TEST(RealServer, CommitIsSeenWhenTheStandbyHasIt) {
  expect_same({"hold standby", kPut, "2: SELECT balance FROM account WHERE id = 1",
               "2: UPDATE account SET balance = balance + 1 WHERE id = 1", "cancel 1",
               "2: SELECT balance FROM account WHERE id = 1", "release standby"});
}

TEST(RealServer, StatementTimeoutCutsTheFinishAndNotThePrepare) {
  expect_same({"3: BEGIN", "3: UPDATE account SET balance = balance + 1 WHERE id = 1",
               "hold standby", "3: PREPARE TRANSACTION 'g1'", "release standby", "hold standby",
               "3: COMMIT PREPARED 'g1'", "release standby"});
}

TEST(RealServer, WaitOfABarrierThatIsCancelledIsAWarningBehindItsAnswer) {
  expect_same({"hold standby", "1: SELECT pg_logical_emit_message(true, 'assent', 'barrier')",
               "cancel 1", "release standby"});
}

TEST(RealServer, LocalCommitsWaitForNoStandby) {
  expect_same({"hold standby", "1: SET synchronous_commit TO local", "1: BEGIN", kPut,
               "1: PREPARE TRANSACTION 'g1'", "1: COMMIT PREPARED 'g1'",
               "1: SET synchronous_commit TO off", kPut, "release standby"});
}

TEST(RealServer, SlotsAreExhaustedAtFour) {
  Script script;
  for (int i = 1; i <= 5; ++i) {
    script.push_back("1: BEGIN");
    script.push_back("1: PREPARE TRANSACTION 'g" + std::to_string(i) + "'");
  }
  expect_same(script);
}

TEST(RealServer, GidsAreLimited) {
  const std::string longest(199, 'g');
  expect_same({"1: BEGIN", "1: PREPARE TRANSACTION '" + longest + "'",
               "1: COMMIT PREPARED '" + longest + "'", "1: BEGIN",
               "1: PREPARE TRANSACTION '" + longest + "g'", "1: BEGIN", "1: COMMIT PREPARED 'g1'",
               "1: ROLLBACK"});
}

TEST(RealServer, PreparedTransactionsAndLocksSurviveACrash) {
  expect_same({"1: BEGIN", kPut, "1: SELECT pg_advisory_xact_lock(1)",
               "1: PREPARE TRANSACTION 'g1'", "crash",
               "2: UPDATE account SET balance = balance + 1 WHERE id = 1",
               "1: SELECT pg_advisory_lock(1)", "5: ROLLBACK PREPARED 'g1'"});
}

}  // namespace
}  // namespace assent::model
