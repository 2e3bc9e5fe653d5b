// 1. The evidence says that the branch was prepared as transaction X, in a history of this server
//    that had reached position P by then. The history that answers now may be another one: that of
//    a standby which was promoted, or of a copy which was restored.
// 2. When the PREPARE is in this history, X is the branch's here, because a history gives a number
//    out once, and the status of X is the branch's.
// 3. When it is not, nothing of the branch is here, whatever X is by now. Nothing of it will be:
//    its PREPARE was sent once, and was answered in the other history.
// 4. So "X is not committed" says in either case that the branch is not committed here, nor ever
//    will be. An aborted transaction asks for no more than that.
// 5. "X is committed" says it of the branch only when the PREPARE is proven to be in this history.
//    Unproven it is a hazard: the branch may be committed, or lost.
// 6. The gid was looked for first and the status is read afterwards: whoever ended the branch
//    before the search had made its status final, or is waited for ("in progress").
#include "participant/postgres/missing_gid.h"

#include <optional>
#include <string>
#include <utility>

#include "base/canary.h"
#include "participant/postgres/awaiting.h"
#include "participant/postgres/landmarks.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

using branch::FinishResult;

constexpr std::string_view kXidInTheFuture = "22023";

// What the server says of a transaction's number.
enum class XidStatus { kCommitted, kAborted, kInTheFuture, kInProgress, kForgotten };

struct Found {
  XidStatus status;
  bool proven;  // the PREPARE is in the history that says so
};

// Without evidence only a rollback can be judged, and only when nobody is left who could prepare
// the branch still: our own life's branches are in the branch table, older lives must be fenced.
Result<FinishResult> settle_without_evidence(const Context& context,
                                             const branch::RunFinish& operation, bool fenced) {
  if (operation.outcome == Outcome::kCommitted) return FinishResult::kHazard;
  if (fenced || operation.branch.epoch == context.epoch) return FinishResult::kDone;
  return failure(ErrorCode::kUnavailable,
                 "a backend of an older agent life may still prepare the branch");
}

Error in_progress(const Evidence& evidence) {
  return {ErrorCode::kUnavailable, "transaction " + std::to_string(evidence.xid) +
                                       " is not at its end: the branch is being ended by someone "
                                       "else, or is prepared as another role's"};
}

FinishResult judge_committed(Found found) {
  if (found.status == XidStatus::kCommitted && found.proven) return FinishResult::kDone;
  if (found.status == XidStatus::kAborted && found.proven) return FinishResult::kHeuristicRollback;
  return FinishResult::kHazard;
}

FinishResult judge_aborted(Found found) {
  switch (found.status) {
    case XidStatus::kAborted:
    case XidStatus::kInTheFuture:
      return FinishResult::kDone;
    case XidStatus::kCommitted:
      return found.proven ? FinishResult::kHeuristicCommit : FinishResult::kHazard;
    case XidStatus::kInProgress:
    case XidStatus::kForgotten:
      return FinishResult::kHazard;
  }
  return FinishResult::kHazard;
}

FinishResult judge(Found found, Outcome decided) {
  return decided == Outcome::kCommitted ? judge_committed(found) : judge_aborted(found);
}

XidStatus parse_status(const Value& status) {
  if (status == "committed") return XidStatus::kCommitted;
  if (status == "aborted") return XidStatus::kAborted;
  if (status == "in progress") return XidStatus::kInProgress;
  return XidStatus::kForgotten;
}

// Whether the PREPARE is in the history of `session`.
// 1. It is before the position P of the evidence. The landmark of its life, if it is beyond P, was
//    written behind P in the history of that life; who has the landmark has the PREPARE.
// 2. A branch of this life: the sessions of a life are all of one history (session.cc), and the WAL
//    is beyond P.
// 3. A branch of an older life, on the timeline on which it was prepared: what older lives prepared
//    lies before the position at which the last of their backends was gone, so P beyond that is of
//    another history. History changes only while no server runs:
//    a. the server that this life found has run since the landmark was written, or
//    b. it was started from WAL that was beyond P.
//    (b) takes the last checkpoint for that of the start. It may be a later one: then old data that
//    were restored, grew beyond P and were checkpointed before any agent came are not noticed here.
bool is_proven(const Context& context, const Session& session, std::uint64_t wal_position,
               const std::optional<Landmark>& landmark, const BranchId& branch,
               const Evidence& evidence) {
  const std::uint64_t p = evidence.wal_position;
  const bool same_timeline = session.timeline == evidence.timeline;
  if (landmark && landmark->timeline == evidence.timeline && p <= landmark->wal_position) {
    return true;
  }
  if (branch.epoch == context.epoch) return same_timeline && p <= wal_position;
  if (!same_timeline || p > context.older_lives_until.value_or(0)) return false;
  const bool ran_since = landmark && landmark->postmaster == context.found_started.postmaster;
  return ran_since || p <= context.found_started.checkpoint;
}

asio::awaitable<Result<Found>> look_at(std::shared_ptr<Context> context, Session session,
                                       BranchId branch, Evidence evidence) {
  if (session.system_identifier != evidence.system_identifier) {
    co_return Found{XidStatus::kForgotten, false};
  }
  Batch batch{{"SELECT pg_current_wal_lsn()"},
              landmark_query(branch.epoch),
              {"SELECT pg_xact_status($1::text::xid8)", {std::to_string(evidence.xid)}}};
  auto answers = co_await run(*session.connection, std::move(batch));
  if (!answers) co_return tl::unexpected(answers.error());
  const Answer& position = (*answers)[0];
  const Answer& found = (*answers)[1];
  const Answer& status = (*answers)[2];
  if (!position.ok()) co_return tl::unexpected(to_error(position));
  if (!found.ok()) co_return tl::unexpected(to_error(found));
  const std::uint64_t wal = parse_lsn(*to_result(position).rows.at(0).at(0));
  const StatementResult landmarks = to_result(found);
  std::optional<Landmark> landmark;
  if (!landmarks.rows.empty()) landmark = read_landmark(landmarks.rows.front());
  const bool proven = is_proven(*context, session, wal, landmark, branch, evidence);
  if (status.sqlstate() == kXidInTheFuture) co_return Found{XidStatus::kInTheFuture, proven};
  if (!status.ok()) co_return tl::unexpected(to_error(status));
  co_return Found{parse_status(to_result(status).rows.at(0).at(0)), proven};
}

void warn(const branch::RunFinish& operation, FinishResult result) {
  log::warning("a branch that is gone did not end as decided or cannot be judged",
               {{"branch", to_string(operation.branch)},
                {"decided", std::string(name(operation.outcome))},
                {"result", std::string(name(result))}});
}

}  // namespace

asio::awaitable<Result<FinishResult>> settle_missing(std::shared_ptr<Context> context,
                                                     std::shared_ptr<Control> control,
                                                     Session finisher, branch::RunFinish operation,
                                                     bool fenced) {
  if (canary(Canary::kMissingIsCommitted)) co_return FinishResult::kDone;
  if (canary(Canary::kMissingIsAborted)) {
    co_return judge({XidStatus::kAborted, true}, operation.outcome);
  }
  if (!operation.evidence) co_return settle_without_evidence(*context, operation, fenced);
  auto found = co_await look_at(context, finisher, operation.branch, *operation.evidence);
  if (!found) co_return tl::unexpected(found.error());
  if (found->status == XidStatus::kInProgress) {
    co_return tl::unexpected(in_progress(*operation.evidence));
  }
  const FinishResult result = judge(*found, operation.outcome);
  if (result == FinishResult::kHazard && !fenced && operation.branch.epoch != context->epoch) {
    co_return failure(ErrorCode::kUnavailable,
                      "what older agent lives prepared can be proven only when they are gone");
  }
  if (result != FinishResult::kDone) {
    warn(operation, result);
    co_return result;
  }
  // The commit may be our own, whose answer was lost while it waited for the synchronous standby.
  auto durable = co_await control->barrier();
  if (!durable) co_return tl::unexpected(durable.error());
  co_return result;
}

}  // namespace assent::postgres
