#include "tests/coordinator/commit/stage.h"

#include <utility>

#include "coordinator/commit/proposal.h"
#include "tests/coordinator/commit/words.h"

namespace assent::commit {
namespace {

std::string and_then(std::string first, const std::string& second) {
  if (!first.empty() && !second.empty()) first += "; ";
  return first + second;
}

}  // namespace

Stage::Stage(OfficeOptions options, state::StateOptions state_options)
    : state(state_options), options_(options) {
  for (const char* name : {"a", "b", "c"}) enrol(name, /*one_phase=*/false);
  restart();
}

void Stage::enrol(const std::string& participant, bool one_phase) {
  execute_other(life_of(participant, one_phase));
}

void Stage::restore(const std::string& participant, std::uint64_t landmark) {
  state::Enrolled life = life_of(participant, false);
  life.timeline = state.participant(participant)->timeline + 1;
  life.landmark = landmark;
  execute_other(std::move(life));
}

void Stage::restore_coordinator(const std::vector<std::string>& enrolled) {
  state.restore(/*backup=*/1);
  execute_other(state::OfficeTaken{{Incarnation(2), Round(1), ReplicaId(1)}});
  now.log = state.time();
  for (const std::string& participant : enrolled) enrol(participant, false);
  restart();
}

state::Enrolled Stage::life_of(const std::string& participant, bool one_phase) {
  const state::ParticipantRecord* known = state.participant(participant);
  const auto database = static_cast<std::uint64_t>(participant.front());
  return {participant,
          std::to_string(++lives_),
          known ? known->epoch : Epoch(0),
          {1, database},
          known ? known->timeline : 1,
          /*wal_position=*/100,
          "host:1",
          "host:2",
          one_phase,
          state::Tracking::kEveryBreak,
          /*landmark=*/0};
}

RequestedBranch Stage::branch(std::string participant, std::uint64_t attempt) {
  return {std::move(participant), Epoch(1), Attempt(attempt), 2};
}

RequestedBranch Stage::reader(std::string participant, std::uint64_t attempt) {
  RequestedBranch reads = branch(std::move(participant), attempt);
  reads.reads = true;
  return reads;
}

RequestedBranch Stage::one_shot(std::string participant, std::string sql) {
  auto work = std::make_shared<OneShotBranch>();
  work->statements = {{std::move(sql), {}}};
  return {std::move(participant), Epoch(0), Attempt(0), 0, std::move(work)};
}

RequestedBranch Stage::one_shot_reader(std::string participant) {
  RequestedBranch reads = one_shot(std::move(participant));
  reads.reads = true;
  return reads;
}

BranchId Stage::last_sent(const std::string& participant) const {
  const auto found = sent_.find(participant);
  return found == sent_.end() ? id(t, participant) : found->second;
}

StatementResults Stage::results_of(const BranchId& branch) const {
  if (!one_shot_serial(branch.attempt)) return nullptr;
  return std::make_shared<std::vector<StatementResult>>(1);
}

Evidence Stage::evidence(const std::string& participant) {
  return {static_cast<std::uint64_t>(participant.front()), 1, 1, 77};
}

BranchId Stage::id(const TransactionId& transaction, const std::string& participant,
                   std::uint64_t attempt) const {
  return {transaction, participant, Epoch(1), Attempt(attempt)};
}

TransactionId Stage::transaction(std::uint64_t number, LogTime time) const {
  return make_transaction_id(time, number, number, 7);
}

std::string Stage::carry_out(Effects effects) {
  office->check_invariants();
  proposed.insert(proposed.end(), effects.propose.begin(), effects.propose.end());
  for (const SendPrepare& prepare : effects.prepares) {
    sent_[prepare.branch.participant] = prepare.branch;
  }
  return words(effects);
}

std::string Stage::feed(const Input& input) {
  return carry_out(office->step(now, input));
}

std::string Stage::commit(std::uint64_t token, Acknowledge acknowledge,
                          std::vector<RequestedBranch> branches, Millis timeout) {
  return feed(CommitAsked{Token(token), t, std::move(branches), acknowledge, timeout,
                          state.office_number()});
}

std::string Stage::commit(std::uint64_t token, std::vector<RequestedBranch> branches) {
  return commit(token, Acknowledge::kApplied, std::move(branches));
}

std::string Stage::repeat(std::uint64_t token, std::vector<RequestedBranch> branches) {
  return feed(CommitAsked{Token(token), t, std::move(branches), Acknowledge::kApplied, kTimeout});
}

std::string Stage::promise(std::uint64_t token, std::vector<RequestedBranch> branches,
                           std::uint64_t office_number) {
  return feed(CommitAsked{Token(token), t, std::move(branches), Acknowledge::kApplied, kTimeout,
                          office_number});
}

std::string Stage::abort(std::uint64_t token, std::vector<RequestedBranch> branches) {
  return feed(AbortAsked{Token(token), t, std::move(branches), /*never_committed=*/true});
}

std::string Stage::abort_unsure(std::uint64_t token, std::vector<RequestedBranch> branches) {
  return feed(AbortAsked{Token(token), t, std::move(branches), /*never_committed=*/false});
}

std::string Stage::read_only(const std::string& participant) {
  const BranchId branch = last_sent(participant);
  return feed(VoteArrived{branch, VoteReadOnly{results_of(branch)}});
}

std::string Stage::committed(const std::string& participant) {
  const BranchId branch = last_sent(participant);
  return feed(VoteArrived{branch, VoteCommitted{results_of(branch)}});
}

std::string Stage::settled(const std::string& participant, bool committed) {
  return feed(SettleArrived{participant, t, committed});
}

std::string Stage::prepare_lost(const std::string& participant) {
  return feed(PrepareLost{last_sent(participant), Error{ErrorCode::kUnavailable, "down"}});
}

std::string Stage::prepare_unsent(const std::string& participant) {
  return feed(PrepareLost{last_sent(participant), Error{ErrorCode::kUnavailable, "down"}, true});
}

std::string Stage::yes(const std::string& participant) {
  const BranchId branch = last_sent(participant);
  return feed(VoteArrived{branch, VoteYes{evidence(participant), results_of(branch)}});
}

std::string Stage::no(const std::string& participant) {
  return feed(VoteArrived{last_sent(participant), VoteNo{Error{ErrorCode::kSql, "refused"}}});
}

std::string Stage::finished(const std::string& participant, FinishResult result) {
  return feed(FinishArrived{last_sent(participant), result});
}

std::string Stage::inventory(const std::string& participant, std::vector<BranchId> prepared,
                             std::optional<MonoTime> asked) {
  InventoryArrived arrived{participant, asked.value_or(now.mono), {}, {}};
  for (BranchId& branch : prepared) arrived.prepared.push_back({std::move(branch)});
  return feed(std::move(arrived));
}

std::string Stage::ended(const BranchId& branch, const Evidence& evidence) {
  return feed(InventoryArrived{branch.participant, now.mono, {}, {{branch, evidence}}});
}

std::string Stage::execute() {
  const std::vector<state::Command> commands = std::exchange(proposed, {});
  const auto results = state.execute(state.executed().next(), {now.log, commands});
  std::string text;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const auto told = executed(proposal_of(commands[i]), results[i]);
    if (told) text = and_then(text, feed(*told));
  }
  return text;
}

state::CommandResult Stage::execute_other(state::Command command) {
  return state.execute(state.executed().next(), {now.log, {std::move(command)}}).front();
}

std::string Stage::pass(Millis time) {
  const MonoTime end = now.mono + time;
  std::string text;
  while (office->next_deadline() && *office->next_deadline() <= end) {
    const Millis step = std::max(*office->next_deadline() - now.mono, Millis(0));
    now = {now.mono + step, now.log + step};
    text = and_then(text, feed(Tick{}));
  }
  now.log = now.log + (end - now.mono);
  now.mono = end;
  return text;
}

std::string Stage::restart(std::size_t executed) {
  for (std::size_t i = 0; i < executed; ++i) execute_other(proposed[i]);
  proposed.clear();
  ++rounds_;
  execute_other(state::OfficeTaken{{Incarnation(1), Round(rounds_), ReplicaId(1)}});
  office = std::make_unique<Office>(state, options_);
  return carry_out(office->take_office(now));
}

void Stage::commit_decided() {
  commit(1);
  yes("a");
  yes("b");
  execute();
}

void Stage::commit_and_finish() {
  commit_decided();
  finished("a");
  finished("b");
}

}  // namespace assent::commit
