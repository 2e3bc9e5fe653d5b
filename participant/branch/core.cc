#include "participant/branch/core.h"

#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"

namespace assent::branch {
namespace {

// How many ended branches are remembered for each that may be live. One that is forgotten early is
// still finished correctly, by its gid and evidence; only its vote and its refusals are lost.
constexpr std::size_t kEndedPerLive = 4;

// How many attempts one burial may skip. One that lies further ahead, which only a made-up request
// names, is not reached before the burial has long been pointless.
constexpr std::uint64_t kAttemptsSkippedMax = std::uint64_t{1} << 32;

template <class... Named>
bool is_one_of(const State& state) {
  return (std::holds_alternative<Named>(state) || ...);
}

void drop_results(std::optional<Vote>& vote) {
  if (vote) {
    std::visit(
        Overloaded{[](std::shared_ptr<const No>&) {}, [](auto& voted) { voted.results = nullptr; }},
        *vote);
  }
}

}  // namespace

void impossible(const Branch& branch, std::string_view event) {
  fail_check(__FILE__, __LINE__, event,
             "branch " + to_string(branch.id) + " is " + std::string(name(branch.state)) +
                 ": the shell contradicts what it was asked for");
}

Callers take_voters(State& state) {
  if (auto* const queued = std::get_if<Queued>(&state)) {
    return std::move(queued->callers);
  }
  if (auto* const draining = std::get_if<Draining>(&state)) {
    return std::move(draining->callers);
  }
  return {};
}

Ballot highest(const Callers& callers) {
  return std::ranges::max(callers, {}, &Caller::ballot).ballot;
}

BranchTable::Core::Core(BranchTableOptions options, Ballot ballot)
    : options_(std::move(options)),
      ballot_(ballot),
      memory_(options_.remember_ended, options_.branches_max * kEndedPerLive) {}

Effects BranchTable::Core::step(MonoTime now, const Input& input) {
  now_ = std::max(now_, now);
  effects_ = {};
  std::visit([this](const auto& event) { on(event); }, input);
  return std::exchange(effects_, {});
}

void BranchTable::Core::observe(Ballot ballot) {
  ballot_ = std::max(ballot_, ballot);
}

// R3 allows these rollbacks without a logged abort: the branch has voted nothing. It may have been
// asked to prepare under a stale ballot, but then PREPARE was not sent and no YES ever left.
void BranchTable::Core::on(const Tick&) {
  for (Branch* branch : memory_.lived_too_long(now_)) {
    become_rolling_back(*branch, RollingBack{.cause = Cause::kLifetime},
                        "it lived for " + std::to_string(branch->opened.lifetime.value) +
                            " ms and was rolled back");
  }
  for (Branch* branch : memory_.idle_too_long(now_)) {
    become_rolling_back(*branch, RollingBack{.cause = Cause::kIdle},
                        "it was idle for " + std::to_string(branch->opened.idle_timeout.value) +
                            " ms and was rolled back");
  }
  memory_.forget_old(now_);
}

// ── states ──────────────────────────────────────────────────────────────────────────────────────

void BranchTable::Core::become_open(Branch& branch) {
  CHECK((is_one_of<Waiting, Draining, Preparing>(branch.state)),
        "nothing else leads back to an open branch");
  CHECK(!branch.one_shot(), "a one-shot is never open to its client");
  branch.state = Open{};
  if (!branch.life_deadline) {
    memory_.limit_life(branch);
  }
  if (branch.answers.in_flight() == 0) {
    memory_.arm(branch, now_);
  }
}

void BranchTable::Core::become_draining(Branch& branch, Callers callers) {
  CHECK((is_one_of<Open>(branch.state)), "only an open branch is asked to prepare");
  CHECK(!branch.vote, "a branch that has voted is never asked again");
  memory_.drop_deadlines(branch);
  branch.state = Draining{std::move(callers)};
}

// Whoever waits for its vote gets a NO: nothing asks for PREPARE after this.
void BranchTable::Core::become_rolling_back(Branch& branch, RollingBack state,
                                            std::string because) {
  CHECK((is_one_of<Waiting, Queued, Open, Draining, Preparing>(branch.state)),
        "RunRollback is for a branch that is not prepared and not ending yet");
  memory_.drop_deadlines(branch);
  const Callers voters = take_voters(branch.state);
  branch.state = std::move(state);
  branch.ended_because = std::move(because);
  run(RunRollback{branch.id});
  vote_no(branch, voters, ended_error(branch));
}

void BranchTable::Core::become_preparing(Branch& branch, Callers callers, OneShotWork work) {
  CHECK((is_one_of<Queued, Open, Draining, Preparing>(branch.state)),
        "only an open branch is prepared");
  CHECK(!branch.vote, "a branch that has voted is never asked again");
  memory_.drop_deadlines(branch);
  const Caller newest = std::ranges::max(callers, {}, &Caller::ballot);
  branch.state = Preparing{
      .ballot = newest.ballot, .one_phase = newest.one_phase, .callers = std::move(callers)};
  run(RunPrepare{branch.id, newest.ballot, newest.one_phase, std::move(work)});
}

void BranchTable::Core::become_prepared(Branch& branch, const Evidence& evidence) {
  CHECK((is_one_of<Preparing, Finishing>(branch.state)), "a branch is prepared by PREPARE");
  branch.state = Prepared{evidence};
  prepared_.insert(branch.id.transaction);
  resume_settle(branch);
}

void BranchTable::Core::become_finishing(Branch& branch, FinishRun finish) {
  CHECK((is_one_of<Prepared>(branch.state)), "only a prepared branch is finished by its gid");
  run(RunFinish{branch.id, finish.ballot, finish.outcome, finish.evidence});
  branch.state = Finishing{std::move(finish)};
  prepared_.erase(branch.id.transaction);
}

void BranchTable::Core::become_ended(Branch& branch, Fate fate) {
  CHECK(!branch.ended(), "a branch ends once");
  CHECK(!branch.connected, "an ended branch has given its connection back");
  memory_.drop_deadlines(branch);
  branch.answers.forget();
  branch.failure.reset();
  drop_results(branch.vote);
  branch.state = Ended{fate};
  memory_.retire(branch, now_);
  resume_settle(branch);
}

bool BranchTable::Core::never_issued(const BranchId& id) const {
  if (id.epoch != options_.epoch) {
    return false;
  }
  const auto serial = one_shot_serial(id.attempt);
  return serial ? serials_.unseen(*serial) : id.attempt > last_attempt_;
}

void BranchTable::Core::bury(const BranchId& id, std::string because) {
  if (const auto serial = one_shot_serial(id.attempt)) {
    (void)serials_.see(*serial, 0);
  } else if (id.attempt.value - last_attempt_.value <= kAttemptsSkippedMax) {
    last_attempt_ = id.attempt;
  }
  if (Branch* const other = memory_.find(id.transaction)) {
    other->last = true;  // it keeps the transaction from opening another one just as well
    return;
  }
  memory_.retire(memory_.add(Branch{.id = id,
                                    .opened = {},
                                    .answers = Answers(options_.answers_kept),
                                    .state = Ended{Fate::kRolledBack},
                                    .ended_because = std::move(because)}),
                 now_);
}

void BranchTable::Core::release(Branch& branch) {
  if (std::exchange(branch.connected, false)) {
    run(Release{branch.id});
  }
}

void BranchTable::Core::count_end(Outcome asked, FinishResult result) {
  if (result != FinishResult::kDone) {
    ++counters_.heuristic;
  } else if (asked == Outcome::kCommitted) {
    ++counters_.committed;
  } else {
    ++counters_.rolled_back;
  }
}

// ── refusals and replies ────────────────────────────────────────────────────────────────────────

std::optional<Error> BranchTable::Core::inadmissible(Ballot ballot, const BranchId& id) {
  if (id.participant != options_.participant) {
    return error(ErrorCode::kUnknownParticipant,
                 "this agent serves " + options_.participant + ", not " + id.participant);
  }
  return inadmissible(ballot);
}

std::optional<Error> BranchTable::Core::inadmissible(Ballot ballot) {
  if (ballot < ballot_ && !canary(Canary::kBallotIgnored)) {
    return stale_error();
  }
  observe(ballot);
  return std::nullopt;
}

Error BranchTable::Core::stale_error() const {
  return error(ErrorCode::kStaleBallot,
               "the request's ballot is over: ballot " + to_string(ballot_) + " was seen since");
}

void BranchTable::Core::refuse_stale(Callers& callers, const Error& why) {
  for (const Caller& caller : callers) {
    if (caller.ballot < ballot_) {
      reply(caller.token, why);
    }
  }
  std::erase_if(callers, [this](const Caller& caller) { return caller.ballot < ballot_; });
}

Error BranchTable::Core::error(ErrorCode code, std::string message) const {
  return Error{.code = code, .message = std::move(message), .participant = options_.participant};
}

Error BranchTable::Core::ended_error(const Branch& branch) const {
  std::string message = "branch " + to_string(branch.id) + " is " + std::string(name(branch.state));
  if (!branch.ended_because.empty()) {
    message += ": " + branch.ended_because;
  }
  return error(ErrorCode::kBranchEnded, std::move(message));
}

Error BranchTable::Core::completed(Error why, std::uint32_t statement_number) const {
  why.participant = options_.participant;
  if (why.sql) {
    why.sql->statement_number = static_cast<int>(statement_number);
  }
  return why;
}

void BranchTable::Core::refuse(Token token, ErrorCode code, std::string message) {
  reply(token, error(code, std::move(message)));
}

void BranchTable::Core::reply(Token token, decltype(Reply::answer) answer) {
  effects_.replies.push_back(Reply{token, std::move(answer)});
}

void BranchTable::Core::run(Operation operation) {
  effects_.operations.push_back(std::move(operation));
}

// ── invariants ──────────────────────────────────────────────────────────────────────────────────

namespace {

void check_deadlines(const Branch& branch) {
  const bool idle = is_one_of<Open>(branch.state) && branch.answers.in_flight() == 0;
  CHECK_EQ(branch.idle_deadline.has_value(), idle, "exactly idle branches have a deadline");
  CHECK_EQ(branch.life_deadline.has_value(), (is_one_of<Waiting, Open>(branch.state)),
           "exactly what was not asked to vote, and does not end, has a limited life");
}

void check_one_shot(const Branch& branch) {
  CHECK((!is_one_of<Waiting, Open, Draining>(branch.state)),
        "its statements come with its prepare");
  CHECK_EQ(branch.answers.count(), std::uint32_t{0}, "its statements have no numbers");
}

void check_preparing(const Branch& branch, const Preparing& preparing) {
  CHECK(branch.connected && !branch.vote, "it is about to vote");
  CHECK(!preparing.callers.empty(), "somebody asked for the vote");
  CHECK(preparing.cancelled || preparing.rollback_callers.empty(), "an abort cancels the prepare");
}

void check_state(const Branch& branch) {
  const bool voted_yes = branch.vote && std::holds_alternative<Yes>(*branch.vote);
  const bool voted_no =
      branch.vote && std::holds_alternative<std::shared_ptr<const No>>(*branch.vote);
  const bool has_gid =
      voted_yes || (voted_no && std::get<std::shared_ptr<const No>>(*branch.vote)->evidence);
  std::visit(
      Overloaded{
          [&](const Waiting& waiting) {
            CHECK(!branch.connected && !branch.vote, "nothing was done for it yet");
            CHECK_EQ(waiting.queue.size(), branch.answers.in_flight(),
                     "what is in flight waits for the connection");
          },
          [&](const Queued& queued) {
            CHECK(branch.one_shot() && queued.work, "only a one-shot is asked before it is open");
            CHECK(!branch.connected && !branch.vote, "nothing was done for it yet");
            CHECK(!queued.callers.empty(), "somebody asked for the vote");
          },
          [&](const Open&) { CHECK(branch.connected && !branch.vote, "it can still vote"); },
          [&](const Draining& draining) {
            CHECK(branch.connected && !branch.vote, "it is about to vote");
            CHECK(!draining.callers.empty(), "somebody asked for the vote");
            CHECK(branch.answers.in_flight() > 0, "it votes as soon as nothing is in flight");
          },
          [&](const RollingBack&) { CHECK(!branch.vote || voted_no, "it can vote NO only"); },
          [&](const Preparing& preparing) { check_preparing(branch, preparing); },
          [&](const Prepared&) { CHECK(has_gid && !branch.connected, "its gid stands"); },
          [&](const Finishing& finishing) {
            CHECK(has_gid && !branch.connected, "its gid stands");
            CHECK(!finishing.run.callers.empty(), "somebody asked for the finish");
          },
          [&](const Ended& ended) {
            CHECK(!branch.connected, "its connection is given back");
            CHECK(!branch.committed_one_phase() || ended.fate == Fate::kCommitted,
                  "the vote was the commit");
          },
      },
      branch.state);
}

}  // namespace

void BranchTable::Core::check_invariants() const {
  memory_.check_invariants([this](const Branch& branch) {
    CHECK(branch.id.participant == options_.participant, "one agent, one participant");
    CHECK_EQ(branch.id.epoch, options_.epoch, "this life opens its own branches only");
    CHECK(branch.ended() || !never_issued(branch.id), "every live attempt was issued");
    CHECK_EQ(is_one_of<Prepared>(branch.state), prepared_.contains(branch.id.transaction),
             "what is prepared is listed");
    branch.answers.check_invariants();
    check_deadlines(branch);
    check_state(branch);
    if (branch.one_shot()) {
      check_one_shot(branch);
    }
  });
  serials_.check_invariants();
  check_runs();
}

void BranchTable::Core::check_runs() const {
  CHECK_LE(memory_.live_count(), options_.branches_max, "live branches are bounded");
  CHECK_LE(finishing_.size(), options_.branches_max, "finishes in flight are bounded");
  for (const auto& [id, finish] : finishing_) {
    CHECK(!finish.callers.empty(), "somebody asked for the finish");
    CHECK_LE(finish.ballot, ballot_, "every ballot was observed");
  }
  CHECK_LE(settles_.size(), options_.branches_max, "settles are bounded");
  for (const auto& [transaction, settle] : settles_) {
    CHECK(!settle.callers.empty() || !settle.voters.empty(), "somebody asked for the settle");
    const Branch* const branch = memory_.find(transaction);
    const bool ending = branch != nullptr && is_one_of<RollingBack, Preparing>(branch->state);
    CHECK(settle.sent || ending, "it waits for nothing but the branch's end");
    CHECK(settle.sent || !is_one_of<Preparing>(branch->state) ||
              std::get<Preparing>(branch->state).cancelled,
          "a settle cancels the prepare");
  }
}

}  // namespace assent::branch
