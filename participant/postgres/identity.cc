#include "participant/postgres/identity.h"

#include <chrono>
#include <string>
#include <utility>

#include "participant/postgres/awaiting.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using Row = std::vector<branch::Value>;

constexpr std::uint64_t kServerVersionMin = 130'000;  // pg_current_xact_id, xid8
constexpr auto kFencePause = 10ms;
constexpr auto kFenceRetryPause = 200ms;
constexpr auto kFenceReport = 5s;

Error to_mend(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

// ── the server ──────────────────────────────────────────────────────────────────────────────────

constexpr char kServerQuery[] =
    "SELECT current_setting('server_version_num'), current_setting('max_prepared_transactions'),"
    " current_setting('fsync'), current_setting('full_page_writes'),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()), pg_current_wal_flush_lsn()";

std::optional<Error> check_server(const Row& row) {
  if (to_u64(row.at(0)) < kServerVersionMin) return to_mend("PostgreSQL 13 or newer is needed");
  if (to_u64(row.at(1)) == 0) {
    return to_mend(
        "max_prepared_transactions is 0: set it to at least the number of branches that may be "
        "prepared at once (100 is a good start) and restart PostgreSQL");
  }
  if (row.at(2) != "on") log::warning("fsync is off: a power cut loses prepared transactions");
  if (row.at(3) != "on") log::warning("full_page_writes is off: a power cut may damage data");
  return std::nullopt;
}

// ── the schema and the roles ────────────────────────────────────────────────────────────────────

// Columns: does the table exist; are control and work role superusers; may the work role create
// roles (and so become any other); is control a member of work; is work a member of control.
constexpr char kRolesQuery[] =
    "SELECT to_regclass('assent.epoch') IS NOT NULL, c.rolsuper, w.rolsuper, w.rolcreaterole,"
    " pg_has_role(c.oid, w.oid, 'USAGE'), pg_has_role(w.oid, c.oid, 'MEMBER')"
    " FROM pg_roles c, pg_roles w WHERE c.rolname = $1 AND w.rolname = $2";

// Columns: may the work role read, write or own the epoch; whose it is.
constexpr char kEpochQuery[] =
    "SELECT has_schema_privilege(w.oid, 'assent', 'USAGE')"
    "  AND has_table_privilege(w.oid, 'assent.epoch', 'SELECT'),"
    " has_table_privilege(w.oid, 'assent.epoch', 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')"
    "  OR has_schema_privilege(w.oid, 'assent', 'CREATE'),"
    " has_table_privilege(current_user, 'assent.epoch', 'UPDATE'), e.participant"
    " FROM pg_roles w LEFT JOIN assent.epoch e ON true WHERE w.rolname = $1";

constexpr char kInstall[] = "; run participant/schema/install.sql in this database";

std::optional<Error> check_roles(const DatabaseOptions& options, const Row& row) {
  const auto says = [&](std::size_t column) { return row.at(column) == "t"; };
  const std::string& control = options.control_role;
  const std::string& work = options.work_role;
  if (!says(0)) return to_mend("the table assent.epoch is missing" + std::string(kInstall));
  if (says(1)) return to_mend("role " + control + " is a superuser: it must not be");
  if (says(2)) return to_mend("role " + work + " is a superuser: it must not be");
  if (says(3)) return to_mend("role " + work + " has CREATEROLE: client SQL could become any role");
  if (!says(4)) return to_mend("role " + control + " must inherit from " + work + kInstall);
  if (says(5)) return to_mend("role " + work + " must not be a member of " + control);
  return std::nullopt;
}

std::optional<Error> check_epoch_table(const DatabaseOptions& options, const Row& row) {
  const std::string& work = options.work_role;
  if (row.at(0) != "t") return to_mend("role " + work + " cannot read assent.epoch" + kInstall);
  if (row.at(1) == "t") return to_mend("role " + work + " must not write the schema assent");
  if (row.at(2) != "t") return to_mend(options.control_role + " cannot set the epoch" + kInstall);
  const branch::Value& owner = row.at(3);
  if (!owner || *owner == options.participant) return std::nullopt;
  return Error{ErrorCode::kIdentityMismatch, "database " + options.database +
                                                 " belongs to participant " + *owner + ", not " +
                                                 options.participant};
}

asio::awaitable<Result<void>> check_schema(const DatabaseOptions& options, Control& control) {
  std::vector<branch::Value> names{options.control_role, options.work_role};
  auto roles = co_await control.query(kRolesQuery, std::move(names));
  if (!roles) co_return tl::unexpected(roles.error());
  if (roles->rows.empty()) {
    co_return tl::unexpected(to_mend("role " + options.work_role + " is missing" + kInstall));
  }
  if (auto why = check_roles(options, roles->rows.front())) co_return tl::unexpected(*why);
  std::vector<branch::Value> name{options.work_role};
  auto table = co_await control.query(kEpochQuery, std::move(name));
  if (!table) co_return tl::unexpected(table.error());
  if (auto why = check_epoch_table(options, table->rows.at(0))) co_return tl::unexpected(*why);
  co_return Result<void>();
}

// ── the fence ───────────────────────────────────────────────────────────────────────────────────

// Ends and lists every backend of the two login roles in this database that is none of ours.
// usesysid is the role that logged in: client SQL cannot change it.
constexpr char kTerminateOthers[] =
    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND usesysid IN (SELECT oid FROM pg_roles WHERE rolname IN ($1, $2))"
    " AND pid <> ALL ($3::int[])";

void report_waiting(const std::vector<Row>& backends) {
  std::string pids;
  for (const Row& backend : backends) pids += (pids.empty() ? "" : " ") + backend.front().value();
  log::warning("waiting for backends of older agent lives to end", {{"pids", pids}});
}

}  // namespace

asio::awaitable<Result<Position>> identify(std::shared_ptr<Context> context,
                                           std::shared_ptr<Control> control) {
  auto server = co_await control->query(kServerQuery);
  if (!server) co_return tl::unexpected(server.error());
  const Row& row = server->rows.at(0);
  if (auto why = check_server(row)) co_return tl::unexpected(std::move(*why));
  const Position position{control->session().system_identifier, to_u64(row.at(4)),
                          control->session().timeline, parse_lsn(row.at(5).value())};
  auto schema = co_await check_schema(context->options, *control);
  if (!schema) co_return tl::unexpected(schema.error());
  context->system_identifier = position.system_identifier;
  co_return position;
}

asio::awaitable<Result<Epoch>> stored_epoch(std::shared_ptr<Control> control) {
  auto stored = co_await control->query("SELECT epoch FROM assent.epoch");
  if (!stored) co_return tl::unexpected(stored.error());
  co_return stored->rows.empty() ? Epoch() : Epoch(to_u64(stored->rows.front().front()));
}

// Another epoch was set since ours was issued. A higher one is a newer life's. A lower one is of an
// earlier life, whose claim was under way when its agent died: the start is tried again.
asio::awaitable<Result<void>> lost_claim(std::shared_ptr<Control> control, Epoch mine) {
  auto found = co_await stored_epoch(control);
  if (!found) co_return tl::unexpected(found.error());
  const bool newer = *found > mine;
  co_return failure(newer ? ErrorCode::kDisplaced : ErrorCode::kUnavailable,
                    "epoch " + to_string(*found) + " was set in the database before epoch " +
                        to_string(mine) + ": " +
                        (newer ? "a newer agent has claimed it" : "an earlier agent came late"));
}

// `mine` was issued to this life alone, so finding it set means that an earlier try, whose answer
// was lost, has worked.
asio::awaitable<Result<void>> claim_epoch(std::shared_ptr<Context> context,
                                          std::shared_ptr<Control> control, Epoch previous,
                                          Epoch mine) {
  std::vector<branch::Value> parameters{to_string(previous), to_string(mine),
                                        context->options.cluster, context->options.participant};
  auto claimed = co_await control->query(
      "UPDATE assent.epoch SET epoch = $2::bigint, cluster = $3, participant = $4,"
      " claimed_at = now() WHERE epoch IN ($1::bigint, $2::bigint)",
      std::move(parameters));
  if (!claimed) co_return tl::unexpected(claimed.error());
  if (claimed->row_count != 1) co_return co_await lost_claim(control, mine);
  context->epoch = mine;
  co_return Result<void>();
}

// 1. A backend of an older life that has read the old epoch before the claim is in the view now,
//    and is ended; one that reads it later sees ours and is given up by its agent.
// 2. The view shows a backend until it can do no more harm, so when it shows none, a gid of an
//    older epoch that is not in pg_prepared_xacts never will be.
asio::awaitable<Result<void>> fence_older_lives(std::shared_ptr<Context> context,
                                                std::shared_ptr<Control> control) {
  auto report_at = std::chrono::steady_clock::now() + kFenceReport;
  while (!context->closed) {
    std::vector<branch::Value> parameters{context->options.control_role, context->options.work_role,
                                          context->own_pids()};
    auto others = co_await control->query(kTerminateOthers, std::move(parameters));
    if (!others && others.error().code != ErrorCode::kUnavailable) {
      co_return tl::unexpected(others.error());
    }
    if (others && others->rows.empty()) {
      context->fenced = true;
      co_return Result<void>();
    }
    if (others && std::chrono::steady_clock::now() > report_at) {
      report_waiting(others->rows);
      report_at += kFenceReport;
    }
    co_await pause(others ? kFencePause : kFenceRetryPause);
  }
  co_return failure(ErrorCode::kUnavailable, "closed");
}

}  // namespace assent::postgres
