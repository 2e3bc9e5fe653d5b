#include "coordinator/commit/driver.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "base/overloaded.h"
#include "coordinator/commit/reasons.h"
#include "coordinator/commit/request.h"

namespace assent::commit {
namespace {

constexpr MonoTime kLongAgo{std::numeric_limits<std::int64_t>::min()};

std::optional<MonoTime> earlier(std::optional<MonoTime> a, std::optional<MonoTime> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

// ── how a driver begins ─────────────────────────────────────────────────────────────────────────

Driver Driver::refuse_to_run(Turn& turn, const CommitAsked& asked, CommitCaller caller) {
  Driver driver = named_by_client(turn, asked.transaction, asked.branches);
  driver.request_hash_ = caller.request_hash;
  driver.repeated_ = true;
  driver.callers_.emplace_back(std::move(caller));
  driver.give_up(turn, reasons::not_run());
  return driver;
}

Driver Driver::abort(Turn& turn, const AbortAsked& asked, AbortCaller caller) {
  Driver driver = named_by_client(turn, asked.transaction, asked.branches);
  driver.repeated_ = !asked.never_committed;
  driver.callers_.emplace_back(caller);
  driver.give_up(turn, reasons::asked_for());
  return driver;
}

Driver Driver::named_by_client(Turn& turn, const TransactionId& transaction,
                               const std::vector<RequestedBranch>& branches) {
  Driver driver(transaction);
  const RequestedBranch* writer = writer_of(branches);
  if (writer != nullptr) driver.writer_ = writer->participant;
  driver.list(turn, branch_ids(transaction, branches));
  return driver;
}

Driver Driver::presume_abort(Turn& turn, const FoundBranch& found) {
  Driver driver(found.branch.transaction);
  driver.presumed_ = true;
  driver.add_stray(turn, found);
  if (canary(Canary::kUnloggedAbort)) {
    driver.become_finishing(turn, {Outcome::kAborted, reasons::presumed(found.branch)});
    return driver;
  }
  driver.propose_abort(turn, reasons::presumed(found.branch));
  return driver;
}

// All that the record lists is taken in, so that the driver can tell its branches from strays when
// the record has left. What is not asked for has confirmed before.
Driver Driver::finish(Turn& turn, const TransactionId& transaction,
                      const state::TransactionRecord& record,
                      const std::vector<FoundBranch>& branches) {
  Driver driver(transaction);
  driver.state_ = Finishing{record.outcome, record.reason};
  driver.adopt(record);
  for (Branch& branch : driver.branches_) branch.confirmed = kLongAgo;
  for (const FoundBranch& found : branches) {
    Branch& branch = driver.find_or_add(found.branch);
    branch.confirmed.reset();
    if (!branch.evidence) branch.evidence = found.evidence;
    driver.send_finish(turn, branch);
  }
  driver.log_lost_commit(turn);
  return driver;
}

Driver Driver::expire(Turn& turn, const FoundBranch& found) {
  Driver driver(found.branch.transaction);
  driver.add_stray(turn, found);
  driver.become_expired(turn);
  return driver;
}

Driver Driver::resolve(Turn& turn, const FoundBranch& found, Outcome outcome) {
  Driver driver(found.branch.transaction);
  Finishing state{outcome};
  state.resolved = true;
  driver.state_ = std::move(state);
  Branch& branch = driver.find_or_add(found.branch);
  branch.listed = outcome == Outcome::kCommitted;
  branch.evidence = found.evidence;
  driver.send_finish(turn, branch);
  return driver;
}

bool Driver::expired() const {
  const auto* finishing = std::get_if<Finishing>(&state_);
  return finishing != nullptr && finishing->expired;
}

// ── callers ─────────────────────────────────────────────────────────────────────────────────────

void Driver::join(Turn& turn, const CommitCaller& caller, const std::vector<BranchId>& branches) {
  if (request_hash_ != 0 && request_hash_ != caller.request_hash) {
    turn.effects.replies.push_back({caller.token, reasons::id_reused(transaction_)});
    return;
  }
  if (!admit(turn, caller.token, caller)) return;
  // An abort does not know all of the client's branches; this request names them.
  if (request_hash_ == 0) add_requested(turn, branches);
  // Each caller was promised an abort if its own deadline passes before all votes are in.
  if (auto* preparing = std::get_if<Preparing>(&state_)) {
    preparing->deadline = std::min(preparing->deadline, caller.deadline);
  }
  answer_callers(turn);
}

void Driver::join(Turn& turn, const AbortCaller& caller, const std::vector<BranchId>& branches) {
  if (!admit(turn, caller.token, caller)) return;
  add_named(turn, branches);
  if (in<Preparing>()) give_up(turn, reasons::asked_for());
  answer_callers(turn);
}

// Should T turn out to have committed in one phase, then with these: they have all ended.
void Driver::add_requested(Turn& turn, const std::vector<BranchId>& branches) {
  if (in<Settling>()) return list(turn, branches);
  const auto* finishing = std::get_if<Finishing>(&state_);
  if (finishing == nullptr || !finishing->one_phase) add_named(turn, branches);
}

// What a client names may have committed long ago. Where T has no record to tell, only what an
// inventory found prepared is rolled back (R14).
void Driver::add_named(Turn& turn, const std::vector<BranchId>& branches) {
  const auto* finishing = std::get_if<Finishing>(&state_);
  if (finishing == nullptr || !finishing->expired) add_strays(turn, branches);
}

// ── the decision ────────────────────────────────────────────────────────────────────────────────

void Driver::propose_commit(Turn& turn) {
  become_proposing(Outcome::kCommitted);
  turn.effects.propose.push_back(
      state::Committed{transaction_, request_hash_, decided_branches(/*with_strays=*/false)});
  if (canary(Canary::kPhaseTwoWhenProposed)) become_finishing(turn, {Outcome::kCommitted, {}});
  if (canary(Canary::kToldWhenProposed)) {
    std::erase_if(callers_, [&](const Caller& caller) {
      const auto* commit = std::get_if<CommitCaller>(&caller);
      if (commit == nullptr) return false;
      CommitAnswer answer;
      answer.outcome = Outcome::kCommitted;
      turn.effects.replies.push_back({commit->token, std::move(answer)});
      return true;
    });
    answer_callers(turn);
  }
}

void Driver::propose_abort(Turn& turn, Error reason) {
  become_proposing(Outcome::kAborted);
  turn.effects.propose.push_back(state::Aborted{transaction_, request_hash_,
                                                reasons::bounded(std::move(reason)),
                                                decided_branches(/*with_strays=*/true)});
}

// One proposal at a time, so that the one result that comes back is this one's.
void Driver::become_proposing(Outcome outcome) {
  const auto* proposed = std::get_if<Proposing>(&state_);
  CHECK(!in<Finishing>() && (proposed == nullptr || proposed->refused),
        "only what is undecided is proposed (R1)");
  stop_asking();
  state_ = Proposing{outcome};
}

// The commit is none, and nobody was told of it. T can be aborted: nothing else of it is proposed.
void Driver::abandon(Turn& turn, const std::string& loser) {
  std::get<Proposing>(state_).refused = true;
  propose_abort(turn, reasons::branch_lost(loser));
}

std::vector<state::DecidedBranch> Driver::decided_branches(bool with_strays) const {
  std::vector<state::DecidedBranch> decided;
  for (const Branch& branch : branches_) {
    const bool left = branch.left && !canary(Canary::kReaderListed);
    if (left || (!branch.listed && !with_strays)) continue;
    if (canary(Canary::kOnlyFirstListed) && !decided.empty()) break;
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
          [&](const state::BelowFloor&) { refused(turn); },
          [&](const state::BranchLost& lost) { abandon(turn, lost.participant); },
          [](const state::EpochIssued&) { CHECK(false, "not the answer to a decision"); },
          [](const state::EnrolmentRefused&) { CHECK(false, "not the answer to a decision"); },
          [](const state::GroupGoverns&) { CHECK(false, "not the answer to a decision"); },
          [](const state::ChangeRefused&) { CHECK(false, "not the answer to a decision"); },
          [](const state::NothingKept&) { CHECK(false, "not the answer to a decision"); },
      },
      executed.result);
}

// Whatever was proposed, what counts is the record (R1).
void Driver::follow_record(Turn& turn) {
  if (const state::TransactionRecord* record = turn.state.find(transaction_)) {
    adopt(*record);
    return become_finishing(turn, {record->outcome, record->reason});
  }
  // It has left, so its branches have confirmed. Which they were is not known any more.
  leave_to_inventories(turn);
}

// No record is made of T with the branches that were proposed.
// 1. At or below the floor none will be made with any others: T can never commit, and what is
//    prepared rolls back (R14).
// 2. Above it, one of them is of before the coordinator was restored from a backup (R15). A record
//    of T can still be made, by whoever does not name that branch. So a rollback that was sent now
//    would not be the log's (R3), and might meet what the log commits later.
// 3. Therefore nothing is sent. Inventories show what is prepared: of before the restore it is an
//    operator's, and for any other branch an abort is proposed, with that branch alone.
void Driver::refused(Turn& turn) {
  if (transaction_.time() <= turn.state.floor()) return become_expired(turn);
  leave_to_inventories(turn);
}

void Driver::leave_to_inventories(Turn& turn) {
  release(turn.serials);
  branches_.clear();
  become_expired(turn);
}

// T is below the floor and has no record, where none will ever be made: it can never commit (R14).
// A writer that was told to commit in one phase may have done so, and its row may have gone with
// T's time: nothing is sent to it. Should it be prepared, an inventory finds it.
void Driver::become_expired(Turn& turn) {
  for (Branch& branch : branches_) {
    const bool writer = branch.listed && branch.id.participant == writer_;
    if (writer && (repeated_ || told_) && !branch.evidence) branch.left = true;
  }
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
    if (record.outcome == Outcome::kCommitted) branch.left = false;
    if (decided.evidence != Evidence{}) branch.evidence = decided.evidence;
  }
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
  if (canary(Canary::kForgetUnconfirmed)) return in<Finishing>() && callers_.empty();
  return in<Finishing>() && std::all_of(branches_.begin(), branches_.end(), [](const Branch& one) {
           return one.ended() && one.unlogged == 0;
         });
}

void Driver::release(Serials& serials) const {
  for (const Branch& branch : branches_) serials.release(branch.id.participant, branch.id.attempt);
}

std::optional<MonoTime> Driver::next_due() const {
  std::optional<MonoTime> due;
  if (const auto* preparing = std::get_if<Preparing>(&state_)) due = preparing->deadline;
  if (const auto* settling = std::get_if<Settling>(&state_)) due = settling->resend_at;
  const auto* one_phase = std::get_if<OnePhase>(&state_);
  if (one_phase != nullptr && one_phase->unsent()) due = one_phase->deadline;
  for (const Branch& branch : branches_) due = earlier(due, branch.resend_at);
  for (const Caller& caller : callers_) due = earlier(due, due_of(caller));
  return due;
}

// When the caller is answered though nothing happens.
std::optional<MonoTime> Driver::due_of(const Caller& caller) const {
  if (in<OnePhase>() || in<Settling>()) {
    return std::visit([](const auto& one) { return one.leaves_at; }, caller);
  }
  const auto* waiting = std::get_if<CommitCaller>(&caller);
  if (!in<Finishing>() || waiting == nullptr) return std::nullopt;
  return waiting->deadline;
}

std::vector<std::string> Driver::pending() const {
  std::vector<std::string> participants;
  for (const Branch& branch : branches_) {
    if (branch.listed && !branch.ended()) participants.push_back(branch.id.participant);
  }
  return participants;
}

std::string_view Driver::state_name() const {
  return std::visit(
      Overloaded{
          [](const Preparing&) { return std::string_view("Preparing"); },
          [](const OnePhase&) { return std::string_view("OnePhase"); },
          [](const Settling&) { return std::string_view("Settling"); },
          [](const Proposing& state) {
            return std::string_view(state.outcome == Outcome::kCommitted ? "Committing"
                                                                         : "Aborting");
          },
          [](const Finishing& state) {
            if (state.expired) return std::string_view("Expired");
            if (state.one_phase) return std::string_view("Committed in one phase");
            if (state.resolved) return std::string_view("Resolved by an operator");
            return std::string_view(state.outcome == Outcome::kCommitted ? "Committed" : "Aborted");
          },
      },
      state_);
}

void Driver::check_invariants() const {
  const auto* finishing = std::get_if<Finishing>(&state_);
  CHECK_LE(branches_.size(), kBranchesMax, "memory is bounded");
  CHECK(!done() || callers_.empty(), "the last confirmation answers every caller");
  CHECK(!in<Settling>() || !writer_.empty(), "only a writer commits in one phase (R12)");
  for (const Branch& branch : branches_) {
    CHECK(branch.id.transaction == transaction_, "a driver drives one transaction");
    CHECK(finishing != nullptr || !branch.confirmed, "only a decided outcome is confirmed (R3)");
    CHECK(!branch.ended() || !branch.resend_at, "what has ended is not sent again");
    CHECK(!branch.left || !branch.evidence, "a reader is not prepared (R11)");
    CHECK(!branch.results || !callers_.empty(), "results are kept for callers only");
    check_asking(branch);
  }
  if (finishing == nullptr || finishing->outcome != Outcome::kCommitted) return;
  for (const Branch& branch : branches_) {
    const bool ended = finishing->one_phase && branch.ended();
    const bool resolved = finishing->resolved;
    CHECK(!branch.listed || branch.evidence || ended || resolved, "what commits has evidence (R7)");
  }
}

void Driver::check_asking(const Branch& branch) const {
  const bool writer = branch.listed && branch.id.participant == writer_;
  const bool asking = in<Preparing>() || in<OnePhase>();
  CHECK(!branch.resend_at || asking || in<Finishing>(),
        "what waits for an answer sends nothing (R3)");
  CHECK(!asking || branch.listed || !branch.resend_at, "strays are not asked to prepare");
  CHECK(!branch.held || (writer && in<Preparing>()), "only a writer waits for others");
  CHECK(!branch.held || !branch.resend_at, "what waits for others was not sent");
  const bool early = canary(Canary::kOnePhaseBeforeVotes);
  CHECK(early || !in<OnePhase>() || !branch.listed || writer != branch.left,
        "all others left before the writer was told to commit (R11)");
}

}  // namespace assent::commit
