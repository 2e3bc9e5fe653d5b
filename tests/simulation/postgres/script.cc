#include "tests/simulation/postgres/script.h"

#include <string>
#include <utility>

namespace assent::model {

const std::vector<Login>& script_logins() {
  static const std::vector<Login> logins{
      {"assent_work", "one", ""},
      {"assent_work", "two", "-c lock_timeout=20"},
      {"assent_work", "three", "-c statement_timeout=50"},
      {"assent_agent", "control", "-c lock_timeout=20"},
      {"postgres", "superuser", "-c lock_timeout=20 -c synchronous_commit=local"},
      {"stranger", "stranger", ""},
  };
  return logins;
}

const char* const kBankSchema =
    "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));"
    "CREATE TABLE entry (id text COLLATE \"C\" PRIMARY KEY, account int NOT NULL,"
    "  amount bigint NOT NULL);"
    "CREATE TABLE parent (id int PRIMARY KEY);"
    "CREATE TABLE child (id int PRIMARY KEY,"
    "  parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);"
    "INSERT INTO parent VALUES (1);"
    "GRANT SELECT, INSERT, UPDATE, DELETE ON account, entry, child, parent TO assent_work";

const char* const kNewBank =
    "DELETE FROM account; DELETE FROM entry; DELETE FROM child; DELETE FROM assent.outcome;"
    "DELETE FROM assent.branch_outcome; DELETE FROM assent.branch_outcome_floor;"
    "INSERT INTO account VALUES (1, 100), (2, 100), (3, 100);"
    "UPDATE assent.epoch SET epoch = 7, outcome_key = sha256(convert_to('key', 'UTF8'))";

Options script_options() {
  Options options;
  options.balances = {{1, 100}, {2, 100}, {3, 100}};
  options.epoch = 7;
  options.outcome_key = "key";
  options.max_prepared_transactions = 4;
  options.deadlock_timeout = simulation::kMillisecond;
  options.synchronous_standby = true;
  return options;
}

std::string ScriptWriter::next(const std::set<int>& waiting) {
  if (waiting.empty()) inserts_.clear();
  const auto sessions = static_cast<std::int64_t>(script_logins().size());
  const int session = static_cast<int>(dice_.between(1, sessions));
  const std::string name = std::to_string(session);
  if (!crashed_ && dice_.permille(2)) {
    crashed_ = true;
    return "crash";
  }
  if (waiting.contains(session)) {
    return dice_.percent(50) ? "cancel " + name : "terminate " + name;
  }
  if (dice_.permille(15)) return "terminate " + name;
  if (dice_.permille(15)) return "hang up " + name;
  if (dice_.permille(30)) return "status " + name;
  if (waiting.empty() && dice_.percent(10)) return name + ": " + batch(session);
  return name + ": " + statement(session);
}

std::string ScriptWriter::statement(int session) {
  const auto roll = dice_.below(100);
  if (roll < 14) return "BEGIN";
  if (roll < 20) return "COMMIT";
  if (roll < 25) return "ROLLBACK";
  if (roll < 35) return "PREPARE TRANSACTION '" + gid() + "'";
  if (roll < 47) return finish();
  if (roll < 80) return work(session);
  if (roll < 86) return outcome(session);
  return oddity(session);
}

std::string ScriptWriter::work(int) {
  const std::string amount = std::to_string(dice_.between(1, 60));
  switch (dice_.below(14)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return "UPDATE account SET balance = balance + " + amount + " WHERE id = " + id();
    case 4:
    case 5:
      return "UPDATE account SET balance = balance - " + amount + " WHERE id = " + id() +
             " RETURNING balance";
    case 6:
      return "SELECT balance FROM account WHERE id = " + id();
    case 7:
      return "SELECT balance FROM account WHERE id = " + id() + " FOR UPDATE";
    case 8:
      return dice_.percent(50) ? "SELECT id, balance FROM account ORDER BY id"
                               : "SELECT sum(balance) FROM account";
    case 9:
    case 10: {
      const std::string key = "'e" + id() + "'";
      if (!inserts_.insert(key).second) return "SELECT count(*) FROM entry WHERE id = " + key;
      return "INSERT INTO entry (id, account, amount) VALUES (" + key + ", 1, " + amount + ")";
    }
    case 11: {
      const std::string key = std::to_string(dice_.between(10, 19));
      if (!inserts_.insert(key).second) return "SELECT id, account, amount FROM entry ORDER BY id";
      return "INSERT INTO child (id, parent) VALUES (" + key + ", " +
             std::to_string(dice_.between(1, 2)) + ")";
    }
    case 12:
      return "SELECT pg_current_xact_id_if_assigned()";
    default:
      return "SELECT pg_current_xact_id()";
  }
}

std::string ScriptWriter::oddity(int) {
  static const std::vector<std::string> all{
      "SELECT 1",
      "SELECT 1 / 0",
      "SAVEPOINT s",
      "SAVEPOINT s",
      "SAVEPOINT t",
      "ROLLBACK TO s",
      "ROLLBACK TO SAVEPOINT t",
      "RELEASE s",
      "RELEASE SAVEPOINT t",
      "CREATE TEMP TABLE scratch (n int)",
      "SELECT count(*) FROM scratch",
      "LISTEN c",
      "UNLISTEN *",
      "NOTIFY c",
      "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
      "CLOSE c",
      "SELECT pg_advisory_lock(1)",
      "SELECT pg_advisory_xact_lock(1)",
      "SELECT pg_advisory_xact_lock(2)",
      "SELECT pg_try_advisory_xact_lock(1)",
      "SELECT pg_advisory_unlock(1)",
      "SELECT pg_advisory_unlock_all()",
      "DISCARD ALL",
      "DISCARD ALL",
      "SET SESSION AUTHORIZATION DEFAULT",
      "DISCARD SEQUENCES",
      "SET application_name TO 'x'",
      "SET LOCAL application_name TO 'y'",
      "RESET application_name",
      "SHOW application_name",
      "SHOW application_name",
      "SET client_min_messages TO error",
      "RESET client_min_messages",
      "SET search_path = public",
      "SHOW search_path",
      "RESET ALL",
      "SET ROLE assent_work",
      "SET ROLE assent_agent",
      "RESET ROLE",
      "SET nonsense = 1",
      "SET TRANSACTION READ ONLY",
      "BEGIN READ ONLY",
      "BEGIN ISOLATION LEVEL REPEATABLE READ",
      "INSERT INTO account (id, balance) VALUES (4, 50)",
      "DELETE FROM account WHERE id = 4",
      "SELECT pg_logical_emit_message(true, 'assent', 'barrier')",
      "UPDATE account SET balance = balance - 70 WHERE id = 1",
      "UPDATE account SET balance = balance - 70 WHERE id = 2",
      "UPDATE account SET balance = balance + 9223372036854775807 WHERE id = 1",
      "UPDATE account SET balance = balance + NULL WHERE id = 2",
      "UPDATE account SET balance = balance + 1 WHERE id = NULL",
      "UPDATE account SET balance = balance + 'a' WHERE id = 1",
      "SELECT balance FROM account WHERE id = NULL",
      "INSERT INTO account (id, balance) VALUES (4, -1)",
      "INSERT INTO entry (id, account, amount) VALUES (NULL, 1, 1)",
      "INSERT INTO child (id, parent) VALUES (9, NULL)",
      "START TRANSACTION",
      "SET TRANSACTION READ WRITE",
      "BEGIN READ WRITE",
      "SET lock_timeout TO 20",
  };
  return dice_.pick(all);
}

std::string ScriptWriter::branch_outcome() {
  const std::string key = "'t" + id() + "'";
  switch (dice_.below(4)) {
    case 0:
    case 1:
      if (!inserts_.insert("branch_outcome" + key).second) break;
      return "SELECT assent.record_branch(" + key + ", " +
             (dice_.percent(80) ? "'key'" : "'wrong'") + ")";
    case 2:
      return "WITH gone AS (DELETE FROM assent.branch_outcome WHERE branch < " + key +
             " RETURNING 1) INSERT INTO assent.branch_outcome_floor (dropped) SELECT " + key +
             " WHERE EXISTS (SELECT FROM gone) ON CONFLICT (one_row) DO UPDATE SET dropped ="
             " greatest(branch_outcome_floor.dropped, excluded.dropped)";
    default:
      break;
  }
  return "SELECT EXISTS (SELECT FROM assent.branch_outcome WHERE branch = " + key +
         "), EXISTS (SELECT FROM assent.branch_outcome_floor WHERE dropped > " + key + ")";
}

std::string ScriptWriter::outcome(int) {
  if (dice_.percent(40)) return branch_outcome();
  const std::string key = "'t" + id() + "'";
  switch (dice_.below(5)) {
    case 0:
    case 1:
      if (!inserts_.insert("outcome" + key).second) break;
      return "SELECT assent.record_commit(" + key + ", " +
             (dice_.percent(80) ? "'key'" : "'wrong'") + ")";
    case 2:
      if (!inserts_.insert("outcome" + key).second) break;
      return "INSERT INTO assent.outcome (transaction, committed) VALUES (" + key +
             ", false) ON CONFLICT (transaction) DO NOTHING";
    case 3:
      return "DELETE FROM assent.outcome WHERE transaction < " + key;
    default:
      break;
  }
  return "SELECT committed FROM assent.outcome WHERE transaction = " + key;
}

std::string ScriptWriter::finish() {
  return (dice_.percent(60) ? "COMMIT PREPARED '" : "ROLLBACK PREPARED '") + gid() + "'";
}

// As the agent sends them.
std::string ScriptWriter::batch(int session) {
  switch (dice_.below(7)) {
    case 0:
      return "BEGIN | SET LOCAL application_name TO 'assent x' | " + work(session);
    case 1:
      return "BEGIN | " + work(session) + " | before prepare | PREPARE TRANSACTION '" + gid() +
             "' | SELECT pg_catalog.pg_current_wal_flush_lsn(), "
             "pg_catalog.pg_advisory_unlock_all() | RESET ALL | SET SESSION AUTHORIZATION DEFAULT "
             "| UNLISTEN * | DISCARD SEQUENCES";
    case 2:
      return "BEGIN | " + work(session) + " | before commit | SELECT assent.record_commit('t" +
             id() + "', 'key') | COMMIT";
    case 3:
      return "reader check | SET TRANSACTION READ ONLY | COMMIT";
    case 4:
      return work(session) + " | " + oddity(session) + " | " + work(session);
    case 5:
      return "BEGIN | " + work(session) + " | before row | SELECT assent.record_branch('t" + id() +
             "', 'key') | PREPARE TRANSACTION '" + gid() +
             "' | SELECT pg_catalog.pg_current_wal_flush_lsn()";
    default:
      return "before prepare | PREPARE TRANSACTION '" + gid() +
             "' | SELECT pg_catalog.pg_current_wal_flush_lsn()";
  }
}

}  // namespace assent::model
