// What the agent looks at before it serves (participant/postgres/preflight.cc).
#include <utility>

#include "tests/simulation/postgres/commands.h"

namespace assent::model {
namespace {

constexpr Micros kLong = 600 * simulation::kSecond;

Answer one_row(Row row) {
  std::vector<Column> columns(row.size(), {"", kText});
  return rows(std::move(columns), {std::move(row)});
}

Step server(Backend& backend, const Values&) {
  const Instance& instance = backend.instance();
  std::size_t prepared_long = 0;
  std::size_t prepared = 0;
  for (const auto& [gid, gxact] : instance.store.prepared) {
    if (!gxact.valid) continue;
    ++prepared;
    if (gxact.durable.at + kLong < instance.scheduler.now()) ++prepared_long;
  }
  return one_row({"150020", std::to_string(instance.options.max_prepared_transactions), "on", "on",
                  std::to_string(instance.options.connections_max), std::to_string(prepared),
                  std::to_string(prepared_long), instance.options.synchronous_standby ? "1" : "0",
                  instance.options.synchronous_standby ? "standby" : ""});
}

Step roles(Backend& backend, const Values& values) {
  const Options& options = backend.instance().options;
  if (values[0] != options.control_role || values[1] != options.work_role) return rows({}, {});
  return one_row({"t", "f", "f", "f", "t", "f"});
}

Step schema(Backend& backend, const Values& values) {
  if (values[0] != backend.instance().options.work_role) return rows({}, {});
  const Table epoch = backend.store().committed("assent.epoch");
  const Table version = backend.store().committed("assent.schema_version");
  return one_row({"t", "f",
                  boolean(backend.current_role() == backend.instance().options.control_role),
                  epoch.begin()->second.at(2), version.begin()->second.at(0)});
}

Step work(Backend& backend, const Values&) {
  const Settings& settings = backend.session.settings;
  return one_row({settings.get("synchronous_commit"),
                  settings.get("idle_in_transaction_session_timeout"),
                  settings.get("default_transaction_read_only")});
}

constexpr Rule kRules[] = {
    {"SELECT current_setting('server_version_num'), current_setting('max_prepared_transactions'),%",
     server},
    {"SELECT to_regclass('assent.epoch') IS NOT NULL AND% FROM pg_roles c, pg_roles w WHERE "
     "c.rolname = ? AND w.rolname = ?",
     roles},
    {"SELECT has_schema_privilege(w.oid, 'assent', 'USAGE')% WHERE w.rolname = ?", schema},
    {"SELECT current_setting('synchronous_commit'), "
     "current_setting('idle_in_transaction_session_timeout'),%",
     work},
};

}  // namespace

Rules preflight_rules() {
  return kRules;
}

}  // namespace assent::model
