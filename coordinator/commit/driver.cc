#include "coordinator/commit/driver.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "coordinator/commit/reasons.h"

namespace assent::commit {
namespace {

constexpr std::size_t kCallersMax = 64;    // of one transaction that wait at once
constexpr std::size_t kBranchesMax = 256;  // strays included; an inventory finds any other again
constexpr MonoTime kLongAgo{std::numeric_limits<std::int64_t>::min()};
constexpr std::size_t kLastLossMax = 200;  // bytes

std::optional<MonoTime> earlier(std::optional<MonoTime> a, std::optional<MonoTime> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

// ── how a driver begins ─────────────────────────────────────────────────────────────────────────

Driver Driver::commit(Turn& turn, const TransactionId& transaction, const CommitAsked& asked,
                      CommitCaller caller) {
  Driver driver(transaction);
  driver.request_hash_ = caller.request_hash;
  driver.state_ = Preparing{caller.deadline};
  driver.callers_.emplace_back(caller);
  for (const RequestedBranch& requested : asked.branches) {
    Branch& branch = driver.find_or_add(
        {transaction, requested.participant, requested.epoch, requested.attempt});
    branch.listed = true;
    branch.statements = requested.statements;
  }
  for (Branch& branch : driver.branches_) driver.send_prepare(turn, branch);
  return driver;
}

Driver Driver::abort(Turn& turn, const TransactionId& transaction,
                     const std::vector<BranchId>& branches, AbortCaller caller) {
  Driver driver(transaction);
  driver.callers_.emplace_back(caller);
  driver.add_strays(turn, branches);
  driver.propose_abort(turn, reasons::asked_for());
  return driver;
}

Driver Driver::presume_abort(Turn& turn, const BranchId& found) {
  Driver driver(found.transaction);
  driver.presumed_ = true;
  driver.add_strays(turn, {found});
  driver.propose_abort(turn, reasons::presumed(found));
  return driver;
}

// All that the record lists is taken in, so that the driver can tell its branches from strays when
// the record has left. What is not asked for has confirmed before.
Driver Driver::finish(Turn& turn, const TransactionId& transaction,
                      const state::TransactionRecord& record,
                      const std::vector<BranchId>& branches) {
  Driver driver(transaction);
  driver.state_ = Finishing{record.outcome, record.reason};
  driver.adopt(record);
  for (Branch& branch : driver.branches_) branch.confirmed = kLongAgo;
  for (const BranchId& id : branches) {
    Branch& branch = driver.find_or_add(id);
    branch.confirmed.reset();
    driver.send_finish(turn, branch);
  }
  return driver;
}

Driver Driver::expire(Turn& turn, const BranchId& found) {
  Driver driver(found.transaction);
  driver.add_strays(turn, {found});
  driver.become_expired(turn);
  return driver;
}

// ── callers ─────────────────────────────────────────────────────────────────────────────────────

void Driver::join(Turn& turn, const CommitCaller& caller, const std::vector<BranchId>& branches) {
  if (request_hash_ != 0 && request_hash_ != caller.request_hash) {
    turn.effects.replies.push_back({caller.token, reasons::id_reused(transaction_)});
    return;
  }
  if (!admit(turn, caller.token, caller)) return;
  // A presumed abort does not know the client's branches; this request names them.
  if (request_hash_ == 0) add_named(turn, branches);
  // Each caller was promised an abort if its own deadline passes before all votes are in.
  if (auto* preparing = std::get_if<Preparing>(&state_)) {
    preparing->deadline = std::min(preparing->deadline, caller.deadline);
  }
  answer_callers(turn);
}

void Driver::join(Turn& turn, const AbortCaller& caller, const std::vector<BranchId>& branches) {
  if (!admit(turn, caller.token, caller)) return;
  add_named(turn, branches);
  if (std::holds_alternative<Preparing>(state_)) propose_abort(turn, reasons::asked_for());
  answer_callers(turn);
}

// What a client names may have committed long ago. Where T has no record to tell, only what an
// inventory found prepared is rolled back (R14).
void Driver::add_named(Turn& turn, const std::vector<BranchId>& branches) {
  const auto* finishing = std::get_if<Finishing>(&state_);
  if (finishing == nullptr || !finishing->expired) add_strays(turn, branches);
}

bool Driver::admit(Turn& turn, Token token, const Caller& caller) {
  if (callers_.size() < kCallersMax) {
    callers_.push_back(caller);
    return true;
  }
  turn.effects.replies.push_back(
      {token, reasons::overloaded("callers may wait for one transaction", kCallersMax)});
  return false;
}

// Only a decided transaction is told (R3): in every other state the callers wait on.
void Driver::answer_callers(Turn& turn) {
  const auto* finishing = std::get_if<Finishing>(&state_);
  if (finishing == nullptr) return;
  std::erase_if(callers_, [&](const Caller& caller) {
    return std::visit([&](const auto& one) { return try_answer(turn, *finishing, one); }, caller);
  });
}

bool Driver::try_answer(Turn& turn, const Finishing& state, const CommitCaller& caller) {
  const auto reply = [&](auto answer) {
    turn.effects.replies.push_back({caller.token, std::move(answer)});
    return true;
  };
  if (state.expired) return reply(reasons::expired(transaction_));
  // Another request under this id was decided, by an earlier office (R9).
  if (request_hash_ != 0 && request_hash_ != caller.request_hash) {
    return reply(reasons::id_reused(transaction_));
  }
  const bool wait = state.outcome == Outcome::kCommitted &&
                    caller.acknowledge == Acknowledge::kApplied &&
                    turn.now.mono < caller.deadline && !pending().empty();
  return wait ? false : reply(commit_answer(state));
}

bool Driver::try_answer(Turn& turn, const Finishing& state, const AbortCaller& caller) {
  if (state.expired) {
    turn.effects.replies.push_back({caller.token, reasons::expired(transaction_)});
  } else {
    turn.effects.replies.push_back({caller.token, AbortAnswer{state.outcome}});
  }
  return true;
}

CommitAnswer Driver::commit_answer(const Finishing& state) const {
  CommitAnswer answer;
  answer.outcome = state.outcome;
  if (state.outcome == Outcome::kAborted) {
    answer.reason = state.reason;
  } else {
    answer.pending = pending();
  }
  for (const Branch& branch : branches_) {
    if (branch.result != FinishResult::kDone) answer.heuristic.push_back(branch.id.participant);
  }
  return answer;
}

// ── votes ───────────────────────────────────────────────────────────────────────────────────────

void Driver::on(Turn& turn, const VoteArrived& arrived) {
  Branch* branch = find(arrived.branch);
  if (branch == nullptr || !branch->listed) return;
  // Late evidence is of use to the rollback as well (R7, R8).
  const auto* yes = std::get_if<VoteYes>(&arrived.vote);
  if (yes != nullptr && !branch->evidence) branch->evidence = yes->evidence;
  if (!std::holds_alternative<Preparing>(state_)) return;
  if (const auto* no = std::get_if<VoteNo>(&arrived.vote)) {
    Error reason = no->reason;
    if (reason.participant.empty()) reason.participant = branch->id.participant;
    return propose_abort(turn, std::move(reason));
  }
  branch->resend_at.reset();
  const auto voted = [](const Branch& one) { return !one.listed || one.evidence.has_value(); };
  if (std::all_of(branches_.begin(), branches_.end(), voted)) propose_commit(turn);
}

void Driver::on(Turn& turn, const PrepareLost& lost) {
  Branch* branch = find(lost.branch);
  if (!std::holds_alternative<Preparing>(state_)) return;
  if (branch == nullptr || !branch->listed || branch->evidence) return;
  branch->last_loss = lost.why.message.substr(0, kLastLossMax);
  send_again_later(turn, *branch);
}

// ── the decision ────────────────────────────────────────────────────────────────────────────────

void Driver::propose_commit(Turn& turn) {
  become_proposing(Outcome::kCommitted);
  turn.effects.propose.push_back(
      state::Committed{transaction_, request_hash_, decided_branches(/*with_strays=*/false)});
}

void Driver::propose_abort(Turn& turn, Error reason) {
  become_proposing(Outcome::kAborted);
  turn.effects.propose.push_back(state::Aborted{transaction_, request_hash_,
                                                reasons::bounded(std::move(reason)),
                                                decided_branches(/*with_strays=*/true)});
}

// One proposal at a time, so that the one result that comes back is this one's.
void Driver::become_proposing(Outcome outcome) {
  CHECK(std::holds_alternative<Preparing>(state_), "only what is undecided is proposed (R1)");
  state_ = Proposing{outcome};
  for (Branch& branch : branches_) branch.resend_at.reset();
}

std::vector<state::DecidedBranch> Driver::decided_branches(bool with_strays) const {
  std::vector<state::DecidedBranch> decided;
  for (const Branch& branch : branches_) {
    if (!branch.listed && !with_strays) continue;
    decided.push_back({branch.id.participant, branch.id.epoch, branch.id.attempt,
                       branch.evidence.value_or(Evidence{})});
  }
  return decided;
}

void Driver::on(Turn& turn, const DecisionExecuted& executed) {
  const auto* proposing = std::get_if<Proposing>(&state_);
  if (proposing == nullptr) return;
  if (std::holds_alternative<state::TookEffect>(executed.result)) {
    OfficeCounters& counters = turn.counters;
    ++(proposing->outcome == Outcome::kCommitted ? counters.committed : counters.aborted);
    if (presumed_) ++counters.presumed_aborted;
  }
  std::visit(
      Overloaded{
          [&](const state::TookEffect&) { follow_record(turn); },
          [&](const state::AlreadyDecided&) { follow_record(turn); },
          [&](const state::BelowFloor&) { become_expired(turn); },
          [](const state::EpochIssued&) { CHECK(false, "not the answer to a decision"); },
          [](const state::EnrolmentRefused&) { CHECK(false, "not the answer to a decision"); },
      },
      executed.result);
}

// Whatever was proposed, what counts is the record (R1).
void Driver::follow_record(Turn& turn) {
  if (const state::TransactionRecord* record = turn.state.find(transaction_)) {
    adopt(*record);
    return become_finishing(turn, {record->outcome, record->reason});
  }
  // It has left, so its branches have confirmed. Which they were is not known any more: what may
  // still be prepared is left to an inventory.
  branches_.clear();
  become_expired(turn);
}

// T is below the floor and has no record, where none will ever be made: it can never commit (R14).
void Driver::become_expired(Turn& turn) {
  become_finishing(turn, {Outcome::kAborted, reasons::expired(transaction_), /*expired=*/true});
}

// An outcome is for the branches that the record lists, with the evidence that it holds (R5, R7).
void Driver::adopt(const state::TransactionRecord& record) {
  request_hash_ = record.request_hash;
  for (Branch& branch : branches_) branch.listed = false;
  for (const state::DecidedBranch& decided : record.branches) {
    Branch& branch =
        find_or_add({transaction_, decided.participant, decided.epoch, decided.attempt});
    branch.listed = true;
    if (decided.evidence != Evidence{}) branch.evidence = decided.evidence;
  }
}

// ── phase two ───────────────────────────────────────────────────────────────────────────────────

void Driver::become_finishing(Turn& turn, Finishing state) {
  state_ = std::move(state);
  for (Branch& branch : branches_) {
    branch.pause = Millis(0);
    send_finish(turn, branch);
  }
  answer_callers(turn);
}

Outcome Driver::outcome_of(const Branch& branch) const {
  const bool commits = branch.listed && std::get<Finishing>(state_).outcome == Outcome::kCommitted;
  return commits ? Outcome::kCommitted : Outcome::kAborted;
}

void Driver::on(Turn& turn, const FinishArrived& arrived) {
  Branch* branch = find(arrived.branch);
  if (!std::holds_alternative<Finishing>(state_)) return;
  if (branch == nullptr || branch->confirmed) return;
  branch->confirmed = turn.now.mono;
  branch->resend_at.reset();
  branch->result = arrived.result;
  if (arrived.result != FinishResult::kDone) {
    ++turn.counters.heuristic;
    turn.effects.warnings.push_back(
        {transaction_, reasons::heuristic(branch->id, outcome_of(*branch), arrived.result)});
  }
  answer_callers(turn);
}

void Driver::on(Turn& turn, const FinishLost& lost) {
  Branch* branch = find(lost.branch);
  if (!std::holds_alternative<Finishing>(state_)) return;
  if (branch == nullptr || branch->confirmed) return;
  send_again_later(turn, *branch);
}

// Still in Preparing or Proposing, a branch of ours is live work (R8), and any other is kept until
// T is decided, then rolled back (R5). In Finishing a branch that confirmed before the inventory
// was asked for is prepared again: a database that failed over replays what it had acknowledged.
void Driver::on_found(Turn& turn, const BranchId& found, MonoTime asked) {
  Branch* branch = find(found);
  if (branch == nullptr) return add_strays(turn, {found});
  if (!branch->confirmed || *branch->confirmed >= asked) return;
  branch->confirmed.reset();
  send_finish(turn, *branch);
}

void Driver::add_strays(Turn& turn, const std::vector<BranchId>& branches) {
  for (const BranchId& id : branches) {
    if (find(id) != nullptr || branches_.size() >= kBranchesMax) continue;
    Branch& branch = find_or_add(id);
    if (std::holds_alternative<Finishing>(state_)) send_finish(turn, branch);
  }
}

// ── sending, and sending again ──────────────────────────────────────────────────────────────────

void Driver::send_prepare(Turn& turn, Branch& branch) {
  branch.resend_at.reset();
  turn.effects.prepares.push_back({branch.id, branch.statements});
}

void Driver::send_finish(Turn& turn, Branch& branch) {
  branch.resend_at.reset();
  turn.effects.finishes.push_back({branch.id, outcome_of(branch), branch.evidence});
}

void Driver::send_again(Turn& turn, Branch& branch) {
  if (std::holds_alternative<Preparing>(state_)) return send_prepare(turn, branch);
  send_finish(turn, branch);
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
}

void Driver::on(Turn& turn, const Tick& /*tick*/) {
  const auto* preparing = std::get_if<Preparing>(&state_);
  if (preparing != nullptr && preparing->deadline <= turn.now.mono) {
    return propose_abort(turn, deadline_reason());
  }
  for (Branch& branch : branches_) {
    if (branch.resend_at && *branch.resend_at <= turn.now.mono) send_again(turn, branch);
  }
  answer_callers(turn);
}

Error Driver::deadline_reason() const {
  const auto silent = [](const Branch& one) { return one.listed && !one.evidence; };
  const auto found = std::find_if(branches_.begin(), branches_.end(), silent);
  CHECK(found != branches_.end(), "with every vote in, the commit would have been proposed");
  return reasons::deadline(found->id.participant, found->last_loss);
}

// ── queries ─────────────────────────────────────────────────────────────────────────────────────

Driver::Branch* Driver::find(const BranchId& id) {
  const auto found = std::find_if(branches_.begin(), branches_.end(),
                                  [&](const Branch& branch) { return branch.id == id; });
  return found == branches_.end() ? nullptr : &*found;
}

Driver::Branch& Driver::find_or_add(const BranchId& id) {
  if (Branch* branch = find(id)) return *branch;
  Branch& branch = branches_.emplace_back();
  branch.id = id;
  return branch;
}

bool Driver::done() const {
  return std::holds_alternative<Finishing>(state_) &&
         std::all_of(branches_.begin(), branches_.end(),
                     [](const Branch& branch) { return branch.confirmed.has_value(); });
}

std::optional<MonoTime> Driver::next_due() const {
  std::optional<MonoTime> due;
  if (const auto* preparing = std::get_if<Preparing>(&state_)) due = preparing->deadline;
  for (const Branch& branch : branches_) due = earlier(due, branch.resend_at);
  if (!std::holds_alternative<Finishing>(state_)) return due;
  for (const Caller& caller : callers_) {
    if (const auto* waiting = std::get_if<CommitCaller>(&caller)) {
      due = earlier(due, waiting->deadline);
    }
  }
  return due;
}

std::vector<std::string> Driver::pending() const {
  std::vector<std::string> participants;
  for (const Branch& branch : branches_) {
    if (branch.listed && !branch.confirmed) participants.push_back(branch.id.participant);
  }
  return participants;
}

std::string_view Driver::state_name() const {
  return std::visit(
      Overloaded{
          [](const Preparing&) { return std::string_view("Preparing"); },
          [](const Proposing& state) {
            return std::string_view(state.outcome == Outcome::kCommitted ? "Committing"
                                                                         : "Aborting");
          },
          [](const Finishing& state) {
            if (state.expired) return std::string_view("Expired");
            return std::string_view(state.outcome == Outcome::kCommitted ? "Committed" : "Aborted");
          },
      },
      state_);
}

void Driver::check_invariants() const {
  const auto* finishing = std::get_if<Finishing>(&state_);
  const bool preparing = std::holds_alternative<Preparing>(state_);
  CHECK_LE(branches_.size(), kBranchesMax, "memory is bounded");
  CHECK_LE(callers_.size(), kCallersMax, "memory is bounded");
  CHECK(!done() || callers_.empty(), "the last confirmation answers every caller");
  for (const Branch& branch : branches_) {
    CHECK(branch.id.transaction == transaction_, "a driver drives one transaction");
    CHECK(finishing != nullptr || !branch.confirmed, "only a decided outcome is confirmed (R3)");
    CHECK(!branch.confirmed || !branch.resend_at, "what is confirmed is not sent again");
    CHECK(!branch.resend_at || preparing || finishing != nullptr, "a proposal sends nothing (R3)");
    CHECK(!preparing || branch.listed || !branch.resend_at, "strays are not asked to prepare");
  }
  if (finishing == nullptr || finishing->outcome != Outcome::kCommitted) return;
  for (const Branch& branch : branches_) {
    CHECK(!branch.listed || branch.evidence, "what commits has evidence (R7)");
  }
}

}  // namespace assent::commit
