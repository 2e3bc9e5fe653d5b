// A branch whose statements came with the request to vote.
#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "participant/branch/transaction_control.h"
#include "participant/postgres/branch_commands.h"
#include "participant/postgres/branch_work.h"

namespace assent::postgres {
namespace {

// A ROLLBACK TO SAVEPOINT takes the limit back that was set behind the savepoint.
bool may_take_limit_back(const std::string& sql) {
  const std::string word = branch::first_word(sql);
  return word == "rollback" || word == "set" || word == "reset";
}

Error wrong_row_count(std::size_t number, std::int64_t found, std::int64_t expected) {
  return {ErrorCode::kRowCount, "statement " + std::to_string(number) + " gave " +
                                    std::to_string(found) + " rows, " + std::to_string(expected) +
                                    " expected"};
}

}  // namespace

// One batch with one Sync: the first statement that fails skips all that comes behind it, PREPARE
// and COMMIT too.
void BranchWork::send_one_shot() {
  const OneShotBranch& one_shot = *asked_.one_shot;
  Batch batch;
  begun_ = true;
  add_begin(batch, branch_.transaction, one_shot.mode);
  const Statement* previous = nullptr;
  for (const Statement& statement : one_shot.statements) {
    const bool stands = previous != nullptr && previous->timeout == statement.timeout &&
                        !may_take_limit_back(previous->sql);
    if (!stands) add_timeout(batch, statement.timeout);
    previous = &statement;
    one_shot_answers_.push_back(batch.size());
    batch.push_back(to_command(statement));
    session_left_alone_ = session_left_alone_ && leaves_session_alone(statement.sql);
  }
  const bool last_is_sent = !answers_come_first(one_shot, asked_.one_phase);
  if (last_is_sent) add_last(batch);
  // The statements may take away what the commands behind them would use.
  if (!session_left_alone_) {
    for (Command& command : batch) command.reusable = false;
  }
  send(std::move(batch),
       [this, last_is_sent](Answers& answers) { on_one_shot_answered(answers, last_is_sent); });
  if (!session_left_alone_) connection().forget_prepared();
}

// Behind a statement that failed PREPARE was skipped. A wrong number of rows did not keep it from
// running: the branch may be prepared by now, and only the log ends what is (R3).
void BranchWork::on_one_shot_answered(Answers& answers, bool last_is_sent) {
  if (auto why = one_shot_failure(answers)) {
    if (!last_is_sent || why->code != ErrorCode::kRowCount || !statements_ran(answers)) {
      return end_unprepared(*why);
    }
    miscounted_ = std::move(why);
  }
  keep_results(answers);
  if (!last_is_sent) return vote();
  const std::size_t last = asked_.one_phase ? OnePhaseCommands::kCount : prepare_commands().count;
  on_last_answered(answers, answers.size() - last);
}

std::optional<Error> BranchWork::one_shot_failure(const Answers& answers) const {
  const auto& statements = asked_.one_shot->statements;
  for (std::size_t i = 0, answer = 0; i < statements.size(); ++i) {
    for (; answer <= one_shot_answers_[i]; ++answer) {
      if (!answers[answer].ok()) return statement_error(answers[answer], i + 1);
    }
    const auto expected = statements[i].expected_rows;
    if (!expected) continue;
    const std::int64_t found = to_result(answers[one_shot_answers_[i]]).row_count;
    if (found != *expected) return wrong_row_count(i + 1, found, *expected);
  }
  return std::nullopt;
}

bool BranchWork::statements_ran(const Answers& answers) const {
  return std::ranges::all_of(one_shot_answers_,
                             [&](std::size_t answer) { return answers[answer].ok(); });
}

// What a PREPARE that took effect means for the vote. The numbers of rows come with its answer, or
// are lost with it; `lost` says why.
branch::PrepareResult BranchWork::prepared(const Evidence& evidence, const Error& lost) const {
  if (canary(Canary::kMiscountPrepared)) return evidence;
  if (miscounted_) return branch::PreparedInVain{evidence, *miscounted_};
  const bool uncounted = asked_.one_shot && !results_ && expects_rows(*asked_.one_shot);
  if (uncounted) return branch::PreparedInVain{evidence, lost};
  return evidence;
}

void BranchWork::keep_results(Answers& answers) {
  results_ = std::make_shared<std::vector<StatementResult>>();
  results_->reserve(one_shot_answers_.size());
  for (const std::size_t answer : one_shot_answers_) {
    maybe_read_only_ = maybe_read_only_ && maybe_read_only(answers[answer].tag());
    results_->push_back(take_result(answers[answer]));
  }
}

}  // namespace assent::postgres
