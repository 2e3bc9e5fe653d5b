// Phase two: the outcome is carried out at every branch, and messages are sent again until it is.
#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "coordinator/commit/driver.h"
#include "coordinator/commit/reasons.h"

namespace assent::commit {

void Driver::become_finishing(Turn& turn, Finishing state) {
  state_ = std::move(state);
  log_lost_commit(turn);
  for (Branch& branch : branches_) {
    branch.pause = Millis(0);
    if (!branch.left) send_finish(turn, branch);
  }
  answer_callers(turn);
}

Outcome Driver::outcome_of(const Branch& branch) const {
  const bool commits = branch.listed && std::get<Finishing>(state_).outcome == Outcome::kCommitted;
  return commits ? Outcome::kCommitted : Outcome::kAborted;
}

void Driver::on(Turn& turn, const FinishArrived& arrived) {
  Branch* branch = find(arrived.branch);
  if (!in<Finishing>()) return;
  if (branch == nullptr || branch->ended()) return;
  branch->confirmed = turn.now.mono;
  branch->resend_at.reset();
  branch->result = arrived.result;
  if (arrived.result != FinishResult::kDone) {
    ++turn.counters.heuristic;
    turn.effects.warnings.push_back(
        {transaction_, reasons::heuristic(branch->id, outcome_of(*branch), arrived.result)});
  }
  log_heuristic(turn, *branch);
  answer_callers(turn);
}

// What the branch said is in the log before T can be forgotten:
// 1. This driver is not done, and so Forgotten(T) is not proposed, before HeuristicFound has been
//    executed. Their order in the log alone would not do: a later leader may find the second
//    accepted and not the first.
// 2. Should this office end before, T is not forgotten: the next office sends the finish again, and
//    hears the same, for the participant knows by evidence.
// 3. So no later Forgotten(T) is executed before a HeuristicFound of T's, and from then on the
//    state keeps it, whatever becomes of the record.
// A hazard that ends as decided after all is told, too.
void Driver::log_heuristic(Turn& turn, Branch& branch) {
  const state::Heuristic* kept = turn.state.heuristics().find(transaction_);
  const state::DecidedBranch told{branch.id.participant, branch.id.epoch, branch.id.attempt,
                                  branch.evidence.value_or(Evidence{})};
  const FinishResult before = kept == nullptr ? FinishResult::kDone : kept->result_of(told);
  const bool news = before == FinishResult::kDone || before == FinishResult::kHazard;
  const bool told_already = branch.unlogged == 0 && (!news || branch.result == before);
  if (told_already || canary(Canary::kHeuristicUnlogged)) return;
  const auto& state = std::get<Finishing>(state_);
  // That a branch which may have committed in a lost history is rolled back in this one settles
  // nothing.
  const bool lost = state.may_have_committed() && branch.id.participant == state.reason.participant;
  if (lost && branch.result == FinishResult::kDone) return;
  const bool has_record = !state.expired && !state.one_phase && !state.resolved;
  const auto listed = std::count_if(branches_.begin(), branches_.end(),
                                    [&](const Branch& one) { return one.listed && has_record; });
  ++branch.unlogged;
  turn.effects.propose.emplace_back(state::HeuristicFound{
      transaction_, state.outcome, static_cast<std::uint64_t>(listed), told, branch.result});
}

// T was aborted because its outcome row may be lost with a history in which it committed. Operators
// are told, before T can be forgotten, as in log_heuristic. The record does not list a one-shot
// that was not run.
void Driver::log_lost_commit(Turn& turn) {
  const auto& state = std::get<Finishing>(state_);
  if (!state.may_have_committed()) return;
  const std::string& writer = state.reason.participant;
  auto branch = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& one) {
    return one.listed && one.id.participant == writer;
  });
  if (branch == branches_.end()) {
    Branch& unnamed = find_or_add({transaction_, writer, Epoch(0), Attempt(0)});
    unnamed.left = true;
    branch = std::prev(branches_.end());
  }
  const state::DecidedBranch told{writer, branch->id.epoch, branch->id.attempt, {}};
  const state::Heuristic* kept = turn.state.heuristics().find(transaction_);
  if (kept != nullptr && kept->result_of(told) != FinishResult::kDone) return;
  ++turn.counters.heuristic;
  ++branch->unlogged;
  turn.effects.warnings.push_back({transaction_, state.reason.message});
  turn.effects.propose.emplace_back(state::HeuristicFound{transaction_, Outcome::kAborted,
                                                          /*listed=*/0, told,
                                                          FinishResult::kHazard});
}

void Driver::on(Turn& /*turn*/, const HeuristicLogged& logged) {
  Branch* branch = find(logged.branch);
  if (branch != nullptr && branch->unlogged > 0) --branch->unlogged;
}

void Driver::on(Turn& turn, const FinishLost& lost) {
  Branch* branch = find(lost.branch);
  if (!in<Finishing>()) return;
  if (branch == nullptr || branch->ended()) return;
  if (canary(Canary::kLostFinishConfirms)) return on(turn, FinishArrived{lost.branch});
  send_again_later(turn, *branch);
}

// Before T is decided, a branch of ours is live work (R8), and any other is kept until then, and
// rolled back (R5). In Finishing a branch that confirmed before the inventory
// was asked for is prepared again: a database that failed over replays what it had acknowledged.
void Driver::on_found(Turn& turn, const FoundBranch& found, MonoTime asked) {
  Branch* branch = find(found.branch);
  if (branch == nullptr) return add_stray(turn, found);
  const auto* finishing = std::get_if<Finishing>(&state_);
  if (branch->listed && finishing != nullptr && finishing->one_phase) return;
  if (!branch->confirmed || *branch->confirmed >= asked) return;
  branch->confirmed.reset();
  send_finish(turn, *branch);
}

void Driver::finish_again(Turn& turn, const BranchId& again) {
  Branch* branch = find(again);
  if (branch == nullptr || !in<Finishing>() || !branch->confirmed) return;
  branch->confirmed.reset();
  send_finish(turn, *branch);
}

void Driver::add_strays(Turn& turn, const std::vector<BranchId>& branches) {
  for (const BranchId& id : branches) add_stray(turn, {id});
}

// With evidence, its rollback is settled by that when somebody else ends it before (R7).
void Driver::add_stray(Turn& turn, const FoundBranch& found) {
  if (find(found.branch) != nullptr || branches_.size() >= kBranchesMax) return;
  Branch& branch = find_or_add(found.branch);
  branch.evidence = found.evidence;
  if (in<Finishing>()) send_finish(turn, branch);
}

// Named by a client before T was decided, and therefore T's own.
void Driver::list(Turn& turn, const std::vector<BranchId>& branches) {
  add_strays(turn, branches);
  for (const BranchId& id : branches) {
    if (Branch* branch = find(id)) branch->listed = true;
  }
}

// ── sending, and sending again ──────────────────────────────────────────────────────────────────

void Driver::send_finish(Turn& turn, Branch& branch) {
  branch.resend_at.reset();
  const state::ParticipantRecord* record = turn.state.participant(branch.id.participant);
  const state::DecidedBranch decided{branch.id.participant, branch.id.epoch, branch.id.attempt,
                                     branch.evidence.value_or(Evidence{})};
  SendFinish finish{branch.id, outcome_of(branch), branch.evidence};
  if (record != nullptr && record->is_older(decided)) {
    finish.maybe_lost = record->may_have_lost(decided);
    if (!finish.maybe_lost) finish.kept_in = record->epoch;
  }
  turn.effects.finishes.push_back(std::move(finish));
}

void Driver::send_again(Turn& turn, Branch& branch) {
  if (in<Finishing>()) return send_finish(turn, branch);
  send_prepare(turn, branch);
}

void Driver::send_again_later(Turn& turn, Branch& branch) {
  if (branch.resend_at) return;
  const Millis pause = std::max(branch.pause, turn.options.retry_min);
  branch.resend_at = turn.now.mono + pause;
  branch.pause = std::min(pause + pause, turn.options.retry_max);
}

void Driver::on(Turn& turn, const AgentUp& up) {
  for (Branch& branch : branches_) {
    if (!branch.resend_at || branch.id.participant != up.participant) continue;
    branch.pause = Millis(0);
    send_again(turn, branch);
  }
  auto* settling = std::get_if<Settling>(&state_);
  if (settling == nullptr || !settling->resend_at || up.participant != writer_) return;
  settling->pause = Millis(0);
  send_settle(turn);
}

void Driver::on(Turn& turn, const Tick& /*tick*/) {
  const auto* preparing = std::get_if<Preparing>(&state_);
  if (preparing != nullptr && preparing->deadline <= turn.now.mono) {
    const Branch* late = silent();
    CHECK(late != nullptr, "with every vote in, the commit would have been proposed");
    return give_up(turn, reasons::deadline(late->id.participant, late->last_loss));
  }
  if (has_nobody_left(turn)) return become_expired(turn);
  give_up_unsent(turn);
  const auto* settling = std::get_if<Settling>(&state_);
  if (settling != nullptr && settling->resend_at && *settling->resend_at <= turn.now.mono) {
    send_settle(turn);
  }
  for (Branch& branch : branches_) {
    if (branch.resend_at && *branch.resend_at <= turn.now.mono) send_again(turn, branch);
  }
  answer_callers(turn);
}

// Below the floor nobody can ask any more: what its writer's outcome row says, or its branch's idle
// deadline, is the end of it. Otherwise a participant that is gone would fill the office.
bool Driver::has_nobody_left(Turn& turn) {
  if (!(in<OnePhase>() || in<Settling>()) || !callers_.empty()) return false;
  if (transaction_.time() > turn.state.floor()) return false;
  release(turn.serials);
  branches_.clear();
  return true;
}

}  // namespace assent::commit
