#include "tests/simulation/clients.h"

#include <algorithm>
#include <string>
#include <utility>

namespace assent::simulation {
namespace {

constexpr std::size_t kRecentMax = 50;
constexpr std::uint64_t kParticipants = 4;

bool is_change(const state::Command& command) {
  return std::holds_alternative<state::ReplicaAdded>(command) ||
         std::holds_alternative<state::ReplicaPromoted>(command) ||
         std::holds_alternative<state::ReplicaRemoved>(command);
}

std::string participant(std::uint64_t number) {
  return "p" + std::to_string(number);
}

}  // namespace

Clients::Clients(Scheduler& scheduler, const Setting& setting, Operators& operators, Ask ask)
    : scheduler_(scheduler),
      setting_(setting),
      operators_(operators),
      dice_(setting.seed, 2),
      ask_(std::move(ask)),
      leader_(1) {}

void Clients::start() {
  for (std::uint64_t client = 1; client <= setting_.clients; ++client) think(client);
}

void Clients::think(std::uint64_t client) {
  scheduler_.after(dice_.skewed(0, (lossy_ ? 1 : 4) * setting_.think_max),
                   [this, client] { begin(client); });
}

void Clients::begin(std::uint64_t client) {
  if (stopped_) return;
  const bool burst = dice_.percent(setting_.burst_percent);
  const std::uint64_t count = burst ? 2 + dice_.below(20) : 1;
  for (std::uint64_t i = 1; i <= count; ++i) begin_one(client, i == count);
}

void Clients::begin_one(std::uint64_t client, bool last_of_burst) {
  const std::uint64_t number = ++number_;
  const CommandPtr command = dice_.percent(20) ? nullptr : choose_command(client);
  operations_[number] = {client, {number, command}, 0, scheduler_.now(), last_of_burst};
  attempt(number);
}

// ── commands ────────────────────────────────────────────────────────────────────────────────────

Clients::CommandPtr Clients::choose_command(std::uint64_t client) {
  if (dice_.percent(4)) {
    if (auto change = operators_.next_change()) return std::make_shared<state::Command>(*change);
  }
  const std::uint64_t roll = dice_.below(100);
  // Somebody asks again for what was answered long ago.
  if (roll < 8 && !recent_.empty()) return dice_.pick(recent_);
  if (roll < 16 && !recent_.empty()) {
    const CommandPtr& other = dice_.pick(recent_);
    return std::make_shared<state::Command>(decide_against(decision_of(*other)->transaction));
  }
  if (roll < 26 && !unforgotten_.empty()) return std::make_shared<state::Command>(forget_some());
  if (roll < 30) return std::make_shared<state::Command>(enrol(client));
  return std::make_shared<state::Command>(decide_new());
}

state::Command Clients::decide_new() {
  const TransactionId id = make_transaction_id(time(), dice_.next(), dice_.next(), 1);
  // The hash tells this command from every other.
  if (dice_.percent(75)) return state::Committed{id, number_, branches()};
  return state::Aborted{id, number_, Error{ErrorCode::kDeadline, "too late", {}, {}, {}}, {}};
}

// Recovery presumes an abort, or a second client says otherwise.
state::Command Clients::decide_against(const TransactionId& transaction) {
  if (dice_.percent(30)) return state::Committed{transaction, number_, branches()};
  return state::Aborted{transaction, 0, Error{ErrorCode::kDeadline, "presumed", {}, {}, {}}, {}};
}

state::Command Clients::forget_some() {
  state::Forgotten out;
  const std::uint64_t count = 1 + dice_.below(8);
  while (out.transactions.size() < count && !unforgotten_.empty()) {
    out.transactions.push_back(unforgotten_.front());
    unforgotten_.pop_front();
  }
  return out;
}

state::Command Clients::enrol(std::uint64_t client) {
  const std::uint64_t number = client % kParticipants;
  state::Enrolled life;
  life.tracks_history = state::Tracking::kEveryBreak;
  life.participant = participant(number);
  life.nonce = std::to_string(client) + "." + std::to_string(++lives_);
  life.identity = {1'000 + number, 1};
  return life;
}

std::vector<state::DecidedBranch> Clients::branches() {
  std::vector<state::DecidedBranch> out(dice_.below(3));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = {participant(i), Epoch(0), Attempt(number_), {number_, 1'000 + i, 1, number_}};
  }
  return out;
}

// As clients know it: what a replica told last, and the time since.
LogTime Clients::time() const {
  const Millis since((scheduler_.now() - told_at_) / kMillisecond);
  return (told_time_ == LogTime() ? LogTime(kEpoch) : told_time_) + since;
}

// ── asking ──────────────────────────────────────────────────────────────────────────────────────

// The first try goes to the leader as known; later ones anywhere. An earlier try may still be at
// work: then the command is executed more than once, and must take effect once.
void Clients::attempt(std::uint64_t operation) {
  const auto found = operations_.find(operation);
  if (found == operations_.end()) return;
  Operation& one = found->second;
  const bool guess = one.tries++ > 0 && (!lossy_ || dice_.percent(50));
  const ReplicaId to = guess ? dice_.pick(operators_.replicas()) : leader_;
  const Request request = one.request;
  if (!lossy_ || !dice_.percent(1)) {
    scheduler_.after(dice_.skewed(50, 3 * kMillisecond),
                     [this, to, request] { ask_(to, request); });
  }
  const std::uint64_t tries = one.tries;
  scheduler_.after(patience(), [this, operation, tries] {
    const auto again = operations_.find(operation);
    if (again != operations_.end() && again->second.tries == tries) attempt(operation);
  });
}

// Life after the healing is measured by answers: clients shall not be what is slow then.
Micros Clients::patience() {
  return dice_.between(200, lossy_ ? 1'200 : 400) * kMillisecond;
}

void Clients::answered(std::uint64_t operation, const Answer& answer) {
  if (lossy_ && dice_.percent(1)) return;
  scheduler_.after(dice_.skewed(50, 3 * kMillisecond), [this, operation, answer] {
    if (answer.leader) leader_ = *answer.leader;
    if (answer.time != LogTime()) {
      told_time_ = answer.time;
      told_at_ = scheduler_.now();
    }
    if (answer.kind == Answer::Kind::kDone) return done(operation);
    const auto found = operations_.find(operation);
    if (found == operations_.end()) return;
    const std::uint64_t tries = found->second.tries;
    scheduler_.after(dice_.between(5, 60) * kMillisecond, [this, operation, tries] {
      const auto again = operations_.find(operation);
      if (again != operations_.end() && again->second.tries == tries) attempt(operation);
    });
  });
}

void Clients::done(std::uint64_t operation) {
  const auto found = operations_.find(operation);
  if (found == operations_.end()) return;
  const Operation one = std::move(found->second);
  operations_.erase(found);
  begun_of_answered_.push_back(one.begun);
  remember(one);
  if (one.last_of_burst) think(one.client);
}

void Clients::give_changes_up() {
  std::vector<std::uint64_t> changes;
  for (const auto& [number, one] : operations_) {
    const auto& command = one.request.command;
    if (command != nullptr && is_change(*command)) changes.push_back(number);
  }
  for (const std::uint64_t number : changes) done(number);
}

void Clients::remember(const Operation& operation) {
  if (operation.request.command == nullptr) return;
  const auto asked = decision_of(*operation.request.command);
  if (!asked) return;
  unforgotten_.push_back(asked->transaction);
  recent_.push_back(operation.request.command);
  if (recent_.size() > kRecentMax) recent_.pop_front();
}

std::uint64_t Clients::answered_since(Micros begun) const {
  return static_cast<std::uint64_t>(std::count_if(begun_of_answered_.begin(),
                                                  begun_of_answered_.end(),
                                                  [&](Micros one) { return begun <= one; }));
}

Micros Clients::longest_wait() const {
  Micros longest = 0;
  for (const auto& [number, one] : operations_) {
    longest = std::max(longest, scheduler_.now() - one.begun);
  }
  return longest;
}

}  // namespace assent::simulation
