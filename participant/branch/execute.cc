// Opening a branch, running its statements, losing its connection.
#include <utility>

#include "base/check.h"
#include "participant/branch/core.h"
#include "participant/branch/transaction_control.h"

namespace assent::branch {
namespace {

constexpr std::string_view kQueryCanceled = "57014";

std::string lost_because(const Error& why) {
  return "its connection was lost: " + why.message;
}

}  // namespace

// A leader that was succeeded and does not know it yet must not take back what its successor says.
void BranchTable::Core::on(const AdmissionTold& told) {
  if (admission_.ballot <= told.ballot) admission_ = told;
}

void BranchTable::Core::on(const ExecuteAsked& asked) {
  if (asked.number == 0) {
    return refuse(asked.token, ErrorCode::kInvalidArgument, "statement numbers start at 1");
  }
  if (const auto why = unfit(asked.statement.sql)) {
    return reply(asked.token, *why);
  }
  std::visit([&](const auto& which) { execute(asked, which); }, asked.branch);
}

std::optional<Error> BranchTable::Core::unfit(const std::string& sql) const {
  if (is_transaction_control(sql)) {
    return error(ErrorCode::kTransactionControl,
                 "a branch is ended by the coordinator's commit or abort; of transaction control "
                 "only savepoints are for its SQL");
  }
  const std::string word = first_word(sql);
  if (word == "copy") {
    return error(ErrorCode::kInvalidArgument,
                 "COPY to or from the client is not supported in a branch; use INSERT and SELECT");
  }
  if (word == "listen" || word == "notify" || word == "unlisten") {
    return error(ErrorCode::kInvalidArgument,
                 "LISTEN, NOTIFY and UNLISTEN are not supported in a branch: PostgreSQL cannot "
                 "prepare them");
  }
  return std::nullopt;
}

void BranchTable::Core::execute(const ExecuteAsked& asked, const Opening& opening) {
  if (asked.number != 1) {
    return refuse(asked.token, ErrorCode::kInvalidArgument,
                  "only statement 1 opens a branch, not " + std::to_string(asked.number));
  }
  Branch* branch = memory_.find(asked.transaction);
  if (branch == nullptr) {
    return open(asked, opening);
  }
  if (branch->ended()) {
    return reply(asked.token, ended_error(*branch));
  }
  if (branch->opened.nonce != opening.nonce) {
    return refuse(asked.token, ErrorCode::kIdReused,
                  "transaction " + to_string(asked.transaction) +
                      " already has a branch here, opened with another nonce");
  }
  place(*branch, asked);
}

void BranchTable::Core::execute(const ExecuteAsked& asked, const BranchRef& named) {
  const BranchId id{asked.transaction, options_.participant, named.epoch, named.attempt};
  Branch* branch = memory_.find(id);
  if (branch == nullptr) {
    return refuse(asked.token, ErrorCode::kUnknownBranch,
                  "branch " + to_string(id) + " is not known here; start the transaction anew");
  }
  if (branch->ended()) {
    return reply(asked.token, ended_error(*branch));
  }
  place(*branch, asked);
}

void BranchTable::Core::open(const ExecuteAsked& asked, const Opening& opening) {
  if (settles_.contains(asked.transaction)) {
    return refuse(asked.token, ErrorCode::kBranchEnded,
                  "transaction " + to_string(asked.transaction) +
                      " is being settled: it opens no branch here any more");
  }
  if (admission_.refuses) return reply(asked.token, *admission_.refuses);
  if (memory_.live_count() >= options_.branches_max) {
    return refuse(asked.token, ErrorCode::kOverloaded,
                  std::to_string(options_.branches_max) + " branches are live here already");
  }
  last_attempt_ = last_attempt_.next();
  Branch& branch = memory_.add(
      Branch{.id = {asked.transaction, options_.participant, options_.epoch, last_attempt_},
             .opened = {opening.nonce, opening.idle_timeout, opening.lifetime, opening.mode, now_},
             .answers = Answers(options_.answers_kept),
             .state = Waiting{}});
  memory_.limit_life(branch);
  ++counters_.opened;
  run(Acquire{branch.id});
  run_next(branch, asked);
}

// R13: a duplicate gets the stored answer, whatever the branch does by now; a gap is an error.
void BranchTable::Core::place(Branch& branch, const ExecuteAsked& asked) {
  switch (branch.answers.place(asked.number)) {
    case Answers::Place::kNext:
      return run_next(branch, asked);
    case Answers::Place::kInFlight:
      return branch.answers.join(asked.number, asked.token);
    case Answers::Place::kAnswered:
      return reply(asked.token, branch, branch.answers.stored(asked.number));
    case Answers::Place::kForgotten:
      return refuse(asked.token, ErrorCode::kStatementNumber,
                    "the answer of statement " + std::to_string(asked.number) +
                        " is no longer kept; the branch is at " +
                        std::to_string(branch.answers.count()));
    case Answers::Place::kGap:
      return refuse(asked.token, ErrorCode::kStatementNumber,
                    "statement " + std::to_string(asked.number) + " leaves a gap; the next is " +
                        std::to_string(branch.answers.count() + 1));
  }
}

void BranchTable::Core::run_next(Branch& branch, const ExecuteAsked& asked) {
  Waiting* const waiting = std::get_if<Waiting>(&branch.state);
  if (waiting == nullptr && !std::holds_alternative<Open>(branch.state)) {
    return reply(asked.token, ended_error(branch));
  }
  if (branch.answers.full()) {
    return refuse(
        asked.token, ErrorCode::kOverloaded,
        std::to_string(options_.answers_kept) + " statements of this branch are in flight already");
  }
  branch.answers.start(asked.token, asked.statement.expected_rows);
  ++counters_.statements;
  memory_.disarm(branch);
  RunStatement statement{branch.id, asked.number, asked.statement, branch.opened.mode};
  if (waiting != nullptr) {
    waiting->queue.push_back(std::move(statement));
  } else {
    run(std::move(statement));
  }
}

void BranchTable::Core::on(const ConnectionGranted& granted) {
  Branch* const branch = memory_.find(granted.branch);
  if (branch == nullptr) {
    return run(Release{granted.branch});  // it ended while it waited, and was forgotten since
  }
  std::visit(Overloaded{
                 [&](Waiting& waiting) {
                   branch->connected = true;
                   std::vector<RunStatement> queue = std::move(waiting.queue);
                   become_open(*branch);
                   for (RunStatement& statement : queue) {
                     run(std::move(statement));
                   }
                 },
                 [&](Queued&) {
                   branch->connected = true;
                   start_one_shot(*branch);
                 },
                 // The grant was on its way when the branch gave up waiting.
                 [&](RollingBack&) {
                   CHECK(!branch->connected, "a branch is granted one connection");
                   branch->connected = true;
                 },
                 [&](Ended&) { run(Release{branch->id}); },
                 [&](OneOf<Open, Draining, Preparing, Prepared, Finishing> auto&) {
                   impossible(*branch, "ConnectionGranted");
                 },
             },
             branch->state);
}

void BranchTable::Core::on(const ConnectionRefused& refused) {
  Branch* const branch = memory_.find(refused.branch);
  if (branch == nullptr) {
    return;
  }
  std::visit(Overloaded{
                 // Nothing was run, so the transaction may open a branch here anew.
                 [&](Waiting&) {
                   fail_statements(*branch, completed(refused.why));
                   memory_.drop_deadlines(*branch);
                   if (!branch->last) {
                     return memory_.erase(*branch);
                   }
                   branch->ended_because = "it got no connection: " + refused.why.message;
                   become_ended(*branch, Fate::kRolledBack);
                 },
                 [&](Queued& queued) {
                   branch->ended_because = "it got no connection: " + refused.why.message;
                   vote_no(*branch, std::move(queued.callers), completed(refused.why));
                   become_ended(*branch, Fate::kRolledBack);
                 },
                 [&](RollingBack&) {
                   CHECK(!branch->connected, "a connection is granted or refused, not both");
                   rolled_back(*branch);
                 },
                 [](Ended&) {},
                 [&](OneOf<Open, Draining, Preparing, Prepared, Finishing> auto&) {
                   impossible(*branch, "ConnectionRefused");
                 },
             },
             branch->state);
}

void BranchTable::Core::on(const StatementDone& done) {
  Branch* const branch = memory_.find(done.branch);
  if (branch == nullptr) {
    return;
  }
  // Nobody asked for the end of the transaction. A statement that failed left it rolled back; one
  // that succeeded may have committed it, or itself behind it.
  const Fate gone = done.result ? Fate::kUnknown : Fate::kRolledBack;
  const auto end = [&] {
    become_rolling_back(*branch, RollingBack{.fate = gone},
                        "its transaction ended under statement " + std::to_string(done.number));
  };
  std::visit(Overloaded{
                 [&](Open&) {
                   if (!record(*branch, done)) {
                     end();
                   } else if (done.number == 1 && branch->failure) {
                     // Its client has not been told the branch's name and there is no savepoint to
                     // go back to: nobody could ever use it, or end it before its idle deadline.
                     become_rolling_back(*branch, RollingBack{}, "its first statement failed");
                   }
                 },
                 [&](Draining&) {
                   if (!record(*branch, done)) {
                     end();
                   } else if (branch->answers.in_flight() == 0) {
                     drained(*branch);
                   }
                 },
                 // PREPARE is behind it and finds no transaction: PrepareDone tells the rest.
                 [&](Preparing& preparing) {
                   if (!record(*branch, done) && preparing.gone != Fate::kUnknown) {
                     preparing.gone = gone;
                   }
                 },
                 [&](RollingBack& rolling_back) {
                   CHECK(branch->connected, "a statement that was not sent has no answer");
                   if (!record(*branch, done) && rolling_back.fate != Fate::kUnknown) {
                     rolling_back.fate = gone;
                   }
                 },
                 // Whoever waited for it was told that its answer is lost.
                 [](OneOf<Prepared, Finishing, Ended> auto&) {},
                 [&](OneOf<Waiting, Queued> auto&) { impossible(*branch, "StatementDone"); },
             },
             branch->state);
}

// Answers those who wait. False: the transaction is gone.
bool BranchTable::Core::record(Branch& branch, const StatementDone& done) {
  const StatementAnswer answer = judged(branch, done);
  for (const Token token : branch.answers.finish(done.number, answer)) {
    reply(token, branch, answer);
  }
  if (!answer && !branch.failure) {
    branch.failure = std::make_unique<const Error>(answer.error());
  } else if (answer && (*answer)->command_tag == "ROLLBACK") {
    branch.failure.reset();
  }
  if (branch.answers.in_flight() == 0 && std::holds_alternative<Open>(branch.state)) {
    memory_.arm(branch, now_);
  }
  return done.transaction_open;
}

// The answer of a statement that is in flight still, as its callers shall have it.
StatementAnswer BranchTable::Core::judged(const Branch& branch, const StatementDone& done) const {
  const std::string number = std::to_string(done.number);
  if (!done.result) {
    // What was cancelled for the branch's end is told why that came.
    const bool cancelled = std::holds_alternative<RollingBack>(branch.state) &&
                           done.result.error().sql &&
                           done.result.error().sql->sqlstate == kQueryCanceled;
    return tl::unexpected(cancelled ? ended_error(branch)
                                    : completed(done.result.error(), done.number));
  }
  if (!done.transaction_open) {
    return tl::unexpected(
        error(ErrorCode::kBranchEnded, "the transaction ended under statement " + number));
  }
  const auto expected = branch.answers.expected_rows(done.number);
  const std::int64_t affected = (*done.result)->row_count;
  if (expected && affected != *expected) {
    return tl::unexpected(
        error(ErrorCode::kRowCount,
              "statement " + number + " affected " + std::to_string(affected) + " rows, " +
                  std::to_string(*expected) +
                  " expected; its branch can only roll back, to a savepoint or as a whole"));
  }
  return done.result;
}

void BranchTable::Core::reply(Token token, const Branch& branch, const StatementAnswer& answer) {
  if (answer) {
    reply(token, ExecuteAnswer{{branch.id.epoch, branch.id.attempt}, *answer});
  } else {
    reply(token, answer.error());
  }
}

void BranchTable::Core::fail_statements(Branch& branch, const Error& why) {
  while (branch.answers.in_flight() > 0) {
    const auto in_flight = static_cast<std::uint32_t>(branch.answers.in_flight());
    const std::uint32_t first = branch.answers.count() + 1 - in_flight;
    for (const Token token : branch.answers.finish(first, tl::unexpected(why))) {
      reply(token, why);
    }
  }
}

void BranchTable::Core::on(const ConnectionLost& lost) {
  Branch* const branch = memory_.find(lost.branch);
  if (branch == nullptr) {
    return;
  }
  std::visit(Overloaded{
                 [&](OneOf<Open, Draining> auto&) { connection_lost(*branch, lost.why); },
                 [&](RollingBack&) {
                   branch->connected = false;
                   rolled_back(*branch);
                 },
                 // The loss was on its way when PREPARE was asked for, so nothing was sent.
                 [&](Preparing&) {
                   branch->connected = false;
                   branch->ended_because = lost_because(lost.why);
                   not_prepared(*branch, lost.why);
                 },
                 // It crossed the Release.
                 [](OneOf<Prepared, Finishing, Ended> auto&) {},
                 [&](OneOf<Waiting, Queued> auto&) { impossible(*branch, "ConnectionLost"); },
             },
             branch->state);
}

void BranchTable::Core::connection_lost(Branch& branch, const Error& why) {
  branch.connected = false;
  branch.ended_because = lost_because(why);
  fail_statements(branch, completed(why));
  vote_no(branch, take_voters(branch.state), branch.failure ? *branch.failure : completed(why));
  count_end(Outcome::kAborted, FinishResult::kDone);
  become_ended(branch, Fate::kRolledBack);
}

}  // namespace assent::branch
