#include "participant/postgres/preflight.h"

#include <algorithm>
#include <utility>

#include "base/gid.h"
#include "base/ids.h"
#include "participant/postgres/awaiting.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/schema.h"
#include "participant/postgres/session.h"

namespace assent::postgres {
namespace {

using Row = std::vector<Value>;
using Findings = std::vector<Finding>;

constexpr std::uint64_t kServerVersionMin = 130'000;  // pg_current_xact_id, xid8
constexpr char kInstall[] = "run participant/schema/install.sql in this database";

Finding good(std::string check, std::string found) {
  return {std::move(check), Verdict::kGood, std::move(found), {}};
}
Finding warning(std::string check, std::string found, std::string remedy) {
  return {std::move(check), Verdict::kWarning, std::move(found), std::move(remedy)};
}
Finding failed(std::string check, std::string found, std::string remedy) {
  return {std::move(check), Verdict::kFailure, std::move(found), std::move(remedy)};
}
// What could not be asked. It may pass by itself, so its code is kept.
Finding unasked(std::string check, const Error& why) {
  const bool no_right = why.sql && why.sql->sqlstate == "42501";
  Finding out = failed(std::move(check), why.message,
                       no_right ? kInstall
                                : "see that PostgreSQL runs, and that roles and database are those "
                                  "of the agent's configuration; install.sql makes the roles");
  out.code = why.code;
  return out;
}

bool is_true(const Value& value) {
  return value == "t";
}

// ── the server ──────────────────────────────────────────────────────────────────────────────────

struct Server {
  std::uint64_t version = 0;
  std::uint64_t slots = 0;
  std::string fsync;
  std::string full_page_writes;
  std::uint64_t connections = 0;  // for roles without privileges
  std::uint64_t prepared = 0;     // in all databases, by anybody
  std::uint64_t prepared_long = 0;
  std::uint64_t standbys = 0;
  std::string synchronous;  // synchronous_standby_names
};

constexpr char kServerQuery[] =
    "SELECT current_setting('server_version_num'), current_setting('max_prepared_transactions'),"
    " current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('max_connections')::int"
    "  - current_setting('superuser_reserved_connections')::int,"
    " (SELECT count(*) FROM pg_prepared_xacts),"
    " (SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '10 minutes'),"
    " (SELECT count(*) FROM pg_stat_replication), current_setting('synchronous_standby_names')";

Server read_server(const Row& row) {
  return {to_u64(row.at(0)), to_u64(row.at(1)), *row.at(2),
          *row.at(3),        to_u64(row.at(4)), to_u64(row.at(5)),
          to_u64(row.at(6)), to_u64(row.at(7)), row.at(8).value()};
}

Finding check_version(const Server& server) {
  const std::string found = "PostgreSQL " + std::to_string(server.version / 10'000);
  if (server.version >= kServerVersionMin) return good("version", found);
  return failed("version", found, "PostgreSQL 13 or newer is needed");
}

// The most common first mistake of everybody who prepares transactions.
Finding check_slots(const Server& server, const DatabaseOptions& options) {
  const char* const check = "max_prepared_transactions";
  const std::string found = "max_prepared_transactions is " + std::to_string(server.slots);
  if (server.slots == 0) {
    return failed(check, found,
                  "set it to at least the number of branches that may be prepared at once (100 is "
                  "a good start) and restart PostgreSQL");
  }
  if (server.slots < options.work_connections) {
    return warning(
        check,
        found + ", below postgres.work_connections, " + std::to_string(options.work_connections),
        "raise it, or lower work_connections: a branch that finds no free slot fails "
        "with SQLSTATE 53200");
  }
  return good(check, found);
}

Finding check_prepared(const Server& server) {
  const std::string found = std::to_string(server.prepared) + " of " +
                            std::to_string(server.slots) + " prepared slots are in use, " +
                            std::to_string(server.prepared_long) + " for more than ten minutes";
  if (server.prepared_long == 0 && server.prepared * 10 < server.slots * 9) {
    return good("prepared_transactions", found);
  }
  return warning("prepared_transactions", found,
                 "SELECT * FROM pg_prepared_xacts: they hold locks and keep vacuum from its work. "
                 "Those named assent:... end when their coordinator is reached; ask their owners "
                 "about the others");
}

Finding check_durability(const char* setting, const std::string& value, const char* danger) {
  const std::string found = std::string(setting) + " is " + value;
  if (value == "on") return good(setting, found);
  return warning(setting, found + ": " + danger, std::string("set ") + setting + " = on");
}

Finding check_connections(const Server& server, const DatabaseOptions& options) {
  const std::size_t wanted = options.work_connections + options.finish_connections + 3;
  const std::string found = "the agent may open " + std::to_string(wanted) + " of " +
                            std::to_string(server.connections) + " connections";
  if (wanted <= server.connections) return good("max_connections", found);
  return warning("max_connections", found,
                 "raise max_connections, or lower postgres.work_connections");
}

// A standby's own setting cannot be seen from here.
Finding check_standbys(const Server& server, const DatabaseOptions& options) {
  const std::string found = std::to_string(server.standbys) + " standbys stream from this server";
  if (server.standbys == 0) return good("standbys", found);
  if (server.synchronous.empty() && !options.outcome_row) {
    return warning("standbys", found + ", none of them synchronously, and outcome rows are off",
                   "set postgres.outcome_row = true, or name one in synchronous_standby_names: "
                   "after a promotion the last commits could not be told from lost ones");
  }
  return good("standbys", found + "; each must have max_prepared_transactions of at least " +
                              std::to_string(server.slots) + ", or its replay stops");
}

void add_server(Findings& out, const Server& server, const DatabaseOptions& options) {
  out.push_back(check_version(server));
  out.push_back(check_slots(server, options));
  if (server.slots > 0) out.push_back(check_prepared(server));
  out.push_back(check_durability("fsync", server.fsync, "a power cut loses what was promised"));
  out.push_back(
      check_durability("full_page_writes", server.full_page_writes, "a power cut may damage data"));
  out.push_back(check_connections(server, options));
  out.push_back(check_standbys(server, options));
}

// ── the roles and the schema ────────────────────────────────────────────────────────────────────

// Columns: do the tables and the function exist; are control and work role superusers; may the work
// role create roles (and so become any other); is control a member of work; is work one of control.
constexpr char kRolesQuery[] =
    "SELECT to_regclass('assent.epoch') IS NOT NULL AND to_regclass('assent.outcome') IS NOT NULL"
    "  AND to_regclass('assent.landmark') IS NOT NULL"
    "  AND to_regclass('assent.branch_outcome') IS NOT NULL"
    "  AND to_regclass('assent.branch_outcome_floor') IS NOT NULL"
    "  AND to_regprocedure('assent.record_commit(text, text)') IS NOT NULL"
    "  AND to_regprocedure('assent.record_branch(text, text)') IS NOT NULL,"
    " c.rolsuper, w.rolsuper, w.rolcreaterole, pg_has_role(c.oid, w.oid, 'USAGE'),"
    " pg_has_role(w.oid, c.oid, 'MEMBER')"
    " FROM pg_roles c, pg_roles w WHERE c.rolname = $1 AND w.rolname = $2";

Findings check_roles(const DatabaseOptions& options, const Row& row) {
  const std::string& control = options.control_role;
  const std::string& work = options.work_role;
  Findings out;
  const auto refuse = [&](std::size_t column, bool bad, std::string found, std::string remedy) {
    if (is_true(row.at(column)) == bad) {
      out.push_back(failed("roles", std::move(found), std::move(remedy)));
    }
  };
  refuse(1, true, "role " + control + " is a superuser", "ALTER ROLE " + control + " NOSUPERUSER");
  refuse(2, true, "role " + work + " is a superuser", "ALTER ROLE " + work + " NOSUPERUSER");
  refuse(3, true, "role " + work + " has CREATEROLE: client SQL could become any role",
         "ALTER ROLE " + work + " NOCREATEROLE");
  refuse(4, false, "role " + control + " does not inherit from " + work, kInstall);
  refuse(5, true, "role " + work + " is a member of " + control,
         "REVOKE " + control + " FROM " + work);
  if (out.empty()) out.push_back(good("roles", "roles " + control + " and " + work + " are right"));
  refuse(0, false, "the schema assent, or something in it, is missing", kInstall);
  return out;
}

// Columns: may the work role read the epoch and record commits; may it write the schema; may we set
// the epoch; whose the database is; the schema's version.
constexpr char kSchemaQuery[] =
    "SELECT has_schema_privilege(w.oid, 'assent', 'USAGE')"
    "  AND has_table_privilege(w.oid, 'assent.epoch', 'SELECT')"
    "  AND has_table_privilege(w.oid, 'assent.landmark', 'SELECT')"
    "  AND has_table_privilege(w.oid, 'assent.branch_outcome', 'SELECT')"
    "  AND has_table_privilege(w.oid, 'assent.branch_outcome_floor', 'SELECT')"
    "  AND has_function_privilege(w.oid, 'assent.record_commit(text, text)', 'EXECUTE')"
    "  AND has_function_privilege(w.oid, 'assent.record_branch(text, text)', 'EXECUTE'),"
    " has_schema_privilege(w.oid, 'assent', 'CREATE') OR EXISTS (SELECT FROM pg_class t"
    "  WHERE t.relnamespace = to_regnamespace('assent') AND t.relkind = 'r'"
    "  AND has_table_privilege(w.oid, t.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')),"
    " has_table_privilege(current_user, 'assent.epoch', 'UPDATE'), e.participant,"
    " assent.schema_version()"
    " FROM pg_roles w LEFT JOIN assent.epoch e ON true WHERE w.rolname = $1";

Finding check_schema(const DatabaseOptions& options, const Row& row) {
  const std::string& work = options.work_role;
  if (!is_true(row.at(0))) {
    return failed("schema", "role " + work + " may not read what it must in the schema assent",
                  kInstall);
  }
  if (is_true(row.at(1))) {
    return failed("schema", "role " + work + " may write the schema assent",
                  std::string("REVOKE that right, or ") + kInstall);
  }
  if (!is_true(row.at(2))) {
    return failed("schema", "role " + options.control_role + " may not set the epoch", kInstall);
  }
  const std::string version = "version " + row.at(4).value();
  if (to_u64(row.at(4)) <= static_cast<std::uint64_t>(kSchemaVersion)) {
    return good("schema", "schema assent is there, " + version);
  }
  return warning("schema", "schema assent is of a newer agent: " + version,
                 "run that version of the agent");
}

Finding check_participant(const DatabaseOptions& options, const Value& owner) {
  if (!owner || *owner == options.participant) {
    return good("participant",
                "database " + options.database + " belongs to participant " + options.participant);
  }
  Finding out = failed("participant",
                       "database " + options.database + " belongs to participant " + *owner +
                           ", not " + options.participant,
                       "point the agent at its own database; a name is bound to one for ever");
  out.code = ErrorCode::kIdentityMismatch;
  return out;
}

// What stands prepared under this participant's names, and is none of the work role's.
constexpr char kStrangersQuery[] =
    "SELECT gid, owner FROM pg_prepared_xacts WHERE database = current_database()"
    " AND owner <> $1 AND gid LIKE 'assent:%' ORDER BY prepared";

Finding check_strangers(const DatabaseOptions& options, const std::vector<Row>& rows) {
  std::size_t count = 0;
  std::string first;
  for (const Row& row : rows) {
    const std::optional<Gid> gid = parse_gid(row.at(0).value());
    if (!gid || gid->cluster != options.cluster) continue;
    if (gid->branch.participant != options.participant) continue;
    if (++count == 1) first = row.at(0).value() + " of " + row.at(1).value();
  }
  if (count == 0) return good("strangers", "nobody else has prepared anything under our names");
  return warning(
      "strangers",
      std::to_string(count) +
          " transactions are prepared under our names by other roles; the oldest: " + first,
      "they are left alone; if postgres.work_role was changed, set the former one until "
      "they have ended, else ask their owner");
}

Finding check_gid(const DatabaseOptions& options) {
  const BranchId longest{{}, options.participant, Epoch(~0ULL), Attempt(~0ULL)};
  const std::size_t length = make_gid(options.cluster, longest).size();
  return good("gid", "gids have at most " + std::to_string(length) + " of " +
                         std::to_string(kGidLengthMax) + " bytes");
}

// False: what comes next cannot be looked at.
asio::awaitable<bool> add_schema(Findings& out, const DatabaseOptions& options, Control& control) {
  std::vector<Value> names{options.control_role, options.work_role};
  auto roles = co_await control.query(kRolesQuery, std::move(names));
  if (!roles) out.push_back(unasked("roles", roles.error()));
  if (roles && roles->rows.empty()) {
    out.push_back(failed("roles", "role " + options.work_role + " is missing", kInstall));
  }
  if (!roles || roles->rows.empty()) co_return false;
  for (Finding& finding : check_roles(options, roles->rows.front())) {
    out.push_back(std::move(finding));
  }
  if (!is_true(roles->rows.front().front())) co_return false;
  std::vector<Value> name{options.work_role};
  auto schema = co_await control.query(kSchemaQuery, std::move(name));
  if (!schema) {
    out.push_back(unasked("schema", schema.error()));
    co_return false;
  }
  out.push_back(check_schema(options, schema->rows.at(0)));
  out.push_back(check_participant(options, schema->rows.at(0).at(3)));
  out.push_back(check_gid(options));
  std::vector<Value> owner{options.work_role};
  auto strangers = co_await control.query(kStrangersQuery, std::move(owner));
  if (strangers) out.push_back(check_strangers(options, strangers->rows));
  if (!strangers) out.push_back(unasked("strangers", strangers.error()));
  co_return true;
}

// ── client SQL's session ────────────────────────────────────────────────────────────────────────

constexpr char kWorkQuery[] =
    "SELECT current_setting('synchronous_commit'),"
    " current_setting('idle_in_transaction_session_timeout'),"
    " current_setting('default_transaction_read_only')";

// What a branch promises never follows a default that is weaker than `on`.
Finding check_synchronous_commit(const Row& row) {
  const std::string found = "synchronous_commit is " + *row[0];
  if (*row[0] == "on" || *row[0] == "remote_apply") return good("synchronous_commit", found);
  return good("synchronous_commit",
              found + "; branches are prepared and ended with on all the same");
}

Finding check_idle_timeout(const Row& row) {
  const std::string found = "idle_in_transaction_session_timeout is " + *row[1];
  if (*row[1] == "0") return good("idle_in_transaction_session_timeout", found);
  return warning("idle_in_transaction_session_timeout",
                 found + ": PostgreSQL ends branches that wait for their client that long",
                 "set it to 0 for the work role; the agent has idle deadlines of its own");
}

Finding check_read_only(const Row& row) {
  const std::string found = "default_transaction_read_only is " + *row[2];
  if (*row[2] == "off") return good("default_transaction_read_only", found);
  return warning("default_transaction_read_only", found + ": client SQL can write nothing",
                 "set it to off for the work role");
}

asio::awaitable<void> add_work(Findings& out, std::shared_ptr<Context> context) {
  auto session = co_await open_session(context, Purpose::kWork);
  if (!session) {
    out.push_back(unasked("work_role", session.error()));
    co_return;
  }
  Batch batch{{kWorkQuery}};
  auto answers = co_await run(*session->connection, std::move(batch));
  session->connection->close();
  if (!answers || !answers->front().ok()) {
    const Error why = answers ? to_error(answers->front()) : answers.error();
    out.push_back(unasked("work_role", why));
    co_return;
  }
  const Row row = to_result(answers->front()).rows.at(0);
  out.push_back(good("work_role", "role " + context->options.work_role + " can log in"));
  out.push_back(check_synchronous_commit(row));
  out.push_back(check_idle_timeout(row));
  out.push_back(check_read_only(row));
}

}  // namespace

asio::awaitable<std::vector<Finding>> preflight(std::shared_ptr<Context> context,
                                                std::shared_ptr<Control> control) {
  Findings out;
  auto server = co_await control->query(kServerQuery);
  if (!server) {
    out.push_back(unasked("server", server.error()));
    co_return out;
  }
  out.push_back(good("server", "the server is reached, and is a primary"));
  const Server seen = read_server(server->rows.at(0));
  context->counters.slots = seen.slots;
  add_server(out, seen, context->options);
  const bool installed = co_await add_schema(out, context->options, *control);
  if (installed) co_await add_work(out, context);
  co_return out;
}

std::optional<Error> first_failure(const std::vector<Finding>& findings) {
  const auto failure = std::ranges::find(findings, Verdict::kFailure, &Finding::verdict);
  if (failure == findings.end()) return std::nullopt;
  return Error{failure->code, failure->found + ": " + failure->remedy};
}

}  // namespace assent::postgres
