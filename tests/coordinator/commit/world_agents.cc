// The agents of a World and their databases: a model of what the participant's side promises.
#include <algorithm>

#include "tests/coordinator/commit/world.h"

namespace assent::commit {
namespace {

VoteNo no(const char* why) {
  return VoteNo{Error{ErrorCode::kUnknownBranch, why}};
}

}  // namespace

// ── votes ───────────────────────────────────────────────────────────────────────────────────────

Input World::prepare_at(Agent& agent, const SendPrepare& prepare) {
  const Vote vote = vote_at(agent, prepare);
  const bool refused = std::holds_alternative<VoteNo>(vote);
  if (refused && prepare.one_phase) definite_nos_.insert(prepare.branch.transaction);
  if (refused && prepare.one_phase) ++tally_.one_phase_refused;
  return VoteArrived{prepare.branch, vote};
}

Vote World::vote_at(Agent& agent, const SendPrepare& prepare) {
  const BranchId& id = prepare.branch;
  if (prepare.one_shot) maybe_run_one_shot(agent, prepare);
  Branch* branch = remembered(agent, id);
  if (branch == nullptr) return vote_of_unknown(agent, prepare);
  switch (branch->local) {
    case Local::kOpen:
      return end_open(agent, prepare, *branch);
    case Local::kPrepared:
      return VoteYes{Evidence{id.attempt.value, 1, 1, 1}, results_of(*branch)};
    case Local::kLeft:
      return VoteReadOnly{results_of(*branch)};
    case Local::kRolledBack:
      return no("rolled back");
    case Local::kCommitted:
      if (branch->one_phase) return VoteCommitted{results_of(*branch)};
      return VoteYes{Evidence{id.attempt.value, 1, 1, 1}, results_of(*branch)};
  }
  return no("never");
}

// A branch of another life is unknown, unless the database still has it prepared.
World::Branch* World::remembered(Agent& agent, const BranchId& id) {
  const auto found = agent.branches.find(id);
  if (found == agent.branches.end() || found->second.forgotten) return nullptr;
  if (id.epoch == agent.epoch) return &found->second;
  const bool prepared = found->second.local == Local::kPrepared;
  return prepared && random_.chance(50) ? &found->second : nullptr;
}

Vote World::vote_of_unknown(Agent& agent, const SendPrepare& prepare) {
  if (prepare.one_phase && settle_row(agent, prepare.branch.transaction)) return VoteCommitted{};
  return no("not here");
}

Vote World::end_open(Agent& agent, const SendPrepare& prepare, Branch& branch) {
  const BranchId& id = prepare.branch;
  if (random_.chance(10)) {
    branch.local = Local::kRolledBack;
    return VoteNo{Error{ErrorCode::kSql, "refused"}};
  }
  if (!branch.writes) {
    ++tally_.left;
    branch.local = Local::kLeft;
    return VoteReadOnly{results_of(branch)};
  }
  if (!prepare.one_phase) {
    branch.local = Local::kPrepared;
    return VoteYes{Evidence{id.attempt.value, 1, 1, 1}, results_of(branch)};
  }
  if (!agent.rows.emplace(id.transaction, true).second) {
    branch.local = Local::kRolledBack;
    return no("a row stands");
  }
  branch.local = Local::kCommitted;
  branch.one_phase = true;
  note_one_phase(id);
  return VoteCommitted{results_of(branch)};
}

// ── one-shots ───────────────────────────────────────────────────────────────────────────────────

void World::maybe_run_one_shot(Agent& agent, const SendPrepare& prepare) {
  const BranchId& id = prepare.branch;
  if (id.epoch != agent.epoch) return;
  if (!take_serial(agent, prepare) || live(agent, id.transaction)) {
    ++tally_.second_runs_refused;
    return;
  }
  ++tally_.one_shots_run;
  const Place place{id.transaction, id.participant};
  if (++runs_[place] > 1) wrong("ran again: " + to_string(id), id.transaction);
  ran_[++last_run_] = id;
  agent.branches[id] = {.writes = writes_[place], .run = last_run_};
}

// Whether the serial was never seen before (R5).
bool World::take_serial(Agent& agent, const SendPrepare& prepare) {
  const OneShotSerial serial = one_shot_serial(prepare.branch.attempt).value();
  if (serial.office < agent.serials_of) return false;
  if (serial.office > agent.serials_of) {
    agent.serials_of = serial.office;
    agent.low_water = 0;
    agent.seen.clear();
  }
  agent.low_water = std::max(agent.low_water, prepare.low_water);
  agent.seen.erase(agent.seen.begin(), agent.seen.lower_bound(agent.low_water));
  return serial.serial >= agent.low_water && agent.seen.insert(serial.serial).second;
}

bool World::live(const Agent& agent, const TransactionId& transaction) {
  return std::any_of(agent.branches.begin(), agent.branches.end(), [&](const auto& one) {
    const bool ended = one.second.local != Local::kOpen && one.second.local != Local::kPrepared;
    return one.first.transaction == transaction && !ended;
  });
}

StatementResults World::results_of(const Branch& branch) {
  if (branch.run == 0) return nullptr;
  auto results = std::make_shared<std::vector<StatementResult>>(1);
  results->front().row_count = static_cast<std::int64_t>(branch.run);
  return results;
}

// ── phase two, and settling ─────────────────────────────────────────────────────────────────────

// Checker of atomicity, branch by branch.
Input World::finish_at(Agent& agent, const SendFinish& finish) {
  const BranchId& id = finish.branch;
  if (one_shot_serial(id.attempt)) take_serial(agent, SendPrepare{id});
  Branch& branch = agent.branches[id];
  if (finish.outcome == Outcome::kCommitted) {
    const bool can = branch.local == Local::kPrepared ||
                     (branch.local == Local::kCommitted && !branch.one_phase);
    if (!can) wrong("commit of what is not prepared: " + to_string(id), id.transaction);
    branch.local = Local::kCommitted;
  } else {
    if (branch.local == Local::kCommitted) {
      wrong("rollback of what has committed: " + to_string(id), id.transaction);
    }
    if (branch.local != Local::kLeft) branch.local = Local::kRolledBack;
  }
  return FinishArrived{id, FinishResult::kDone};
}

Input World::settle_at(Agent& agent, const SendSettle& settle) {
  for (auto& [id, branch] : agent.branches) {
    const bool open = branch.local == Local::kOpen && id.transaction == settle.transaction;
    if (open) branch.local = Local::kRolledBack;
  }
  const bool committed = settle_row(agent, settle.transaction);
  ++(committed ? tally_.settled_committed : tally_.settled_never);
  return SettleArrived{settle.participant, settle.transaction, committed};
}

bool World::settle_row(Agent& agent, const TransactionId& transaction) {
  const auto [row, added] = agent.rows.emplace(transaction, false);
  if (added) abort_rows_.insert(transaction);
  return row->second;
}

// Rows go at the floor; what has ended is not remembered for ever.
void World::forget_some(Agent& agent) {
  std::erase_if(agent.rows, [&](const auto& row) { return row.first.time() <= state_.floor(); });
  for (auto& [id, branch] : agent.branches) {
    const bool ended = branch.local != Local::kOpen && branch.local != Local::kPrepared;
    if (ended && random_.chance(15)) branch.forgotten = true;
  }
}

// ── lives ───────────────────────────────────────────────────────────────────────────────────────

// What was open is gone; what was prepared stays.
void World::restart_agent(const std::string& participant) {
  Agent& agent = agents_[participant];
  agent.up = false;
  for (auto& [id, branch] : agent.branches) {
    if (branch.local == Local::kOpen) branch.local = Local::kRolledBack;
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
      "host:2",    random_.chance(80)};
  const auto result = state_.execute(state_.executed().next(), {now().log, {life}}).front();
  agent.epoch = std::get<state::EpochIssued>(result).epoch;
  agent.serials_of = 0;
  agent.low_water = 0;
  agent.seen.clear();
  agent.up = true;
}

}  // namespace assent::commit
