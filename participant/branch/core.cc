#include "participant/branch/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace assent::branch {
namespace {

// How many ended branches are remembered for each that may be live. One that is forgotten early is
// still finished correctly, by its gid and evidence; only its vote and its refusals are lost.
constexpr std::size_t kEndedPerLive = 4;

template <class... Named>
bool is_one_of(const State& state) {
  return (std::holds_alternative<Named>(state) || ...);
}

}  // namespace

void impossible(const Branch& branch, std::string_view event) {
  fail_check(__FILE__, __LINE__, event,
             "branch " + to_string(branch.id) + " is " + std::string(name(branch.state)) +
                 ": the shell contradicts what it was asked for");
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

// R3 allows this rollback without a logged abort: an open branch has voted nothing. It may have
// been asked to prepare under a stale ballot, but then PREPARE was not sent and no YES ever left.
void BranchTable::Core::on(const Tick&) {
  for (Branch* branch : memory_.idle_too_long(now_)) {
    become_rolling_back(*branch, RollingBack{.idle = true},
                        "it was idle for " + std::to_string(branch->idle_timeout.value) +
                            " ms and was rolled back");
  }
  memory_.forget_old(now_);
}

// ── states ──────────────────────────────────────────────────────────────────────────────────────

void BranchTable::Core::become_open(Branch& branch) {
  CHECK((is_one_of<Waiting, Preparing>(branch.state)), "nothing else leads back to an open branch");
  branch.state = Open{};
  if (branch.answers.in_flight() == 0) {
    memory_.arm(branch, now_);
  }
}

void BranchTable::Core::become_rolling_back(Branch& branch, RollingBack state,
                                            std::string because) {
  CHECK((is_one_of<Waiting, Open, Preparing>(branch.state)),
        "RunRollback is for a branch that is not prepared and not ending yet");
  memory_.disarm(branch);
  branch.state = std::move(state);
  branch.ended_because = std::move(because);
  run(RunRollback{branch.id});
}

void BranchTable::Core::become_preparing(Branch& branch, Callers callers) {
  CHECK((is_one_of<Open, Preparing>(branch.state)), "only an open branch is prepared");
  CHECK(!branch.vote, "a branch that has voted is never asked again");
  memory_.disarm(branch);
  const Ballot ballot = highest(callers);
  branch.state = Preparing{.ballot = ballot, .callers = std::move(callers)};
  run(RunPrepare{branch.id, ballot});
}

void BranchTable::Core::become_prepared(Branch& branch, const Evidence& evidence) {
  CHECK((is_one_of<Preparing, Finishing>(branch.state)), "a branch is prepared by PREPARE");
  branch.state = Prepared{evidence};
}

void BranchTable::Core::become_finishing(Branch& branch, FinishRun finish) {
  CHECK((is_one_of<Prepared>(branch.state)), "only a prepared branch is finished by its gid");
  run(RunFinish{branch.id, finish.ballot, finish.outcome, finish.evidence});
  branch.state = Finishing{std::move(finish)};
}

void BranchTable::Core::become_ended(Branch& branch, Fate fate) {
  CHECK(!branch.ended(), "a branch ends once");
  CHECK(!branch.connected, "an ended branch has given its connection back");
  memory_.disarm(branch);
  branch.answers.forget();
  branch.failure.reset();
  branch.state = Ended{fate};
  memory_.retire(branch, now_);
}

bool BranchTable::Core::never_issued(const BranchId& id) const {
  return id.epoch == options_.epoch && id.attempt > last_attempt_;
}

void BranchTable::Core::bury(const BranchId& id, std::string because) {
  if (Branch* const other = memory_.find(id.transaction)) {
    other->last = true;  // it keeps the transaction from opening another one just as well
    return;
  }
  memory_.retire(memory_.add(Branch{.id = id,
                                    .nonce = {},
                                    .idle_timeout = {},
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
  if (ballot < ballot_) {
    return error(ErrorCode::kStaleBallot, "ballot " + to_string(ballot) + " is lower than " +
                                              to_string(ballot_) + ", which was seen before");
  }
  observe(ballot);
  return std::nullopt;
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

void check_state(const Branch& branch) {
  const bool idle = std::holds_alternative<Open>(branch.state) && branch.answers.in_flight() == 0;
  CHECK_EQ(branch.idle_deadline.has_value(), idle, "exactly idle branches have a deadline");
  const bool voted_yes = branch.vote && std::holds_alternative<Yes>(*branch.vote);
  std::visit(Overloaded{
                 [&](const Waiting& waiting) {
                   CHECK(!branch.connected && !branch.vote, "nothing was done for it yet");
                   CHECK_EQ(waiting.queue.size(), branch.answers.in_flight(),
                            "what is in flight waits for the connection");
                 },
                 [&](const Open&) { CHECK(branch.connected && !branch.vote, "it can still vote"); },
                 [&](const RollingBack&) { CHECK(!voted_yes, "a YES is rolled back by gid only"); },
                 [&](const Preparing& preparing) {
                   CHECK(branch.connected && !branch.vote, "it is about to vote");
                   CHECK(!preparing.callers.empty(), "somebody asked for the vote");
                 },
                 [&](const Prepared&) { CHECK(voted_yes && !branch.connected, "its gid stands"); },
                 [&](const Finishing& finishing) {
                   CHECK(voted_yes && !branch.connected, "its gid stands");
                   CHECK(!finishing.run.callers.empty(), "somebody asked for the finish");
                 },
                 [&](const Ended&) { CHECK(!branch.connected, "its connection is given back"); },
             },
             branch.state);
}

}  // namespace

void BranchTable::Core::check_invariants() const {
  memory_.check_invariants([this](const Branch& branch) {
    CHECK(branch.id.participant == options_.participant, "one agent, one participant");
    CHECK_EQ(branch.id.epoch, options_.epoch, "this life opens its own branches only");
    CHECK(branch.ended() || branch.id.attempt <= last_attempt_, "every live attempt was issued");
    branch.answers.check_invariants();
    check_state(branch);
  });
  CHECK_LE(memory_.live_count(), options_.branches_max, "live branches are bounded");
  CHECK_LE(settling_.size(), options_.branches_max, "finishes in flight are bounded");
  for (const auto& [id, finish] : settling_) {
    CHECK(!finish.callers.empty(), "somebody asked for the finish");
    CHECK_LE(finish.ballot, ballot_, "every ballot was observed");
  }
}

}  // namespace assent::branch
