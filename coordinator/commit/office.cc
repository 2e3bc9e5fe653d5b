#include "coordinator/commit/office.h"

#include <algorithm>
#include <utility>

#include "base/buggify.h"
#include "base/canary.h"
#include "base/check.h"
#include "coordinator/commit/office_impl.h"
#include "coordinator/commit/reasons.h"
#include "coordinator/commit/request.h"

namespace assent::commit {
namespace {

constexpr std::size_t kForgottenMax = 1'000;  // transactions of one Forgotten
constexpr Millis kAbortPatience{10'000};      // of a client that asks for an abort

// All that a committed request names has committed: what the record does not list had only read.
std::vector<std::string> unlisted(const std::vector<RequestedBranch>& requested,
                                  const state::TransactionRecord& record) {
  std::vector<std::string> participants;
  for (const RequestedBranch& branch : requested) {
    const auto lists = [&](const auto& decided) {
      return decided.participant == branch.participant;
    };
    if (std::none_of(record.branches.begin(), record.branches.end(), lists)) {
      participants.push_back(branch.participant);
    }
  }
  return participants;
}

}  // namespace

OfficeCounters& OfficeCounters::operator+=(const OfficeCounters& more) {
  committed += more.committed;
  aborted += more.aborted;
  one_phase += more.one_phase;
  read_only_votes += more.read_only_votes;
  one_shots += more.one_shots;
  settles += more.settles;
  presumed_aborted += more.presumed_aborted;
  heuristic += more.heuristic;
  return *this;
}

Office::Impl::Impl(const state::StateMachine& state, OfficeOptions options)
    : state_(state),
      options_(options),
      finishes_(options.finishes_remembered),
      budget_(options.budget) {
  CHECK_LT(Millis(0), options_.retry_min, "sending again without a pause never ends");
  CHECK_LE(options_.retry_min, options_.retry_max, "the pause only grows");
}

Effects Office::Impl::step(Now now, const Input& input) {
  Turn turn = begin(now);
  std::visit([&](const auto& one) { on(turn, one); }, input);
  maybe_forget(turn);
  return std::move(turn.effects);
}

// ── clients ─────────────────────────────────────────────────────────────────────────────────────

void Office::Impl::on(Turn& turn, const CommitAsked& asked) {
  const auto refuse = [&](Error error) {
    turn.effects.replies.push_back({asked.token, std::move(error)});
  };
  if (std::optional<Error> error = objection(asked)) return refuse(std::move(*error));
  CommitCaller caller = caller_of(turn, asked);
  const auto driven = drivers_.find(asked.transaction);
  if (driven != drivers_.end()) {
    driven->second.driver.join(turn, caller, drivable(asked.transaction, asked.branches));
    return after_event(driven, turn.now);
  }
  if (const auto* record = state_.find(asked.transaction)) return answer(turn, asked, *record);
  if (std::optional<Error> error = refusal(turn, asked.transaction, asked.branches)) {
    return refuse(std::move(*error));
  }
  // ADR 0005, 11. The first copy may arrive last: when a repeat of it has committed in one phase
  // and is gone, or when its office is over.
  const bool to_us = asked.first_in == number_ || canary(Canary::kFirstInIgnored);
  const bool first = to_us && !finishes_.maybe_knows(asked.transaction);
  const bool whole = has_one_shots(asked.branches);
  if (whole && asked.first_in != 0 && !to_us) {
    return refuse(reasons::other_office(asked.first_in, number_));
  }
  // A repeat whose one-shots nobody drives may have been run by an earlier office (R9).
  const bool run = first || !whole;
  if (run) {
    if (std::optional<Error> error = not_taken(asked.branches)) return refuse(std::move(*error));
  }
  drive(asked.transaction,
        run ? Driver::commit(turn, asked, first, std::move(caller))
            : Driver::refuse_to_run(turn, asked, std::move(caller)),
        turn.now);
}

CommitCaller Office::Impl::caller_of(const Turn& turn, const CommitAsked& asked) const {
  const MonoTime deadline = turn.now.mono + asked.timeout;
  CommitCaller caller{asked.token, request_hash(asked.branches),     asked.acknowledge,
                      deadline,    deadline + options_.settle_grace, {}};
  for (const RequestedBranch& branch : asked.branches) {
    caller.branches.push_back({branch.participant, branch.one_shot != nullptr});
  }
  return caller;
}

void Office::Impl::on(Turn& turn, const AbortAsked& asked) {
  const auto refuse = [&](Error error) {
    turn.effects.replies.push_back({asked.token, std::move(error)});
  };
  if (std::optional<Error> error = objection(asked)) return refuse(std::move(*error));
  const AbortCaller caller{asked.token, turn.now.mono + kAbortPatience + options_.settle_grace};
  const auto driven = drivers_.find(asked.transaction);
  if (driven != drivers_.end()) {
    driven->second.driver.join(turn, caller, drivable(asked.transaction, asked.branches));
    return after_event(driven, turn.now);
  }
  if (const auto* record = state_.find(asked.transaction)) return answer(turn, asked, *record);
  if (std::optional<Error> error = refusal(turn, asked.transaction, asked.branches)) {
    return refuse(std::move(*error));
  }
  drive(asked.transaction, Driver::abort(turn, asked, caller), turn.now);
}

// A record without a driver: every branch has confirmed (R9, R10).
void Office::Impl::answer(Turn& turn, const CommitAsked& asked,
                          const state::TransactionRecord& record) {
  if (record.request_hash != 0 && record.request_hash != request_hash(asked.branches)) {
    turn.effects.replies.push_back({asked.token, reasons::id_reused(asked.transaction)});
    return;
  }
  if (record.may_have_committed()) {
    turn.effects.replies.push_back({asked.token, record.reason});
    return roll_back_unlisted(turn, record, branch_ids(asked.transaction, asked.branches));
  }
  CommitAnswer answer;
  answer.outcome = record.outcome;
  answer.heuristic = heuristic_participants(state_, asked.transaction);
  if (record.outcome == Outcome::kCommitted) {
    answer.read_only = unlisted(asked.branches, record);
    answer.results_unavailable = has_one_shots(asked.branches);
    turn.effects.replies.push_back({asked.token, std::move(answer)});
    return;
  }
  answer.reason = record.reason;
  turn.effects.replies.push_back({asked.token, std::move(answer)});
  roll_back_unlisted(turn, record, branch_ids(asked.transaction, asked.branches));
}

void Office::Impl::answer(Turn& turn, const AbortAsked& asked,
                          const state::TransactionRecord& record) {
  Reply reply{asked.token, AbortAnswer{record.outcome}};
  if (record.may_have_committed()) reply.answer = record.reason;
  turn.effects.replies.push_back(std::move(reply));
  roll_back_unlisted(turn, record, branch_ids(asked.transaction, asked.branches));
}

// Branches of a decided transaction that its record does not list roll back (R5): an abort that was
// presumed, or asked for without naming them, left them open.
void Office::Impl::roll_back_unlisted(Turn& turn, const state::TransactionRecord& record,
                                      std::vector<BranchId> branches) {
  std::erase_if(branches, [&](const BranchId& id) {
    return std::any_of(record.branches.begin(), record.branches.end(), [&](const auto& decided) {
      return decided.participant == id.participant && decided.epoch == id.epoch &&
             decided.attempt == id.attempt;
    });
  });
  std::erase_if(branches, [&](const BranchId& id) { return !state_.participant(id.participant); });
  if (branches.empty() || drivers_.size() >= options_.transactions_max) return;
  const TransactionId transaction = branches.front().transaction;
  std::vector<FoundBranch> named;
  for (const BranchId& branch : branches) named.push_back({branch});
  drive(transaction, Driver::finish(turn, transaction, record, named), turn.now);
}

std::optional<Error> Office::Impl::refusal(const Turn& turn, const TransactionId& transaction,
                                           const std::vector<RequestedBranch>& branches) const {
  std::optional<Error> error =
      commit::refusal(transaction, branches, state_, turn.now.log, options_.clock_skew_max);
  const bool full = drivers_.size() >= options_.transactions_max || buggify(Point::kOverloaded);
  if (error) return error;
  for (const RequestedBranch& branch : branches) {
    if (!leaving_.contains(branch.participant)) continue;
    return reasons::unknown_participant(branch.participant);
  }
  if (!full) return std::nullopt;
  return reasons::overloaded("transactions are driven at once", options_.transactions_max);
}

// ── agents and the log ──────────────────────────────────────────────────────────────────────────

void Office::Impl::on(Turn& turn, const VoteArrived& arrived) {
  const BranchId& branch = arrived.branch;
  // It may have committed in a history that is over. A settle reads the outcome row in the one of
  // now, and says which life does (seed 167 of the whole system's simulation: a vote does not, so
  // asking for it again never ended).
  if (std::holds_alternative<VoteCommitted>(arrived.vote) && is_before_break(branch)) {
    const auto driven = drivers_.find(branch.transaction);
    if (driven == drivers_.end()) return;
    driven->second.driver.doubt_commit(turn, branch);
    return after_event(driven, turn.now);
  }
  bring(turn, branch.transaction, arrived);
}
void Office::Impl::on(Turn& turn, const PrepareLost& lost) {
  bring(turn, lost.branch.transaction, lost);
}
void Office::Impl::on(Turn& turn, const DecisionExecuted& executed) {
  bring(turn, executed.transaction, executed);
}
void Office::Impl::on(Turn& turn, const FinishArrived& arrived) {
  if (of_another_life(arrived.branch.participant, arrived.life)) {
    return on(turn, FinishLost{arrived.branch});
  }
  bring(turn, arrived.branch.transaction, arrived);
}
void Office::Impl::on(Turn& turn, const FinishLost& lost) {
  bring(turn, lost.branch.transaction, lost);
}
void Office::Impl::on(Turn& turn, const HeuristicLogged& logged) {
  bring(turn, logged.branch.transaction, logged);
}
void Office::Impl::on(Turn& turn, const SettleArrived& arrived) {
  if (of_another_life(arrived.participant, arrived.life)) {
    return on(turn, SettleLost{arrived.participant, arrived.transaction});
  }
  bring(turn, arrived.transaction, arrived);
}
void Office::Impl::on(Turn& turn, const SettleLost& lost) {
  bring(turn, lost.transaction, lost);
}

// Rare, so every driver is asked. A new life is up before anything else is heard of it, and it may
// be one over a database that has lost something.
void Office::Impl::on(Turn& turn, const AgentUp& up) {
  const state::ParticipantRecord* record = state_.participant(up.participant);
  if (record != nullptr) look_for_break(turn, up.participant, *record);
  for (auto driven = drivers_.begin(); driven != drivers_.end();) {
    const auto next = std::next(driven);
    driven->second.driver.on(turn, up);
    after_event(driven, turn.now);
    driven = next;
  }
}

void Office::Impl::on(Turn& turn, const Tick& tick) {
  std::vector<TransactionId> due;
  for (const auto& [when, transaction] : timers_) {
    if (turn.now.mono < when) break;
    due.push_back(transaction);
  }
  for (const TransactionId& transaction : due) bring(turn, transaction, tick);
  if (sweep_due_ && *sweep_due_ <= turn.now.mono) sweep(turn);
}

// ── drivers ─────────────────────────────────────────────────────────────────────────────────────

// An event of a transaction that is not driven came too late to matter.
template <class Event>
void Office::Impl::bring(Turn& turn, const TransactionId& transaction, const Event& event) {
  const auto driven = drivers_.find(transaction);
  if (driven == drivers_.end()) return;
  driven->second.driver.on(turn, event);
  after_event(driven, turn.now);
}

void Office::Impl::drive(const TransactionId& transaction, Driver driver, Now now) {
  const auto [driven, added] = drivers_.emplace(transaction, Driven{std::move(driver), {}});
  CHECK(added, "a transaction has one driver");
  to_forget_.erase(transaction);
  after_event(driven, now);
}

// After each event of a driver: its timer follows it, and it leaves when it is done.
void Office::Impl::after_event(Drivers::iterator driven, Now now) {
  if (driven->second.driver.done()) return retire(driven, now);
  set_timer(driven->first, driven->second, driven->second.driver.next_due());
}

void Office::Impl::retire(Drivers::iterator driven, Now now) {
  const TransactionId transaction = driven->first;
  set_timer(transaction, driven->second, std::nullopt);
  driven->second.driver.release(serials_);
  drivers_.erase(driven);
  finishes_.remember(transaction, now.mono);
  const state::TransactionRecord* record = state_.find(transaction);
  if (record == nullptr || record->forgotten()) return;
  if (to_forget_.empty()) to_forget_since_ = now.mono;
  to_forget_.insert(transaction);
}

void Office::Impl::set_timer(const TransactionId& transaction, Driven& driven,
                             std::optional<MonoTime> due) {
  if (driven.timer == due) return;
  if (driven.timer) timers_.erase({*driven.timer, transaction});
  if (due) timers_.insert({*due, transaction});
  driven.timer = due;
}

std::optional<MonoTime> Office::Impl::next_deadline() const {
  std::optional<MonoTime> due = forget_due();
  const auto offer = [&](MonoTime time) { due = due ? std::min(*due, time) : time; };
  if (sweep_due_) offer(*sweep_due_);
  if (!timers_.empty()) offer(timers_.begin()->first);
  return due;
}

std::optional<MonoTime> Office::Impl::forget_due() const {
  if (to_forget_.empty()) return std::nullopt;
  return to_forget_since_ + options_.forget_every;
}

// Forgotten waits for company, since alone it would cost a flush of the log: it goes with the next
// proposal, or by itself when it has waited for `forget_every`; in either case at most that often.
void Office::Impl::maybe_forget(Turn& turn) {
  if (to_forget_.empty() || buggify(Point::kForgetLate)) return;
  const MonoTime now = turn.now.mono;
  const bool rested = !last_forget_ || *last_forget_ + options_.forget_every <= now;
  if (!(rested && !turn.effects.propose.empty()) && now < *forget_due()) return;
  last_forget_ = now;
  while (!to_forget_.empty()) {
    const auto end =
        std::next(to_forget_.begin(),
                  static_cast<std::ptrdiff_t>(std::min(to_forget_.size(), kForgottenMax)));
    state::Forgotten batch{{to_forget_.begin(), end}};
    turn.effects.propose.emplace_back(std::move(batch));
    to_forget_.erase(to_forget_.begin(), end);
  }
}

// ── queries ─────────────────────────────────────────────────────────────────────────────────────

std::vector<std::string> Office::Impl::pending(const TransactionId& transaction) const {
  const auto driven = drivers_.find(transaction);
  if (driven == drivers_.end()) return {};
  return driven->second.driver.pending();
}

void Office::Impl::check_invariants() const {
  std::size_t timers = 0;
  for (const auto& [transaction, driven] : drivers_) {
    driven.driver.check_invariants();
    CHECK(!driven.driver.done(), "a driver that is done leaves at once");
    CHECK(driven.timer == driven.driver.next_due(), "the timer follows the driver");
    CHECK_EQ(to_forget_.count(transaction), 0u, "what is driven is not forgotten");
    if (!driven.timer) continue;
    ++timers;
    CHECK_EQ(timers_.count({*driven.timer, transaction}), 1u, "the timer is set");
  }
  CHECK_EQ(timers_.size(), timers, "no timer outlives its driver");
  CHECK(!drivers_.empty() || serials_.live_count() == 0, "no serial outlives its driver (R5)");
  CHECK(finishes_.size() <= options_.finishes_remembered || canary(Canary::kFinishesKept),
        "memory is bounded");
  CHECK_LE(strangers_.size(), kStrangersMax, "memory is bounded");
  CHECK_EQ(sweeps_.empty(), !sweep_due_.has_value(), "a sweep that is under way goes on");
  CHECK_LE(counters_.presumed_aborted, counters_.aborted, "presumed aborts are aborts");
}

// ── the public face ─────────────────────────────────────────────────────────────────────────────

Office::Office(const state::StateMachine& state, OfficeOptions options)
    : impl_(std::make_unique<Impl>(state, options)) {}
Office::~Office() = default;

Effects Office::take_office(Now now) {
  return impl_->take_office(now);
}
Effects Office::step(Now now, const Input& input) {
  return impl_->step(now, input);
}
std::optional<MonoTime> Office::next_deadline() const {
  return impl_->next_deadline();
}
std::vector<std::string> Office::pending(const TransactionId& transaction) const {
  return impl_->pending(transaction);
}
std::size_t Office::remembered() const {
  return impl_->remembered();
}
std::size_t Office::driven_count() const {
  return impl_->driven_count();
}
std::size_t Office::driven_at(const std::string& participant) const {
  return impl_->driven_at(participant);
}
std::optional<Error> Office::refuses(const std::string& participant) const {
  return impl_->refuses(participant);
}
const Budget& Office::budget() const {
  return impl_->budget();
}
const OfficeCounters& Office::counters() const {
  return impl_->counters();
}
void Office::check_invariants() const {
  impl_->check_invariants();
}

}  // namespace assent::commit
