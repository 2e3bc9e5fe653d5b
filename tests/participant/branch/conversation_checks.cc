#include <gtest/gtest.h>

#include <algorithm>

#include "tests/participant/branch/conversation.h"
#include "tests/participant/branch/shown.h"

namespace assent::branch {
namespace {

constexpr Epoch kEpoch{3};

}  // namespace

void Conversation::step(const Input& input) {
  const Effects effects = table_.step(now_, input);
  table_.check_invariants();
  for (const Operation& operation : effects.operations) {
    check(operation);
    postgres_.carry_out(operation);
  }
  for (const Reply& reply : effects.replies) {
    check(reply);
  }
}

void Conversation::check(const Operation& operation) {
  if (const auto* acquire = std::get_if<Acquire>(&operation)) {
    branches_.push_back(acquire->branch);
  } else if (const auto* statement = std::get_if<RunStatement>(&operation)) {
    sent_[statement->branch] = statement->number;
  } else if (const auto* prepare = std::get_if<RunPrepare>(&operation)) {
    EXPECT_FALSE(votes_.contains(prepare->branch)) << "never prepared after its vote";
    EXPECT_FALSE(rolled_back_.contains(prepare->branch)) << "never prepared after its rollback";
    EXPECT_TRUE(!prepare->one_phase ||
                one_phase_.at(prepare->branch.transaction) == prepare->branch)
        << "nobody asked for a commit in one phase";
  } else if (const auto* rollback = std::get_if<RunRollback>(&operation)) {
    EXPECT_FALSE(yes_.contains(rollback->branch)) << "a YES is rolled back by its gid only";
    rolled_back_.insert(rollback->branch);
  }
}

void Conversation::check(const Reply& reply) {
  SCOPED_TRACE(shown(reply));
  ASSERT_TRUE(asks_.contains(reply.token)) << "only callers are answered";
  EXPECT_TRUE(answered_.insert(reply.token).second) << "every caller is answered once";
  const Ask& ask = asks_.at(reply.token);
  if (const auto serial = one_shot_serial(ask.branch.attempt)) {
    unanswered_.erase(*serial);
  }
  std::visit(
      Overloaded{
          [&](const ExecuteAnswer& answer) { check_answer(ask, answer); },
          [&](const Yes& yes) {
            check_vote(ask, "YES", yes.results);
            check_yes(ask.branch, yes);
          },
          [&](const ReadOnly& vote) {
            check_vote(ask, "READ_ONLY", vote.results);
            check_read_only(ask.branch);
          },
          [&](const Committed& vote) {
            check_vote(ask, "COMMITTED", vote.results);
            check_committed(ask);
          },
          [&](const No& no) { check_no(ask, no); },
          [&](FinishResult result) { check_finish(ask, result); },
          [&](const Settled& settled) { check_settled(ask.branch.transaction, settled.committed); },
          [&](const Cancelled&) { check_cancelled(ask.branch.transaction); },
          [](const Error&) {},
      },
      reply.answer);
}

void Conversation::check_answer(const Ask& ask, const ExecuteAnswer& answer) {
  const BranchId branch{ask.branch.transaction, "orders", answer.branch.epoch,
                        answer.branch.attempt};
  EXPECT_EQ(answer.result->columns.at(0).name, model_column(branch, ask.number))
      << "its own answer";
}

// ── votes ───────────────────────────────────────────────────────────────────────────────────────

void Conversation::check_vote(const Ask& ask, const std::string& vote,
                              const StatementResults& results) {
  if (ask.branch.epoch == kEpoch) {
    EXPECT_EQ(votes_.try_emplace(ask.branch, vote).first->second, vote) << "a vote never changes";
  }
  if (results) {
    const bool its_own = std::ranges::any_of(one_shots_, [&](const Issued& issued) {
      return issued.branch == ask.branch && issued.work->statements.size() == results->size();
    });
    EXPECT_TRUE(its_own) << "only a one-shot has results, one for each statement";
  }
}

void Conversation::check_yes(const BranchId& branch, const Yes& yes) {
  ASSERT_TRUE(postgres_.was_prepared(branch)) << "YES means prepared";
  EXPECT_EQ(yes.evidence, postgres_.evidence(branch));
  yes_.insert(branch);
}

void Conversation::check_read_only(const BranchId& branch) {
  EXPECT_EQ(postgres_.fate(branch), Fate::kLeft) << "READ_ONLY means left";
}

void Conversation::check_committed(const Ask& ask) {
  const TransactionId& id = ask.branch.transaction;
  EXPECT_EQ(postgres_.outcome_row(id), Outcome::kCommitted) << "the row is the commit";
  EXPECT_EQ(one_phase_.at(id), ask.branch) << "nobody asked for it";
  EXPECT_FALSE(never_committed_.contains(id)) << "never COMMITTED after it never would";
  EXPECT_FALSE(no_.contains(ask.branch)) << "never COMMITTED after a NO";
  committed_.insert(id);
  committed_by_row_ += table_.state_of(ask.branch) == "unknown" ? 1 : 0;
  decisions_.try_emplace(id, Decision{Outcome::kCommitted, ask.branch});
  EXPECT_TRUE(decided(ask.branch, Outcome::kCommitted)) << "never COMMITTED after an abort";
}

// A NO for a branch that is not in memory is definite only if its row was read, or it is of this
// life and never voted.
void Conversation::check_no(const Ask& ask, const No& no) {
  const bool in_memory = table_.state_of(ask.branch) != "unknown";
  if (in_memory) {
    EXPECT_EQ(votes_.try_emplace(ask.branch, "NO").first->second, "NO") << "a vote never changes";
    EXPECT_EQ(postgres_.was_prepared(ask.branch), no.evidence.has_value())
        << "NO means not prepared, unless it says so";
    prepared_in_vain_ += no.evidence ? 1 : 0;
  }
  if (in_memory || ask.one_phase) {
    EXPECT_FALSE(committed_.contains(ask.branch.transaction) &&
                 one_phase_.at(ask.branch.transaction) == ask.branch)
        << "never a NO after COMMITTED";
    no_.insert(ask.branch);
  }
}

// ── ends ────────────────────────────────────────────────────────────────────────────────────────

void Conversation::check_finish(const Ask& ask, FinishResult result) {
  EXPECT_FALSE(postgres_.is_prepared(ask.branch)) << "a finished branch is not prepared";
  const auto fate = postgres_.fate(ask.branch);
  const Outcome outcome = ask.outcome.value();
  if (fate) {
    EXPECT_EQ(result, result_of(*fate, outcome)) << "the result tells what happened";
  } else {
    EXPECT_EQ(result, FinishResult::kDone) << "nothing ever happened";
    rolled_back_.insert(ask.branch);
  }
}

void Conversation::check_settled(const TransactionId& id, bool committed) {
  if (committed) {
    EXPECT_EQ(postgres_.outcome_row(id), Outcome::kCommitted);
    EXPECT_FALSE(never_committed_.contains(id)) << "an answer is for ever";
    decisions_.try_emplace(id, Decision{Outcome::kCommitted, one_phase_.at(id)});
    EXPECT_TRUE(decided(one_phase_.at(id), Outcome::kCommitted)) << "no abort past a commit";
    committed_.insert(id);
  } else {
    EXPECT_EQ(postgres_.outcome_row(id), Outcome::kAborted) << "the abort row stands";
    EXPECT_FALSE(committed_.contains(id)) << "an answer is for ever";
    never_committed_.insert(id);
  }
}

void Conversation::check_cancelled(const TransactionId& id) {
  for (const BranchId& branch : branches_) {
    if (branch.transaction == id && branch.epoch == kEpoch) {
      EXPECT_FALSE(postgres_.is_prepared(branch)) << "a cancelled branch is rolled back";
    }
  }
}

void Conversation::check_end() {
  EXPECT_EQ(answered_.size(), asks_.size()) << "every caller is answered";
  EXPECT_EQ(table_.live_count(), 0U);
  EXPECT_EQ(postgres_.prepared_count(), 0U) << "nothing stays prepared";
  EXPECT_EQ(postgres_.session_count(), 0U) << "every connection is given back";
  for (const auto& [id, decision] : decisions_) {
    if (decision.outcome == Outcome::kCommitted && !strangers_) {
      EXPECT_EQ(postgres_.fate(*decision.listed), Fate::kCommitted) << "R5";
    }
    if (postgres_.outcome_row(id) == Outcome::kCommitted) {
      EXPECT_EQ(decision.outcome, Outcome::kCommitted) << "no abort past a commit (R12)";
    }
  }
  for (const BranchId& branch : branches_) {
    const bool committed = postgres_.fate(branch) == Fate::kCommitted;
    EXPECT_TRUE(!committed || strangers_ || decided(branch, Outcome::kCommitted)) << "R5";
  }
}

}  // namespace assent::branch
