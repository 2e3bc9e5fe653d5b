// What is prepared under the agent's names (participant/postgres/inventory.cc, finishers.cc).
#include <utility>

#include "tests/simulation/postgres/commands.h"

namespace assent::model {
namespace {

template <class Take>
void for_each_here(const Backend& backend, Take take) {
  if (backend.login().standby) return;
  for (const auto& [gid, gxact] : backend.store().prepared) {
    const bool here = gxact.durable.database == backend.instance().options.database;
    if (gxact.valid && here) take(gid, gxact.durable);
  }
}

std::string xid_text(const PreparedTransaction& prepared) {
  return std::to_string(static_cast<std::uint32_t>(prepared.xid));
}

// age(xid): of 32 bits, as transactions have them on disk.
std::string age_text(const Backend& backend, const PreparedTransaction& prepared) {
  const auto next = static_cast<std::uint32_t>(backend.store().xmax());
  return std::to_string(static_cast<std::int32_t>(next - static_cast<std::uint32_t>(prepared.xid)));
}

// For how long it has been prepared is not modelled: no time at all.
Step list_prepared(Backend& backend, const Values&) {
  std::vector<Row> found;
  for_each_here(backend, [&](const std::string& gid, const PreparedTransaction& prepared) {
    if (!gid.starts_with("assent:")) return;
    found.push_back({gid, xid_text(prepared), prepared.owner,
                     std::to_string(backend.store().xmax()),
                     lsn_text(backend.store().wal.flushed()), "0", age_text(backend, prepared)});
  });
  return unnamed(std::move(found), 7);
}

Step xid_of_gid(Backend& backend, const Values& values) {
  std::vector<Row> found;
  for_each_here(backend, [&](const std::string& gid, const PreparedTransaction& prepared) {
    if (gid == values[0] && prepared.owner == values[1]) found.push_back({xid_text(prepared)});
  });
  return unnamed(std::move(found), 1);
}

Step list_strangers(Backend& backend, const Values& values) {
  std::vector<Row> found;
  for_each_here(backend, [&](const std::string& gid, const PreparedTransaction& prepared) {
    if (!gid.starts_with("assent:") || prepared.owner == values[0]) return;
    found.push_back({gid, prepared.owner});
  });
  return unnamed(std::move(found), 2);
}

constexpr Rule kRules[] = {
    {"SELECT gid, transaction, owner, pg_snapshot_xmax(pg_current_snapshot()), "
     "pg_current_wal_flush_lsn(), (extract(epoch FROM clock_timestamp() - prepared) * "
     "1000)::bigint, age(transaction) FROM pg_prepared_xacts WHERE database = current_database() "
     "AND gid LIKE 'assent:%'",
     list_prepared},
    {"SELECT transaction FROM pg_prepared_xacts WHERE gid = ? AND owner = ? AND database = "
     "current_database()",
     xid_of_gid},
    {"SELECT gid, owner FROM pg_prepared_xacts WHERE database = current_database() AND owner <> ? "
     "AND gid LIKE 'assent:%' ORDER BY prepared",
     list_strangers},
};

}  // namespace

Rules inventory_rules() {
  return kRules;
}

}  // namespace assent::model
