#include "coordinator/commit/office.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/buggify.h"
#include "base/canary.h"
#include "base/check.h"
#include "coordinator/commit/driver.h"
#include "coordinator/commit/finish_memory.h"
#include "coordinator/commit/reasons.h"
#include "coordinator/commit/request.h"

namespace assent::commit {
namespace {

constexpr std::size_t kForgottenMax = 1'000;  // transactions of one Forgotten
constexpr std::size_t kStrangersMax = 1'000;  // warned about once each
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

class Office::Impl {
 public:
  Impl(const state::StateMachine& state, OfficeOptions options);

  Effects take_office(Now now);
  Effects step(Now now, const Input& input);

  [[nodiscard]] std::optional<MonoTime> next_deadline() const;
  [[nodiscard]] std::vector<std::string> pending(const TransactionId& transaction) const;
  [[nodiscard]] std::size_t driven_count() const { return drivers_.size(); }
  [[nodiscard]] const OfficeCounters& counters() const { return counters_; }
  void check_invariants() const;

 private:
  struct Driven {
    Driver driver;
    std::optional<MonoTime> timer;  // as it stands in timers_
  };
  using Drivers = std::map<TransactionId, Driven>;

  Turn begin(Now now) { return Turn{now, state_, options_, counters_, serials_}; }
  [[nodiscard]] CommitCaller caller_of(const Turn& turn, const CommitAsked& asked) const;

  void on(Turn& turn, const CommitAsked& asked);
  void on(Turn& turn, const AbortAsked& asked);
  void on(Turn& turn, const VoteArrived& arrived);
  void on(Turn& turn, const PrepareLost& lost);
  void on(Turn& turn, const DecisionExecuted& executed);
  void on(Turn& turn, const FinishArrived& arrived);
  void on(Turn& turn, const FinishLost& lost);
  void on(Turn& turn, const SettleArrived& arrived);
  void on(Turn& turn, const SettleLost& lost);
  void on(Turn& turn, const InventoryArrived& arrived);
  void on(Turn& turn, const AgentUp& up);
  void on(Turn& turn, const Tick& tick);

  void answer(Turn& turn, const CommitAsked& asked, const state::TransactionRecord& record);
  void answer(Turn& turn, const AbortAsked& asked, const state::TransactionRecord& record);
  void roll_back_unlisted(Turn& turn, const state::TransactionRecord& record,
                          std::vector<BranchId> branches);
  [[nodiscard]] std::optional<Error> refusal(const Turn& turn, const TransactionId& transaction,
                                             const std::vector<RequestedBranch>& branches) const;
  void found(Turn& turn, const BranchId& branch, MonoTime asked);
  void leave_alone(Turn& turn, const BranchId& branch);

  template <class Event>
  void bring(Turn& turn, const TransactionId& transaction, const Event& event);
  void drive(const TransactionId& transaction, Driver driver, Now now);
  void after_event(Drivers::iterator driven, Now now);
  void retire(Drivers::iterator driven, Now now);
  void set_timer(const TransactionId& transaction, Driven& driven, std::optional<MonoTime> due);
  [[nodiscard]] std::optional<MonoTime> forget_due() const;
  void maybe_forget(Turn& turn);

  const state::StateMachine& state_;
  const OfficeOptions options_;
  OfficeCounters counters_;
  std::uint64_t number_ = 0;  // of this office, in the log; 0 before it was taken
  Serials serials_{0};
  Drivers drivers_;
  std::set<std::pair<MonoTime, TransactionId>> timers_;  // one for each driver that waits for one
  FinishMemory finishes_;
  std::set<TransactionId> to_forget_;  // finished and not driven
  MonoTime to_forget_since_;           // when the first of them came
  std::optional<MonoTime> last_forget_;
  std::set<BranchId> strangers_;  // warned about already
};

Office::Impl::Impl(const state::StateMachine& state, OfficeOptions options)
    : state_(state), options_(options), finishes_(options.finishes_remembered) {
  CHECK_LT(Millis(0), options_.retry_min, "sending again without a pause never ends");
  CHECK_LE(options_.retry_min, options_.retry_max, "the pause only grows");
}

// What is decided and not forgotten is carried out again from the start: which branches have
// confirmed is not in the log, and a finish may be repeated.
Effects Office::Impl::take_office(Now now) {
  number_ = state_.office_number();
  serials_ = Serials(number_);
  Turn turn = begin(now);
  for (const TransactionId& transaction : state_.unforgotten()) {
    const state::TransactionRecord& record = *state_.find(transaction);
    std::vector<BranchId> branches;
    for (const state::DecidedBranch& branch : record.branches) {
      branches.push_back({transaction, branch.participant, branch.epoch, branch.attempt});
    }
    drive(transaction, Driver::finish(turn, transaction, record, branches), now);
  }
  return std::move(turn.effects);
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
    driven->second.driver.join(turn, caller, branch_ids(asked.transaction, asked.branches));
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
    driven->second.driver.join(turn, caller, branch_ids(asked.transaction, asked.branches));
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
  CommitAnswer answer;
  answer.outcome = record.outcome;
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
  turn.effects.replies.push_back({asked.token, AbortAnswer{record.outcome}});
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
  drive(transaction, Driver::finish(turn, transaction, record, branches), turn.now);
}

std::optional<Error> Office::Impl::refusal(const Turn& turn, const TransactionId& transaction,
                                           const std::vector<RequestedBranch>& branches) const {
  std::optional<Error> error =
      commit::refusal(transaction, branches, state_, turn.now.log, options_.clock_skew_max);
  const bool full = drivers_.size() >= options_.transactions_max || buggify(Point::kOverloaded);
  if (error || !full) return error;
  return reasons::overloaded("transactions are driven at once", options_.transactions_max);
}

// ── agents and the log ──────────────────────────────────────────────────────────────────────────

void Office::Impl::on(Turn& turn, const VoteArrived& arrived) {
  bring(turn, arrived.branch.transaction, arrived);
}
void Office::Impl::on(Turn& turn, const PrepareLost& lost) {
  bring(turn, lost.branch.transaction, lost);
}
void Office::Impl::on(Turn& turn, const DecisionExecuted& executed) {
  bring(turn, executed.transaction, executed);
}
void Office::Impl::on(Turn& turn, const FinishArrived& arrived) {
  bring(turn, arrived.branch.transaction, arrived);
}
void Office::Impl::on(Turn& turn, const FinishLost& lost) {
  bring(turn, lost.branch.transaction, lost);
}
void Office::Impl::on(Turn& turn, const SettleArrived& arrived) {
  bring(turn, arrived.transaction, arrived);
}
void Office::Impl::on(Turn& turn, const SettleLost& lost) {
  bring(turn, lost.transaction, lost);
}

// Rare, so every driver is asked.
void Office::Impl::on(Turn& turn, const AgentUp& up) {
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
}

// ── recovery ────────────────────────────────────────────────────────────────────────────────────

void Office::Impl::on(Turn& turn, const InventoryArrived& arrived) {
  for (const BranchId& branch : arrived.prepared) {
    if (branch.participant != arrived.participant) continue;
    found(turn, branch, arrived.asked);
    if (buggify(Point::kInventoryTwice)) found(turn, branch, arrived.asked);
  }
}

// A branch is prepared, or was when the inventory was asked for. What is right follows from who
// knows its transaction T:
// 1. A driver that finished after the inventory was asked for: what it showed is gone by now.
// 2. A driver: it is live work (R8), or the driver takes it in.
// 3. A record: the branch gets the record's outcome (R5).
// 4. Neither, and T is above the floor: T is undecided, so Aborted is proposed. It expects no
//    record (R1); should anything be decided first, that is followed instead.
// 5. Neither, and T is at or below the floor. No record of T will ever be made (R14), so nothing
//    commits T from now on. Could T have been committed, and this branch be owed the commit?
//    a. A record leaves only when it is forgotten, and Forgotten is proposed only when every
//       listed branch has confirmed: it was committed in its database, durably.
//    b. For it to be prepared again, the database must have gone back. Enrolment refuses a life
//       whose database went back (R16), and an agent's life ends with its database's.
//    c. The agent that sent this inventory enrolled after that. So the branch is not listed, and
//       rolling it back is right for every outcome that T may have had.
void Office::Impl::found(Turn& turn, const BranchId& branch, MonoTime asked) {
  const TransactionId& transaction = branch.transaction;
  const state::ParticipantRecord* participant = state_.participant(branch.participant);
  if (participant == nullptr || participant->epoch < branch.epoch) return leave_alone(turn, branch);
  if (finishes_.finished_since(transaction, asked)) return;
  const auto driven = drivers_.find(transaction);
  if (driven != drivers_.end()) {
    driven->second.driver.on_found(turn, branch, asked);
    return after_event(driven, turn.now);
  }
  if (const auto* record = state_.find(transaction)) {
    return drive(transaction, Driver::finish(turn, transaction, *record, {branch}), turn.now);
  }
  if (transaction.time() <= state_.floor()) {
    return drive(transaction, Driver::expire(turn, branch), turn.now);
  }
  // No client's request under such an id was ever let in (R17).
  if (turn.now.log + options_.clock_skew_max < transaction.time()) return leave_alone(turn, branch);
  // Orphans come as many as databases hold, all at once: those for whom there is no room now stand
  // in the next inventory, too.
  if (drivers_.size() >= options_.transactions_max || buggify(Point::kOrphansLater)) return;
  drive(transaction, Driver::presume_abort(turn, branch), turn.now);
}

// Not ours (R8), whatever its name says.
void Office::Impl::leave_alone(Turn& turn, const BranchId& branch) {
  if (strangers_.size() >= kStrangersMax) strangers_.clear();
  if (!strangers_.insert(branch).second) return;
  turn.effects.warnings.push_back({branch.transaction, reasons::stranger(branch)});
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
  const std::optional<MonoTime> forget = forget_due();
  if (timers_.empty()) return forget;
  const MonoTime timer = timers_.begin()->first;
  return forget ? std::min(timer, *forget) : timer;
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
  CHECK_LE(finishes_.size(), options_.finishes_remembered, "memory is bounded");
  CHECK_LE(strangers_.size(), kStrangersMax, "memory is bounded");
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
std::size_t Office::driven_count() const {
  return impl_->driven_count();
}
const OfficeCounters& Office::counters() const {
  return impl_->counters();
}
void Office::check_invariants() const {
  impl_->check_invariants();
}

}  // namespace assent::commit
