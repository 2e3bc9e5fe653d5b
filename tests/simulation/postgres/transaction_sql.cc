// BEGIN, COMMIT, ROLLBACK, savepoints, SET TRANSACTION.
#include <algorithm>
#include <utility>

#include "tests/simulation/postgres/commands.h"
#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {
namespace {

constexpr char kNone[] = "there is no transaction in progress";

// Modes are set before the first query, except that less can be allowed at any time.
std::optional<Answer> set_read_only(Backend& backend, bool read_only) {
  const Transaction& transaction = backend.transaction();
  if (!read_only && backend.session.read_only) {
    const bool nested = !transaction.savepoints.empty();
    if (nested && transaction.savepoints.back().before.read_only) {
      return error("25001",
                   "cannot set transaction read-write mode inside a read-only transaction");
    }
    if (transaction.queried) {
      return error("25001", "transaction read-write mode must be set before any query");
    }
  }
  backend.session.read_only = read_only;
  return std::nullopt;
}

std::optional<Answer> set_isolation(Transaction& transaction, const char* isolation) {
  if (transaction.isolation == isolation) return std::nullopt;
  if (transaction.queried) {
    return error("25001", "SET TRANSACTION ISOLATION LEVEL must be called before any query");
  }
  if (!transaction.savepoints.empty()) {
    return error("25001", "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction");
  }
  transaction.isolation = isolation;
  return std::nullopt;
}

Step begin(Backend& backend, const char* isolation, std::optional<bool> read_only) {
  Transaction& transaction = backend.transaction();
  if (transaction.block) backend.warn("there is already a transaction in progress");
  const bool was_block = std::exchange(transaction.block, true);
  std::optional<Answer> refused;
  if (isolation != nullptr) refused = set_isolation(transaction, isolation);
  if (!refused && read_only) refused = set_read_only(backend, *read_only);
  if (!refused) return done("BEGIN");
  transaction.block = was_block;
  return *refused;
}

Step start(Backend& backend, const Values&) {
  Step step = begin(backend, nullptr, std::nullopt);
  std::get<Answer>(step).result.command_tag = "START TRANSACTION";
  return step;
}

template <int kIsolation, int kMode>
Step begin_with(Backend& backend, const Values&) {
  static constexpr const char* kLevels[] = {nullptr, "read committed", "repeatable read",
                                            "serializable"};
  return begin(backend, kLevels[kIsolation],
               kMode == 0 ? std::nullopt : std::optional<bool>(kMode == 1));
}

Step roll_back(Backend& backend, const Values&) {
  if (!backend.in_block()) backend.warn(kNone);
  backend.abort_transaction();
  return done("ROLLBACK");
}

Step commit_block(Backend& backend, const Values& values) {
  if (backend.transaction().failed) return roll_back(backend, values);
  if (!backend.in_block()) backend.warn(kNone);
  return commit(backend, "COMMIT");
}

// Only the tag tells that nothing was prepared (postgres.md, rows 1 and 2).
Step prepare_block(Backend& backend, const Values& values) {
  if (backend.transaction().failed) {
    backend.abort_transaction();
    return done("ROLLBACK");
  }
  if (backend.in_block()) return prepare(backend, values[0].value_or(""));
  backend.warn(kNone);
  return commit(backend, "ROLLBACK");
}

// ── savepoints ──────────────────────────────────────────────────────────────────────────────────

Answer outside(const char* word) {
  return error("25P01", std::string(word) + " can only be used in transaction blocks");
}

Step save(Backend& backend, const Values& values) {
  if (!backend.in_block()) return outside("SAVEPOINT");
  backend.transaction().savepoints.push_back({lower(*values[0]), backend.session, 0});
  return done("SAVEPOINT");
}

// The innermost of that name.
std::vector<Savepoint>::iterator find(Backend& backend, const Value& name) {
  auto& all = backend.transaction().savepoints;
  const auto found = std::find_if(all.rbegin(), all.rend(), [&](const Savepoint& savepoint) {
    return savepoint.name == lower(*name);
  });
  return found == all.rend() ? all.end() : std::prev(found.base());
}

Answer no_savepoint(const Value& name) {
  return error("3B001", "savepoint \"" + *name + "\" does not exist");
}

Step roll_back_to(Backend& backend, const Values& values) {
  if (!backend.in_block()) return outside("ROLLBACK TO SAVEPOINT");
  const auto savepoint = find(backend, values[0]);
  auto& all = backend.transaction().savepoints;
  if (savepoint == all.end()) return no_savepoint(values[0]);
  all.erase(std::next(savepoint), all.end());
  backend.roll_back_to(all.back());
  backend.transaction().failed = false;
  return done("ROLLBACK");
}

Step release(Backend& backend, const Values& values) {
  if (!backend.in_block()) return outside("RELEASE SAVEPOINT");
  const auto savepoint = find(backend, values[0]);
  auto& all = backend.transaction().savepoints;
  if (savepoint == all.end()) return no_savepoint(values[0]);
  all.erase(savepoint, all.end());
  return done("RELEASE");
}

template <bool kReadOnly>
Step set_mode(Backend& backend, const Values&) {
  if (!backend.in_block()) {
    backend.warn("SET TRANSACTION can only be used in transaction blocks");
  }
  if (auto refused = set_read_only(backend, kReadOnly)) return *refused;
  return done("SET");
}

constexpr Rule kRules[] = {
    {"BEGIN", begin_with<0, 0>},
    {"START TRANSACTION", start},
    {"BEGIN READ ONLY", begin_with<0, 1>},
    {"BEGIN READ WRITE", begin_with<0, 2>},
    {"BEGIN ISOLATION LEVEL READ COMMITTED", begin_with<1, 0>},
    {"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", begin_with<1, 1>},
    {"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", begin_with<1, 2>},
    {"BEGIN ISOLATION LEVEL REPEATABLE READ", begin_with<2, 0>},
    {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", begin_with<2, 1>},
    {"BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE", begin_with<2, 2>},
    {"BEGIN ISOLATION LEVEL SERIALIZABLE", begin_with<3, 0>},
    {"BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", begin_with<3, 1>},
    {"BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE", begin_with<3, 2>},
    {"COMMIT", commit_block, true},
    {"END", commit_block, true},
    {"ROLLBACK", roll_back, true},
    {"ABORT", roll_back, true},
    {"PREPARE TRANSACTION ?", prepare_block, true},
    {"ROLLBACK TO SAVEPOINT ?", roll_back_to, true},
    {"ROLLBACK TO ?", roll_back_to, true},
    {"SAVEPOINT ?", save},
    {"RELEASE SAVEPOINT ?", release},
    {"RELEASE ?", release},
    {"SET TRANSACTION READ ONLY", set_mode<true>},
    {"SET TRANSACTION READ WRITE", set_mode<false>},
};

}  // namespace

Rules transaction_rules() {
  return kRules;
}

// ── the end of a transaction ────────────────────────────────────────────────────────────────────

// A parent is looked for by SELECT FOR KEY SHARE.
std::optional<Answer> check_deferred(const Backend& backend) {
  if (backend.session.read_only && !backend.session.unchecked_parents.empty()) {
    return error("25006", "cannot execute SELECT FOR KEY SHARE in a read-only transaction");
  }
  for (const std::string& parent : backend.session.unchecked_parents) {
    if (backend.store().committed("parent").contains(parent)) continue;
    return error("23503",
                 "insert or update on table \"child\" violates foreign key constraint "
                 "\"child_parent_fkey\"",
                 "child_parent_fkey");
  }
  return std::nullopt;
}

std::optional<Answer> check_serializable(Backend& backend) {
  const Transaction& transaction = backend.transaction();
  Instance& instance = backend.instance();
  const bool may_fail = transaction.isolation == "serializable" && transaction.wrote;
  if (!may_fail || !instance.dice.percent(instance.options.serialization_failure_percent)) {
    return std::nullopt;
  }
  return error("40001",
               "could not serialize access due to read/write dependencies among transactions");
}

// 1. Without a record of its own in the log, nobody waits for the record of the commit.
// 2. What it wrote is seen, and its locks are gone, only once the standby has the record.
Step commit(Backend& backend, const std::string& tag) {
  auto refused = check_deferred(backend);
  if (!refused) refused = check_serializable(backend);
  if (refused) {
    backend.abort_transaction();
    return *refused;
  }
  Transaction& transaction = backend.transaction();
  Instance& instance = backend.instance();
  Store& store = backend.store();
  if (backend.session.changes_listening) backend.has_listened = true;
  if (backend.session.notified) store.assign_xid(transaction);
  if (transaction.xid == 0) {
    backend.forget_transaction();
    return done(tag);
  }
  const Lsn position = store.wal.append(EndRecord{transaction.xid, true});
  const auto conclude = [&backend, tag] {
    Store& its_store = backend.store();
    its_store.end(backend.transaction().xid, backend.session.changes, true);
    ++backend.instance().counters.commits;
    backend.forget_transaction();
    return done(tag);
  };
  const bool waits =
      transaction.wrote && backend.session.settings.get("synchronous_commit") != "off";
  if (!waits) {
    instance.note_unflushed();
    return conclude();
  }
  return Durable{position, backend.waits_for_standby(), false, {}, conclude};
}

}  // namespace assent::model
