#include "participant/postgres/identity.h"

#include <chrono>
#include <string>
#include <utility>

#include "base/buggify.h"
#include "participant/postgres/awaiting.h"
#include "participant/postgres/landmarks.h"
#include "participant/postgres/preflight.h"
#include "participant/postgres/schema.h"
#include "runtime/logging.h"
#include "runtime/process.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;
using Row = std::vector<Value>;

constexpr auto kLateClaimPause = 500ms;
constexpr auto kFencePause = 10ms;
constexpr auto kFenceRetryPause = 200ms;
constexpr Millis kFenceReport{5'000};

constexpr std::uint64_t kLandmarksKept = 1'000;  // of so many lives

constexpr char kPositionQuery[] =
    "SELECT (SELECT oid FROM pg_database WHERE datname = current_database()),"
    " pg_current_wal_flush_lsn()";

void log_warnings(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    if (finding.verdict != Verdict::kWarning) continue;
    log::warning(finding.found, {{"check", finding.check}, {"remedy", finding.remedy}});
  }
}

// ── the fence ───────────────────────────────────────────────────────────────────────────────────

// Ends and lists every backend of the two login roles in this database that is none of ours.
// usesysid is the role that logged in: client SQL cannot change it. Ours are known by their starts
// as well: a connection whose loss we have not noticed yet may have left its process id to an
// orphan. A start that we may not see is no start of ours.
const std::string kTerminateOthers =
    std::string("SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity") +
    " WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND usesysid IN (SELECT oid FROM pg_roles WHERE rolname IN ($1, $2))"
    " AND pid || ' ' || coalesce(" +
    kBackendStarted + ", '') <> ALL ($3::text[])";

void report_waiting(const std::vector<Row>& backends) {
  std::string pids;
  for (const Row& backend : backends) pids += (pids.empty() ? "" : " ") + backend.front().value();
  log::warning("waiting for backends of older agent lives to end", {{"pids", pids}});
}

}  // namespace

asio::awaitable<Result<Position>> identify(std::shared_ptr<Context> context,
                                           std::shared_ptr<Control> control) {
  auto found = co_await control->query(kPositionQuery);
  if (!found) co_return tl::unexpected(found.error());
  const Row& row = found->rows.at(0);
  const Position position{control->session().system_identifier, to_u64(row.at(0)),
                          control->session().timeline, parse_lsn(row.at(1).value())};
  auto upgraded = co_await upgrade_schema(context, control);
  if (!upgraded) co_return tl::unexpected(upgraded.error());
  const auto findings = co_await preflight(context, control);
  if (auto failure = first_failure(findings)) co_return tl::unexpected(std::move(*failure));
  log_warnings(findings);
  // The log holds the database to this position for ever (R16), and a synchronous standby may take
  // its place: it must have it. The barrier's commit comes later in the WAL.
  auto durable = co_await control->barrier();
  if (!durable) co_return tl::unexpected(durable.error());
  // The connection may have been lost and opened again since, to the server that took its place.
  if (control->session().timeline != position.timeline) {
    co_return failure(ErrorCode::kUnavailable, "the server was replaced while it was looked at");
  }
  context->position = position;
  context->found_started = context->started;
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

// 128 random bits, known to this process alone.
std::string fresh_key() {
  return std::to_string(process::random_u64()) + '-' + std::to_string(process::random_u64());
}

// `mine` was issued to this life alone, so finding it set means that an earlier try, whose answer
// was lost, has worked.
asio::awaitable<Result<void>> claim_epoch(std::shared_ptr<Context> context,
                                          std::shared_ptr<Control> control, Epoch previous,
                                          Epoch mine) {
  if (context->outcome_key.empty()) context->outcome_key = fresh_key();
  if (buggify(Point::kLateClaim)) co_await pause(context->loop, kLateClaimPause);
  std::vector<Value> parameters{to_string(previous), to_string(mine), context->options.cluster,
                                context->options.participant, context->outcome_key};
  auto claimed = co_await control->query(
      "UPDATE assent.epoch SET epoch = $2::bigint, cluster = $3, participant = $4,"
      " claimed_at = now(), outcome_key = sha256(convert_to($5, 'UTF8')) WHERE epoch IN "
      "($1::bigint, $2::bigint)",
      std::move(parameters));
  if (!claimed) co_return tl::unexpected(claimed.error());
  if (claimed->row_count != 1) co_return co_await lost_claim(control, mine);
  context->epoch = mine;
  if (mine.value > kLandmarksKept) {
    std::vector<Value> old{std::to_string(mine.value - kLandmarksKept)};
    co_await control->query("DELETE FROM assent.landmark WHERE epoch < $1::bigint", std::move(old));
  }
  // Before anything is served: a history without this row is none of this life.
  co_return co_await write_landmark(context, control);
}

asio::awaitable<Result<void>> end_fence(std::shared_ptr<Context> context,
                                        std::shared_ptr<Control> control) {
  auto position = co_await control->query("SELECT pg_current_wal_flush_lsn()");
  if (!position) co_return tl::unexpected(position.error());
  context->older_lives_until = parse_lsn(position->rows.at(0).at(0).value());
  context->fenced = true;
  co_return Result<void>();
}

// 1. A backend of an older life that has read the old epoch before the claim is in the view now,
//    and is ended; one that reads it later sees ours and is given up by its agent.
// 2. The view shows a backend until it can do no more harm, so when it shows none, a gid of an
//    older epoch that is not in pg_prepared_xacts never will be.
asio::awaitable<Result<void>> fence_older_lives(std::shared_ptr<Context> context,
                                                std::shared_ptr<Control> control) {
  MonoTime report_at = process::monotonic_now() + kFenceReport;
  while (!context->closed) {
    std::vector<Value> parameters{context->options.control_role, context->options.work_role,
                                  context->own_backends()};
    auto others = co_await control->query(kTerminateOthers, std::move(parameters));
    if (!others && others.error().code != ErrorCode::kUnavailable) {
      co_return tl::unexpected(others.error());
    }
    if (others && others->rows.empty()) co_return co_await end_fence(context, control);
    if (others && process::monotonic_now() > report_at) {
      report_waiting(others->rows);
      report_at = report_at + kFenceReport;
    }
    co_await pause(context->loop, others ? kFencePause : kFenceRetryPause);
  }
  co_return failure(ErrorCode::kUnavailable, "closed");
}

}  // namespace assent::postgres
