#include "tests/simulation/system/agent.h"

#include <algorithm>
#include <concepts>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/overloaded.h"
#include "tests/simulation/system/book.h"
#include "tests/simulation/system/connection.h"
#include "tests/simulation/system/coordinator.h"
#include "tests/simulation/system/process.h"
#include "tests/simulation/system/words.h"
#include "tests/simulation/violation.h"

namespace assent::simulation::system {
namespace {

// As in production: participant/server's config.cc, agent.cc and registration.cc.
constexpr int kLooksMax = 10;
constexpr std::size_t kRememberedMax = 40;  // gaps between one-shots that came, and settles
constexpr Micros kRetryEvery = 200 * kMillisecond;
constexpr Micros kEnrolRetryEvery = 50 * kMillisecond;
constexpr Micros kEnrolPatience = 2 * kSecond;
constexpr Micros kHeartbeatEvery = 400 * kMillisecond;
constexpr Micros kHeartbeatPatience = 500 * kMillisecond;
constexpr Millis kDisplacedWait{15'000};
constexpr Micros kRestartedAfter = 500 * kMillisecond;  // by a service manager

using Vote = commit::Vote;

Vote vote_of(const branch::Yes& yes) {
  return commit::VoteYes{yes.evidence, yes.results};
}
Vote vote_of(const branch::No& no) {
  return commit::VoteNo{no.reason, no.evidence};
}
Vote vote_of(const branch::ReadOnly& left) {
  return commit::VoteReadOnly{left.results};
}
Vote vote_of(const branch::Committed& committed) {
  return commit::VoteCommitted{committed.results};
}

template <class Answer>
concept IsVote = requires(const Answer& answer) {
  vote_of(answer);
};

}  // namespace

struct Agent::Life {
  using Waiter = std::variant<Done<Vote>, Done<FinishResult>, Done<branch::Settled>,
                              Done<branch::ExecuteAnswer>, Done<branch::Cancelled>>;

  Life(Loop::Later later, const postgres::DatabaseOptions& options,
       const std::function<postgres::Connect(Loop&)>& connect)
      : loop(std::move(later)), database(std::in_place, loop, options, connect(loop)) {}
  // Coroutines that wait hold parts of the database; they go with the loop.
  ~Life() { database.reset(); }

  Loop loop;
  std::optional<postgres::Database> database;
  std::unique_ptr<branch::BranchTable> table;
  Epoch epoch;
  bool open = false;
  std::unordered_map<branch::Token, Waiter> waiters;
  branch::Token last_token;
  std::optional<MonoTime> armed;
  std::string nonce;
  bool takes_over = false;  // an operator says that lost data may be
  std::uint64_t beats = 0;  // the latest one that is awaited, or due
  bool beating = false;     // it waits for its answer
  bool recovered = true;    // and no leader has heard it yet
  Ballot highest;           // that a leader has asked under
  int looks = 0;            // at a database that was refused
};

Agent::Agent(Neighbours around, std::string participant, std::string address, Place place,
             std::function<model::Server*()> server, std::uint64_t seed)
    : around_(around),
      participant_(std::move(participant)),
      address_(std::move(address)),
      place_(place),
      server_(std::move(server)),
      dice_(seed, 1'000 + place),
      clock_(dice_.between(-kDriftMax, kDriftMax), Millis(0)) {}

Agent::~Agent() = default;

// ── lives ───────────────────────────────────────────────────────────────────────────────────────

void Agent::boot() {
  if (up() || displaced_) return;
  ++lives_;
  const bool takes_over = std::exchange(takes_over_, false);
  around_.trace.event(place_, "agent boots", lives_, takes_over,
                      [&] { return address_ + (takes_over ? " --takeover" : ""); });
  clock_.boot(around_.scheduler.now(), MonoTime(dice_.between(0, 1'000'000'000)));
  postgres::DatabaseOptions options;
  options.cluster = "sim";
  options.participant = participant_;
  options.database = "bank";
  options.work_connections = 8;
  options.finish_connections = 3;
  options.lock_timeout = Millis(1'000);
  options.outcome_row = dice_.percent(50);
  life_ = std::make_unique<Life>(
      [this](Micros delay, std::function<void()> act) { later(delay, std::move(act)); }, options,
      [this](Loop&) { return connect_to(server_, around_.scheduler, dice_); });
  coordinators_.emplace(addresses_of(around_));
  life_->nonce = std::to_string(dice_.next());
  life_->takes_over = takes_over;
  enter([this] { identify(); });
}

void Agent::crash() {
  if (!up()) return;
  around_.trace.event(place_, "agent crashes", lives_, 0, [&] { return address_; });
  const Running running(mono(), dice_);
  life_.reset();
  inbox_.clear();
  paused_until_ = 0;
}

void Agent::enter(std::function<void()> act) {
  if (!up()) return;
  if (inbox_.empty() && paused_until_ <= around_.scheduler.now()) return run(act);
  inbox_.push_back(std::move(act));
}

void Agent::run(const std::function<void()>& act) {
  const Running running(mono(), dice_);
  act();
  life_->loop.run_ready();
  if (!life_->table) return;
  arm();
}

void Agent::pause_until(Micros until) {
  if (!up()) return;
  paused_until_ = until;
  around_.scheduler.at(until, [this] { resume(); });
}

void Agent::resume() {
  if (around_.scheduler.now() < paused_until_) return;
  while (up() && !inbox_.empty()) {
    const std::function<void()> act = std::move(inbox_.front());
    inbox_.pop_front();
    run(act);
  }
}

void Agent::later(Micros delay, std::function<void()> act) {
  around_.scheduler.after(delay, [this, life = lives_, act = std::move(act)] {
    if (life == lives_ && up()) enter(act);
  });
}

MonoTime Agent::mono() const {
  return clock_.read(around_.scheduler.now()).mono;
}

// ── the start: participant/server/agent.cc ──────────────────────────────────────────────────────

void Agent::identify() {
  life_->database->identify([this](Result<postgres::Position> position) {
    if (!position) return retry_or_fail(position.error(), &Agent::identify);
    life_->database->stored_epoch([this, position](Result<Epoch> stored) {
      if (!stored) return retry_or_fail(stored.error(), &Agent::identify);
      life_->database->stored_landmark(
          *stored, [this, position, stored](Result<postgres::StoredLandmark> landmark) {
            if (!landmark) return retry_or_fail(landmark.error(), &Agent::identify);
            enrol(*position, *stored, *landmark);
          });
    });
  });
}

void Agent::enrol(const postgres::Position& position, Epoch stored,
                  const postgres::StoredLandmark& landmark) {
  state::Enrolled request;
  request.tracks_history = state::Tracking::kEveryBreak;
  request.participant = participant_;
  request.nonce = life_->nonce;
  request.stored_epoch = stored;
  request.identity = {position.system_identifier, position.database_oid};
  request.timeline = position.timeline;
  request.wal_position = position.wal_position;
  request.client_address = request.peer_address = address_;
  request.one_phase = true;
  request.landmark = landmark.wal_position;
  if (landmark.left_at > 0) request.left_at = landmark.left_at;
  request.takeover = life_->takes_over;
  ask_to_enrol(request, stored, mono() + kDisplacedWait);
}

void Agent::ask_to_enrol(const state::Enrolled& request, Epoch stored, MonoTime give_way_at) {
  const std::string asked = coordinators_->current();
  Coordinator& to = coordinator_at(around_, asked);
  around_.wire.ask<Issued>(
      place_, to.place(), to.host().up(), kEnrolPatience,
      [&to, request](Done<Issued> done) {
        to.host().take_in([&to, request, done] { to.enrol(request, done); });
      },
      [this, asked, request, stored, give_way_at, life = lives_](Result<Issued> issued) {
        if (life != lives_) return;
        enter([this, asked, request, stored, give_way_at, issued = std::move(issued)] {
          if (issued) return claim(stored, issued->epoch, issued->ballot);
          const Error& error = issued.error();
          const bool leads =
              error.code == ErrorCode::kDisplaced || error.code == ErrorCode::kOverloaded;
          const bool waits = error.code == ErrorCode::kDisplaced && mono() < give_way_at;
          const bool passes = retryable(error.code) || error.code == ErrorCode::kOutcomeUnknown;
          if (!passes && !waits) return enrolment_refused(error);
          if (!leads) (void)coordinators_->failed(asked, error.leader);
          later(kEnrolRetryEvery, [this, request, stored, give_way_at] {
            ask_to_enrol(request, stored, give_way_at);
          });
        });
      });
}

void Agent::enrolment_refused(const Error& why) {
  const bool went_back = why.code == ErrorCode::kIdentityMismatch;
  if (!went_back || life_->looks == kLooksMax) {
    refused_ = went_back;
    return end(why);
  }
  ++life_->looks;
  identify();
}

void Agent::claim(Epoch stored, Epoch epoch, Ballot ballot) {
  life_->database->claim_epoch(stored, epoch, [this, epoch, ballot](Result<void> claimed) {
    if (!claimed) return retry_or_fail(claimed.error(), &Agent::identify);
    serve(epoch, ballot);
  });
}

void Agent::serve(Epoch epoch, Ballot ballot) {
  if (clone_of_ && around_.book.record_of(participant_)->broken_below == *clone_of_) {
    violated(Checker::kCloneIsRefused, address_ + " serves an old copy of its database");
  }
  around_.trace.event(place_, "agent serves", epoch.value, 0, [&] { return address_; });
  refused_ = takes_over_ = false;
  life_->epoch = epoch;
  life_->table = std::make_unique<branch::BranchTable>(
      branch::BranchTableOptions{.participant = participant_, .epoch = epoch}, ballot);
  life_->database->set_sink([this](branch::Input input) { feed(input); });
  life_->database->set_may_send([this](Ballot sender) { return life_->table->may_send(sender); });
  life_->database->on_over([this](const Error& why) { end(why); });
  life_->database->on_reconnected([this] { recovered(); });
  beat();
  fence();
}

void Agent::fence() {
  life_->database->fence_older_lives([this](Result<void> fenced) {
    if (!fenced) return retry_or_fail(fenced.error(), &Agent::fence);
    life_->open = true;
    recovered();
  });
}

void Agent::recovered() {
  life_->recovered = true;
  if (!life_->beating) beat();
}

void Agent::beat_after(Micros pause) {
  later(pause, [this, beat = ++life_->beats] {
    if (beat == life_->beats) this->beat();
  });
}

void Agent::beat() {
  ++life_->beats;
  life_->beating = true;
  const bool told = std::exchange(life_->recovered, false);
  const std::string asked = coordinators_->current();
  Coordinator& to = coordinator_at(around_, asked);
  around_.wire.ask<LogTime>(
      place_, to.place(), to.host().up(), kHeartbeatPatience,
      [&to, participant = participant_, epoch = life_->epoch, told,
       landmark = life_->database->landmark()](Done<LogTime> done) {
        to.host().take_in([&to, participant, epoch, told, landmark, done] {
          to.heartbeat(participant, epoch, {.recovered = told, .landmark = landmark}, done);
        });
      },
      [this, asked, told, life = lives_](Result<LogTime> floor) {
        if (life != lives_) return;
        enter([this, asked, told, floor = std::move(floor)] { on_beat(asked, told, floor); });
      });
}

void Agent::on_beat(const std::string& asked, bool told, const Result<LogTime>& floor) {
  life_->beating = false;
  if (floor) {
    life_->database->drop_outcomes(*floor);
    return beat_after(life_->recovered ? 0 : kHeartbeatEvery);
  }
  life_->recovered = life_->recovered || told;
  const ErrorCode code = floor.error().code;
  const bool over = code == ErrorCode::kDisplaced || code == ErrorCode::kUnknownParticipant;
  if (over) return end(floor.error());
  (void)coordinators_->failed(asked, floor.error().leader);
  beat_after(kEnrolRetryEvery);
}

void Agent::retry_or_fail(const Error& error, void (Agent::*again)()) {
  if (!retryable(error)) return end(error);
  later(kRetryEvery, [this, again] { (this->*again)(); });
}

// The process ends, with the exit code of this error.
void Agent::end(const Error& why) {
  around_.trace.event(place_, "agent ends", static_cast<std::uint64_t>(why.code), 0,
                      [&] { return address_ + ": " + why.message; });
  displaced_ = why.code == ErrorCode::kDisplaced;
  const bool went_back = why.code == ErrorCode::kIdentityMismatch;
  if (went_back && life_->table != nullptr) around_.book.life_went_back(participant_, why);
  around_.scheduler.after(0, [this, life = lives_] {
    if (life == lives_) crash();
  });
  around_.scheduler.after(kRestartedAfter, [this, life = lives_] {
    if (life == lives_) boot();
  });
}

// R4, looked at from outside: whether a request under this ballot may be obeyed.
bool Agent::fences(Ballot ballot) {
  if (ballot < life_->highest) return true;
  life_->highest = ballot;
  return false;
}

void Agent::check_fenced(bool stale, const BranchId& branch) {
  if (stale) violated(Checker::kBallotsFence, to_string(branch) + " obeys a ballot that is over");
}

// ── requests: branch_runner.cc and the handlers ─────────────────────────────────────────────────

Error Agent::named(Error error) const {
  error.participant = participant_;
  return error;
}

template <class T>
void Agent::feed_for(branch::Input input, Done<T> done) {
  const branch::Token token = life_->last_token = life_->last_token.next();
  life_->waiters.emplace(token, std::move(done));
  std::visit(
      [&](auto& asked) {
        if constexpr (requires { asked.token; }) asked.token = token;
      },
      input);
  feed(input);
}

template <class Words>
void Agent::note(std::string_view what, const BranchId& branch, Words words) {
  around_.trace.event(place_, what, branch.transaction.low, branch.attempt.value,
                      [&] { return to_string(branch) + words(); });
}

void Agent::prepare(branch::PrepareAsked asked, Done<Vote> done) {
  note("is asked to prepare", asked.branch, [] { return std::string(); });
  if (!life_->table || (asked.one_shot && !life_->open)) {
    return done(tl::unexpected(named({ErrorCode::kUnavailable, "the agent is starting"})));
  }
  const bool stale = fences(asked.ballot);
  feed_for<Vote>(asked, [this, branch = asked.branch, stale, done](Result<Vote> vote) {
    note("votes", branch, [&] { return " " + words(vote); });
    if (!vote) return done(tl::unexpected(named(vote.error())));
    check_fenced(stale, branch);
    around_.book.voted(branch, *vote, life_->epoch);
    done(std::move(vote));
  });
}

void Agent::finish(branch::FinishAsked asked, Done<FinishResult> done) {
  note("is asked to finish", asked.branch, [&] { return " " + std::string(name(asked.outcome)); });
  if (!life_->table) return done(failure(ErrorCode::kUnavailable, "the agent is starting"));
  const bool stale = fences(asked.ballot);
  // Its own evidence counts as well as what comes with the outcome.
  const bool evidence = asked.evidence.has_value() || life_->table->is_prepared(asked.branch);
  const auto take = [this, branch = asked.branch, outcome = asked.outcome, evidence, stale,
                     done](Result<FinishResult> result) {
    note("finishes", branch, [&] { return ": " + words(result); });
    if (result) {
      check_fenced(stale, branch);
      around_.book.confirmed(branch, outcome, *result, evidence, life_->epoch);
    }
    done(std::move(result));
  };
  feed_for<FinishResult>(std::move(asked), take);
}

void Agent::settle(branch::SettleAsked asked, Done<branch::Settled> done) {
  if (!life_->table) return done(failure(ErrorCode::kUnavailable, "the agent is starting"));
  feed_for<branch::Settled>(std::move(asked), std::move(done));
}

void Agent::inventory(Ballot ballot, Done<postgres::Inventory> done) {
  if (!life_->table) return done(failure(ErrorCode::kUnavailable, "the agent is starting"));
  if (!life_->table->may_send(ballot)) {
    return done(failure(ErrorCode::kStaleBallot, "its ballot is over"));
  }
  life_->table->observe(ballot);
  (void)fences(ballot);
  life_->database->take_inventory(
      life_->table->prepared(), [this, done = std::move(done)](Result<postgres::Inventory> found) {
        if (found) {
          std::erase_if(found->ended, [this](const branch::PreparedBranch& one) {
            return !life_->table->is_prepared(one.branch);
          });
        }
        done(std::move(found));
      });
}

void Agent::execute(branch::ExecuteAsked asked, Done<branch::ExecuteAnswer> done) {
  const bool opens = std::holds_alternative<branch::Opening>(asked.branch);
  if (!life_->table || (opens && !life_->open)) {
    return done(
        tl::unexpected(named({ErrorCode::kUnavailable, "the agent takes no new branches now"})));
  }
  feed_for<branch::ExecuteAnswer>(std::move(asked), std::move(done));
}

void Agent::cancel(branch::CancelAsked asked, Done<branch::Cancelled> done) {
  if (!life_->table) return done(failure(ErrorCode::kUnavailable, "the agent is starting"));
  feed_for<branch::Cancelled>(std::move(asked), std::move(done));
}

void Agent::feed(const branch::Input& input) {
  branch::Effects effects = life_->table->step(mono(), input);
  check_memory(address_, life_->table->remembered(), kRememberedMax);
  life_->table->check_invariants();
  for (const branch::Operation& operation : effects.operations) {
    life_->database->carry_out(operation);
  }
  for (branch::Reply& reply : effects.replies) {
    const auto found = life_->waiters.find(reply.token);
    CHECK(found != life_->waiters.end(), "every token is answered once");
    const Life::Waiter waiter = std::move(found->second);
    life_->waiters.erase(found);
    std::visit(
        Overloaded{
            [&](const Error& error) {
              std::visit([&](const auto& done) { done(tl::unexpected(error)); }, waiter);
            },
            [&]<IsVote Answer>(const Answer& vote) { std::get<Done<Vote>>(waiter)(vote_of(vote)); },
            [&]<class Answer>(const Answer& answer) { std::get<Done<Answer>>(waiter)(answer); },
        },
        reply.answer);
  }
}

void Agent::arm() {
  const auto due = life_->table->next_deadline();
  if (due == life_->armed) return;
  life_->armed = due;
  if (!due) return;
  const Micros wait =
      std::max<std::int64_t>((*due - mono()).value, 0) * kMillisecond + kMillisecond;
  later(wait, [this, due] {
    if (life_->armed != due) return;
    life_->armed.reset();
    feed(branch::Tick{});
  });
}

bool Agent::open() const {
  return up() && life_->open;
}

std::size_t Agent::live_branches() const {
  return up() && life_->table ? life_->table->live_count() : 0;
}

const std::string& Agent::nonce() const {
  return life_->nonce;
}

Epoch Agent::epoch() const {
  return up() ? life_->epoch : Epoch();
}

}  // namespace assent::simulation::system
