// The vote of a branch: BranchWork's part that decides between YES, NO, READ_ONLY and COMMITTED.
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "participant/postgres/awaiting.h"
#include "participant/postgres/branch_commands.h"
#include "participant/postgres/branch_work.h"
#include "participant/postgres/settle.h"
#include "runtime/failpoint.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

Error no_transaction() {
  return {ErrorCode::kBranchEnded,
          "the branch's transaction was not open any more: someone else has ended it"};
}

Error stale(Ballot ballot) {
  return {ErrorCode::kStaleBallot, "ballot " + to_string(ballot) + " was over before the vote"};
}

// A read-only transaction that has an xid all the same, for example.
Error no_row(Error why) {
  why.message = "its outcome row (postgres.outcome_row) could not be written: " + why.message;
  return why;
}

// PostgreSQL's answer that a row of the same transaction stands, or stood for a moment.
bool row_stands(std::string_view sqlstate) {
  return sqlstate == "23505" || sqlstate == "40001";
}

}  // namespace

void BranchWork::prepare(const branch::RunPrepare& operation) {
  CHECK(state_ == State::kOpen, "only an open branch is prepared");
  state_ = State::kPreparing;
  asked_ = operation;
  maybe_vote();
}

// Statements in flight are awaited: one that is refused when its answer comes (COPY) must keep the
// branch from being prepared.
void BranchWork::maybe_vote() {
  if (state_ != State::kPreparing || voting_ || in_flight_ > 0) return;
  if (!context_->may_send(asked_.ballot)) return refuse_stale();
  voting_ = true;
  if (asked_.one_shot) return send_one_shot();
  if (doomed_) return end_unprepared(*doomed_);
  vote();
}

// Nothing was sent for the vote: another ballot may ask for it.
void BranchWork::refuse_stale() {
  context_->later([self = shared_from_this()] {
    if (self->state_ != State::kPreparing) return;  // lost meanwhile, and reported as such
    self->state_ = State::kOpen;
    self->context_->report(
        branch::PrepareDone{self->branch_, tl::unexpected(stale(self->asked_.ballot))});
  });
}

// Outside of a transaction PREPARE answers with the tag ROLLBACK, COMMIT with COMMIT, and both with
// no more than a warning (postgres.md, row 2). Nothing is in flight, so the status is certain.
void BranchWork::vote() {
  if (!connection().maybe_in_transaction()) return report_no_transaction();
  if (!maybe_read_only_) return send_last();
  send(reader_check(), [this](const Answers& answers) { on_reader_check(answers); });
}

void BranchWork::report_no_transaction() {
  context_->later([self = shared_from_this()] {
    if (self->state_ == State::kPreparing) self->report_vote(tl::unexpected(no_transaction()));
  });
}

// No statement follows, so a transaction without an xid stays without one until its COMMIT.
void BranchWork::on_reader_check(const Answers& answers) {
  const Answer& checked = answers.front();
  if (!checked.ok()) return end_unprepared(to_error(checked));
  if (!is_reader(to_result(checked))) return send_last();
  leave();
}

// 1. COMMIT itself may run code that writes. The known ways have been looked for (reader_check);
//    READ ONLY makes any other fail, unless a savepoint is open: COMMIT ends that first, and
//    READ ONLY with it. (It does not stop the delivery of pg_notify, which assigns no xid before.)
// 2. So it writes nothing, and when its answer is lost nothing is left to be settled. It can fail,
//    under SERIALIZABLE too, and then the vote is NO.
void BranchWork::leave() {
  if (!context_->may_send(asked_.ballot)) return end_unprepared(stale(asked_.ballot));
  send({{"SET TRANSACTION READ ONLY"}, {"COMMIT"}}, [this](const Answers& answers) {
    const Answer& commit = answers.back();
    if (!answers.front().ok()) return end_unprepared(to_error(answers.front()));
    if (!commit.ok()) return report_vote(tl::unexpected(to_error(commit)));
    const bool left = commit.tag() == "COMMIT" && commit.warnings.empty();
    if (!left) return report_vote(tl::unexpected(no_transaction()));
    failpoint("agent.read_only.left");
    report_vote(branch::LeftReadOnly{});
  });
}

void BranchWork::send_last() {
  if (!context_->may_send(asked_.ballot)) return end_unprepared(stale(asked_.ballot));
  Batch batch;
  add_last(batch);
  send(std::move(batch), [this](const Answers& answers) { on_last_answered(answers, 0); });
}

void BranchWork::add_last(Batch& batch) {
  failpoint("agent.prepare.sending");
  last_sent_ = true;
  if (asked_.one_phase) return add_one_phase(batch, branch_.transaction, context_->outcome_key);
  const bool row = context_->options.outcome_row;
  resets_ = session_left_alone_ && context_->options.prepared_statements > 0;
  add_prepare(batch, context_->options.cluster, branch_, row ? context_->outcome_key : "", resets_);
}

PrepareCommands BranchWork::prepare_commands() const {
  return {context_->options.outcome_row, resets_};
}

// `first` is where the answers of add_last begin.
void BranchWork::on_last_answered(const Answers& answers, std::size_t first) {
  if (asked_.one_phase) return on_one_phase_answered(answers, first);
  on_prepare_answered(answers, first);
}

// 1. In a failed transaction the first command fails, so PREPARE is skipped and a ROLLBACK follows.
// 2. Only the tag of PREPARE counts (postgres.md, row 1). A PREPARE that failed has ended the
//    transaction (row 3).
// 3. A warning says that the wait for the synchronous standby was cut short: prepared here, and not
//    yet as durable as a YES promises. It is settled.
void BranchWork::on_prepare_answered(const Answers& answers, std::size_t first) {
  const PrepareCommands commands = prepare_commands();
  const Answer& xid = answers[first + PrepareCommands::kXid];
  const Answer& row = answers[first + commands.row];
  const Answer& prepare = answers[first + commands.prepare];
  const Answer& position = answers[first + commands.position];
  if (!xid.ok()) return end_unprepared(to_error(xid));
  if (!row.ok()) return end_unprepared(no_row(to_error(row)));
  if (canary(Canary::kPrepareAnswerIgnored) && !position.ok()) {
    return report_vote(Evidence{1, session_.system_identifier, session_.timeline, 1});
  }
  if (!prepare.ok()) return report_vote(tl::unexpected(to_error(prepare)));
  if (prepare.tag() != "PREPARE TRANSACTION") return report_vote(tl::unexpected(no_transaction()));
  if (!prepare.warnings.empty() || !position.ok()) {
    return start_settling({ErrorCode::kUnavailable, "its PREPARE was cut short"});
  }
  const Evidence evidence{to_u64(to_result(xid).rows.at(0).back()), session_.system_identifier,
                          session_.timeline, parse_lsn(*to_result(position).rows.at(0).at(0))};
  session_.clean = resets_ && answers.back().ok();
  context_->reached(evidence.wal_position);
  context_->landmark_follows();
  failpoint("agent.prepared");
  report_vote(prepared(evidence, {}));
}

// As above. A row that stands already is of an abort, or of a commit whose answer nobody got: which
// one, is settled.
void BranchWork::on_one_phase_answered(const Answers& answers, std::size_t first) {
  const Answer& settings = answers[first + OnePhaseCommands::kSettings];
  const Answer& row = answers[first + OnePhaseCommands::kRow];
  const Answer& commit = answers[first + OnePhaseCommands::kCommit];
  const Answer& position = answers[first + OnePhaseCommands::kPosition];
  if (!settings.ok()) return end_unprepared(to_error(settings));
  if (!row.ok() && row_stands(row.sqlstate())) return start_settling(to_error(row));
  if (!row.ok()) return end_unprepared(to_error(row));
  if (!commit.ok()) return report_vote(tl::unexpected(to_error(commit)));
  if (commit.tag() != "COMMIT") return report_vote(tl::unexpected(no_transaction()));
  if (!commit.warnings.empty() || !position.ok()) {
    return start_settling({ErrorCode::kUnavailable, "its COMMIT was cut short"});
  }
  context_->reached(parse_lsn(*to_result(position).rows.at(0).at(0)));
  context_->landmark_follows();
  failpoint("agent.one_phase.committed");
  report_vote(branch::CommittedOnePhase{});
}

// Precondition: neither PREPARE nor COMMIT has taken effect, or will.
void BranchWork::end_unprepared(const Error& why) {
  last_sent_ = false;
  send({{"ROLLBACK"}}, [this, why](const Answers&) {
    // A cancel that came late may have hit the ROLLBACK itself.
    if (connection().maybe_in_transaction()) return end_unprepared(why);
    report_vote(tl::unexpected(why));
  });
}

void BranchWork::report_vote(Result<branch::PrepareResult> result) {
  branch::PrepareDone done{branch_, std::move(result)};
  if (done.result) done.results = std::move(results_);
  // The statements come first: what was wrong with their rows is the reason, whatever failed
  // behind.
  if (!done.result && miscounted_) done.result = tl::unexpected(*miscounted_);
  // Of the stale kind only a vote that was not begun is told: this one has ended the branch.
  if (!done.result && done.result.error().code == ErrorCode::kStaleBallot) {
    done.result.error().code = ErrorCode::kUnavailable;
  }
  voted_ = std::move(done);
  maybe_report();
}

// Ends the backend, so the session may be lost only now, because of this.
void BranchWork::start_settling(const Error& why) {
  if (std::exchange(settling_, true)) return;
  interrupt_wait_.cancel();
  spawn(context_->loop, [self = shared_from_this(), why] { return self->settle(why); });
}

// `why` is told when nothing took effect.
asio::awaitable<void> BranchWork::settle(Error why) {
  log::warning("settling a vote whose fate is unknown",
               {{"branch", to_string(branch_)}, {"why", why.message}});
  Result<branch::PrepareResult> settled = tl::unexpected(why);
  if (asked_.one_phase && canary(Canary::kOnePhaseLossIsNo)) {
    co_await pause(context_->loop, std::chrono::milliseconds(1));
  } else if (asked_.one_phase) {
    const bool committed =
        co_await settle_commit(context_, control_, settler_, branch_.transaction, session_.backend);
    if (committed) settled = branch::CommittedOnePhase{};
  } else if (!canary(Canary::kLostPrepareIsNo)) {
    auto evidence = co_await settle_prepare(context_, control_, branch_, session_.backend);
    if (evidence) settled = prepared(*evidence, why);
  }
  if (context_->closed) co_return;
  // Its backend is gone, though the connection may not have told yet: nobody must get it.
  if (!session_lost_) connection().fail(why);
  report_vote(std::move(settled));
}

}  // namespace assent::postgres
