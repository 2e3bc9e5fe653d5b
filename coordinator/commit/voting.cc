// Before the decision: whom to ask, what their votes lead to, and how it becomes certain that a
// transaction which may have committed in one phase has not.
#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "coordinator/commit/driver.h"
#include "coordinator/commit/reasons.h"
#include "coordinator/commit/request.h"

namespace assent::commit {
namespace {

constexpr std::size_t kLastLossMax = 200;  // bytes

}  // namespace

// ── asking ──────────────────────────────────────────────────────────────────────────────────────

// A writer that may commit in one phase waits until the others have voted (R11).
Driver Driver::commit(Turn& turn, const CommitAsked& asked, bool first, CommitCaller caller) {
  Driver driver(asked.transaction);
  driver.request_hash_ = caller.request_hash;
  driver.repeated_ = !first;
  driver.state_ = Preparing{caller.deadline};
  driver.callers_.emplace_back(std::move(caller));
  const RequestedBranch* writer = writer_of(asked.branches);
  if (writer != nullptr) driver.writer_ = writer->participant;
  for (const RequestedBranch& branch : asked.branches) driver.list_requested(turn, branch);
  for (Branch& branch : driver.branches_) {
    if (!branch.held) driver.send_prepare(turn, branch);
  }
  if (Branch* held = driver.held()) driver.release_writer(turn, *held);
  return driver;
}

// The leader issues a one-shot's attempt (R5).
void Driver::list_requested(Turn& turn, const RequestedBranch& requested) {
  const std::string& name = requested.participant;
  const state::ParticipantRecord* participant = turn.state.participant(name);
  CHECK(participant != nullptr, "a request that names a stranger is refused");
  BranchId id{transaction_, name, requested.epoch, requested.attempt};
  if (requested.one_shot) {
    ++turn.counters.one_shots;
    id.epoch = participant->epoch;
    id.attempt = turn.serials.issue(name);
  }
  Branch& branch = find_or_add(id);
  branch.listed = true;
  branch.statements = requested.statements;
  branch.one_shot = requested.one_shot;
  branch.held = name == writer_ && participant->one_phase;
}

void Driver::send_prepare(Turn& turn, Branch& branch) {
  branch.resend_at.reset();
  if (auto* one_phase = std::get_if<OnePhase>(&state_)) one_phase->in_flight = true;
  const bool one_shot = branch.one_shot != nullptr;
  turn.effects.prepares.push_back({branch.id, branch.statements, branch.one_shot,
                                   one_shot ? turn.serials.low_water(branch.id.participant) : 0,
                                   in<OnePhase>()});
}

void Driver::on(Turn& turn, const PrepareLost& lost) {
  Branch* branch = find(lost.branch);
  if (!in<Preparing>() && !in<OnePhase>()) return;
  if (branch == nullptr || !branch->listed || branch->held || branch->voted()) return;
  branch->last_loss = lost.why.message.substr(0, kLastLossMax);
  if (auto* one_phase = std::get_if<OnePhase>(&state_)) {
    one_phase->in_flight = false;
    one_phase->maybe_told = one_phase->maybe_told || !lost.unsent;
  }
  send_again_later(turn, *branch);
  give_up_unsent(turn);
}

// What never reached the writer at the deadline is aborted like any other: nothing is in flight
// that could still commit.
void Driver::give_up_unsent(Turn& turn) {
  const auto* one_phase = std::get_if<OnePhase>(&state_);
  if (one_phase == nullptr || !one_phase->unsent()) return;
  if (turn.now.mono < one_phase->deadline) return;
  told_ = false;
  give_up(turn, reasons::deadline(writer_, writers_last_loss()));
}

void Driver::stop_asking() {
  for (Branch& branch : branches_) {
    branch.held = false;
    branch.one_shot = nullptr;
    branch.resend_at.reset();
  }
}

// ── votes ───────────────────────────────────────────────────────────────────────────────────────

void Driver::on(Turn& turn, const VoteArrived& arrived) {
  Branch* branch = find(arrived.branch);
  if (branch == nullptr || !branch->listed) return;
  std::visit([&](const auto& vote) { take(turn, *branch, vote); }, arrived.vote);
}

// Late evidence is of use to the rollback as well (R7, R8).
void Driver::take(Turn& turn, Branch& branch, const VoteYes& vote) {
  if (branch.left) return;
  if (!branch.evidence) branch.evidence = vote.evidence;
  after_vote(turn, branch, vote.results);
}

void Driver::take(Turn& turn, Branch& branch, const VoteReadOnly& vote) {
  if (branch.voted()) return;
  ++turn.counters.read_only_votes;
  branch.left = true;
  branch.resend_at.reset();
  after_vote(turn, branch, vote.results);
}

// In OnePhase the writer's NO is definite: the agent of that life saw its COMMIT fail or its branch
// roll back, or has read the outcome row. Of the others, which have left, nothing can be new. But a
// row says nothing of a history that is lost, in which an earlier life may have committed.
void Driver::take(Turn& turn, Branch& branch, const VoteNo& vote) {
  if (branch.left) return;
  // Prepared in vain. A NO without evidence may be a later life's, which does not know the branch.
  if (vote.evidence && !branch.evidence) {
    branch.evidence = vote.evidence;
    branch.in_vain = true;
  }
  if (!in<Preparing>() && !in<OnePhase>()) return;
  Error reason = vote.reason;
  if (reason.participant.empty()) reason.participant = branch.id.participant;
  // As the reason of an abort it has a meaning of its own.
  if (reason.code == ErrorCode::kOutcomeUnknown) reason.code = ErrorCode::kInternal;
  const auto* one_phase = std::get_if<OnePhase>(&state_);
  if (one_phase != nullptr && one_phase->maybe_told && row_may_be_lost(turn)) {
    return become_settling(turn, std::move(reason));
  }
  give_up(turn, std::move(reason));
}

// The row stands for ever. While T is undecided nothing contradicts it.
void Driver::take(Turn& turn, Branch& branch, const VoteCommitted& vote) {
  const auto* finishing = std::get_if<Finishing>(&state_);
  if (finishing != nullptr && finishing->one_phase) return;
  if (finishing != nullptr || in<Proposing>()) {
    turn.effects.warnings.push_back({transaction_, reasons::contradiction(branch.id)});
    return;
  }
  if (branch.id.participant != writer_) {
    turn.effects.warnings.push_back({transaction_, reasons::contradiction(branch.id)});
  }
  writer_ = branch.id.participant;
  if (!callers_.empty()) branch.results = vote.results;
  become_committed_in_one_phase(turn);
}

void Driver::after_vote(Turn& turn, Branch& branch, const StatementResults& results) {
  if (!branch.results && !callers_.empty()) branch.results = results;
  if (!in<Preparing>() && !in<OnePhase>()) return;
  branch.resend_at.reset();
  branch.held = false;
  if (Branch* writer = held()) return release_writer(turn, *writer);
  if (silent() == nullptr || canary(Canary::kCommitBeforeVotes)) propose_commit(turn);
}

Driver::Branch* Driver::held() {
  const auto found = std::find_if(branches_.begin(), branches_.end(),
                                  [](const Branch& branch) { return branch.held; });
  return found == branches_.end() ? nullptr : &*found;
}

// One that has been asked and has not voted; null when every vote is in.
Driver::Branch* Driver::silent() {
  const auto found = std::find_if(branches_.begin(), branches_.end(), [](const Branch& branch) {
    return branch.listed && !branch.held && !branch.voted();
  });
  return found == branches_.end() ? nullptr : &*found;
}

// ── one phase ───────────────────────────────────────────────────────────────────────────────────

// One YES, and the transaction has two branches to commit: the writer prepares like any other. All
// others left: the writer alone decides.
void Driver::release_writer(Turn& turn, Branch& writer) {
  const auto prepared = [](const Branch& branch) { return branch.listed && branch.said_yes(); };
  if (std::any_of(branches_.begin(), branches_.end(), prepared)) {
    writer.held = false;
    return send_prepare(turn, writer);
  }
  if (silent() == nullptr || canary(Canary::kOnePhaseBeforeVotes)) {
    become_one_phase(turn, writer);
  }
}

void Driver::become_one_phase(Turn& turn, Branch& writer) {
  CHECK(in<Preparing>(), "only what is undecided is decided in one phase");
  state_ = OnePhase{.deadline = std::get<Preparing>(state_).deadline};
  told_ = true;
  writer.held = false;
  send_prepare(turn, writer);
}

// May T have committed in one phase, unseen by this driver? Only if an earlier office may have told
// its writer to. This driver's own one-phase prepare is waited for until the writer has voted.
void Driver::give_up(Turn& turn, Error reason) {
  if (repeated_ && !writer_.empty() && !canary(Canary::kAbortUnsettled)) {
    return become_settling(turn, std::move(reason));
  }
  propose_abort(turn, std::move(reason));
}

void Driver::become_settling(Turn& turn, Error reason) {
  CHECK(in<Preparing>() || in<OnePhase>(), "only what is undecided is settled");
  stop_asking();
  state_ = Settling{std::move(reason)};
  send_settle(turn);
}

void Driver::doubt_commit(Turn& turn, const BranchId& writer) {
  if (in<OnePhase>()) become_settling(turn, reasons::other_history(writer.participant));
}

void Driver::send_settle(Turn& turn) {
  std::get<Settling>(state_).resend_at.reset();
  turn.effects.settles.push_back({writer_, transaction_});
}

void Driver::on(Turn& turn, const SettleArrived& arrived) {
  auto* settling = std::get_if<Settling>(&state_);
  if (settling == nullptr || arrived.participant != writer_) return;
  ++turn.counters.settles;
  if (arrived.committed) return become_committed_in_one_phase(turn);
  if (row_may_be_lost(turn)) return propose_abort(turn, reasons::row_lost(transaction_, writer_));
  propose_abort(turn, std::move(settling->reason));
}

// Whether the writer may have committed, and been acknowledged, in a history of its database that
// is lost. From now on the abort's row forbids it in this one. A one-shot's branch is not known, so
// T's time decides, which may be ahead of the log's by the permitted skew.
bool Driver::row_may_be_lost(const Turn& turn) const {
  const state::ParticipantRecord* record = turn.state.participant(writer_);
  if (record == nullptr || record->broken_below == Epoch(0)) return false;
  const auto branch = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& one) {
    return one.listed && one.id.participant == writer_;
  });
  if (branch != branches_.end()) return branch->id.epoch < record->broken_below;
  return transaction_.time() <= record->broken_at + turn.options.clock_skew_max;
}

void Driver::on(Turn& turn, const SettleLost& lost) {
  auto* settling = std::get_if<Settling>(&state_);
  if (settling == nullptr || lost.participant != writer_ || settling->resend_at) return;
  const Millis pause = std::max(settling->pause, turn.options.retry_min);
  settling->resend_at = turn.now.mono + pause;
  settling->pause = std::min(pause + pause, turn.options.retry_max);
}

// All others left as readers before the writer was told to commit, whichever office told it. What
// is prepared all the same was never part of this commit: it rolls back like a stray (R5).
void Driver::become_committed_in_one_phase(Turn& turn) {
  CHECK(!in<Proposing>() && !in<Finishing>(), "only what is undecided is decided in one phase");
  ++turn.counters.one_phase;
  stop_asking();
  state_ = Finishing{.outcome = Outcome::kCommitted, .one_phase = true};
  for (Branch& branch : branches_) {
    const bool writer = branch.listed && branch.id.participant == writer_;
    if (branch.listed && !writer && branch.evidence) {
      turn.effects.warnings.push_back({transaction_, reasons::contradiction(branch.id)});
      branch.listed = false;
    }
    branch.pause = Millis(0);
    if (writer) {
      branch.confirmed = turn.now.mono;
    } else if (branch.listed) {
      branch.left = true;
    } else {
      send_finish(turn, branch);
    }
  }
  answer_callers(turn);
}

}  // namespace assent::commit
