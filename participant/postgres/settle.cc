#include "participant/postgres/settle.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "base/buggify.h"
#include "base/gid.h"
#include "participant/postgres/awaiting.h"
#include "runtime/failpoint.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto kPauseMin = 100ms;
constexpr std::chrono::milliseconds kPauseMax = 2s;

// ── a PREPARE without an answer ─────────────────────────────────────────────────────────────────

// Only a prepared transaction of the work role in this database is ours: anyone can prepare one
// under our gid (R8).
constexpr char kLookUp[] =
    "SELECT transaction, pg_snapshot_xmax(pg_current_snapshot()), pg_current_wal_flush_lsn()"
    " FROM pg_prepared_xacts WHERE gid = $1 AND owner = $2 AND database = current_database()";

Evidence to_evidence(const std::vector<Value>& row, const Session& session) {
  const auto xid = static_cast<std::uint32_t>(to_u64(row.at(0)));
  return {extend_xid(xid, to_u64(row.at(1))), session.system_identifier, session.timeline,
          parse_lsn(*row.at(2))};
}

// One try; the outer error: the server could not be asked.
// 1. When the backend is gone, nothing that it had been sent can take effect any more, so what the
//    view shows from then on about this gid is final.
// 2. The view shows a row before its PREPARE is on the synchronous standby. The barrier's commit
//    comes later in the WAL than that PREPARE, so when it is there, the PREPARE is.
asio::awaitable<Result<std::optional<Evidence>>> try_settle(Context& context, Control& control,
                                                            std::string gid, Backend backend) {
  auto gone = co_await control.terminate(std::move(backend));
  if (!gone) co_return tl::unexpected(gone.error());
  std::vector<Value> parameters{std::move(gid), context.options.work_role};
  auto found = co_await control.query(kLookUp, std::move(parameters));
  if (!found) co_return tl::unexpected(found.error());
  if (found->rows.empty()) co_return std::nullopt;
  const Evidence evidence = to_evidence(found->rows.front(), control.session());
  auto durable = co_await control.barrier();
  if (!durable) co_return tl::unexpected(durable.error());
  co_return evidence;
}

// ── a one-phase commit ──────────────────────────────────────────────────────────────────────────

// 1. The insert waits for a commit of the same transaction that is under way, and then finds its
//    row, or writes its own: one of the two stands (the primary key).
// 2. The row that is read may be that of a commit which still waits for the synchronous standby.
//    The barrier comes later in the WAL: when that is there, so is the row.
constexpr char kWriteAbortRow[] =
    "INSERT INTO assent.outcome (transaction, committed) VALUES ($1, false)"
    " ON CONFLICT (transaction) DO NOTHING";
constexpr char kReadOutcome[] = "SELECT committed FROM assent.outcome WHERE transaction = $1";

}  // namespace

asio::awaitable<Result<Evidence>> settle_prepare(std::shared_ptr<Context> context,
                                                 std::shared_ptr<Control> control, BranchId branch,
                                                 Backend backend) {
  const std::string gid = make_gid(context->options.cluster, branch);
  if (buggify(Point::kPauseBeforeSettle)) co_await pause(context->loop, kPauseMax);
  for (std::chrono::milliseconds wait = kPauseMin;; wait = std::min(2 * wait, kPauseMax)) {
    auto settled = co_await try_settle(*context, *control, gid, backend);
    if (settled && *settled) {
      context->reached((*settled)->wal_position);
      context->landmark_follows();
      co_return **settled;
    }
    if (settled || context->closed) {
      co_return failure(ErrorCode::kUnavailable, "not prepared: the connection was lost");
    }
    log::warning("a PREPARE is unsettled",
                 {{"branch", to_string(branch)}, {"reason", settled.error().message}});
    co_await control->pause_or_reconnect(wait);
  }
}

// What is told is in the database's history from then on, or the life ends (session.cc).
asio::awaitable<Result<void>> note_position(std::shared_ptr<Context> context,
                                            std::shared_ptr<Control> settler) {
  auto position = co_await settler->query("SELECT pg_current_wal_flush_lsn()");
  if (!position) co_return failure(ErrorCode::kUnavailable, position.error().message);
  context->reached(parse_lsn(*position->rows.at(0).at(0)));
  context->landmark_follows();
  co_return Result<void>();
}

asio::awaitable<Result<bool>> settle_outcome(std::shared_ptr<Context> context,
                                             std::shared_ptr<Control> settler,
                                             TransactionId transaction,
                                             std::function<bool()> may_send) {
  const std::vector<Value> id{to_string(transaction)};
  failpoint("agent.settle.sending");
  auto written = co_await settler->query(kWriteAbortRow, id, std::move(may_send));
  if (!written && written.error().code == ErrorCode::kStaleBallot) {
    co_return tl::unexpected(written.error());
  }
  if (!written) co_return failure(ErrorCode::kUnavailable, written.error().message);
  auto row = co_await settler->query(kReadOutcome, id);
  if (!row) co_return failure(ErrorCode::kUnavailable, row.error().message);
  auto durable = co_await settler->barrier();
  if (!durable) co_return failure(ErrorCode::kUnavailable, durable.error().message);
  // Only a row forbids a commit. Between the two, somebody has taken it away.
  if (row->rows.empty()) {
    co_return failure(ErrorCode::kUnavailable, "no outcome row of transaction " +
                                                   to_string(transaction) +
                                                   " is there, though one has been written");
  }
  auto noted = co_await note_position(context, settler);
  if (!noted) co_return tl::unexpected(noted.error());
  failpoint("agent.settle.done");
  co_return row->rows.front().front() == "t";
}

asio::awaitable<bool> settle_commit(std::shared_ptr<Context> context,
                                    std::shared_ptr<Control> control,
                                    std::shared_ptr<Control> settler, TransactionId transaction,
                                    Backend backend) {
  for (std::chrono::milliseconds wait = kPauseMin; !context->closed;
       wait = std::min(2 * wait, kPauseMax)) {
    auto gone = co_await control->terminate(backend);
    Result<bool> settled = failure(ErrorCode::kUnavailable, "its backend is not gone yet");
    if (gone) settled = co_await settle_outcome(context, settler, transaction, nullptr);
    if (settled) co_return *settled;
    log::warning("a one-phase COMMIT is unsettled",
                 {{"transaction", to_string(transaction)}, {"reason", settled.error().message}});
    co_await control->pause_or_reconnect(wait);
  }
  co_return false;
}

}  // namespace assent::postgres
