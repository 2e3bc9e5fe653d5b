#include "participant/postgres/branch_commands.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "base/canary.h"
#include "base/gid.h"
#include "participant/branch/transaction_control.h"

namespace assent::postgres {
namespace {

// The role (the owner of a prepared transaction is the current role, and only that one can finish
// it; an outcome row is written through a right of the work role), the level of messages (the
// warning about an unreplicated PREPARE), the wait for standbys: the session's default, but never
// less than `on`. Names are qualified, because the search path is the client's too.
constexpr char kSettings[] =
    "SELECT pg_catalog.set_config('role', 'none', true),"
    " pg_catalog.set_config('client_min_messages', 'warning', true),"
    " pg_catalog.set_config('synchronous_commit', CASE WHEN"
    " pg_catalog.set_config('synchronous_commit', NULL, true)"
    " OPERATOR(pg_catalog.=) 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true),";

// Why a branch without an xid may be no reader. Operators are qualified like all other names.
constexpr char kMayWriteLater[] = " EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)";
// A change of a foreign table leaves no trace here but its lock, which lasts as long as the
// transaction. The view of locks is costly, and rarely needed.
constexpr char kWroteElsewhere[] =
    " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_foreign_table) THEN EXISTS ("
    "SELECT FROM pg_catalog.pg_locks l, pg_catalog.pg_foreign_table f, pg_catalog.pg_database d"
    " WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
    " AND l.relation OPERATOR(pg_catalog.=) f.ftrelid"
    " AND l.database OPERATOR(pg_catalog.=) d.oid"
    " AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
    " AND l.mode OPERATOR(pg_catalog.<>) 'AccessShareLock')"
    " ELSE false END";

constexpr std::string_view kLeaveSessionAlone[] = {"select",    "insert",  "update",   "delete",
                                                   "merge",     "values",  "table",    "with",
                                                   "savepoint", "release", "rollback", "lock"};

// What DISCARD ALL does besides, of what a prepared branch can have left.
constexpr const char* kReset[PrepareCommands::kResets] = {
    "RESET ALL", "SET SESSION AUTHORIZATION DEFAULT", "UNLISTEN *", "DISCARD SEQUENCES"};

bool returns_rows(std::string_view sql) {
  constexpr std::string_view kWord = "returning";
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  return std::ranges::search(sql, kWord, same).begin() != sql.end();
}

std::string_view name(IsolationLevel isolation) {
  switch (isolation) {
    case IsolationLevel::kReadCommitted:
      return "READ COMMITTED";
    case IsolationLevel::kRepeatableRead:
      return "REPEATABLE READ";
    case IsolationLevel::kSerializable:
      return "SERIALIZABLE";
  }
  return "SERIALIZABLE";
}

}  // namespace

void add_begin(Batch& batch, const TransactionId& transaction, const BranchMode& mode) {
  std::string begin = "BEGIN";
  if (mode.isolation) begin.append(" ISOLATION LEVEL ").append(name(*mode.isolation));
  if (mode.read_only) begin += *mode.read_only ? " READ ONLY" : " READ WRITE";
  batch.push_back({std::move(begin), {}, true});
  batch.push_back({"SET LOCAL application_name TO 'assent " + to_string(transaction) + "'"});
}

bool expects_rows(const OneShotBranch& one_shot) {
  return std::ranges::any_of(one_shot.statements,
                             [](const Statement& one) { return one.expected_rows.has_value(); });
}

bool answers_come_first(const OneShotBranch& one_shot, bool one_phase) {
  return (one_phase && expects_rows(one_shot)) || one_shot.mode.read_only == true ||
         std::ranges::all_of(one_shot.statements, branch::reads_by_its_word, &Statement::sql);
}

bool maybe_read_only(std::string_view command_tag) {
  const auto begins = [&](std::string_view word) { return command_tag.starts_with(word); };
  const bool changes =
      begins("INSERT ") || begins("UPDATE ") || begins("DELETE ") || begins("MERGE ");
  return !changes || command_tag.ends_with(" 0");
}

bool leaves_session_alone(std::string_view sql) {
  const std::string word = branch::first_word(sql);
  return std::ranges::find(kLeaveSessionAlone, word) != std::end(kLeaveSessionAlone);
}

Command to_command(const Statement& statement) {
  const std::string word = branch::first_word(statement.sql);
  const bool changes = word == "insert" || word == "update" || word == "delete" || word == "merge";
  const bool reusable = changes && !statement.parameters.empty() && !returns_rows(statement.sql);
  return {statement.sql, statement.parameters, reusable};
}

Batch reader_check() {
  return {{std::string(kSettings) + kMayWriteLater + " OR " + kWroteElsewhere +
               ", pg_catalog.pg_current_xact_id_if_assigned()",
           {},
           true}};
}

bool is_reader(const StatementResult& checked) {
  const std::vector<Value>& row = checked.rows.at(0);
  const Value& xid = row.back();
  const Value& suspected = row[row.size() - 2];
  return !xid && suspected == "f";
}

void add_prepare(Batch& batch, const std::string& cluster, const BranchId& branch,
                 const std::string& key, bool resets) {
  if (key.empty()) {
    batch.push_back({std::string(kSettings) + " pg_catalog.pg_current_xact_id()", {}, true});
  } else {
    batch.push_back({std::string(kSettings) +
                         " pg_catalog.set_config('statement_timeout', '0', true),"
                         " pg_catalog.pg_current_xact_id()",
                     {},
                     true});
    batch.push_back({"SELECT assent.record_branch($1, $2)", {to_string(branch), key}, true});
  }
  batch.push_back({"PREPARE TRANSACTION '" + make_gid(cluster, branch) + "'"});
  if (!resets) return batch.push_back({"SELECT pg_catalog.pg_current_wal_flush_lsn()"});
  batch.push_back(
      {"SELECT pg_catalog.pg_current_wal_flush_lsn(), pg_catalog.pg_advisory_unlock_all()",
       {},
       true});
  for (const char* command : kReset) batch.push_back({command, {}, true});
}

void add_one_phase(Batch& batch, const TransactionId& transaction, const std::string& key) {
  batch.push_back(
      {std::string(kSettings) + " pg_catalog.set_config('statement_timeout', '0', true)",
       {},
       true});
  if (canary(Canary::kOutcomeRowMissing)) {
    batch.push_back({std::string(kSettings) + " pg_catalog.pg_current_xact_id()"});
  } else {
    batch.push_back({"SELECT assent.record_commit($1, $2)", {to_string(transaction), key}, true});
  }
  batch.push_back({"COMMIT"});
  batch.push_back({"SELECT pg_catalog.pg_current_wal_flush_lsn()"});
}

}  // namespace assent::postgres
