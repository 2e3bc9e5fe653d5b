#include "tests/participant/branch/conversation.h"

#include <utility>

namespace assent::branch {
namespace {

constexpr Epoch kEpoch{3};
constexpr std::size_t kTransactions = 6;

// Some forget what has ended so soon that repeats come too late.
BranchTableOptions options(std::uint64_t seed) {
  return BranchTableOptions{.participant = "orders",
                            .epoch = kEpoch,
                            .branches_max = 4,
                            .answers_kept = 3,
                            .remember_ended = Millis(seed % 3 == 0 ? 60'000 : 600'000)};
}

Ballot ballot(std::uint64_t round) {
  return Ballot{Incarnation(1), Round(round), ReplicaId(1)};
}

TransactionId transaction(std::size_t number) {
  return TransactionId{0x0190000000007000ULL, 0x8000000000000000ULL + number, 1};
}

}  // namespace

Conversation::Conversation(std::uint64_t seed)
    : random_(seed),
      strangers_(seed % 8 == 0),
      table_(options(seed), ballot(1)),
      postgres_(
          random_, [this](Ballot b) { return table_.may_send(b); },
          [this](const BranchId& b, Outcome o) { return decided(b, o); }) {
  for (std::size_t n = 0; n < 2; ++n) {
    const BranchId older{transaction(n), "orders", Epoch(2), Attempt(n + 1)};
    postgres_.prepare_before(older);
    branches_.push_back(older);
    yes_.insert(older);
  }
  const BranchId committed{transaction(2), "orders", Epoch(2), Attempt(3)};
  postgres_.commit_before(committed);
  branches_.push_back(committed);
  one_phase_.emplace(committed.transaction, committed);
}

void Conversation::run(std::size_t steps) {
  for (std::size_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
    act();
  }
  heal();
  check_end();
}

void Conversation::act() {
  switch (random_.below(14)) {
    case 0:
      return open();
    case 1:
    case 2:
      return execute();
    case 3:
    case 4:
    case 5:
    case 6:
      return act_as_coordinator();
    case 7:
      return act_rarely();
    case 8:
    case 9:
      postgres_.advance();
      return;
    default:
      return deliver();
  }
}

void Conversation::act_as_coordinator() {
  switch (random_.below(8)) {
    case 0:
    case 1:
      return prepare();
    case 2:
      return one_shot();
    case 3:
    case 4:
      return decide();
    case 5:
      return random_.one_in(2) ? settle() : finish();
    default:
      return finish();
  }
}

void Conversation::act_rarely() {
  switch (random_.below(6)) {
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
      return cancel();
    case 5:
      if (strangers_) {
        postgres_.meddle();
      }
      return;
  }
}

// ── clients ─────────────────────────────────────────────────────────────────────────────────────

void Conversation::open() {
  const TransactionId id = any_transaction();
  const Token token = issue({.branch = {id, "orders", {}, {}}, .number = 1});
  Opening opening{.nonce = random_.one_in(6) ? "another" : "nonce"};
  if (random_.one_in(4)) {
    opening.lifetime = Millis(50'000);
  }
  step(ExecuteAsked{token, id, std::move(opening), 1, any_statement()});
}

void Conversation::execute() {
  const BranchId& branch = any_branch();
  std::uint32_t number = sent_[branch] + 1;
  if (random_.one_in(4)) {
    number = 1 + static_cast<std::uint32_t>(random_.below(number + 2));
  }
  const Token token = issue({.branch = branch, .number = number});
  step(ExecuteAsked{token, branch.transaction, BranchRef{branch.epoch, branch.attempt}, number,
                    any_statement()});
}

void Conversation::cancel() {
  const BranchId& branch = any_branch();
  const Token token = issue({.branch = branch});
  if (random_.one_in(2)) {
    return step(CancelAsked{token, branch.transaction, BranchRef{branch.epoch, branch.attempt}});
  }
  step(CancelAsked{token, branch.transaction, std::string("nonce")});
}

// ── leaders ─────────────────────────────────────────────────────────────────────────────────────

void Conversation::prepare() {
  const BranchId& branch = any_branch();
  if (decisions_.contains(branch.transaction) && !random_.one_in(4)) {
    return;  // after the decision there are only delayed messages
  }
  ask_prepare({.token = {},
               .ballot = any_ballot(),
               .branch = branch,
               .statements = sent_[branch] + (random_.one_in(10) ? 1 : 0),
               .one_phase = random_.one_in(2) && may_go_one_phase(branch)});
}

void Conversation::one_shot() {
  const bool again = !one_shots_.empty() && random_.one_in(2);
  const Issued issued = again ? one_shots_[random_.below(one_shots_.size())] : issue_one_shot();
  ask_prepare({.token = {},
               .ballot = issued.ballot,
               .branch = issued.branch,
               .one_shot = issued.work,
               .low_water = random_.one_in(2) ? 1 : low_water(),
               .one_phase = random_.one_in(2) && may_go_one_phase(issued.branch)});
}

void Conversation::ask_prepare(const PrepareAsked& asked) {
  PrepareAsked sent = asked;
  sent.token = issue({.branch = asked.branch, .one_phase = asked.one_phase});
  step(sent);
}

void Conversation::settle() {
  ask_settle(any_transaction(), any_ballot());
}

void Conversation::ask_settle(const TransactionId& id, Ballot under) {
  step(SettleAsked{issue({.branch = {id, "orders", {}, {}}}), under, id});
}

void Conversation::decide() {
  const BranchId& branch = any_branch();
  const bool commit = may_commit(branch) && !random_.one_in(4);
  if (commit) {
    decisions_.try_emplace(branch.transaction, Decision{Outcome::kCommitted, branch});
  } else if (random_.one_in(3) && may_abort(branch.transaction)) {
    decisions_.try_emplace(branch.transaction, Decision{Outcome::kAborted});
  }
}

void Conversation::finish() {
  const BranchId& branch = any_branch();
  if (const auto outcome = logged(branch)) {
    ask_finish(branch, *outcome, any_ballot());
  }
}

// A branch that was never opened or begun, of a transaction that the log has aborted.
void Conversation::ask_for_the_unknown() {
  const BranchId interactive{any_transaction(), "orders", kEpoch,
                             Attempt(table_.counters().opened + 1 + random_.below(3))};
  const BranchId branch = random_.one_in(2) ? issue_one_shot().branch : interactive;
  if (may_abort(branch.transaction)) {
    decisions_.try_emplace(branch.transaction, Decision{Outcome::kAborted});
  }
  if (logged(branch) == Outcome::kAborted) {
    random_.one_in(2)
        ? ask_finish(branch, Outcome::kAborted, any_ballot())
        : ask_prepare({.token = {}, .ballot = any_ballot(), .branch = branch, .statements = 1});
  }
}

void Conversation::ask_finish(const BranchId& branch, Outcome outcome, Ballot under) {
  std::optional<Evidence> evidence;
  if (yes_.contains(branch)) {
    evidence = postgres_.evidence(branch);
  }
  const Token token = issue({.branch = branch, .outcome = outcome});
  step(FinishAsked{token, under, branch, outcome, evidence});
}

void Conversation::deliver() {
  if (const auto input = postgres_.deliver()) {
    step(*input);
  }
}

// The last leader settles and finishes everything; nothing is left afterwards.
void Conversation::heal() {
  postgres_.heal();
  ++round_;
  for (std::size_t n = 0; n < kTransactions && !::testing::Test::HasFailure(); ++n) {
    for (int tries = 0; tries < 4 && !may_decide(transaction(n)); ++tries) {
      ask_settle(transaction(n), ballot(round_));
      settle_down();
    }
    decisions_.try_emplace(transaction(n), Decision{Outcome::kAborted});
  }
  for (int round = 0; round < 4 && !::testing::Test::HasFailure(); ++round) {
    for (const BranchId& branch : std::vector<BranchId>(branches_)) {
      ask_finish(branch, *logged(branch), ballot(round_));
      settle_down();
    }
  }
}

void Conversation::settle_down() {
  for (bool busy = true; busy;) {
    busy = postgres_.advance();
    while (const auto input = postgres_.deliver()) {
      step(*input);
      busy = true;
    }
  }
}

// ── small choices ───────────────────────────────────────────────────────────────────────────────

TransactionId Conversation::any_transaction() {
  return transaction(random_.below(kTransactions));
}

const BranchId& Conversation::any_branch() {
  return branches_[random_.below(branches_.size())];
}

Ballot Conversation::any_ballot() {
  return ballot(random_.one_in(4) && round_ > 1 ? round_ - 1 : round_);
}

Statement Conversation::any_statement() {
  Statement statement;
  if (random_.one_in(4)) {
    statement.expected_rows = 1;
  }
  switch (random_.below(16)) {
    case 0:
      statement.sql = kSqlFails;
      break;
    case 1:
    case 2:
      statement.sql = kSqlRollsBackToSavepoint;
      break;
    case 3:
      statement.sql = random_.one_in(4) ? kSqlEndsTransaction : kSqlWorks;
      break;
    case 4:
      statement.sql = random_.one_in(2) ? "commit" : "copy a from stdin";
      break;
    case 5:
      statement.sql = kSqlMisses;
      break;
    case 6:
    case 7:
    case 8:
      statement.sql = kSqlReads;
      break;
    default:
      statement.sql = kSqlWorks;
  }
  return statement;
}

Conversation::Issued Conversation::issue_one_shot() {
  OneShotBranch work;
  for (std::size_t left = random_.below(3); left > 0; --left) {
    work.statements.push_back(any_statement());
    if (work.statements.back().sql == kSqlEndsTransaction) {
      work.statements.back().sql = kSqlWorks;
    }
  }
  const OneShotSerial serial{round_, ++serials_[round_]};
  unanswered_.insert(serial);
  one_shots_.push_back({{any_transaction(), "orders", kEpoch, one_shot_attempt(serial)},
                        ballot(round_),
                        std::make_shared<const OneShotBranch>(std::move(work))});
  return one_shots_.back();
}

// A leader waits for each of its one-shots until it has been answered.
std::uint64_t Conversation::low_water() const {
  const auto first = unanswered_.lower_bound({round_, 0});
  if (first != unanswered_.end() && first->office == round_) {
    return first->serial;
  }
  const auto last = serials_.find(round_);
  return last == serials_.end() ? 1 : last->second + 1;
}

Token Conversation::issue(Ask ask) {
  const Token token(asks_.size() + 1);
  asks_.emplace(token, std::move(ask));
  return token;
}

// ── what the coordinator knows ──────────────────────────────────────────────────────────────────

bool Conversation::may_go_one_phase(const BranchId& branch) {
  const auto asked = one_phase_.find(branch.transaction);
  if (asked != one_phase_.end()) {
    return asked->second == branch;
  }
  return !decisions_.contains(branch.transaction) &&
         one_phase_.emplace(branch.transaction, branch).second;
}

bool Conversation::may_abort(const TransactionId& id) const {
  const auto asked = one_phase_.find(id);
  return asked == one_phase_.end() || never_committed_.contains(id) || no_.contains(asked->second);
}

bool Conversation::may_decide(const TransactionId& id) const {
  return decisions_.contains(id) || may_abort(id);
}

bool Conversation::may_commit(const BranchId& branch) const {
  const auto asked = one_phase_.find(branch.transaction);
  return yes_.contains(branch) && (asked == one_phase_.end() || asked->second == branch);
}

std::optional<Outcome> Conversation::logged(const BranchId& branch) const {
  const auto found = decisions_.find(branch.transaction);
  if (found == decisions_.end()) {
    return std::nullopt;
  }
  return found->second.listed == branch ? found->second.outcome : Outcome::kAborted;
}

}  // namespace assent::branch
