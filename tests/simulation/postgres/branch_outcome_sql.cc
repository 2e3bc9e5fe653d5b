// The rows by which prepared branches tell that they have committed (participant/postgres).
#include <algorithm>
#include <utility>

#include "tests/simulation/postgres/commands.h"

namespace assent::model {
namespace {

const RowId kFloor{"assent.branch_outcome_floor", ""};

RowId row_of(const Value& branch) {
  return {"assent.branch_outcome", branch.value_or("")};
}

Step before_row(Backend& backend, const Values&) {
  put_settings_back(backend);
  backend.session.settings.set("statement_timeout", "0", true);
  const Xid xid = backend.store().assign_xid(backend.transaction());
  return unnamed({{"none", "warning", backend.session.settings.get("synchronous_commit"), "0",
                   std::to_string(xid)}},
                 5);
}

// Everybody else may not even look into the schema.
bool is_agents(const Backend& backend) {
  return is_control(backend) || backend.current_role() == backend.instance().options.work_role;
}

// The function runs as its owner, and only who knows the key gets past its check.
Step record_branch(Backend& backend, const Values& values) {
  if (!is_agents(backend)) return refused("schema assent");
  Store& store = backend.store();
  Transaction now;
  const Value key = store.read({"assent.epoch", ""}, now, backend.session.changes).value().at(3);
  if (!key || key != values[1]) {
    return error("42501", "only the agent that serves this database records outcomes");
  }
  if (auto refusal = refuse_write(backend, "INSERT")) return *refusal;
  store.assign_xid(backend.transaction());
  if (auto blocked = backend.wait_for_row(row_of(values[0]), false)) return *blocked;
  if (store.read(row_of(values[0]), now, backend.session.changes)) {
    return error("23505", "duplicate key value violates unique constraint \"branch_outcome_pkey\"",
                 "branch_outcome_pkey");
  }
  store.write(backend.transaction(), backend.session.changes, row_of(values[0]), Row{values[0]});
  return one_value("record_branch", kVoid, "");
}

Step look_for_row(Backend& backend, const Values& values) {
  if (!is_agents(backend)) return refused("schema assent");
  const Store& store = backend.store();
  const auto& own = backend.session.changes;
  const bool stands = store.read(row_of(values[0]), backend.transaction(), own).has_value();
  const auto floor = store.read(kFloor, backend.transaction(), own);
  const bool dropped = floor && floor->at(0) > values[0];
  return unnamed({{boolean(stands), boolean(dropped)}}, 2);
}

Step drop_rows(Backend& backend, const Values& values) {
  if (!is_agents(backend)) return refused("schema assent");
  if (auto refusal = refuse_write(backend, "DELETE")) return *refusal;
  if (!is_control(backend)) return refused("table branch_outcome");
  Store& store = backend.store();
  std::vector<RowId> old;
  for (const auto& [key, row] :
       store.scan("assent.branch_outcome", backend.transaction(), backend.session.changes)) {
    if (values[0] && key < *values[0]) old.push_back(row_of(key));
  }
  if (!old.empty()) store.assign_xid(backend.transaction());
  for (const RowId& row : old) {
    if (auto blocked = backend.wait_for_row(row, true)) return *blocked;
  }
  Transaction now;
  std::erase_if(old, [&](const RowId& row) {  // somebody else's DELETE
    return !store.read(row, now, backend.session.changes);
  });
  if (old.empty()) return done("INSERT 0 0");
  if (auto blocked = backend.wait_for_row(kFloor, true)) return *blocked;
  for (const RowId& row : old) {
    store.write(backend.transaction(), backend.session.changes, row, std::nullopt);
  }
  const auto before = store.read(kFloor, now, backend.session.changes);
  const Value dropped = before ? std::max(before->at(0), values[0]) : values[0];
  store.write(backend.transaction(), backend.session.changes, kFloor, Row{dropped});
  return done("INSERT 0 1", 1);
}

constexpr Rule kRules[] = {
    {"SELECT pg_catalog.set_config('role', 'none', true), % "
     "pg_catalog.set_config('statement_timeout', '0', true), pg_catalog.pg_current_xact_id()",
     before_row},
    {"SELECT assent.record_branch(?, ?)", record_branch},
    {"SELECT EXISTS (SELECT FROM assent.branch_outcome WHERE branch = ?), EXISTS (SELECT FROM "
     "assent.branch_outcome_floor WHERE dropped > ?)",
     look_for_row},
    {"WITH gone AS (DELETE FROM assent.branch_outcome WHERE branch < ? RETURNING 1) INSERT INTO "
     "assent.branch_outcome_floor (dropped) SELECT ? WHERE EXISTS (SELECT FROM gone) ON CONFLICT "
     "(one_row) DO UPDATE SET dropped = greatest(branch_outcome_floor.dropped, excluded.dropped)",
     drop_rows},
};

}  // namespace

Rules branch_outcome_rules() {
  return kRules;
}

}  // namespace assent::model
