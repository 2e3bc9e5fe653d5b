#include "participant/postgres/settle.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "base/buggify.h"
#include "base/canary.h"
#include "base/gid.h"
#include "participant/postgres/awaiting.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using branch::FinishResult;

constexpr auto kPauseMin = 100ms;
constexpr std::chrono::milliseconds kPauseMax = 2s;
constexpr std::string_view kXidInTheFuture = "22023";

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

// ── a missing gid ───────────────────────────────────────────────────────────────────────────────

// The fate of a transaction of this server, if it can tell.
enum class Fate { kCommitted, kAborted, kInProgress, kForgotten };

Fate parse_fate(const Value& status) {
  if (status == "committed") return Fate::kCommitted;
  if (status == "aborted") return Fate::kAborted;
  if (status == "in progress") return Fate::kInProgress;
  return Fate::kForgotten;
}

// Without evidence only a rollback can be judged, and only when nobody is left who could prepare
// the branch still: our own life's branches are in the branch table, older lives must be fenced.
Result<FinishResult> settle_without_evidence(const Context& context,
                                             const branch::RunFinish& operation, bool fenced) {
  if (operation.outcome == Outcome::kCommitted) return FinishResult::kHazard;
  if (fenced || operation.branch.epoch == context.epoch) return FinishResult::kDone;
  return failure(ErrorCode::kUnavailable,
                 "a backend of an older agent life may still prepare the branch");
}

Result<FinishResult> judge(Fate fate, Outcome asked) {
  const bool commit = asked == Outcome::kCommitted;
  switch (fate) {
    case Fate::kCommitted:
      return commit ? FinishResult::kDone : FinishResult::kHeuristicCommit;
    case Fate::kAborted:
      return commit ? FinishResult::kHeuristicRollback : FinishResult::kDone;
    case Fate::kInProgress:
      return failure(ErrorCode::kUnavailable, "the branch is being ended by someone else");
    case Fate::kForgotten:
      return FinishResult::kHazard;
  }
  return FinishResult::kHazard;
}

// Evidence speaks only of the history that it was taken in: the same server and timeline, whose WAL
// has not gone back behind it. In another history its xid may be another transaction's.
bool same_history(const Session& session, std::uint64_t wal_position, const Evidence& evidence) {
  return session.system_identifier == evidence.system_identifier &&
         session.timeline == evidence.timeline && wal_position >= evidence.wal_position;
}

asio::awaitable<Result<Fate>> fate_of(Session session, Evidence evidence) {
  Batch batch{{"SELECT pg_current_wal_lsn()"},
              {"SELECT pg_xact_status($1::text::xid8)", {std::to_string(evidence.xid)}}};
  auto answers = co_await run(*session.connection, std::move(batch));
  if (!answers) co_return tl::unexpected(answers.error());
  const Answer& position = answers->front();
  const Answer& status = answers->back();
  if (!position.ok()) co_return tl::unexpected(to_error(position));
  const std::uint64_t wal = parse_lsn(*to_result(position).rows.at(0).at(0));
  if (!same_history(session, wal, evidence)) co_return Fate::kForgotten;
  if (status.sqlstate() == kXidInTheFuture) co_return Fate::kForgotten;
  if (!status.ok()) co_return tl::unexpected(to_error(status));
  co_return parse_fate(to_result(status).rows.at(0).at(0));
}

}  // namespace

asio::awaitable<Result<Evidence>> settle_prepare(std::shared_ptr<Context> context,
                                                 std::shared_ptr<Control> control, BranchId branch,
                                                 Backend backend) {
  const std::string gid = make_gid(context->options.cluster, branch);
  if (buggify(Point::kPauseBeforeSettle)) co_await pause(context->loop, kPauseMax);
  for (std::chrono::milliseconds wait = kPauseMin;; wait = std::min(2 * wait, kPauseMax)) {
    auto settled = co_await try_settle(*context, *control, gid, backend);
    if (settled && *settled) co_return **settled;
    if (settled || context->closed) {
      co_return failure(ErrorCode::kUnavailable, "not prepared: the connection was lost");
    }
    log::warning("a PREPARE is unsettled",
                 {{"branch", to_string(branch)}, {"reason", settled.error().message}});
    co_await control->pause_or_reconnect(wait);
  }
}

asio::awaitable<Result<bool>> settle_outcome(std::shared_ptr<Control> settler,
                                             TransactionId transaction,
                                             std::function<bool()> may_send) {
  const std::vector<Value> id{to_string(transaction)};
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
    if (gone) settled = co_await settle_outcome(settler, transaction, nullptr);
    if (settled) co_return *settled;
    log::warning("a one-phase COMMIT is unsettled",
                 {{"transaction", to_string(transaction)}, {"reason", settled.error().message}});
    co_await control->pause_or_reconnect(wait);
  }
  co_return false;
}

asio::awaitable<Result<FinishResult>> settle_missing(std::shared_ptr<Context> context,
                                                     std::shared_ptr<Control> control,
                                                     Session finisher, branch::RunFinish operation,
                                                     bool fenced) {
  if (canary(Canary::kMissingIsCommitted)) co_return FinishResult::kDone;
  if (canary(Canary::kMissingIsAborted)) co_return judge(Fate::kAborted, operation.outcome);
  if (!operation.evidence) co_return settle_without_evidence(*context, operation, fenced);
  auto fate = co_await fate_of(finisher, *operation.evidence);
  if (!fate) co_return tl::unexpected(fate.error());
  auto result = judge(*fate, operation.outcome);
  if (result != FinishResult::kDone) {
    log::warning("a branch that is gone did not end as decided or cannot be judged",
                 {{"branch", to_string(operation.branch)},
                  {"decided", std::string(name(operation.outcome))}});
    co_return result;
  }
  // The commit may be our own, whose answer was lost while it waited for the synchronous standby.
  auto durable = co_await control->barrier();
  if (!durable) co_return tl::unexpected(durable.error());
  co_return result;
}

}  // namespace assent::postgres
