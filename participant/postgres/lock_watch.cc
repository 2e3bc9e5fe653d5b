#include "participant/postgres/lock_watch.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "participant/postgres/awaiting.h"
#include "runtime/process.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kEveryMin = 20ms;
constexpr std::chrono::milliseconds kEveryMax = 1s;

// One row for each waiting backend of $1: its pid, what it waits for, and who has it.
// 1. pg_blocking_pids names live backends, and 0 for a prepared transaction, which has none.
// 2. A prepared transaction is found by the lock that it holds on the same object: its locks have
// no
//    pid and share a virtualtransaction, among them the one on its own xid (postgres.md, "Locks";
//    the join in the manual finds nothing before the next restart).
// 3. What other roles run is not shown to us; their pid and name are.
constexpr char kBlockers[] =
    "WITH waiting AS ("
    " SELECT l.*, pg_blocking_pids(l.pid) AS blockers FROM pg_locks l"
    "  WHERE NOT l.granted AND l.pid = ANY ($1::int[])),"
    " prepared AS ("
    " SELECT DISTINCT w.pid, p.gid, p.prepared FROM waiting w"
    "  JOIN pg_locks h ON h.granted AND h.pid IS NULL AND h.locktype = w.locktype"
    "   AND (h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid, h.classid,"
    "        h.objid, h.objsubid) IS NOT DISTINCT FROM"
    "       (w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid,"
    "        w.objid, w.objsubid)"
    "  JOIN pg_locks x ON x.virtualtransaction = h.virtualtransaction AND x.pid IS NULL"
    "   AND x.locktype = 'transactionid'"
    "  JOIN pg_prepared_xacts p ON p.transaction = x.transactionid)"
    " SELECT w.pid, w.locktype, coalesce(w.relation::regclass::text, ''),"
    "  coalesce((SELECT string_agg('backend ' || a.pid || ' of ' || coalesce(a.usename, '?')"
    "     || CASE WHEN a.application_name <> '' THEN ' (' || a.application_name || ')' ELSE '' END,"
    "     ', ') FROM pg_stat_activity a WHERE a.pid = ANY (w.blockers)), ''),"
    "  coalesce((SELECT string_agg('prepared transaction ' || p.gid || ' (prepared '"
    "     || extract(epoch FROM clock_timestamp() - p.prepared)::int || ' s ago)', ', ')"
    "     FROM prepared p WHERE p.pid = w.pid), '')"
    " FROM waiting w";

std::string describe(const std::vector<Value>& row) {
  const std::string object = row[2].value().empty() ? *row[1] : *row[1] + " on " + *row[2];
  std::string holders = *row[3];
  if (!holders.empty() && !row[4].value().empty()) holders += ", ";
  holders += *row[4];
  return "it waited for a lock (" + object + ") held by " +
         (holders.empty() ? std::string("someone who has gone since") : holders);
}

}  // namespace

LockWatch::LockWatch(std::shared_ptr<Context> context, std::shared_ptr<Control> control,
                     Works works)
    : context_(std::move(context)),
      control_(std::move(control)),
      works_(std::move(works)),
      timer_(context_->loop) {}

void LockWatch::wake() {
  if (watching_ || context_->options.lock_timeout == Millis(0)) return;
  watching_ = true;
  spawn(context_->loop, [self = shared_from_this()] { return self->watch(); });
}

asio::awaitable<void> LockWatch::watch() {
  const auto every = std::clamp(std::chrono::milliseconds(context_->options.lock_timeout.value / 8),
                                kEveryMin, kEveryMax);
  while (!context_->closed && !works_().empty()) {
    timer_.expires_after(every);
    co_await woken(timer_);
    if (!context_->closed) co_await look();
  }
  watching_ = false;
}

// Those that have waited for half of the time that a lock may take.
asio::awaitable<void> LockWatch::look() {
  const Millis patience(context_->options.lock_timeout.value / 2);
  std::map<std::string, std::shared_ptr<BranchWork>> late;
  for (const auto& work : works_()) {
    const auto since = work->busy_since();
    if (since && *since + patience <= process::monotonic_now()) {
      late.emplace(std::to_string(work->backend_pid()), work);
    }
  }
  if (late.empty()) co_return;
  std::string pids;
  for (const auto& [pid, work] : late) pids += (pids.empty() ? "{" : ",") + pid;
  std::vector<Value> parameters{pids + "}"};
  auto found = co_await control_->query(kBlockers, std::move(parameters));
  if (!found) co_return;
  for (const auto& row : found->rows) {
    const auto work = late.find(row.front().value());
    if (work != late.end() && work->second->busy_since()) {
      work->second->note_blocker(describe(row));
    }
  }
}

void LockWatch::close() {
  timer_.cancel();
}

}  // namespace assent::postgres
