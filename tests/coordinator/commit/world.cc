#include "tests/coordinator/commit/world.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace assent::commit {
namespace {

constexpr int kTransactions = 12;
constexpr Millis kTrouble{4'000};   // how long faults happen
constexpr Millis kHealing{60'000};  // how long everything may take to settle afterwards
constexpr Millis kRpcTimeout{400};  // after which a message without an answer is lost
constexpr const char* kParticipants[] = {"a", "b", "c"};

}  // namespace

std::uint64_t Random::next() {
  state_ += 0x9E37'79B9'7F4A'7C15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBULL;
  return z ^ (z >> 31);
}

// One world in four keeps outcomes so shortly that transactions fall below the floor.
World::World(std::uint64_t seed, Tally& tally)
    : random_(seed), tally_(tally), state_({.retention = Millis(seed % 4 == 0 ? 800 : 600'000)}) {
  for (const char* participant : kParticipants) enrol(participant);
}

std::vector<std::string> World::run() {
  restart_office();
  for (int i = 0; i < kTransactions; ++i) {
    after(Millis(random_.below(kTrouble.value)), [this] { open(transactions_.emplace_back()); });
  }
  transactions_.reserve(kTransactions);
  for (std::int64_t i = random_.below(4); i > 0; --i) {
    after(Millis(random_.below(kTrouble.value)), [this] { restart_office(); });
  }
  for (std::int64_t i = random_.below(4); i > 0; --i) {
    const std::string participant = kParticipants[random_.below(3)];
    after(Millis(random_.below(kTrouble.value)), [=, this] { restart_agent(participant); });
  }
  run_until(mono_ + kTrouble);
  healed_ = true;
  const MonoTime end = mono_ + kHealing;
  while (!settled() && mono_ < end && wrongs_.empty()) run_until(mono_ + Millis(100));
  check_end();
  return std::move(wrongs_);
}

// ── time ────────────────────────────────────────────────────────────────────────────────────────

void World::after(Millis pause, std::function<void()> happen) {
  events_.push({mono_ + pause, ++events_made_, std::move(happen)});
}

void World::run_until(MonoTime end) {
  while (!events_.empty() && events_.top().time <= end) {
    const Event event = events_.top();
    events_.pop();
    mono_ = std::max(mono_, event.time);
    event.happen();
    tick();
  }
  mono_ = end;
}

// Mostly quick; now and then so late that everybody has given up on it.
Millis World::delay() {
  if (!healed_ && random_.chance(5)) return Millis(random_.below(2'000));
  return Millis(1 + random_.below(15));
}

// ── the office and its log ──────────────────────────────────────────────────────────────────────

void World::feed(const Input& input) {
  carry_out(office_->step(now(), input));
}

void World::carry_out(Effects effects) {
  office_->check_invariants();
  for (state::Command& command : effects.propose) propose(std::move(command));
  for (const SendPrepare& prepare : effects.prepares) send(prepare);
  for (const SendFinish& finish : effects.finishes) send(finish);
  for (const SendSettle& settle : effects.settles) send(settle);
  for (const Reply& reply : effects.replies) hear(reply);
}

void World::propose(state::Command command) {
  if (log_.empty()) {
    after(delay(), [this, office = office_number_] {
      if (office == office_number_) flush();
    });
  }
  log_.push_back(std::move(command));
}

void World::flush() {
  const std::vector<state::Command> commands = std::exchange(log_, {});
  const auto results = state_.execute(state_.executed().next(), {now().log, commands});
  state_.check_invariants();
  for (std::size_t i = 0; i < commands.size(); ++i) execute(commands[i], results[i]);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const auto* committed = std::get_if<state::Committed>(&commands[i]);
    const auto* aborted = std::get_if<state::Aborted>(&commands[i]);
    if (committed != nullptr) feed(DecisionExecuted{committed->transaction, results[i]});
    if (aborted != nullptr) feed(DecisionExecuted{aborted->transaction, results[i]});
  }
}

// A crash: a part of what was proposed had become durable, the rest is lost.
void World::restart_office() {
  if (office_) ++tally_.restarts;
  const auto durable =
      static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(log_.size()) + 1));
  tally_.proposals_lost += log_.size() - durable;
  log_.resize(durable);
  for (const state::Command& command : std::exchange(log_, {})) {
    const state::Entry entry{now().log, {command}};
    execute(command, state_.execute(state_.executed().next(), entry).front());
  }
  ++office_number_;
  const state::OfficeTaken taken{{Incarnation(1), Round(office_number_), ReplicaId(1)}};
  state_.execute(state_.executed().next(), {now().log, {taken}});
  callers_.clear();
  office_ = std::make_unique<Office>(state_, OfficeOptions{});
  carry_out(office_->take_office(now()));
  ask_inventories();
}

void World::tick() {
  const std::optional<MonoTime> due = office_->next_deadline();
  if (!due) return;
  if (*due <= mono_) return feed(Tick{});
  after(*due - mono_, [] {});
}

void World::ask_inventories() {
  for (const char* name : kParticipants) {
    const std::string participant = name;
    const MonoTime asked = mono_;
    const auto answer = [this, participant, asked](Agent& agent) -> Input {
      forget_some(agent);
      InventoryArrived inventory{participant, asked, {}, {}};
      for (const auto& [id, branch] : agent.branches) {
        if (branch.local == Local::kPrepared) inventory.prepared.push_back({id});
      }
      return inventory;
    };
    deliver(participant, answer, Tick{});
  }
  after(Millis(500), [this, office = office_number_] {
    if (office == office_number_) ask_inventories();
  });
}

// ── the network ──────────────────────────────────────────────────────────────────

void World::send(const SendPrepare& prepare) {
  check_sent(prepare);
  deliver(
      prepare.branch.participant,
      [this, prepare](Agent& agent) { return prepare_at(agent, prepare); },
      PrepareLost{prepare.branch, Error{ErrorCode::kUnavailable, "lost"}});
}

void World::send(const SendSettle& settle) {
  deliver(
      settle.participant, [this, settle](Agent& agent) { return settle_at(agent, settle); },
      SettleLost{settle.participant, settle.transaction});
}

void World::send(const SendFinish& finish) {
  check_sent(finish);
  deliver(
      finish.branch.participant, [this, finish](Agent& agent) { return finish_at(agent, finish); },
      FinishLost{finish.branch});
}

void World::deliver(const std::string& participant, std::function<Input(Agent&)> at_agent,
                    Input lost) {
  const int copies = healed_ || !random_.chance(20) ? 1 : static_cast<int>(random_.below(2)) * 2;
  if (copies == 0) ++tally_.messages_lost;
  if (copies == 2) ++tally_.messages_repeated;
  for (int copy = 0; copy < copies; ++copy) {
    ++in_flight_;
    after(delay(), [=, this, office = office_number_] {
      --in_flight_;
      reach(participant, office, at_agent, lost);
    });
  }
  if (copies == 0) {
    ++in_flight_;
    after(kRpcTimeout, [=, this, office = office_number_] {
      --in_flight_;
      if (office == office_number_) feed(lost);
    });
  }
}

void World::reach(const std::string& participant, std::uint64_t office,
                  const std::function<Input(Agent&)>& at_agent, const Input& lost) {
  Agent& agent = agents_[participant];
  const bool stale = office < agent.ballot;
  if (stale) ++tally_.stale_refused;
  Input answer = lost;
  Millis pause = kRpcTimeout;
  if (agent.up && !stale) {
    agent.ballot = office;
    Input truth = at_agent(agent);
    if (healed_ || !random_.chance(10)) {
      answer = std::move(truth);
      pause = delay();
    }
  }
  ++in_flight_;
  after(pause, [=, this] {
    --in_flight_;
    if (office == office_number_) feed(answer);
  });
}

}  // namespace assent::commit
