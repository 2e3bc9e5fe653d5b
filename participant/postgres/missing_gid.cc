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
// 6. The gid was looked for first and status and outcome row are read afterwards: whoever ended the
//    branch before the search had made them final, or is waited for ("in progress").
// 7. An outcome row is written in the branch's own transaction, and is seen exactly when that is
//    committed in the history that answers, whichever it is.
// 8. Its absence says "not committed" when the branch would have written one, as the landmark of
// its
//    life tells (no life prepares anything before its landmark stands), and none of that age has
//    been deleted. Whether the branch was rolled back or lost it does not tell.
#include "participant/postgres/missing_gid.h"

#include <algorithm>
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

// What its outcome row says of a branch.
enum class Row { kCommitted, kNotCommitted, kNothing };

struct Found {
  XidStatus status;
  bool proven;  // the PREPARE is in the history that says so
  Row row = Row::kNothing;
};

// Without evidence only a row or a rollback can be judged, and a rollback only when nobody is left
// who could prepare the branch still: our own life's branches are in the branch table, older lives
// must be fenced. What another role owns may be an older life's branch, of another work role.
Result<FinishResult> judge_without_evidence(const Context& context,
                                            const branch::RunFinish& operation, Row row,
                                            Gone gone) {
  const bool commit = operation.outcome == Outcome::kCommitted;
  if (row == Row::kCommitted) return commit ? FinishResult::kDone : FinishResult::kHeuristicCommit;
  if (commit) return FinishResult::kHazard;
  const bool maybe_held = gone.of_another_role && operation.branch.epoch != context.epoch;
  if (gone.fenced && maybe_held) return FinishResult::kHazard;
  if (gone.fenced || operation.branch.epoch == context.epoch) return FinishResult::kDone;
  return failure(ErrorCode::kUnavailable,
                 "a backend of an older agent life may still prepare the branch");
}

Error in_progress(const Evidence& evidence) {
  return {ErrorCode::kUnavailable, "transaction " + std::to_string(evidence.xid) +
                                       " is not at its end: the branch is being ended by someone "
                                       "else, or is prepared as another role's"};
}

FinishResult judge_committed(Found found) {
  if (found.row == Row::kCommitted) return FinishResult::kDone;
  if (found.status == XidStatus::kCommitted && found.proven) return FinishResult::kDone;
  if (found.status == XidStatus::kAborted && found.proven) return FinishResult::kHeuristicRollback;
  return FinishResult::kHazard;
}

FinishResult judge_aborted(Found found) {
  const FinishResult unknown =
      found.row == Row::kNotCommitted ? FinishResult::kDone : FinishResult::kHazard;
  if (found.row == Row::kCommitted) return FinishResult::kHeuristicCommit;
  switch (found.status) {
    case XidStatus::kAborted:
    case XidStatus::kInTheFuture:
      return FinishResult::kDone;
    case XidStatus::kCommitted:
      return found.proven ? FinishResult::kHeuristicCommit : unknown;
    case XidStatus::kInProgress:
    case XidStatus::kForgotten:
      return unknown;
  }
  return unknown;
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
//    written behind P in the history of that life; who has the landmark has the PREPARE. So does
//    who has left that life's timeline behind P, unless the log says that it was perhaps another
//    history of that timeline (landmarks.cc, 3).
// 2. A branch of this life: the sessions of a life are all of one history (session.cc), and the WAL
//    is beyond P.
// 3. A branch of an older life, on the timeline on which it was prepared: what older lives prepared
//    lies before the position at which the last of their backends was gone, so P beyond that is of
//    another history. History changes only while no server runs:
//    a. the server that this life found has run since the landmark was written, or
//    b. it was started from WAL that was beyond P.
//    (b) takes the last checkpoint for that of the start. It may be a later one: old data that were
//    restored, grew beyond P and were checkpointed before an agent came would look like this. The
//    log knows of such a restore, because the life before was further than what it finds (R16), and
//    then says that the branch may be lost: this rule does not hold.
// 4. A branch of an older life that this life has seen prepared, as transaction X: it is the same.
// 5. The log proves it of the history that this life has found (ParticipantRecord::may_have_lost),
//    by landmarks of lives after the branch's own. What it proves of another life's history says
//    nothing: between the two may lie a break.
bool is_proven(const Context& context, const Session& session, std::uint64_t wal_position,
               const std::optional<Landmark>& landmark, const branch::RunFinish& operation) {
  const BranchId& branch = operation.branch;
  const Evidence& evidence = *operation.evidence;
  const std::uint64_t p = evidence.wal_position;
  const bool same_timeline = session.timeline == evidence.timeline;
  if (landmark && landmark->timeline == evidence.timeline) {
    const std::uint64_t left_at = operation.maybe_lost ? 0 : landmark->left_at;
    if (p <= std::max(landmark->wal_position, left_at)) return true;
  }
  if (operation.kept_in == context.epoch) return true;
  const auto seen = context.seen.find(branch);
  if (seen != context.seen.end() && seen->second == evidence.xid) return true;
  if (branch.epoch == context.epoch) return same_timeline && p <= wal_position;
  if (operation.maybe_lost && !canary(Canary::kXidOfAnotherHistory)) return false;
  if (!same_timeline || p > context.older_lives_until.value_or(0)) return false;
  const bool ran_since = landmark && landmark->postmaster == context.found_started.postmaster;
  return ran_since || p <= context.found_started.checkpoint;
}

// Columns: does the branch's row stand; were rows of its age deleted.
Command row_query(const BranchId& branch) {
  return {
      "SELECT EXISTS (SELECT FROM assent.branch_outcome WHERE branch = $1),"
      " EXISTS (SELECT FROM assent.branch_outcome_floor WHERE dropped > $1)",
      {to_string(branch)}};
}

Row judge_row(const std::vector<Value>& row, const std::optional<Landmark>& landmark) {
  if (row.at(0) == "t") return Row::kCommitted;
  const bool would_stand = landmark && landmark->outcome_rows && row.at(1) == "f";
  return would_stand ? Row::kNotCommitted : Row::kNothing;
}

std::optional<Landmark> maybe_landmark(const Answer& answer) {
  const StatementResult found = to_result(answer);
  if (found.rows.empty()) return std::nullopt;
  return read_landmark(found.rows.front());
}

asio::awaitable<Result<Row>> look_for_row(Session session, BranchId branch) {
  Batch batch{landmark_query(branch.epoch), row_query(branch)};
  auto answers = co_await run(*session.connection, std::move(batch));
  if (!answers) co_return tl::unexpected(answers.error());
  if (const Answer* failed = first_failed(*answers)) co_return tl::unexpected(to_error(*failed));
  co_return judge_row(to_result((*answers)[1]).rows.at(0), maybe_landmark((*answers)[0]));
}

// Precondition: there is evidence.
asio::awaitable<Result<Found>> look_at(std::shared_ptr<Context> context, Session session,
                                       branch::RunFinish operation) {
  const BranchId& branch = operation.branch;
  const Evidence& evidence = *operation.evidence;
  if (session.system_identifier != evidence.system_identifier) {
    co_return Found{XidStatus::kForgotten, false};
  }
  Batch batch{{"SELECT pg_current_wal_lsn()"},
              landmark_query(branch.epoch),
              row_query(branch),
              {"SELECT pg_xact_status($1::text::xid8)", {std::to_string(evidence.xid)}}};
  auto answers = co_await run(*session.connection, std::move(batch));
  if (!answers) co_return tl::unexpected(answers.error());
  for (std::size_t i = 0; i + 1 < answers->size(); ++i) {
    if (!(*answers)[i].ok()) co_return tl::unexpected(to_error((*answers)[i]));
  }
  const Answer& status = answers->back();
  const std::uint64_t wal = parse_lsn(*to_result((*answers)[0]).rows.at(0).at(0));
  const std::optional<Landmark> landmark = maybe_landmark((*answers)[1]);
  Found found{XidStatus::kInTheFuture, is_proven(*context, session, wal, landmark, operation),
              judge_row(to_result((*answers)[2]).rows.at(0), landmark)};
  if (status.sqlstate() == kXidInTheFuture) co_return found;
  if (!status.ok()) co_return tl::unexpected(to_error(status));
  found.status = parse_status(to_result(status).rows.at(0).at(0));
  co_return found;
}

asio::awaitable<Result<FinishResult>> settle_with_evidence(std::shared_ptr<Context> context,
                                                           Session finisher,
                                                           branch::RunFinish operation, Gone gone) {
  auto found = co_await look_at(context, finisher, operation);
  if (!found) co_return tl::unexpected(found.error());
  // Where the branch may be lost, the number may be another transaction's, and not end for long.
  const bool maybe_anothers = operation.maybe_lost && !found->proven;
  const bool in_doubt = found->status == XidStatus::kInProgress && found->row != Row::kCommitted;
  if (in_doubt && !maybe_anothers) {
    co_return tl::unexpected(in_progress(*operation.evidence));
  }
  const FinishResult result = judge(*found, operation.outcome);
  if (result == FinishResult::kHazard && !gone.fenced && operation.branch.epoch != context->epoch) {
    co_return failure(ErrorCode::kUnavailable,
                      "what older agent lives prepared can be proven only when they are gone");
  }
  co_return result;
}

asio::awaitable<Result<FinishResult>> settle_without(std::shared_ptr<Context> context,
                                                     Session finisher, branch::RunFinish operation,
                                                     Gone gone) {
  auto row = co_await look_for_row(finisher, operation.branch);
  if (!row) co_return tl::unexpected(row.error());
  co_return judge_without_evidence(*context, operation, *row, gone);
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
                                                     Gone gone) {
  if (canary(Canary::kMissingIsCommitted)) co_return FinishResult::kDone;
  if (canary(Canary::kMissingIsAborted)) {
    co_return judge({XidStatus::kAborted, true}, operation.outcome);
  }
  Result<FinishResult> result = FinishResult::kHazard;
  if (operation.evidence) {
    result = co_await settle_with_evidence(context, finisher, operation, gone);
  } else {
    result = co_await settle_without(context, finisher, operation, gone);
  }
  if (!result) co_return result;
  if (*result == FinishResult::kHazard && canary(Canary::kHazardAsDone)) {
    result = FinishResult::kDone;
  }
  if (*result != FinishResult::kDone) {
    warn(operation, *result);
    co_return result;
  }
  // The commit may be our own, whose answer was lost while it waited for the synchronous standby.
  auto durable = co_await control->barrier();
  if (!durable) co_return tl::unexpected(durable.error());
  co_return result;
}

}  // namespace assent::postgres
