#include "participant/postgres/prepared_view.h"

#include <map>
#include <utility>

#include "participant/postgres/awaiting.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"

namespace assent::postgres {
namespace {

// $1: a part of the gids; empty: all.
constexpr char kPrepared[] =
    "SELECT p.gid, p.owner, p.database, p.transaction,"
    "  (extract(epoch FROM clock_timestamp() - p.prepared) * 1000)::bigint, age(p.transaction),"
    "  p.database = current_database()"
    " FROM pg_prepared_xacts p WHERE $1 = '' OR position($1 IN p.gid) > 0"
    " ORDER BY p.prepared, p.gid LIMIT $2::bigint";

// Locks of a prepared transaction have no pid, and share a virtualtransaction, among them the one
// on its own xid (docs/postgres.md, "Locks"). The locks of its rows are in none of them: whoever
// wants such a row waits for the xid.
#define ASSENT_HOLDERS                                                                    \
  "holders AS ("                                                                          \
  " SELECT p.gid, h.* FROM pg_prepared_xacts p"                                           \
  "  JOIN pg_locks x ON x.locktype = 'transactionid' AND x.transactionid = p.transaction" \
  "   AND x.granted AND x.pid IS NULL"                                                    \
  "  JOIN pg_locks h ON h.virtualtransaction = x.virtualtransaction AND h.granted"        \
  "   AND h.pid IS NULL"                                                                  \
  "  WHERE p.database = current_database() AND ($1 = '' OR position($1 IN p.gid) > 0))"

constexpr char kLocks[] =
    "WITH " ASSENT_HOLDERS
    " SELECT gid, CASE WHEN relation IS NULL THEN locktype WHEN locktype = 'relation'"
    "   THEN relation::regclass::text ELSE locktype || ' of ' || relation::regclass END AS object,"
    "  mode, count(*)"
    " FROM holders WHERE locktype NOT IN ('transactionid', 'virtualxid')"
    " GROUP BY gid, object, mode ORDER BY gid, object, mode";

// 1. Directly: who waits for an object on which the prepared transaction has a lock.
// 2. Behind those: who is blocked by one that waits. The second one that wants a row waits for the
//    first one, not for the prepared transaction.
// 3. What is waited for is a row, of the relation of which the backend has locked a tuple, when it
//    waits for the xid.
constexpr char kWaiters[] =
    "WITH RECURSIVE " ASSENT_HOLDERS
    ", waiting AS ("
    " SELECT l.*, pg_blocking_pids(l.pid) AS blockers FROM pg_locks l"
    "  WHERE NOT l.granted AND l.pid IS NOT NULL),"
    " chain AS ("
    " SELECT DISTINCT h.gid, w.pid FROM waiting w JOIN holders h ON h.locktype = w.locktype"
    "   AND (h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid, h.classid,"
    "        h.objid, h.objsubid) IS NOT DISTINCT FROM"
    "       (w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid,"
    "        w.objid, w.objsubid)"
    " UNION SELECT c.gid, w.pid FROM chain c JOIN waiting w ON c.pid = ANY (w.blockers))"
    " SELECT c.gid, w.pid, coalesce(a.usename, '?'), coalesce(a.application_name, ''),"
    "  (extract(epoch FROM clock_timestamp()"
    "    - (to_jsonb(w) ->> 'waitstart')::timestamptz) * 1000)::bigint,"
    "  CASE WHEN w.locktype IN ('transactionid', 'tuple') THEN 'a row'"
    "   || coalesce(' of ' || (SELECT min(t.relation::regclass::text) FROM pg_locks t"
    "      WHERE t.pid = w.pid AND t.locktype = 'tuple'), '')"
    "   WHEN w.relation IS NOT NULL THEN w.relation::regclass::text ELSE w.locktype END, w.mode"
    " FROM chain c JOIN waiting w ON w.pid = c.pid"
    " LEFT JOIN pg_stat_activity a ON a.pid = w.pid ORDER BY c.gid, 5 DESC NULLS LAST, w.pid";

#undef ASSENT_HOLDERS

constexpr char kServer[] =
    "SELECT current_database(), (SELECT count(*) FROM pg_prepared_xacts),"
    " current_setting('max_prepared_transactions'),"
    " coalesce((SELECT max(age(x)) FROM ("
    "   SELECT backend_xmin AS x FROM pg_stat_activity"
    "   UNION ALL SELECT transaction FROM pg_prepared_xacts"
    "   UNION ALL SELECT xmin FROM pg_replication_slots) AS seen), 0),"
    " (SELECT count(*) FROM pg_stat_activity WHERE usename IN (current_user, $1))";

constexpr char kOutcome[] =
    "SELECT committed, (extract(epoch FROM decided_at) * 1000)::bigint"
    " FROM assent.outcome WHERE transaction = $1";

// Ids of branches begin with their transaction's, and a colon; a semicolon follows it.
constexpr char kBranchOutcomes[] =
    "SELECT branch FROM assent.branch_outcome WHERE branch >= $1 || ':' AND branch < $1 || ';'"
    " ORDER BY branch";

std::int64_t number(const Value& value) {
  return value ? std::stoll(*value) : 0;
}

PreparedTransaction read_prepared(const DatabaseOptions& options, const std::vector<Value>& row) {
  PreparedTransaction out;
  out.gid = row.at(0).value();
  out.owner = row.at(1).value_or("");
  out.database = row.at(2).value_or("");
  out.xid = static_cast<std::uint32_t>(number(row.at(3)));
  out.age = Millis(number(row.at(4)));
  out.xid_age = number(row.at(5));
  out.parsed = parse_gid(out.gid);
  if (out.parsed && out.parsed->cluster == options.cluster &&
      out.parsed->branch.participant == options.participant) {
    const bool ours = row.at(6) == "t" && out.owner == options.work_role;
    out.belonging = ours ? Belonging::kOurs : Belonging::kStranger;
  }
  return out;
}

void add_lock(std::map<std::string, PreparedTransaction*>& by_gid, const std::vector<Value>& row) {
  const auto found = by_gid.find(row.at(0).value());
  if (found == by_gid.end()) return;  // it has come since
  found->second->locks.push_back(
      {row.at(1).value_or("?"), row.at(2).value_or("?"), number(row.at(3))});
}

void add_waiter(std::map<std::string, PreparedTransaction*>& by_gid,
                const std::vector<Value>& row) {
  const auto found = by_gid.find(row.at(0).value());
  if (found == by_gid.end()) return;
  LockWaiter& out = found->second->waiters.emplace_back();
  out.pid = static_cast<int>(number(row.at(1)));
  out.user = row.at(2).value_or("?");
  out.application = row.at(3).value_or("");
  if (row.at(4)) out.waiting = Millis(number(row.at(4)));
  out.object = row.at(5).value_or("?");
  out.mode = row.at(6).value_or("?");
}

// Three looks at different times: what ended between them has no locks, what came is not listed.
asio::awaitable<Result<std::vector<PreparedTransaction>>> list(std::shared_ptr<Context> context,
                                                               std::shared_ptr<Control> control,
                                                               std::string part) {
  std::vector<Value> limited{part, std::to_string(kPreparedShownMax)};
  auto prepared = co_await control->query(kPrepared, limited);
  if (!prepared) co_return tl::unexpected(prepared.error());
  std::vector<PreparedTransaction> out;
  for (const auto& row : prepared->rows) out.push_back(read_prepared(context->options, row));
  if (out.empty()) co_return out;
  std::map<std::string, PreparedTransaction*> by_gid;
  for (PreparedTransaction& one : out) by_gid.emplace(one.gid, &one);
  std::vector<Value> named{part};
  auto locks = co_await control->query(kLocks, named);
  if (!locks) co_return tl::unexpected(locks.error());
  for (const auto& row : locks->rows) add_lock(by_gid, row);
  auto waiters = co_await control->query(kWaiters, named);
  if (!waiters) co_return tl::unexpected(waiters.error());
  for (const auto& row : waiters->rows) add_waiter(by_gid, row);
  co_return out;
}

}  // namespace

asio::awaitable<Result<PreparedView>> look_at_prepared(std::shared_ptr<Context> context,
                                                       std::shared_ptr<Control> control) {
  std::vector<Value> work_role{context->options.work_role};
  auto server = co_await control->query(kServer, work_role);
  if (!server) co_return tl::unexpected(server.error());
  const std::vector<Value>& row = server->rows.at(0);
  PreparedView out;
  out.database = row.at(0).value_or("");
  out.slots_used = number(row.at(1));
  out.slots_max = number(row.at(2));
  out.horizon_age = number(row.at(3));
  out.connections = number(row.at(4));
  auto listed = co_await list(context, control, "");
  if (!listed) co_return tl::unexpected(listed.error());
  out.transactions = std::move(*listed);
  co_return out;
}

asio::awaitable<Result<TraceView>> trace_transaction(std::shared_ptr<Context> context,
                                                     std::shared_ptr<Control> control,
                                                     TransactionId transaction) {
  const std::string id = to_string(transaction);
  TraceView out;
  auto listed = co_await list(context, control, id);
  if (!listed) co_return tl::unexpected(listed.error());
  out.prepared = std::move(*listed);
  std::vector<Value> named{id};
  auto outcome = co_await control->query(kOutcome, named);
  if (!outcome) co_return tl::unexpected(outcome.error());
  if (!outcome->rows.empty()) {
    const std::vector<Value>& row = outcome->rows.front();
    out.outcome = OutcomeRow{row.at(0) == "t", number(row.at(1))};
  }
  auto branches = co_await control->query(kBranchOutcomes, named);
  if (!branches) co_return tl::unexpected(branches.error());
  for (const auto& row : branches->rows) {
    const std::string branch = row.at(0).value_or("");
    out.branch_outcomes.push_back(branch.substr(branch.rfind(':') + 1));
  }
  co_return out;
}

}  // namespace assent::postgres
