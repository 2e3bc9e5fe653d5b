// Client SQL. The tables, as schema() makes them in a real database:
//   account (id int PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0))
//   entry   (id text COLLATE "C" PRIMARY KEY, account int NOT NULL, amount bigint NOT NULL)
//   parent  (id int PRIMARY KEY), with the one row 1
//   child   (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)
// and the session's own: CREATE TEMP TABLE scratch (n int).
#include <algorithm>
#include <tl/expected.hpp>
#include <utility>

#include "tests/simulation/postgres/commands.h"
#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {
namespace {

constexpr std::int64_t kIntMax = 2'147'483'647;

std::optional<Answer> refuse_role(const Backend& backend, const std::string& table) {
  const auto& options = backend.instance().options;
  const std::string role = backend.current_role();
  if (role == options.work_role || role == options.control_role || role == "postgres") {
    return std::nullopt;
  }
  return error("42501", "permission denied for table " + table);
}

Answer changed(const char* word, std::int64_t count) {
  const std::string tag = std::string(word) == "INSERT" ? "INSERT 0 " : std::string(word) + " ";
  return done(tag + std::to_string(count), count);
}

Answer bad_number(const Value& text) {
  return error("22P02", "invalid input syntax for type integer: \"" + text.value_or("") + "\"");
}

Answer not_serializable() {
  return error("40001", "could not serialize access due to concurrent update");
}

// ── account ─────────────────────────────────────────────────────────────────────────────────────

Answer negative_balance() {
  return error("23514",
               "new row for relation \"account\" violates check constraint "
               "\"account_balance_check\"",
               "account_balance_check");
}

Answer null_value(const char* column) {
  return error("23502",
               "null value in column \"" + std::string(column) + "\" violates not-null constraint");
}

struct Addition {
  std::optional<std::int64_t> amount;  // none: NULL
  bool returning;
};

// What the row becomes, or why it must not.
tl::expected<std::int64_t, Answer> sum(const Row& row, std::optional<std::int64_t> amount) {
  if (!amount) return tl::unexpected(null_value("balance"));
  std::int64_t balance = 0;
  if (__builtin_add_overflow(to_number(*row.at(1)).value(), *amount, &balance)) {
    return tl::unexpected(error("22003", "bigint out of range"));
  }
  if (balance < 0) return tl::unexpected(negative_balance());
  return balance;
}

// 1. The row that is updated is the one that the statement's snapshot shows; of a row that another
//    transaction changes, what that leaves is updated, once it has ended.
// 2. Constraints are checked on what the snapshot shows before there is any wait, and again
//    afterwards.
// 3. An xid is taken when there is a row, before any wait.
Step add(Backend& backend, std::int64_t id, const Addition& addition) {
  const RowId row{"account", std::to_string(id)};
  Store& store = backend.store();
  Transaction& transaction = backend.transaction();
  const auto found = store.read(row, transaction, backend.session.changes);
  if (!found) return changed("UPDATE", 0);
  const auto balance = sum(*found, addition.amount);
  if (!balance) return balance.error();
  store.assign_xid(transaction);
  if (auto blocked = backend.wait_for_row(row, true)) return *blocked;
  if (store.changed_since(row, transaction)) return not_serializable();
  store.write(transaction, backend.session.changes, row,
              Row{std::to_string(id), std::to_string(*balance)});
  Answer answer = changed("UPDATE", 1);
  if (addition.returning) {
    answer.result.columns = {{"balance", kInt8}};
    answer.result.rows = {{std::to_string(*balance)}};
  }
  return answer;
}

template <int kSign, bool kReturning>
Step update_balance(Backend& backend, const Values& values) {
  const auto amount = values[0] ? to_number(*values[0]) : std::nullopt;
  const auto id = values[1] ? to_number(*values[1]) : std::nullopt;
  if (values[0] && !amount) return bad_number(values[0]);
  if (values[1] && !id) return bad_number(values[1]);
  if (auto refused = refuse_write(backend, "UPDATE")) return *refused;
  if (auto refused = refuse_role(backend, "account")) return *refused;
  if (!id || *id > kIntMax) return changed("UPDATE", 0);
  return add(backend, *id, {amount ? std::optional(kSign * *amount) : std::nullopt, kReturning});
}

template <bool kLocking>
Step select_balance(Backend& backend, const Values& values) {
  if (kLocking) {
    if (auto refused = refuse_write(backend, "SELECT FOR UPDATE")) return *refused;
  }
  if (auto refused = refuse_role(backend, "account")) return *refused;
  std::vector<Row> found;
  const auto id = values[0] ? to_number(*values[0]) : std::nullopt;
  if (values[0] && !id) return bad_number(values[0]);
  const RowId key{"account", std::to_string(id.value_or(0))};
  auto row = backend.store().read(key, backend.transaction(), backend.session.changes);
  if (id && row && kLocking) {
    if (auto blocked = backend.wait_for_row(key, true)) return *blocked;
    if (backend.store().changed_since(key, backend.transaction())) return not_serializable();
    backend.store().write(backend.transaction(), backend.session.changes, key, row, true);
  }
  if (id && row) found.push_back({row->at(1)});
  return rows({{"balance", kInt8}}, std::move(found));
}

std::vector<Row> by_number(const Table& table) {
  std::vector<Row> found;
  for (const auto& [key, row] : table) found.push_back(row);
  std::ranges::sort(found, {}, [](const Row& row) { return to_number(*row.at(0)).value_or(0); });
  return found;
}

Step select_accounts(Backend& backend, const Values&) {
  if (auto refused = refuse_role(backend, "account")) return *refused;
  return rows(
      {{"id", kInt4}, {"balance", kInt8}},
      by_number(backend.store().scan("account", backend.transaction(), backend.session.changes)));
}

Step select_sum(Backend& backend, const Values&) {
  if (auto refused = refuse_role(backend, "account")) return *refused;
  const Table table =
      backend.store().scan("account", backend.transaction(), backend.session.changes);
  std::int64_t sum = 0;
  for (const auto& [key, row] : table) sum += to_number(*row.at(1)).value_or(0);
  return one_value("sum", kNumeric, table.empty() ? Value() : Value(std::to_string(sum)));
}

Step delete_account(Backend& backend, const Values& values) {
  if (auto refused = refuse_write(backend, "DELETE")) return *refused;
  if (auto refused = refuse_role(backend, "account")) return *refused;
  const auto id = values[0] ? to_number(*values[0]) : std::nullopt;
  if (values[0] && !id) return bad_number(values[0]);
  const RowId row{"account", std::to_string(id.value_or(0))};
  Store& store = backend.store();
  if (!id || !store.read(row, backend.transaction(), backend.session.changes)) {
    return changed("DELETE", 0);
  }
  store.assign_xid(backend.transaction());
  if (auto blocked = backend.wait_for_row(row, true)) return *blocked;
  if (store.changed_since(row, backend.transaction())) return not_serializable();
  store.write(backend.transaction(), backend.session.changes, row, std::nullopt);
  return changed("DELETE", 1);
}

// ── inserts ─────────────────────────────────────────────────────────────────────────────────────

// 1. `violation`: of a constraint of the row itself, which is checked before its key is.
// 2. The key waits for whoever has an uncommitted change of it. A committed row counts, whether the
//    snapshot shows it or not.
Step insert(Backend& backend, const RowId& id, Row row,
            const std::optional<Answer>& violation = std::nullopt) {
  if (auto refused = refuse_write(backend, "INSERT")) return *refused;
  if (auto refused = refuse_role(backend, id.table)) return *refused;
  if (violation) return *violation;
  Store& store = backend.store();
  store.assign_xid(backend.transaction());
  if (auto blocked = backend.wait_for_row(id, false)) return *blocked;
  Transaction now;
  if (store.read(id, now, backend.session.changes)) {
    const std::string constraint = id.table + "_pkey";
    return error("23505", "duplicate key value violates unique constraint \"" + constraint + "\"",
                 constraint);
  }
  store.write(backend.transaction(), backend.session.changes, id, std::move(row));
  return changed("INSERT", 1);
}

Step insert_account(Backend& backend, const Values& values) {
  const auto id = values[0] ? to_number(*values[0]) : std::nullopt;
  const auto balance = values[1] ? to_number(*values[1]) : std::nullopt;
  if (!id || *id > kIntMax) return bad_number(values[0]);
  if (!balance) return bad_number(values[1]);
  const auto violation = *balance < 0 ? std::optional(negative_balance()) : std::nullopt;
  return insert(backend, {"account", std::to_string(*id)},
                {std::to_string(*id), std::to_string(*balance)}, violation);
}

Step insert_entry(Backend& backend, const Values& values) {
  const auto account = values[1] ? to_number(*values[1]) : std::nullopt;
  const auto amount = values[2] ? to_number(*values[2]) : std::nullopt;
  if (!account) return bad_number(values[1]);
  if (!amount) return bad_number(values[2]);
  const auto violation = values[0] ? std::nullopt : std::optional(null_value("id"));
  return insert(backend, {"entry", values[0].value_or("")},
                {values[0], std::to_string(*account), std::to_string(*amount)}, violation);
}

Step insert_child(Backend& backend, const Values& values) {
  const auto id = values[0] ? to_number(*values[0]) : std::nullopt;
  if (!id) return bad_number(values[0]);
  const auto parent = values[1] ? to_number(*values[1]) : std::nullopt;
  if (values[1] && !parent) return bad_number(values[1]);
  const Value parent_text = parent ? Value(std::to_string(*parent)) : Value();
  Step step = insert(backend, {"child", std::to_string(*id)}, {std::to_string(*id), parent_text});
  const Answer* answer = std::get_if<Answer>(&step);
  if (answer != nullptr && answer->ok() && parent) {
    backend.session.unchecked_parents.push_back(*parent_text);
  }
  return step;
}

Step count_entries(Backend& backend, const Values& values) {
  if (auto refused = refuse_role(backend, "entry")) return *refused;
  const RowId row{"entry", values[0].value_or("")};
  const bool found =
      backend.store().read(row, backend.transaction(), backend.session.changes).has_value();
  return one_value("count", kInt8, found ? "1" : "0");
}

Step select_entries(Backend& backend, const Values&) {
  if (auto refused = refuse_role(backend, "entry")) return *refused;
  std::vector<Row> found;
  for (const auto& [key, row] :
       backend.store().scan("entry", backend.transaction(), backend.session.changes)) {
    found.push_back(row);
  }
  return rows({{"id", kText}, {"account", kInt4}, {"amount", kInt8}}, std::move(found));
}

// ── the temporary table ─────────────────────────────────────────────────────────────────────────

Step create_scratch(Backend& backend, const Values&) {
  if (auto refused = refuse_write(backend, "CREATE TABLE")) return *refused;
  backend.transaction().touched_temporary = true;
  if (std::exchange(backend.session.temporary_table, true)) {
    return error("42P07", "relation \"scratch\" already exists");
  }
  backend.store().assign_xid(backend.transaction());
  backend.transaction().wrote = true;  // the catalogs
  return done("CREATE TABLE");
}

Step count_scratch(Backend& backend, const Values&) {
  if (!backend.session.temporary_table) {
    return error("42P01", "relation \"scratch\" does not exist");
  }
  backend.transaction().touched_temporary = true;
  return one_value("count", kInt8, "0");
}

// ── the rest ────────────────────────────────────────────────────────────────────────────────────

Step select_number(Backend&, const Values& values) {
  if (values[0] && !to_number(*values[0])) {
    return error("42703", "column \"" + *values[0] + "\" does not exist");
  }
  return one_value("?column?", kInt4, values[0]);
}

Step divide_by_zero(Backend&, const Values&) {
  return error("22012", "division by zero");
}

Step current_xid(Backend& backend, const Values&) {
  return one_value("pg_current_xact_id", kXid8,
                   std::to_string(backend.store().assign_xid(backend.transaction())));
}

Step current_xid_if_assigned(Backend& backend, const Values&) {
  const Xid xid = backend.xid();
  return one_value("pg_current_xact_id_if_assigned", kXid8,
                   xid == 0 ? Value() : Value(std::to_string(xid)));
}

Step backend_pid(Backend& backend, const Values&) {
  return one_value("pg_backend_pid", kInt4, std::to_string(backend.pid()));
}

constexpr Rule kRules[] = {
    {"UPDATE account SET balance = balance + ? WHERE id = ?", update_balance<1, false>},
    {"UPDATE account SET balance = balance - ? WHERE id = ?", update_balance<-1, false>},
    {"UPDATE account SET balance = balance + ? WHERE id = ? RETURNING balance",
     update_balance<1, true>},
    {"UPDATE account SET balance = balance - ? WHERE id = ? RETURNING balance",
     update_balance<-1, true>},
    {"SELECT balance FROM account WHERE id = ?", select_balance<false>},
    {"SELECT balance FROM account WHERE id = ? FOR UPDATE", select_balance<true>},
    {"SELECT id, balance FROM account ORDER BY id", select_accounts},
    {"SELECT sum(balance) FROM account", select_sum},
    {"INSERT INTO account (id, balance) VALUES (?, ?)", insert_account},
    {"DELETE FROM account WHERE id = ?", delete_account},
    {"INSERT INTO entry (id, account, amount) VALUES (?, ?, ?)", insert_entry},
    {"SELECT count(*) FROM entry WHERE id = ?", count_entries},
    {"SELECT id, account, amount FROM entry ORDER BY id", select_entries},
    {"INSERT INTO child (id, parent) VALUES (?, ?)", insert_child},
    {"CREATE TEMP TABLE scratch (n int)", create_scratch},
    {"SELECT count(*) FROM scratch", count_scratch},
    {"SELECT 1 / 0", divide_by_zero},
    {"SELECT ?", select_number},
    {"SELECT pg_current_xact_id()", current_xid},
    {"SELECT pg_current_xact_id_if_assigned()", current_xid_if_assigned},
    {"SELECT pg_backend_pid()", backend_pid},
};

}  // namespace

Rules bank_rules() {
  return kRules;
}

}  // namespace assent::model
