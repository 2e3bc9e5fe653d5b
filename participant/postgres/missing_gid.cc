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

#include <string>
#include <utility>

#include "base/canary.h"
#include "participant/postgres/awaiting.h"
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

// A position is before another only on one timeline, and only of what no restore can have taken
// away in between:
// 1. Of our own branches: the sessions of a life are of one history.
// 2. Of older lives' branches: what they prepared lies before the position at which the last of
//    their backends was gone. WAL that has grown since then proves nothing of what was before.
bool is_proven(const Context& context, const Session& session, std::uint64_t wal_position,
               const BranchId& branch, const Evidence& evidence) {
  const bool own = branch.epoch == context.epoch;
  const std::uint64_t until = own ? wal_position : context.older_lives_until.value_or(0);
  return session.timeline == evidence.timeline && evidence.wal_position <= until;
}

asio::awaitable<Result<Found>> look_at(std::shared_ptr<Context> context, Session session,
                                       BranchId branch, Evidence evidence) {
  if (session.system_identifier != evidence.system_identifier) {
    co_return Found{XidStatus::kForgotten, false};
  }
  Batch batch{{"SELECT pg_current_wal_lsn()"},
              {"SELECT pg_xact_status($1::text::xid8)", {std::to_string(evidence.xid)}}};
  auto answers = co_await run(*session.connection, std::move(batch));
  if (!answers) co_return tl::unexpected(answers.error());
  const Answer& position = answers->front();
  const Answer& status = answers->back();
  if (!position.ok()) co_return tl::unexpected(to_error(position));
  const std::uint64_t wal = parse_lsn(*to_result(position).rows.at(0).at(0));
  const bool proven = is_proven(*context, session, wal, branch, evidence);
  if (status.sqlstate() == kXidInTheFuture) co_return Found{XidStatus::kInTheFuture, proven};
  if (!status.ok()) co_return tl::unexpected(to_error(status));
  co_return Found{parse_status(to_result(status).rows.at(0).at(0)), proven};
}

std::string result_text(FinishResult result) {
  switch (result) {
    case FinishResult::kDone:
      return "done";
    case FinishResult::kHeuristicCommit:
      return "somebody else committed it";
    case FinishResult::kHeuristicRollback:
      return "somebody else rolled it back";
    case FinishResult::kHazard:
      return "hazard: it may be lost";
  }
  return "";
}

void warn(const branch::RunFinish& operation, FinishResult result) {
  log::warning("a branch that is gone did not end as decided or cannot be judged",
               {{"branch", to_string(operation.branch)},
                {"decided", std::string(name(operation.outcome))},
                {"result", result_text(result)}});
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
