#include "tests/coordinator/commit/world.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/overloaded.h"

namespace assent::commit {
namespace {

constexpr int kTransactions = 12;
constexpr Millis kTrouble{4'000};   // how long faults happen
constexpr Millis kHealing{60'000};  // how long everything may take to settle afterwards
constexpr Millis kRpcTimeout{400};  // after which a message without an answer is lost
constexpr const char* kParticipants[] = {"a", "b", "c"};

}  // namespace

std::uint64_t Random::next() {
  state_ += 0x9E37'79B9'7F4A'7C15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBULL;
  return z ^ (z >> 31);
}

// One world in four keeps outcomes so shortly that transactions fall below the floor.
World::World(std::uint64_t seed, Tally& tally)
    : random_(seed), tally_(tally), state_({.retention = Millis(seed % 4 == 0 ? 800 : 600'000)}) {
  for (const char* participant : kParticipants) enrol(participant);
}

std::vector<std::string> World::run() {
  restart_office();
  for (int i = 0; i < kTransactions; ++i) {
    after(Millis(random_.below(kTrouble.value)), [this] { open(transactions_.emplace_back()); });
  }
  transactions_.reserve(kTransactions);
  for (std::int64_t i = random_.below(4); i > 0; --i) {
    after(Millis(random_.below(kTrouble.value)), [this] { restart_office(); });
  }
  for (std::int64_t i = random_.below(4); i > 0; --i) {
    const std::string participant = kParticipants[random_.below(3)];
    after(Millis(random_.below(kTrouble.value)), [=, this] { restart_agent(participant); });
  }
  run_until(mono_ + kTrouble);
  healed_ = true;
  const MonoTime end = mono_ + kHealing;
  while (!settled() && mono_ < end && wrongs_.empty()) run_until(mono_ + Millis(100));
  check_end();
  return std::move(wrongs_);
}

// ── time ────────────────────────────────────────────────────────────────────────────────────────

void World::after(Millis pause, std::function<void()> happen) {
  events_.push({mono_ + pause, ++events_made_, std::move(happen)});
}

void World::run_until(MonoTime end) {
  while (!events_.empty() && events_.top().time <= end) {
    const Event event = events_.top();
    events_.pop();
    mono_ = std::max(mono_, event.time);
    event.happen();
    tick();
  }
  mono_ = end;
}

// Mostly quick; now and then so late that everybody has given up on it.
Millis World::delay() {
  if (!healed_ && random_.chance(5)) return Millis(random_.below(2'000));
  return Millis(1 + random_.below(15));
}

// ── the office and its log ──────────────────────────────────────────────────────────────────────

void World::feed(const Input& input) {
  carry_out(office_->step(now(), input));
}

void World::carry_out(Effects effects) {
  office_->check_invariants();
  for (state::Command& command : effects.propose) propose(std::move(command));
  for (const SendPrepare& prepare : effects.prepares) send(prepare);
  for (const SendFinish& finish : effects.finishes) send(finish);
  for (const Reply& reply : effects.replies) hear(reply);
}

void World::propose(state::Command command) {
  if (log_.empty()) {
    after(delay(), [this, office = office_number_] {
      if (office == office_number_) flush();
    });
  }
  log_.push_back(std::move(command));
}

void World::flush() {
  const std::vector<state::Command> commands = std::exchange(log_, {});
  const auto results = state_.execute(state_.executed().next(), {now().log, commands});
  state_.check_invariants();
  for (std::size_t i = 0; i < commands.size(); ++i) execute(commands[i], results[i]);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const auto* committed = std::get_if<state::Committed>(&commands[i]);
    const auto* aborted = std::get_if<state::Aborted>(&commands[i]);
    if (committed != nullptr) feed(DecisionExecuted{committed->transaction, results[i]});
    if (aborted != nullptr) feed(DecisionExecuted{aborted->transaction, results[i]});
  }
}

// Checker of R1, and of "every listed branch is prepared when T commits".
void World::execute(const state::Command& command, const state::CommandResult& result) {
  if (std::holds_alternative<state::BelowFloor>(result)) ++tally_.below_floor;
  if (!std::holds_alternative<state::TookEffect>(result)) return;
  const auto decide = [&](const auto& one, Outcome outcome) {
    Decision decision{outcome, one.request_hash != 0, {}};
    for (const state::DecidedBranch& branch : one.branches) {
      decision.listed.insert({one.transaction, branch.participant, branch.epoch, branch.attempt});
    }
    if (!decided_.emplace(one.transaction, decision).second)
      wrong("decided twice", one.transaction);
    return decision;
  };
  if (const auto* committed = std::get_if<state::Committed>(&command)) {
    ++tally_.committed;
    for (const BranchId& branch : decide(*committed, Outcome::kCommitted).listed) {
      const auto& branches = agents_[branch.participant].branches;
      const auto found = branches.find(branch);
      const bool prepared = found != branches.end() && found->second == Local::kPrepared;
      if (!prepared) wrong("committed without " + to_string(branch), branch.transaction);
    }
  } else if (const auto* aborted = std::get_if<state::Aborted>(&command)) {
    ++tally_.aborted;
    if (aborted->request_hash == 0) ++tally_.presumed;
    decide(*aborted, Outcome::kAborted);
  }
}

// A crash: a part of what was proposed had become durable, the rest is lost.
void World::restart_office() {
  if (office_) ++tally_.restarts;
  const auto durable =
      static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(log_.size()) + 1));
  tally_.proposals_lost += log_.size() - durable;
  log_.resize(durable);
  for (const state::Command& command : std::exchange(log_, {})) {
    const state::Entry entry{now().log, {command}};
    execute(command, state_.execute(state_.executed().next(), entry).front());
  }
  ++office_number_;
  callers_.clear();
  office_ = std::make_unique<Office>(state_, OfficeOptions{});
  carry_out(office_->take_office(now()));
  ask_inventories();
}

void World::tick() {
  const std::optional<MonoTime> due = office_->next_deadline();
  if (!due) return;
  if (*due <= mono_) return feed(Tick{});
  after(*due - mono_, [] {});
}

void World::ask_inventories() {
  for (const char* name : kParticipants) {
    const std::string participant = name;
    const MonoTime asked = mono_;
    const auto answer = [participant, asked](Agent& agent) -> Input {
      InventoryArrived inventory{participant, asked, {}};
      for (const auto& [branch, local] : agent.branches) {
        if (local == Local::kPrepared) inventory.prepared.push_back(branch);
      }
      return inventory;
    };
    deliver(participant, answer, Tick{});
  }
  after(Millis(500), [this, office = office_number_] {
    if (office == office_number_) ask_inventories();
  });
}

// ── the network and the agents ──────────────────────────────────────────────────────────────────

void World::send(const SendPrepare& prepare) {
  deliver(
      prepare.branch.participant,
      [this, branch = prepare.branch](Agent& agent) { return prepare_at(agent, branch); },
      PrepareLost{prepare.branch, Error{ErrorCode::kUnavailable, "lost"}});
}

void World::send(const SendFinish& finish) {
  check_sent(finish);
  deliver(
      finish.branch.participant, [this, finish](Agent& agent) { return finish_at(agent, finish); },
      FinishLost{finish.branch});
}

void World::deliver(const std::string& participant, std::function<Input(Agent&)> at_agent,
                    Input lost) {
  const int copies = healed_ || !random_.chance(20) ? 1 : static_cast<int>(random_.below(2)) * 2;
  if (copies == 0) ++tally_.messages_lost;
  if (copies == 2) ++tally_.messages_repeated;
  for (int copy = 0; copy < copies; ++copy) {
    ++in_flight_;
    after(delay(), [=, this, office = office_number_] {
      --in_flight_;
      reach(participant, office, at_agent, lost);
    });
  }
  if (copies == 0) {
    ++in_flight_;
    after(kRpcTimeout, [=, this, office = office_number_] {
      --in_flight_;
      if (office == office_number_) feed(lost);
    });
  }
}

void World::reach(const std::string& participant, std::uint64_t office,
                  const std::function<Input(Agent&)>& at_agent, const Input& lost) {
  Agent& agent = agents_[participant];
  const bool stale = office < agent.ballot;
  if (stale) ++tally_.stale_refused;
  Input answer = lost;
  Millis pause = kRpcTimeout;
  if (agent.up && !stale) {
    agent.ballot = office;
    Input truth = at_agent(agent);
    if (healed_ || !random_.chance(10)) {
      answer = std::move(truth);
      pause = delay();
    }
  }
  ++in_flight_;
  after(pause, [=, this] {
    --in_flight_;
    if (office == office_number_) feed(answer);
  });
}

Input World::prepare_at(Agent& agent, const BranchId& branch) {
  const auto found = agent.branches.find(branch);
  const Evidence evidence{branch.attempt.value, 1, 1, 1};
  if (found == agent.branches.end() || found->second == Local::kRolledBack) {
    return VoteArrived{branch, VoteNo{Error{ErrorCode::kUnknownBranch, "not here"}}};
  }
  if (found->second == Local::kOpen) {
    if (random_.chance(10)) {
      found->second = Local::kRolledBack;
      return VoteArrived{branch, VoteNo{Error{ErrorCode::kSql, "refused"}}};
    }
    found->second = Local::kPrepared;
  }
  return VoteArrived{branch, VoteYes{evidence}};
}

// Checker of atomicity, branch by branch.
Input World::finish_at(Agent& agent, const SendFinish& finish) {
  const BranchId& branch = finish.branch;
  const auto found = agent.branches.find(branch);
  if (finish.outcome == Outcome::kCommitted) {
    const bool can = found != agent.branches.end() && found->second != Local::kOpen &&
                     found->second != Local::kRolledBack;
    if (!can) wrong("commit of what is not prepared: " + to_string(branch), branch.transaction);
    agent.branches[branch] = Local::kCommitted;
  } else {
    if (found != agent.branches.end() && found->second == Local::kCommitted) {
      wrong("rollback of what has committed: " + to_string(branch), branch.transaction);
    }
    agent.branches[branch] = Local::kRolledBack;
  }
  return FinishArrived{branch, FinishResult::kDone};
}

// What was open is gone; what was prepared stays.
void World::restart_agent(const std::string& participant) {
  Agent& agent = agents_[participant];
  agent.up = false;
  for (auto& [branch, local] : agent.branches) {
    if (local == Local::kOpen) local = Local::kRolledBack;
  }
  after(Millis(random_.below(1'000)), [this, participant] {
    enrol(participant);
    feed(AgentUp{participant});
  });
}

void World::enrol(const std::string& participant) {
  Agent& agent = agents_[participant];
  const std::uint64_t database = static_cast<std::uint64_t>(participant.front());
  const state::Enrolled life{
      participant, std::to_string(++nonces_), agent.epoch, {1, database}, 1, nonces_, "host:1",
      "host:2"};
  const auto result = state_.execute(state_.executed().next(), {now().log, {life}}).front();
  agent.epoch = std::get<state::EpochIssued>(result).epoch;
  agent.up = true;
}

// ── clients ─────────────────────────────────────────────────────────────────────────────────────

void World::open(Transaction& transaction) {
  transaction.id = make_transaction_id(now().log, random_.next(), random_.next(), 7);
  for (const char* participant : kParticipants) {
    if (random_.chance(60))
      transaction.branches.push_back(open_branch(transaction.id, participant));
  }
  if (transaction.branches.empty()) transaction.branches = {open_branch(transaction.id, "a")};
  for (std::int64_t times = 1 + random_.below(4); times > 0; --times) {
    after(Millis(random_.below(1'500)), [this, &transaction] { ask(transaction); });
  }
}

RequestedBranch World::open_branch(const TransactionId& transaction,
                                   const std::string& participant) {
  Agent& agent = agents_[participant];
  const RequestedBranch branch{participant, agent.epoch, Attempt(++attempts_), 1};
  if (agent.up) {
    agent.branches[{transaction, participant, branch.epoch, branch.attempt}] = Local::kOpen;
  }
  return branch;
}

// One in ten asks for an abort; one in ten has tried a branch anew and names it instead.
void World::ask(const Transaction& transaction) {
  if (random_.chance(10)) {
    const Token token(++tokens_);
    callers_[token] = {transaction.id, /*applied=*/false, {}};
    return feed(AbortAsked{token, transaction.id, transaction.branches});
  }
  if (!random_.chance(10)) return ask_commit(transaction);
  Transaction changed = transaction;
  changed.branches.front() = open_branch(transaction.id, transaction.branches.front().participant);
  ask_commit(changed);
}

void World::ask_commit(const Transaction& transaction) {
  const Token token(++tokens_);
  const bool applied = random_.chance(70);
  Caller& caller = callers_[token] = {transaction.id, applied, {}};
  for (const RequestedBranch& branch : transaction.branches) {
    caller.branches.insert({transaction.id, branch.participant, branch.epoch, branch.attempt});
  }
  feed(CommitAsked{token, transaction.id, transaction.branches,
                   applied ? Acknowledge::kApplied : Acknowledge::kDecided,
                   Millis(50 + random_.below(1'500))});
}

void World::hear(const Reply& reply) {
  const auto found = callers_.find(reply.token);
  if (found == callers_.end()) return wrong("a reply that nobody waits for", {});
  const Caller caller = found->second;
  callers_.erase(found);
  std::visit([&](const auto& answer) { hear(caller, answer); }, reply.answer);
}

void World::hear(const Caller& caller, const CommitAnswer& answer) {
  check_told(caller.transaction, answer.outcome);
  check_own_request(caller);
  const bool applied = caller.applied && answer.pending.empty();
  if (answer.outcome == Outcome::kCommitted && applied) check_applied(caller.transaction);
}

void World::hear(const Caller& caller, const AbortAnswer& answer) {
  check_told(caller.transaction, answer.outcome);
}

void World::hear(const Caller& caller, const Error& error) {
  if (error.code == ErrorCode::kIdReused) ++tally_.id_reused;
  const bool known = error.code == ErrorCode::kIdReused || error.code == ErrorCode::kExpired;
  if (!known) wrong("refused: " + error.message, caller.transaction);
}

// ── checkers ────────────────────────────────────────────────────────────────────────────────────

void World::wrong(const std::string& what, const TransactionId& transaction) {
  wrongs_.push_back("at " + std::to_string(mono_.value) + ", " + to_string(transaction) + ": " +
                    what);
}

// R3, R5, R14: what the decision, and the floor, allow to be sent.
void World::check_sent(const SendFinish& finish) {
  const BranchId& branch = finish.branch;
  const auto decided = decided_.find(branch.transaction);
  if (decided == decided_.end()) {
    ++tally_.rolled_back_without_record;
    if (finish.outcome == Outcome::kCommitted)
      wrong("commit before a decision", branch.transaction);
    if (state_.floor() < branch.transaction.time()) {
      wrong("rollback before a decision", branch.transaction);
    }
    return;
  }
  const bool commits =
      decided->second.outcome == Outcome::kCommitted && decided->second.listed.count(branch) == 1;
  if (commits != (finish.outcome == Outcome::kCommitted)) {
    wrong("not the outcome of " + to_string(branch), branch.transaction);
  }
  if (decided->second.outcome == Outcome::kCommitted && !commits) ++tally_.strays_rolled_back;
  if (commits && !finish.evidence) wrong("commit without evidence", branch.transaction);
}

// R10: an answer is durable when it is told, and for ever.
void World::check_told(const TransactionId& transaction, Outcome outcome) {
  const auto decided = decided_.find(transaction);
  if (decided == decided_.end() || decided->second.outcome != outcome) {
    wrong("told " + std::string(name(outcome)) + " against the log", transaction);
  }
  if (told_.emplace(transaction, outcome).first->second != outcome) {
    wrong("told two outcomes", transaction);
  }
}

// R9: the outcome of a request is told only to those who made that request. An abort also lists
// what recovery had found.
void World::check_own_request(const Caller& caller) {
  const Decision& decision = decided_[caller.transaction];
  if (!decision.requested) return;
  const bool same = decision.outcome == Outcome::kCommitted
                        ? decision.listed == caller.branches
                        : std::includes(decision.listed.begin(), decision.listed.end(),
                                        caller.branches.begin(), caller.branches.end());
  if (!same) wrong("told the outcome of another request", caller.transaction);
}

void World::check_applied(const TransactionId& transaction) {
  for (const BranchId& branch : decided_[transaction].listed) {
    if (agents_[branch.participant].branches[branch] != Local::kCommitted) {
      wrong("told APPLIED before " + to_string(branch), transaction);
    }
  }
}

bool World::settled() const {
  const auto prepared = [](const auto& one) { return one.second == Local::kPrepared; };
  const auto holds_prepared = [&](const auto& agent) {
    const auto& branches = agent.second.branches;
    return std::any_of(branches.begin(), branches.end(), prepared);
  };
  return log_.empty() && in_flight_ == 0 && office_->driven_count() == 0 && callers_.empty() &&
         state_.unforgotten().empty() &&
         std::none_of(agents_.begin(), agents_.end(), holds_prepared);
}

void World::check_end() {
  if (!settled()) wrong("not settled after healing", {});
  for (const auto& [participant, agent] : agents_) {
    for (const auto& [branch, local] : agent.branches) {
      const auto decided = decided_.find(branch.transaction);
      const bool commits = decided != decided_.end() &&
                           decided->second.outcome == Outcome::kCommitted &&
                           decided->second.listed.count(branch) == 1;
      if (commits != (local == Local::kCommitted)) {
        wrong("ended against the log: " + to_string(branch), branch.transaction);
      }
    }
  }
}

}  // namespace assent::commit
