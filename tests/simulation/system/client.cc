#include "tests/simulation/system/client.h"

#include <algorithm>
#include <utility>

#include "client/cpp/src/refusal.h"
#include "tests/simulation/system/book.h"
#include "tests/simulation/system/places.h"
#include "tests/simulation/system/story.h"
#include "tests/simulation/system/words.h"

namespace assent::simulation::system {
namespace {

constexpr Micros kHelloPatience = kSecond;
constexpr Micros kStatementPatience = 3 * kSecond;
constexpr Micros kStatementsGiveUp = 8 * kSecond;
constexpr Micros kCommitGiveUp = 20 * kSecond;

}  // namespace

Client::Client(Neighbours around, FindAgent find_agent, std::vector<std::string> participants,
               Place place, std::uint64_t seed, Micros think_max, Millis clock_max)
    : around_(around),
      find_agent_(std::move(find_agent)),
      participants_(std::move(participants)),
      place_(place),
      dice_(seed, 2'000 + place),
      think_max_(think_max),
      clock_max_(clock_max),
      coordinators_(addresses_of(around)) {}

std::string Client::doing() const {
  return run_ == nullptr ? "nothing" : run_->doing + (" " + to_string(run_->transaction));
}

void Client::think() {
  around_.scheduler.after(dice_.skewed(0, think_max_), [this] { begin(); });
}

void Client::begin() {
  if (stopped_) return;
  const bool fresh = known_ && around_.scheduler.now() - known_at_ < 20 * kSecond;
  if (fresh) return start_run();
  hello([this] { start_run(); });
}

void Client::hello(std::function<void()> then) {
  Coordinator& to = coordinator();
  const std::string asked = coordinators_.current();
  around_.wire.ask<Hello>(
      place_, to.place(), to.host().up(), kHelloPatience,
      [&to](Done<Hello> done) { to.host().take_in([&to, done] { to.hello(done); }); },
      [this, asked, then = std::move(then)](Result<Hello> told) {
        if (told) {
          known_ = std::move(*told);
          known_at_ = around_.scheduler.now();
          return then();
        }
        (void)coordinators_.failed(asked, told.error().leader);
        around_.scheduler.after(dice_.between(5, 60) * kMillisecond, [this, then] {
          if (!stopped_ || run_ != nullptr) hello(then);
        });
      });
}

LogTime Client::time() const {
  return known_->now + Millis((around_.scheduler.now() - known_at_) / kMillisecond);
}

// It stood still since it was told the time, or ran away.
Millis Client::clock_error() {
  if (clock_max_ == Millis(0) || calm_ || !dice_.percent(6)) return Millis(0);
  return Millis(dice_.between(-clock_max_.value, clock_max_.value));
}

void Client::start_run() {
  const auto run = std::make_shared<Run>();
  run->plan = make_plan(dice_, participants_, calm_);
  run->transaction =
      make_transaction_id(time() + clock_error(), dice_.next(), dice_.next(), place_);
  run->give_up_at = around_.scheduler.now() + kStatementsGiveUp;
  run_ = run;
  busy_since_ = around_.scheduler.now();
  around_.trace.event(place_, kBegins, run->transaction.low, run->plan.one_shot,
                      [&] { return to_string(run->transaction); });
  around_.book.planned(run->transaction, run->plan);
  if (run->plan.one_shot) return commit(run);
  next_statement(run);
}

// ── statements ──────────────────────────────────────────────────────────────────────────────────

template <class Words>
void Client::note(std::string_view what, const RunPtr& run, std::uint64_t number, Words words) {
  around_.trace.event(place_, what, run->transaction.low, number,
                      [&] { return to_string(run->transaction) + words(); });
}

void Client::next_statement(const RunPtr& run) {
  if (maybe_die(run, 3)) return;
  while (run->branch < run->plan.branches.size() &&
         run->statement == run->plan.branches[run->branch].statements.size()) {
    ++run->branch;
    run->statement = 0;
  }
  if (run->branch < run->plan.branches.size()) return send_statement(run);
  if (run->plan.aborts) return roll_back(run);
  commit(run);
}

void Client::send_statement(const RunPtr& run) {
  run->doing = "executes";
  const PlannedBranch& planned = run->plan.branches[run->branch];
  OpenBranch& open = run->branches[planned.participant];
  if (open.nonce.empty()) open.nonce = std::to_string(dice_.next());
  const auto address = known_->agents.find(planned.participant);
  Agent* const agent = address == known_->agents.end() ? nullptr : find_agent_(address->second);
  if (agent == nullptr) {
    return hello([this, run] { again(run, &Client::send_statement); });
  }
  branch::ExecuteAsked asked;
  asked.transaction = run->transaction;
  if (open.reference) {
    asked.branch = *open.reference;
  } else {
    asked.branch = branch::Opening{open.nonce, Millis(4'000), Millis(20'000), {}};
  }
  asked.number = static_cast<std::uint32_t>(run->statement + 1);
  asked.statement = planned.statements[run->statement];
  open.statements = asked.number;
  note("executes", run, asked.number,
       [&] { return " at " + planned.participant + ": " + words(asked.statement); });
  around_.wire.ask<branch::ExecuteAnswer>(
      place_, agent->place(), agent->up(), kStatementPatience,
      [agent, asked](Done<branch::ExecuteAnswer> done) {
        agent->enter([agent, asked, done] { agent->execute(asked, done); });
      },
      [this, run](Result<branch::ExecuteAnswer> answer) {
        take_statement(run, std::move(answer));
      });
}

void Client::take_statement(const RunPtr& run, Result<branch::ExecuteAnswer> answer) {
  if (run != run_) return;
  note("is answered", run, answer.has_value(),
       [&] { return answer ? std::string(": done") : ": " + words(answer.error()); });
  if (answer) {
    run->branches[run->plan.branches[run->branch].participant].reference = answer->branch;
    ++run->statement;
    return next_statement(run);
  }
  const bool late = run->give_up_at <= around_.scheduler.now();
  if (!retryable(answer.error().code) || late) return roll_back(run);
  if (answer.error().code == ErrorCode::kOverloaded) return again(run, &Client::send_statement);
  hello([this, run] { again(run, &Client::send_statement); });
}

void Client::again(const RunPtr& run, void (Client::*act)(const RunPtr&)) {
  around_.scheduler.after(dice_.between(5, 80) * kMillisecond, [this, run, act] {
    if (run == run_) (this->*act)(run);
  });
}

// Nobody can ever commit it, whether the request arrives or not.
void Client::roll_back(const RunPtr& run) {
  note("rolls back", run, 0, [&] { return " at " + place_name(coordinator().place()); });
  Coordinator& to = coordinator();
  const commit::AbortAsked asked{{}, run->transaction, requested(*run), true};
  around_.wire.ask<commit::AbortAnswer>(
      place_, to.place(), to.host().up(), kSecond,
      [&to, asked](Done<commit::AbortAnswer> done) {
        to.host().take_in([&to, asked, done] { to.abort(asked, done); });
      },
      [](const Result<commit::AbortAnswer>&) {});
  end(run, Outcome::kAborted);
}

bool Client::maybe_die(const RunPtr& run, std::uint64_t percent) {
  if (!run->plan.dies || !dice_.percent(percent * 10)) return false;
  around_.trace.event(place_, "dies", run->transaction.low, 0,
                      [&] { return to_string(run->transaction); });
  run_.reset();
  think();
  return true;
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

std::vector<commit::RequestedBranch> Client::requested(const Run& run) const {
  std::vector<commit::RequestedBranch> out;
  for (const PlannedBranch& planned : run.plan.branches) {
    commit::RequestedBranch branch;
    branch.participant = planned.participant;
    branch.reads = planned.reads;
    if (run.plan.one_shot) {
      branch.one_shot =
          std::make_shared<const OneShotBranch>(OneShotBranch{planned.statements, {}});
    } else {
      const auto open = run.branches.find(planned.participant);
      if (open == run.branches.end() || !open->second.reference) continue;
      branch.epoch = open->second.reference->epoch;
      branch.attempt = open->second.reference->attempt;
      branch.statements = open->second.statements;
    }
    out.push_back(std::move(branch));
  }
  return out;
}

void Client::commit(const RunPtr& run) {
  run->asked.transaction = run->transaction;
  run->asked.branches = requested(*run);
  run->asked.acknowledge = run->plan.acknowledge;
  run->asked.timeout = run->plan.timeout;
  run->give_up_at = around_.scheduler.now() + kCommitGiveUp;
  run->asked_to_commit = true;
  send_commit(run);
}

void Client::send_commit(const RunPtr& run) {
  run->doing = "commits";
  Coordinator& to = coordinator();
  const std::string asked = coordinators_.current();
  run->asked.first_in = run->first ? known_->office : 0;
  note("asks to commit", run, run->first, [&] {
    return " at " + place_name(to.place()) + (run->first ? ", for the first time" : ", again");
  });
  using Heard = tl::expected<commit::CommitAnswer, Error>;
  const Micros patience = std::min<Micros>(run->plan.timeout.value * kMillisecond + 2 * kSecond,
                                           dice_.between(1, 12) * kSecond);
  around_.wire.ask<Heard>(
      place_, to.place(), to.host().up(), patience,
      [&to, request = run->asked](Done<Heard> done) {
        to.host().take_in([&to, request, done] {
          to.commit(request, [done](Result<commit::CommitAnswer> answer) {
            done(Heard(std::move(answer)));
          });
        });
      },
      [this, run, asked](Result<Heard> heard) { take_commit(run, asked, std::move(heard)); },
      Wire::Copies::kOneAtMost);
  // It dies with its request on the way.
  (void)maybe_die(run, 5);
}

// client/cpp/src/core.cc and convert.cc.
void Client::take_commit(const RunPtr& run, const std::string& asked,
                         Result<tl::expected<commit::CommitAnswer, Error>> heard) {
  if (run != run_) return;
  note("hears", run, heard && *heard,
       [&] { return ": " + (heard ? words(*heard) : words(heard.error())); });
  if (heard && *heard) {
    around_.book.answered(run->asked, **heard);
    return end(run, (*heard)->outcome);
  }
  const Error error = heard ? heard->error() : heard.error();
  if (error.code == ErrorCode::kOutcomeUnknown && !std::exchange(run->unknown, true)) ++unknown_;
  if (error.code == ErrorCode::kExpired) run->expired = true;
  const bool acted =
      heard ? client::may_have_acted(error.code) : error.code != ErrorCode::kUnavailable;
  if (acted) run->first = false;
  if (error.office != 0) known_->office = error.office;
  if (!retryable(error.code)) {
    if (run->first) return end(run, Outcome::kAborted);
    return ask_status(run);
  }
  if (run->give_up_at <= around_.scheduler.now()) return ask_status(run);
  if (error.code != ErrorCode::kOverloaded && error.office == 0)
    (void)coordinators_.failed(asked, error.leader);
  again(run, &Client::send_commit);
}

// It knows nothing, and asks until somebody knows; for ever, if it must. T is undecided for as long
// as its own commit was not acted upon: it asks for that again, unless that was refused as EXPIRED,
// which it is for good.
void Client::ask_status(const RunPtr& run) {
  run->doing = "asks for the status of";
  Coordinator& to = coordinator();
  const std::string asked = coordinators_.current();
  around_.wire.ask<Status>(
      place_, to.place(), to.host().up(), kSecond,
      [&to, transaction = run->transaction](Done<Status> done) {
        to.host().take_in([&to, transaction, done] { to.status(transaction, done); });
      },
      [this, run, asked](Result<Status> status) { take_status(run, asked, std::move(status)); });
}

void Client::take_status(const RunPtr& run, const std::string& asked, Result<Status> status) {
  if (run != run_) return;
  if (status && (status->outcome || status->unknown)) return end(run, status->outcome);
  if (!status && status.error().code == ErrorCode::kExpired) return end(run, std::nullopt);
  if (!status) {
    (void)coordinators_.failed(asked, status.error().leader);
    return again(run, &Client::ask_status);
  }
  if (run->expired) return end(run, std::nullopt);
  run->give_up_at = around_.scheduler.now() + kCommitGiveUp;
  again(run, &Client::send_commit);
}

void Client::end(const RunPtr& run, std::optional<Outcome> outcome) {
  around_.trace.event(place_, "was told", run->transaction.low,
                      outcome ? static_cast<std::uint64_t>(*outcome) : 0, [&] {
                        return to_string(run->transaction) + " " +
                               std::string(outcome ? name(*outcome) : "nothing");
                      });
  if (outcome) around_.book.told(run->transaction, *outcome);
  if (outcome && run->asked_to_commit && dice_.percent(15)) ask_again(run->transaction);
  if (outcome && run->asked_to_commit && dice_.percent(5)) reuse_id(*run);
  ++finished_;
  run_.reset();
  think();
}

// Another request under the same id, as a program that makes its ids badly sends it. It is not the
// first of the id, and does not promise to be.
void Client::reuse_id(const Run& run) {
  if (!around_.book.is_decided(run.transaction)) return;
  commit::CommitAsked other = run.asked;
  other.first_in = 0;
  commit::RequestedBranch& branch = other.branches.front();
  if (branch.one_shot) {
    OneShotBranch altered = *branch.one_shot;
    altered.statements.push_back(altered.statements.back());
    branch.one_shot = std::make_shared<const OneShotBranch>(std::move(altered));
  } else {
    ++branch.statements;
  }
  around_.trace.event(place_, "reuses the id of", run.transaction.low, 0,
                      [&] { return to_string(run.transaction); });
  Coordinator& to = coordinator();
  around_.wire.ask<commit::CommitAnswer>(
      place_, to.place(), to.host().up(), kSecond,
      [&to, other](Done<commit::CommitAnswer> done) {
        to.host().take_in([&to, other, done] { to.commit(other, done); });
      },
      [this, other](const Result<commit::CommitAnswer>& answer) {
        if (answer) around_.book.reuse_answered(other.transaction, *answer);
      });
}

// Whoever asks afterwards hears the same.
void Client::ask_again(const TransactionId& transaction) {
  Coordinator& to = coordinator();
  around_.wire.ask<Status>(
      place_, to.place(), to.host().up(), kSecond,
      [&to, transaction](Done<Status> done) {
        to.host().take_in([&to, transaction, done] { to.status(transaction, done); });
      },
      [this, transaction](const Result<Status>& status) {
        if (status && !status->unknown) around_.book.status_told(transaction, status->outcome);
      });
}

}  // namespace assent::simulation::system
