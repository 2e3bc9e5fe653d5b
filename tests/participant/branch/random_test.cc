// Random conversations of clients, leaders and PostgreSQL with a branch table; checkers outside of
// it. A failing seed is replayed by ASSENT_SEED=n.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/participant/branch/model_postgres.h"
#include "tests/participant/branch/shown.h"

namespace assent::branch {
namespace {

constexpr Epoch kEpoch{3};
constexpr std::size_t kTransactions = 6;

BranchTableOptions options() {
  return BranchTableOptions{
      .participant = "orders", .epoch = kEpoch, .branches_max = 4, .answers_kept = 3};
}

Ballot ballot(std::uint64_t round) {
  return Ballot{Incarnation(1), Round(round), ReplicaId(1)};
}

class Conversation {
 public:
  explicit Conversation(std::uint64_t seed)
      : random_(seed),
        strangers_(seed % 8 == 0),
        table_(options(), ballot(1)),
        postgres_(
            random_, [this](Ballot b) { return table_.may_send(b); },
            [this](const BranchId& b, Outcome o) { return decided(b, o); }) {
    for (std::size_t n = 0; n < 2; ++n) {
      const BranchId older{transaction(n), "orders", Epoch(2), Attempt(n + 1)};
      postgres_.prepare_before(older);
      branches_.push_back(older);
      yes_.insert(older);
    }
  }

  void run(std::size_t steps) {
    for (std::size_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      act();
    }
    heal();
    check_end();
  }

  [[nodiscard]] const BranchCounters& counters() const { return table_.counters(); }

 private:
  // What the log says of a transaction.
  struct Decision {
    Outcome outcome = Outcome::kAborted;
    std::optional<BranchId> listed;  // of a commit: the one branch at this participant
  };
  struct Ask {
    BranchId branch;  // of an execute: by transaction only
    std::uint32_t number = 0;
    std::optional<Outcome> outcome = std::nullopt;
  };

  [[nodiscard]] static TransactionId transaction(std::size_t number) {
    return TransactionId{0x0190000000007000ULL, 0x8000000000000000ULL + number, 1};
  }
  [[nodiscard]] TransactionId any_transaction() {
    return transaction(random_.below(kTransactions));
  }

  // ── the script ────────────────────────────────────────────────────────────────────────────────

  void act() {
    switch (random_.below(12)) {
      case 0:
        return open();
      case 1:
      case 2:
        return execute();
      case 3:
        return prepare();
      case 4:
        return decide();
      case 5:
        return finish();
      case 6:
        return act_rarely();
      case 7:
      case 8:
        postgres_.advance();
        return;
      default:
        return deliver();
    }
  }

  void act_rarely() {
    switch (random_.below(5)) {
      case 0:
        round_ += random_.below(2);
        return;
      case 1:
        now_ = now_ + Millis(static_cast<std::int64_t>(random_.below(90'000)));
        return step(Tick{});
      case 2:
        return ask_for_the_unknown();
      case 3:
        table_.observe(ballot(round_));
        return;
      case 4:
        if (strangers_) {
          postgres_.meddle();
        }
        return;
    }
  }

  void open() {
    const TransactionId id = any_transaction();
    const Token token = issue({.branch = {id, "orders", {}, {}}, .number = 1});
    const std::string nonce = random_.one_in(6) ? "another" : "nonce";
    step(ExecuteAsked{token, id, Opening{nonce}, 1, {any_sql(), {}}});
  }

  void execute() {
    if (branches_.empty()) {
      return;
    }
    const BranchId& branch = any_branch();
    std::uint32_t number = sent_[branch] + 1;
    if (random_.one_in(4)) {
      number = 1 + static_cast<std::uint32_t>(random_.below(number + 2));
    }
    const Token token = issue({.branch = branch, .number = number});
    step(ExecuteAsked{token,
                      branch.transaction,
                      BranchRef{branch.epoch, branch.attempt},
                      number,
                      {any_sql(), {}}});
  }

  void prepare() {
    const BranchId& branch = any_branch();
    if (decisions_.contains(branch.transaction) && !random_.one_in(4)) {
      return;  // after the decision there are only delayed messages
    }
    const std::uint32_t count = sent_[branch] + (random_.one_in(10) ? 1 : 0);
    step(PrepareAsked{issue({.branch = branch}), any_ballot(), branch, count});
  }

  void decide() {
    const BranchId& branch = any_branch();
    const bool commit = yes_.contains(branch) && !random_.one_in(4);
    if (!commit && !random_.one_in(3)) {
      return;
    }
    decisions_.try_emplace(branch.transaction, commit ? Decision{Outcome::kCommitted, branch}
                                                      : Decision{Outcome::kAborted, {}});
  }

  void finish() {
    const BranchId& branch = any_branch();
    if (const auto outcome = logged(branch)) {
      ask_finish(branch, *outcome, any_ballot());
    }
  }

  // A branch that was never opened, of a transaction that the log has aborted.
  void ask_for_the_unknown() {
    const BranchId branch{any_transaction(), "orders", kEpoch,
                          Attempt(table_.counters().opened + 1 + random_.below(3))};
    decisions_.try_emplace(branch.transaction, Decision{Outcome::kAborted, {}});
    if (logged(branch) == Outcome::kAborted) {
      random_.one_in(2) ? ask_finish(branch, Outcome::kAborted, any_ballot())
                        : step(PrepareAsked{issue({.branch = branch}), any_ballot(), branch, 1});
    }
  }

  void ask_finish(const BranchId& branch, Outcome outcome, Ballot under) {
    std::optional<Evidence> evidence;
    if (yes_.contains(branch)) {
      evidence = postgres_.evidence(branch);
    }
    const Token token = issue({.branch = branch, .outcome = outcome});
    step(FinishAsked{token, under, branch, outcome, evidence});
  }

  void deliver() {
    if (const auto input = postgres_.deliver()) {
      step(*input);
    }
  }

  // The last leader finishes everything; nothing is left afterwards.
  void heal() {
    postgres_.heal();
    ++round_;
    for (std::size_t n = 0; n < kTransactions; ++n) {
      decisions_.try_emplace(transaction(n), Decision{Outcome::kAborted, {}});
    }
    for (int round = 0; round < 4 && !::testing::Test::HasFailure(); ++round) {
      for (const BranchId& branch : std::vector<BranchId>(branches_)) {
        ask_finish(branch, *logged(branch), ballot(round_));
        settle();
      }
    }
  }

  void settle() {
    for (bool busy = true; busy;) {
      busy = postgres_.advance();
      while (const auto input = postgres_.deliver()) {
        step(*input);
        busy = true;
      }
    }
  }

  // ── small choices ─────────────────────────────────────────────────────────────────────────────

  const BranchId& any_branch() { return branches_[random_.below(branches_.size())]; }
  Ballot any_ballot() { return ballot(random_.one_in(4) && round_ > 1 ? round_ - 1 : round_); }
  std::string any_sql() {
    switch (random_.below(14)) {
      case 0:
        return kSqlFails;
      case 1:
      case 2:
        return kSqlRollsBackToSavepoint;
      case 3:
        return random_.one_in(4) ? kSqlEndsTransaction : kSqlWorks;
      case 4:
        return "commit";
      default:
        return kSqlWorks;
    }
  }

  Token issue(Ask ask) {
    const Token token(asks_.size() + 1);
    asks_.emplace(token, std::move(ask));
    return token;
  }

  [[nodiscard]] std::optional<Outcome> logged(const BranchId& branch) const {
    const auto found = decisions_.find(branch.transaction);
    if (found == decisions_.end()) {
      return std::nullopt;
    }
    return found->second.listed == branch ? found->second.outcome : Outcome::kAborted;
  }
  [[nodiscard]] bool decided(const BranchId& branch, Outcome outcome) const {
    return logged(branch) == outcome;
  }

  // ── one step, and the checkers ────────────────────────────────────────────────────────────────

  void step(const Input& input) {
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

  void check(const Operation& operation) {
    if (const auto* acquire = std::get_if<Acquire>(&operation)) {
      branches_.push_back(acquire->branch);
    } else if (const auto* statement = std::get_if<RunStatement>(&operation)) {
      sent_[statement->branch] = statement->number;
    } else if (const auto* prepare = std::get_if<RunPrepare>(&operation)) {
      EXPECT_FALSE(no_.contains(prepare->branch)) << "never prepared after a NO";
      EXPECT_FALSE(rolled_back_.contains(prepare->branch)) << "never prepared after its rollback";
    } else if (const auto* rollback = std::get_if<RunRollback>(&operation)) {
      EXPECT_FALSE(yes_.contains(rollback->branch)) << "a YES is rolled back by its gid only";
      rolled_back_.insert(rollback->branch);
    }
  }

  void check(const Reply& reply) {
    SCOPED_TRACE(shown(reply));
    ASSERT_TRUE(asks_.contains(reply.token)) << "only callers are answered";
    EXPECT_TRUE(answered_.insert(reply.token).second) << "every caller is answered once";
    const Ask& ask = asks_.at(reply.token);
    std::visit(Overloaded{
                   [&](const ExecuteAnswer& answer) { check_answer(ask, answer); },
                   [&](const Yes& yes) { check_yes(ask.branch, yes); },
                   [&](const No&) { check_no(ask.branch); },
                   [&](FinishResult result) { check_finish(ask, result); },
                   [](const Error&) {},
               },
               reply.answer);
  }

  void check_answer(const Ask& ask, const ExecuteAnswer& answer) {
    const BranchId branch{ask.branch.transaction, "orders", answer.branch.epoch,
                          answer.branch.attempt};
    EXPECT_EQ(answer.result->command_tag, model_tag(branch, ask.number)) << "its own answer";
  }

  void check_yes(const BranchId& branch, const Yes& yes) {
    EXPECT_FALSE(no_.contains(branch)) << "never a YES after a NO";
    ASSERT_TRUE(postgres_.was_prepared(branch)) << "YES means prepared";
    EXPECT_EQ(yes.evidence, postgres_.evidence(branch));
    yes_.insert(branch);
  }

  void check_no(const BranchId& branch) {
    if (branch.epoch == kEpoch) {
      EXPECT_FALSE(yes_.contains(branch)) << "never a NO after a YES";
      EXPECT_FALSE(postgres_.was_prepared(branch)) << "NO means not prepared";
      no_.insert(branch);
    }
  }

  void check_finish(const Ask& ask, FinishResult result) {
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

  void check_end() {
    EXPECT_EQ(answered_.size(), asks_.size()) << "every caller is answered";
    EXPECT_EQ(table_.live_count(), 0U);
    EXPECT_EQ(postgres_.prepared_count(), 0U) << "nothing stays prepared";
    EXPECT_EQ(postgres_.session_count(), 0U) << "every connection is given back";
    for (const auto& [id, decision] : decisions_) {
      if (decision.outcome == Outcome::kCommitted && !strangers_) {
        EXPECT_EQ(postgres_.fate(*decision.listed), Fate::kCommitted) << "R5";
      }
    }
    for (const BranchId& branch : branches_) {
      const bool committed = postgres_.fate(branch) == Fate::kCommitted;
      EXPECT_TRUE(!committed || strangers_ || decided(branch, Outcome::kCommitted)) << "R5";
    }
  }

  Random random_;
  const bool strangers_;  // a stranger ends prepared transactions
  BranchTable table_;
  ModelPostgres postgres_;
  MonoTime now_{1'000'000};
  std::uint64_t round_ = 1;

  std::vector<BranchId> branches_;  // every one that may have come to life
  std::map<BranchId, std::uint32_t> sent_;
  std::map<TransactionId, Decision> decisions_;
  std::map<Token, Ask> asks_;
  std::set<Token> answered_;
  std::set<BranchId> yes_;
  std::set<BranchId> no_;
  std::set<BranchId> rolled_back_;
};

void add(BranchCounters& sum, const BranchCounters& one) {
  sum.opened += one.opened;
  sum.statements += one.statements;
  sum.voted_yes += one.voted_yes;
  sum.voted_no += one.voted_no;
  sum.committed += one.committed;
  sum.rolled_back += one.rolled_back;
  sum.idle_rolled_back += one.idle_rolled_back;
  sum.heuristic += one.heuristic;
}

TEST(RandomConversations, NeverBreakARule) {
  const char* const replayed = std::getenv("ASSENT_SEED");
  const std::uint64_t first = replayed == nullptr ? 1 : std::strtoull(replayed, nullptr, 10);
  const std::uint64_t last = replayed == nullptr ? 4'000 : first;
  BranchCounters sum;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    SCOPED_TRACE("ASSENT_SEED=" + std::to_string(seed));
    Conversation conversation(seed);
    conversation.run(300);
    add(sum, conversation.counters());
  }
  if (replayed == nullptr) {  // a conversation in which nothing happens proves nothing
    EXPECT_GT(sum.opened, 20'000U);
    EXPECT_GT(sum.voted_yes, 1'000U);
    EXPECT_GT(sum.voted_no, 4'000U);
    EXPECT_GT(sum.committed, 1'000U);
    EXPECT_GT(sum.idle_rolled_back, 500U);
    EXPECT_GT(sum.heuristic, 200U);
  }
}

}  // namespace
}  // namespace assent::branch
