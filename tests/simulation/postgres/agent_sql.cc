// What the agent's shell sends (participant/postgres): its greeting, identity and fence, control,
// votes, settling and outcome rows, the lock watch.
#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "tests/simulation/postgres/commands.h"
#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {

Answer unnamed(std::vector<Row> found, std::size_t columns) {
  return rows(std::vector<Column>(columns, {"", kText}), std::move(found));
}

bool is_control(const Backend& backend) {
  return backend.current_role() == backend.instance().options.control_role ||
         backend.is_superuser();
}

Answer refused(const char* what) {
  return error("42501", std::string("permission denied for ") + what);
}

namespace {

std::string at_least_on(const Settings& settings) {
  return settings.get("synchronous_commit") == "remote_apply" ? "remote_apply" : "on";
}

}  // namespace

void put_settings_back(Backend& backend) {
  Settings& settings = backend.session.settings;
  settings.set("role", "none", true);
  settings.set("client_min_messages", "warning", true);
  settings.set("synchronous_commit", std::nullopt, true);
  settings.set("synchronous_commit", at_least_on(settings), true);
}

namespace {

const RowId kEpoch{"assent.epoch", ""};
const RowId kSchemaVersion{"assent.schema_version", ""};

Answer during_recovery() {
  return error("55000", "recovery is in progress");
}

Row epoch_row(const Backend& backend) {
  Transaction now;
  return backend.store().read(kEpoch, now, backend.session.changes).value();
}

// ── the greeting and identity ───────────────────────────────────────────────────────────────────

std::string wal_file(const Store& store) {
  constexpr Lsn kSegment = 16U << 20U;
  const Lsn position = store.wal.flushed();
  char name[40];
  std::snprintf(name, sizeof name, "%08X%08X%08X", store.timeline,
                static_cast<unsigned>(position >> 32),
                static_cast<unsigned>((position & 0xFFFF'FFFFU) / kSegment));
  return name;
}

Value landmark_of(const Backend& backend, const std::string& epoch) {
  Transaction now;
  const auto row = backend.store().read({"assent.landmark", epoch}, now, backend.session.changes);
  return row ? row->at(1) : Value();
}

// `epoch`: of the life that asks; none before it has claimed it.
Step greet(Backend& backend, const Value& epoch) {
  const bool standby = backend.login().standby;
  const auto identifier = static_cast<std::int64_t>(backend.instance().options.system_identifier);
  return unnamed({{std::to_string(backend.pid()), backend.started(), boolean(standby),
                   std::to_string(identifier), standby ? Value() : Value(wal_file(backend.store())),
                   backend.instance().postmaster, lsn_text(backend.instance().checkpoint),
                   standby ? Value() : Value(lsn_text(backend.store().wal.flushed())),
                   epoch ? landmark_of(backend, *epoch) : Value(),
                   epoch ? epoch_row(backend).at(0) : Value()}},
                 10);
}

Step greet_before_claim(Backend& backend, const Values&) {
  return greet(backend, std::nullopt);
}

Step greet_under_epoch(Backend& backend, const Values& values) {
  return greet(backend, values[0]);
}

Step position(Backend& backend, const Values&) {
  if (backend.login().standby) return during_recovery();
  return unnamed({{std::to_string(backend.instance().options.database_oid),
                   lsn_text(backend.store().wal.flushed())}},
                 2);
}

Step stored_epoch(Backend& backend, const Values&) {
  return one_value("epoch", kInt8, epoch_row(backend).at(0));
}

Step claim_epoch(Backend& backend, const Values& values) {
  if (auto refusal = refuse_write(backend, "UPDATE")) return *refusal;
  if (!is_control(backend)) return refused("table epoch");
  const Row row = epoch_row(backend);
  if (row.at(0) != values[4] && row.at(0) != values[5]) return done("UPDATE 0");
  backend.store().assign_xid(backend.transaction());
  if (auto blocked = backend.wait_for_row(kEpoch, true)) return *blocked;
  backend.store().write(backend.transaction(), backend.session.changes, kEpoch,
                        Row{values[0], values[1], values[2], values[3]});
  return done("UPDATE 1", 1);
}

// ── other backends ──────────────────────────────────────────────────────────────────────────────

// Superusers signal everybody, others themselves and, by membership, the work role.
bool may_signal(const Backend& backend, const std::string& role) {
  const auto& options = backend.instance().options;
  const std::string mine = backend.current_role();
  return backend.is_superuser() || role == mine ||
         (mine == options.control_role && role == options.work_role);
}

std::vector<std::shared_ptr<Backend>> of_roles(const Backend& backend,
                                               const std::set<Value>& roles) {
  std::vector<std::shared_ptr<Backend>> found;
  for (const auto& [id, other] : backend.instance().backends) {
    if (roles.contains(other->login().role)) found.push_back(other);
  }
  return found;
}

Step terminate_others(Backend& backend, const Values& values) {
  const auto own = array_members(values[2].value_or("{}"));
  std::vector<Row> found;
  for (const auto& other : of_roles(backend, {values[0], values[1]})) {
    const std::string pid = std::to_string(other->pid());
    std::string named = pid + other->started();
    std::erase(named, ' ');  // array_members drops them
    if (std::ranges::find(own, named) != own.end()) continue;
    if (!may_signal(backend, other->login().role)) return refused("signal");
    other->raise(Signal::kTerminate);
    found.push_back({pid, "t"});
  }
  return unnamed(std::move(found), 2);
}

template <Signal kSignal>
Step signal_that(Backend& backend, const Values& values) {
  std::vector<Row> found;
  for (const auto& other : of_roles(backend, {values[2], values[3]})) {
    if (std::to_string(other->pid()) != values[0] || other->started() != values[1]) continue;
    if (!may_signal(backend, other->login().role)) return refused("signal");
    other->raise(kSignal);
    found.push_back({"t"});
  }
  return unnamed(std::move(found), 1);
}

template <Signal kSignal>
Step signal_pid(Backend& backend, const Values& values) {
  const auto pid = to_number(values[0].value_or(""));
  const auto other = backend.instance().backend_of(static_cast<int>(pid.value_or(0)));
  const char* const name =
      kSignal == Signal::kCancel ? "pg_cancel_backend" : "pg_terminate_backend";
  if (!other) {
    backend.warn("PID " + values[0].value_or("") + " is not a PostgreSQL server process");
    return one_value(name, kBool, boolean(false));
  }
  if (!may_signal(backend, other->login().role)) return refused("signal");
  other->raise(kSignal);
  return one_value(name, kBool, boolean(true));
}

// ── votes ───────────────────────────────────────────────────────────────────────────────────────

Step make_finishes_durable(Backend& backend, const Values&) {
  Settings& settings = backend.session.settings;
  settings.set("synchronous_commit", at_least_on(settings), false);
  return unnamed({{settings.get("synchronous_commit")}}, 1);
}

Step check_reader(Backend& backend, const Values&) {
  put_settings_back(backend);
  const Xid xid = backend.xid();
  return unnamed({{"none", "warning", backend.session.settings.get("synchronous_commit"),
                   boolean(!backend.session.holdable_cursors.empty()),
                   xid == 0 ? Value() : Value(std::to_string(xid))}},
                 5);
}

Step before_prepare(Backend& backend, const Values&) {
  put_settings_back(backend);
  const Xid xid = backend.store().assign_xid(backend.transaction());
  return unnamed({{"none", "warning", backend.session.settings.get("synchronous_commit"),
                   std::to_string(xid)}},
                 4);
}

Step before_commit(Backend& backend, const Values&) {
  put_settings_back(backend);
  backend.session.settings.set("statement_timeout", "0", true);
  return unnamed({{"none", "warning", backend.session.settings.get("synchronous_commit"), "0"}}, 4);
}

Step flush_position(Backend& backend, const Values&) {
  if (backend.login().standby) return during_recovery();
  return one_value("pg_current_wal_flush_lsn", kPgLsn, lsn_text(backend.store().wal.flushed()));
}

Step position_and_unlock(Backend& backend, const Values&) {
  if (backend.login().standby) return during_recovery();
  backend.release_advisory(true);
  return rows({{"pg_current_wal_flush_lsn", kPgLsn}, {"pg_advisory_unlock_all", kVoid}},
              {{lsn_text(backend.store().wal.flushed()), ""}});
}

Step write_position(Backend& backend, const Values&) {
  if (backend.login().standby) return during_recovery();
  return one_value("pg_current_wal_lsn", kPgLsn, lsn_text(backend.store().wal.flushed()));
}

// ── outcome rows ────────────────────────────────────────────────────────────────────────────────

// The function runs as its owner, and only who knows the key gets past its check.
Step record_commit(Backend& backend, const Values& values) {
  const std::string role = backend.current_role();
  const auto& options = backend.instance().options;
  if (role != options.work_role && !is_control(backend)) return refused("function record_commit");
  const Value key = epoch_row(backend).at(3);
  if (!key || key != values[1]) {
    return error("42501", "only the agent that serves this database records outcomes");
  }
  if (auto refusal = refuse_write(backend, "INSERT")) return *refusal;
  const RowId row{"assent.outcome", values[0].value_or("")};
  backend.store().assign_xid(backend.transaction());
  if (auto blocked = backend.wait_for_row(row, false)) return *blocked;
  Transaction now;
  if (backend.store().read(row, now, backend.session.changes)) {
    return error("23505", "duplicate key value violates unique constraint \"outcome_pkey\"",
                 "outcome_pkey");
  }
  backend.store().write(backend.transaction(), backend.session.changes, row, Row{values[0], "t"});
  return one_value("record_commit", kVoid, "");
}

Step write_abort_row(Backend& backend, const Values& values) {
  if (auto refusal = refuse_write(backend, "INSERT")) return *refusal;
  if (!is_control(backend)) return refused("table outcome");
  const RowId row{"assent.outcome", values[0].value_or("")};
  if (auto blocked = backend.wait_for_row(row, false)) return *blocked;
  Transaction now;
  if (backend.store().read(row, now, backend.session.changes)) return done("INSERT 0 0");
  backend.store().write(backend.transaction(), backend.session.changes, row, Row{values[0], "f"});
  return done("INSERT 0 1", 1);
}

Step read_outcome(Backend& backend, const Values& values) {
  if (!is_control(backend)) return refused("table outcome");
  const RowId row{"assent.outcome", values[0].value_or("")};
  const auto found = backend.store().read(row, backend.transaction(), backend.session.changes);
  std::vector<Row> answer;
  if (found) answer.push_back({found->at(1)});
  return rows({{"committed", kBool}}, std::move(answer));
}

Step drop_outcomes(Backend& backend, const Values& values) {
  if (auto refusal = refuse_write(backend, "DELETE")) return *refusal;
  if (!is_control(backend)) return refused("table outcome");
  Store& store = backend.store();
  std::vector<RowId> old;
  for (const auto& [key, row] :
       store.scan("assent.outcome", backend.transaction(), backend.session.changes)) {
    if (values[0] && key < *values[0]) old.push_back({"assent.outcome", key});
  }
  if (!old.empty()) store.assign_xid(backend.transaction());
  for (const RowId& row : old) {
    if (auto blocked = backend.wait_for_row(row, true)) return *blocked;
  }
  std::int64_t count = 0;
  for (const RowId& row : old) {
    Transaction now;
    if (!store.read(row, now, backend.session.changes)) continue;  // somebody else's DELETE
    store.write(backend.transaction(), backend.session.changes, row, std::nullopt);
    ++count;
  }
  return done("DELETE " + std::to_string(count), count);
}

// ── settling ────────────────────────────────────────────────────────────────────────────────────

Step barrier(Backend& backend, const Values&) {
  if (auto refusal = refuse_write(backend, "pg_logical_emit_message()")) return *refusal;
  const Xid xid = backend.store().assign_xid(backend.transaction());
  const Lsn position = backend.store().wal.append(MessageRecord{xid});
  backend.transaction().wrote = true;
  return one_value("pg_logical_emit_message", kPgLsn, lsn_text(position));
}

bool is_listed(const Backend& backend, const Gxact& gxact, const Value& owner) {
  return gxact.valid && !backend.login().standby && gxact.durable.owner == owner &&
         gxact.durable.database == backend.instance().options.database;
}

Step look_up_gid(Backend& backend, const Values& values) {
  if (backend.login().standby) return during_recovery();
  std::vector<Row> found;
  const auto prepared = backend.store().prepared.find(values[0].value_or(""));
  if (prepared != backend.store().prepared.end() &&
      is_listed(backend, prepared->second, values[1])) {
    const auto xid = static_cast<std::uint32_t>(prepared->second.durable.xid);
    found.push_back({std::to_string(xid), std::to_string(backend.store().xmax()),
                     lsn_text(backend.store().wal.flushed())});
  }
  return unnamed(std::move(found), 3);
}

Step list_all_prepared(Backend& backend, const Values&) {
  std::vector<Row> found;
  for (const auto& [gid, gxact] : backend.store().prepared) {
    if (!gxact.valid || backend.login().standby) continue;
    found.push_back({gid, gxact.durable.owner, gxact.durable.database});
  }
  return rows({{"gid", kText}, {"owner", kText}, {"database", kText}}, std::move(found));
}

Step xact_status(Backend& backend, const Values& values) {
  const auto xid = to_number(values[0].value_or(""));
  switch (backend.store().status(static_cast<Xid>(xid.value_or(0)))) {
    case XidStatus::kInProgress:
      return one_value("pg_xact_status", kText, "in progress");
    case XidStatus::kCommitted:
      return one_value("pg_xact_status", kText, "committed");
    case XidStatus::kAborted:
      return one_value("pg_xact_status", kText, "aborted");
    case XidStatus::kForgotten:
      return one_value("pg_xact_status", kText, std::nullopt);
    case XidStatus::kInTheFuture:
      return error("22023", "transaction ID " + *values[0] + " is in the future");
  }
  return error("XX000", "no such status");
}

// ── the lock watch ──────────────────────────────────────────────────────────────────────────────

// Who heads a line waits for the transaction, those behind for the row; only the first can be
// joined with a prepared transaction.
Row describe_wait(const Backend& backend, const Backend& waiting, const Blocked& blocked) {
  const auto holder = backend.instance().backends.find(blocked.session);
  const Gxact* prepared =
      blocked.transaction == 0 ? nullptr : backend.store().prepared_with(blocked.transaction);
  std::string live;
  if (holder != backend.instance().backends.end() && prepared == nullptr) {
    const Backend& other = *holder->second;
    const std::string name = other.session.settings.get("application_name");
    live = "backend " + std::to_string(other.pid()) + " of " + other.login().role +
           (name.empty() ? "" : " (" + name + ")");
  }
  const bool for_row = blocked.row && blocked.transaction == 0;
  const Micros now = backend.instance().scheduler.now();
  return {std::to_string(waiting.pid()),
          blocked.advisory ? "advisory" : (for_row ? "tuple" : "transactionid"),
          for_row ? blocked.row->table : "", live,
          prepared == nullptr
              ? ""
              : "prepared transaction " + prepared->durable.gid + " (prepared " +
                    std::to_string((now - prepared->durable.at) / simulation::kSecond) + " s ago)"};
}

Step blockers(Backend& backend, const Values& values) {
  const auto pids = array_members(values[0].value_or("{}"));
  std::vector<Row> found;
  for (const auto& [id, other] : backend.instance().backends) {
    const bool asked = std::ranges::find(pids, std::to_string(other->pid())) != pids.end();
    const Blocked* blocked = other->waiting_for();
    if (asked && blocked != nullptr) found.push_back(describe_wait(backend, *other, *blocked));
  }
  return unnamed(std::move(found), 5);
}

Step blocking_pids(Backend& backend, const Values& values) {
  const auto other =
      backend.instance().backend_of(static_cast<int>(to_number(*values[0]).value_or(0)));
  const Blocked* blocked = other ? other->waiting_for() : nullptr;
  if (blocked == nullptr) return one_value("pg_blocking_pids", 1007, "{}");
  const auto holder = backend.instance().backends.find(blocked->session);
  const bool live = holder != backend.instance().backends.end();
  return one_value("pg_blocking_pids", 1007,
                   "{" + std::to_string(live ? holder->second->pid() : 0) + "}");
}

// ── the schema ──────────────────────────────────────────────────────────────────────────────────

Step find_schema(Backend& backend, const Values&) {
  return unnamed({{"t", boolean(is_control(backend)), "t"}}, 3);
}

Step schema_version(Backend& backend, const Values&) {
  Transaction now;
  const auto row = backend.store().read(kSchemaVersion, now, backend.session.changes);
  return one_value("schema_version", kInt4, row.value().at(0));
}

Step upgrade_schema(Backend& backend, const Values&) {
  if (auto refusal = refuse_write(backend, "DO")) return *refusal;
  if (!is_control(backend)) return refused("schema assent");
  if (auto blocked = backend.wait_for_row(kSchemaVersion, true)) return *blocked;
  backend.store().write(backend.transaction(), backend.session.changes, kSchemaVersion, Row{"4"});
  return done("DO");
}

constexpr Rule kRules[] = {
    {"SELECT pid, to_char(backend_start %, NULL, NULL FROM pg_stat_activity WHERE pid = "
     "pg_backend_pid()",
     greet_before_claim},
    {"SELECT pid, to_char(backend_start %, (SELECT wal_position FROM assent.landmark WHERE epoch = "
     "?::bigint), (SELECT epoch FROM assent.epoch) FROM pg_stat_activity WHERE pid = "
     "pg_backend_pid()",
     greet_under_epoch},
    {"SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), "
     "pg_current_wal_flush_lsn()",
     position},
    {"SELECT epoch FROM assent.epoch", stored_epoch},
    {"UPDATE assent.epoch SET epoch = ?::bigint, cluster = ?, participant = ?, claimed_at = now(), "
     "outcome_key = sha256(convert_to(?, 'UTF8')) WHERE epoch IN (?::bigint, ?::bigint)",
     claim_epoch},
    {"SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datid = % AND usesysid IN "
     "(SELECT oid FROM pg_roles WHERE rolname IN (?, ?)) AND pid || ' ' || coalesce(%, '') <> "
     "ALL (?::text[])",
     terminate_others},
    {"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ?::int AND (% = ?) AND "
     "usesysid IN (SELECT oid FROM pg_roles WHERE rolname IN (?, ?))",
     signal_that<Signal::kTerminate>},
    {"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = ?::int AND (% = ?) AND "
     "usesysid IN (SELECT oid FROM pg_roles WHERE rolname IN (?, ?))",
     signal_that<Signal::kCancel>},
    {"SELECT pg_cancel_backend(?)", signal_pid<Signal::kCancel>},
    {"SELECT pg_terminate_backend(?)", signal_pid<Signal::kTerminate>},
    {"SELECT pg_catalog.set_config('role', 'none', true), % EXISTS %, "
     "pg_catalog.pg_current_xact_id_if_assigned()",
     check_reader},
    {"SELECT pg_catalog.set_config('role', 'none', true), "
     "pg_catalog.set_config('client_min_messages', 'warning', true), "
     "pg_catalog.set_config('synchronous_commit', %, true), pg_catalog.pg_current_xact_id()",
     before_prepare},
    {"SELECT pg_catalog.set_config('role', 'none', true), "
     "pg_catalog.set_config('client_min_messages', 'warning', true), "
     "pg_catalog.set_config('synchronous_commit', %, true), "
     "pg_catalog.set_config('statement_timeout', '0', true)",
     before_commit},
    {"SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN "
     "'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)",
     make_finishes_durable},
    {"SELECT pg_catalog.pg_current_wal_flush_lsn(), pg_catalog.pg_advisory_unlock_all()",
     position_and_unlock},
    {"SELECT pg_catalog.pg_current_wal_flush_lsn()", flush_position},
    {"SELECT pg_current_wal_flush_lsn()", flush_position},
    {"SELECT pg_current_wal_lsn()", write_position},
    {"SELECT assent.record_commit(?, ?)", record_commit},
    {"INSERT INTO assent.outcome (transaction, committed) VALUES (?, false) ON CONFLICT "
     "(transaction) DO NOTHING",
     write_abort_row},
    {"SELECT committed FROM assent.outcome WHERE transaction = ?", read_outcome},
    {"DELETE FROM assent.outcome WHERE transaction < ?", drop_outcomes},
    {"SELECT pg_logical_emit_message(true, 'assent', 'barrier')", barrier},
    {"SELECT transaction, pg_snapshot_xmax(pg_current_snapshot()), pg_current_wal_flush_lsn() FROM "
     "pg_prepared_xacts WHERE gid = ? AND owner = ? AND database = current_database()",
     look_up_gid},
    {"SELECT gid, owner, database FROM pg_prepared_xacts ORDER BY gid COLLATE \"C\"",
     list_all_prepared},
    {"SELECT pg_xact_status(?::text::xid8)", xact_status},
    {"WITH waiting AS (SELECT l.*, pg_blocking_pids(l.pid) AS blockers FROM pg_locks l WHERE NOT "
     "l.granted AND l.pid = ANY (?::int[]))%",
     blockers},
    {"WITH waiting AS ( SELECT l.*, pg_blocking_pids(l.pid) AS blockers FROM pg_locks l WHERE NOT "
     "l.granted AND l.pid = ANY (?::int[]))%",
     blockers},
    {"SELECT pg_blocking_pids(?)", blocking_pids},
    {"SELECT to_regnamespace('assent') IS NOT NULL,%", find_schema},
    {"SELECT assent.schema_version()", schema_version},
    {"DO $assent$ BEGIN EXECUTE %", upgrade_schema},
};

}  // namespace

Rules agent_rules() {
  return kRules;
}

}  // namespace assent::model
