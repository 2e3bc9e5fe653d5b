// The prepare of a branch: BranchWork's part that decides between YES and NO.
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/gid.h"
#include "participant/postgres/awaiting.h"
#include "participant/postgres/branch_work.h"
#include "participant/postgres/settle.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

// Everything goes in one batch with one Sync:
// 1. In a failed transaction the first command fails, so PREPARE is skipped and a ROLLBACK follows.
//    Outside of a transaction PREPARE answers with the tag ROLLBACK and no error (POSTGRES.md,
//    rows 1 and 2): only its own tag counts.
// 2. PREPARE takes effect when it is executed and not at the Sync; what comes behind it in the
//    batch cannot undo it. A failed PREPARE has ended the transaction and skips the last command.
// 3. The WAL position is read behind PREPARE, so it is at or after the PREPARE record.
//
// Client SQL may have left settings that would lie to us; they are put back first: the role (the
// owner of the prepared transaction is the current role, and only that one can finish it), the
// level of messages (the warning about an unreplicated PREPARE), the wait for standbys. Names are
// qualified, because the search path is the client's too.
constexpr char kXidCommand[] =
    "SELECT pg_catalog.set_config('role', 'none', true),"
    " pg_catalog.set_config('client_min_messages', 'warning', true),"
    " pg_catalog.set_config('synchronous_commit', NULL, true),"
    " pg_catalog.pg_current_xact_id()";
constexpr char kPositionCommand[] = "SELECT pg_catalog.pg_current_wal_flush_lsn()";

constexpr std::size_t kXidAnswer = 0;
constexpr std::size_t kPrepareAnswer = 1;
constexpr std::size_t kPositionAnswer = 2;

Error no_transaction() {
  return {ErrorCode::kBranchEnded,
          "PREPARE TRANSACTION found no open transaction: it was ended by someone else"};
}

}  // namespace

void BranchWork::prepare(Ballot ballot) {
  CHECK(state_ == State::kOpen, "only an open branch is prepared");
  state_ = State::kPreparing;
  ballot_ = ballot;
  maybe_send_prepare();
}

// Statements in flight are awaited: one that is refused when its answer comes (COPY) must keep the
// branch from being prepared.
void BranchWork::maybe_send_prepare() {
  if (state_ != State::kPreparing || prepare_sent_ || in_flight_ > 0) return;
  if (!context_->may_send(ballot_)) return refuse_stale();
  prepare_sent_ = true;
  if (doomed_) return roll_back_unprepared(*doomed_);
  Batch batch{{kXidCommand},
              {"PREPARE TRANSACTION '" + make_gid(context_->options.cluster, branch_) + "'"},
              {kPositionCommand}};
  connection().send(std::move(batch), [self = shared_from_this()](Result<Answers> answers) {
    if (answers) self->on_prepare_answered(*answers);  // else on_lost settles
  });
}

// The branch is open still: another ballot may prepare it.
void BranchWork::refuse_stale() {
  context_->later([self = shared_from_this()] {
    if (self->state_ != State::kPreparing) return;  // lost meanwhile, and reported as such
    self->state_ = State::kOpen;
    self->context_->report(branch::PrepareDone{
        self->branch_, failure(ErrorCode::kStaleBallot, "ballot " + to_string(self->ballot_) +
                                                            " was over before PREPARE was sent")});
  });
}

void BranchWork::on_prepare_answered(const Answers& answers) {
  const Answer& prepare = answers[kPrepareAnswer];
  if (!answers[kXidAnswer].ok()) return roll_back_unprepared(to_error(answers[kXidAnswer]));
  if (!prepare.ok()) return report_prepare(tl::unexpected(to_error(prepare)));
  if (prepare.tag() != "PREPARE TRANSACTION") {
    return report_prepare(tl::unexpected(no_transaction()));
  }
  become_prepared(answers);
}

void BranchWork::become_prepared(const Answers& answers) {
  const Answer& position = answers[kPositionAnswer];
  const bool certain = answers[kPrepareAnswer].warnings.empty() && position.ok();
  if (!certain) return start_settling();
  report_prepare(Evidence{to_u64(to_result(answers[kXidAnswer]).rows.at(0).back()),
                          session_.system_identifier, session_.timeline,
                          parse_lsn(*to_result(position).rows.at(0).at(0))});
}

void BranchWork::roll_back_unprepared(const Error& why) {
  Batch batch{{"ROLLBACK"}};
  connection().send(std::move(batch),
                    [self = shared_from_this(), why](const Result<Answers>& answers) {
                      if (answers) self->report_prepare(tl::unexpected(why));  // else on_lost
                    });
}

void BranchWork::report_prepare(Result<Evidence> result) {
  state_ = State::kEnded;
  context_->report(branch::PrepareDone{branch_, std::move(result)});
}

// Ends the backend, so the session may be lost only now, because of this.
void BranchWork::start_settling() {
  if (std::exchange(settling_, true)) return;
  spawn(context_->loop, [self = shared_from_this()] { return self->settle(); });
}

asio::awaitable<void> BranchWork::settle() {
  log::warning("settling a PREPARE whose fate is unknown", {{"branch", to_string(branch_)}});
  auto result = co_await settle_prepare(context_, control_, branch_, session_.backend);
  if (!context_->closed) report_prepare(std::move(result));
}

}  // namespace assent::postgres
