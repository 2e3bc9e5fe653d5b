#include "tests/simulation/ledger.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "base/overloaded.h"
#include "tests/simulation/clock.h"
#include "tests/simulation/shelf.h"
#include "tests/simulation/violation.h"

namespace assent::simulation {
namespace {

bool same(const paxos::Value& a, const paxos::Value& b) {
  return a == b || *a == *b;
}

// Below this age no id is refused: the floor rises over more recent ones only when there are too
// many forgotten records, and never over those of the last `retention_min`.
Millis retention_at_least(const state::StateOptions& options) {
  return options.forgotten_max < 1'000 ? std::min(options.retention, options.retention_min)
                                       : options.retention;
}

constexpr std::size_t kBackUpRecords = 50;  // in a chunk

// The time of an entry is rounded down by each of two clocks.
constexpr Millis kRounding(2);

}  // namespace

CommandKey key_of(const state::Command& command) {
  const std::string bytes = state::encode({LogTime(), {command}});
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t digest_of(const state::CommandResult& result) {
  return std::visit(Overloaded{
                        [](const state::TookEffect&) { return std::uint64_t{1}; },
                        [](const state::AlreadyDecided& one) {
                          return 2 + static_cast<std::uint64_t>(one.outcome);
                        },
                        [](const state::BelowFloor&) { return std::uint64_t{8}; },
                        [](const state::BranchLost& one) {
                          return XXH3_64bits(one.participant.data(), one.participant.size());
                        },
                        [](const state::EpochIssued& one) { return 16 + one.epoch.value; },
                        [](const state::EnrolmentRefused& one) {
                          return XXH3_64bits(one.error.message.data(), one.error.message.size());
                        },
                        [](const state::GroupGoverns& one) { return 1024 + one.from.value; },
                        [](const state::ChangeRefused& one) {
                          return XXH3_64bits(one.error.message.data(), one.error.message.size());
                        },
                        [](const state::NothingKept&) { return std::uint64_t{9}; },
                    },
                    result);
}

Milestone milestone_of(const state::StateMachine& state) {
  return {state.time(),          state.floor(),        state.office(),
          state.office_number(), state.record_count(), 0};
}

Ledger::Ledger(const Scheduler& scheduler, std::uint32_t founders, state::StateOptions options)
    : scheduler_(scheduler),
      founders_(founders),
      electorates_(founders),
      state_(std::make_shared<state::StateMachine>(options)),
      forgotten_max_(options.forgotten_max),
      decisions_(retention_at_least(options)),
      milestones_(1) {}

bool Ledger::out_of_room() const {
  return state_->record_count() - state_->unforgotten().size() >= forgotten_max_;
}

Ledger::SlotState& Ledger::slot(Slot slot) {
  if (slots_.size() <= slot.value) slots_.resize(slot.value + 1);
  return slots_[slot.value];
}

void Ledger::seen(const paxos::Value& value) {
  if (!paxos::is_noop(value)) seen_.try_emplace(value.get(), Seen{value, scheduler_.now()});
}

void Ledger::accepted(ReplicaId at, const paxos::Accepted& accepted) {
  SlotState& state = slot(accepted.slot);
  auto found = std::find_if(state.acceptances.begin(), state.acceptances.end(),
                            [&](const auto& one) { return one.ballot == accepted.ballot; });
  if (found == state.acceptances.end()) {
    found = state.acceptances.insert(found, {accepted.ballot, accepted.value, 0});
  }
  if (!same(found->value, accepted.value)) {
    violated(Checker::kOneValuePerBallot, "slot " + to_string(accepted.slot) +
                                              " has two values under ballot " +
                                              to_string(accepted.ballot));
  }
  found->by |= 1u << at.value;
  maybe_choose(accepted.slot);
}

// Who governs the slot may become known later.
void Ledger::maybe_choose(Slot at) {
  for (const Acceptance& one : std::vector<Acceptance>(slot(at).acceptances)) {
    if (electorates_.quorum_among(at, one.by).value_or(false)) choose(at, one.value);
  }
}

void Ledger::choose(Slot at, const paxos::Value& value) {
  SlotState& state = slot(at);
  if (state.chosen != nullptr) {
    if (same(state.chosen, value)) return;
    violated(Checker::kAgreement, "slot " + to_string(at) + " has two chosen values");
  }
  state.chosen = value;
  while (const paxos::Value* found = chosen(executed().next())) {
    const Slot known(executed().value + 1 + kGroupDistance);
    execute(executed().next(), paxos::Value(*found));
    maybe_choose(known);
  }
}

void Ledger::governed(ReplicaId by, Slot first, const paxos::Groups& groups) const {
  for (Slot at = first; at.value < first.value + kGroupDistance; at = at.next()) {
    if (groups.at(at).members().empty()) return;  // it joins, and knows nothing yet
    electorates_.compare(by, at, groups.at(at));
  }
}

void Ledger::proposed(ReplicaId by, Slot slot) const {
  if (electorates_.is_member(slot, by)) return;
  violated(Checker::kLeaderIsMember, "replica " + to_string(by) + " proposes in slot " +
                                         to_string(slot) + " and is not in its group");
}

const paxos::Value* Ledger::chosen(Slot slot) const {
  if (slots_.size() <= slot.value || slots_[slot.value].chosen == nullptr) return nullptr;
  return &slots_[slot.value].chosen;
}

void Ledger::execute(Slot slot, const paxos::Value& value) {
  state::Entry entry;
  if (!paxos::is_noop(value)) {
    entry = *state::decode_entry(*value);
    check_time(slot, entry.time, value);
  }
  const auto results = state_->execute(slot, entry);
  electorates_.executed(slot, state_->membership());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const state::Command& command = entry.commands[i];
    decisions_.executed(entry.time, command, results[i]);
    if (observer_) observer_(command, results[i]);
    if (std::holds_alternative<state::OfficeTaken>(command)) continue;
    if (std::holds_alternative<state::GroupFounded>(command)) continue;
    auto& executions = executions_[key_of(command)];
    if (!executions.empty()) ++repeated_;
    executions.push_back({slot, digest_of(results[i])});
  }
  milestones_.push_back(milestone_of(*state_));
  if (slot.value % kHashEvery == 0) milestones_.back().hash = state_->state_hash();
}

// ── a restore ───────────────────────────────────────────────────────────────────────────────────

std::string Ledger::back_up() {
  std::string content;
  state_->begin_snapshot();
  while (const auto chunk = state_->next_chunk(kBackUpRecords)) add_chunk(content, *chunk);
  return content;
}

// The configuration founds the group anew, and log time begins above that of the lost log.
void Ledger::restore(std::shared_ptr<state::StateMachine> state) {
  state_ = std::move(state);
  const std::size_t slots = executed().value + 1;
  slots_.resize(slots);
  milestones_.resize(slots);
  milestones_.back() = milestone_of(*state_);
  electorates_ = Electorates(founders_);
  electorates_.executed(executed(), state_->membership());
  executions_.clear();
  decisions_.restore(*state_);
  first_time_.reset();
  ahead_ = state::kIdsAhead;
}

// R17, from outside: no clock runs faster than drift allows, so since the first entry was made log
// time has passed at most 1.01 times as fast as the fastest clock.
std::optional<LogTime> Ledger::time_bound(Micros at) const {
  if (!first_time_) return std::nullopt;
  const Micros elapsed = at - first_seen_;
  const Micros fastest = elapsed + elapsed * kDriftMax / kSecond;
  return *first_time_ + Millis((fastest + fastest / 100) / kMillisecond) + kRounding + ahead_;
}

void Ledger::check_time(Slot slot, LogTime time, const paxos::Value& value) {
  const Micros made = seen_.at(value.get()).at;
  if (!first_time_) {
    first_time_ = time;
    first_seen_ = made;
  }
  const LogTime bound = *time_bound(made);
  if (time <= bound) return;
  violated(Checker::kLogTime, "the entry of slot " + to_string(slot) + " is " +
                                  std::to_string((time - bound).value) + " ms ahead of 1.01 times" +
                                  " the time since the first one");
}

void Ledger::learned(ReplicaId by, Slot slot, const paxos::Value& value) const {
  const paxos::Value* truth = chosen(slot);
  if (truth == nullptr) {
    violated(Checker::kLearnedIsChosen, "replica " + to_string(by) + " takes slot " +
                                            to_string(slot) + " for chosen: no quorum has it");
  }
  if (same(*truth, value)) return;
  violated(Checker::kLearnedIsChosen, "replica " + to_string(by) + " takes another value of slot " +
                                          to_string(slot) + " for chosen than is");
}

void Ledger::compare(ReplicaId by, const state::StateMachine& state, bool whole) const {
  const std::uint64_t slot = state.executed().value;
  const auto fail = [&](const char* what) {
    violated(Checker::kEqualStates, "replica " + to_string(by) + " has another state after slot " +
                                        std::to_string(slot) + ": " + what);
  };
  if (slot >= milestones_.size()) fail("the slot is not executed by anybody else");
  Milestone expected = milestones_[slot];
  const std::uint64_t hash = std::exchange(expected.hash, 0);
  if (slot > 0 && milestone_of(state) != expected) fail("time, floor, office or records");
  if (hash != 0 && state.state_hash() != hash) fail("the hash of all of it");
  if (whole && state.executed() == executed() && state.state_hash() != state_->state_hash()) {
    fail("the hash of all of it, at the end");
  }
}

const std::vector<Execution>* Ledger::executions(CommandKey key) const {
  const auto found = executions_.find(key);
  return found == executions_.end() ? nullptr : &found->second;
}

}  // namespace assent::simulation
