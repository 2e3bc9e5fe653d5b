#include "tests/simulation/system/system.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/gid.h"
#include "tests/simulation/system/places.h"
#include "tests/simulation/system/words.h"

namespace assent::simulation::system {
namespace {

// A run goes on until it has both, and for no longer than the last.
constexpr std::uint64_t kTransactionsMin = 200;
constexpr std::uint64_t kFaultsMin = 20;
constexpr Micros kTroubleTimeMin = 15 * kSecond;
constexpr Micros kTroubleTimeMax = 600 * kSecond;

// How long after the healing what must happen.
constexpr Micros kRestWithin = 60 * kSecond;
constexpr Micros kChangeEvery = 1'500 * kMillisecond;
constexpr Micros kPoll = 20 * kMillisecond;

}  // namespace

Run run_system_seed(std::uint64_t seed, const TraceSink& sink) {
  System system(seed, sink);
  std::optional<Violation> violation;
  try {
    system.run();
  } catch (const Violation& thrown) {
    violation = thrown;
  }
  return {system.figures(), violation};
}

System::System(std::uint64_t seed, const TraceSink& sink)
    : setting_(system_setting_of(seed)),
      trace_(scheduler_, sink),
      group_(
          scheduler_, trace_, setting_.group,
          [this](std::uint64_t operation, const Answer& answer) {
            const std::uint64_t place = operation >> 40;  // 0: the operators'
            if (place != 0) coordinators_[place - 1]->answered(operation, answer);
          },
          [this](ReplicaId replica, const replica::OfficeChange* change) {
            Coordinator& coordinator = *coordinators_[replica.value - 1];
            if (change == nullptr) return coordinator.ended();
            coordinator.office_changed(*change);
          }),
      wire_(scheduler_, Dice(seed, 902)),
      book_(group_.ledger, trace_, [this] { read_outcome_rows(); }),
      buggify_(seed) {
  make_coordinators();
  make_sites();
  make_clients();
  group_.ledger.set_observer(
      [this](const state::Command& command, const state::CommandResult& result) {
        executed(command, result);
      });
}

System::~System() = default;

void System::make_coordinators() {
  for (const auto& host : group_.hosts) {
    coordinators_.push_back(std::make_unique<Coordinator>(
        *host, wire_, book_, trace_,
        [this](const std::string& address) { return find_agent(address); },
        Place(host->id().value)));
  }
}

void System::make_sites() {
  const Neighbours around{scheduler_, trace_, wire_, book_, coordinators_};
  const std::uint64_t seed = setting_.group.seed;
  sites_.resize(setting_.participants.size());
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    Site& site = sites_[i];
    site.participant = setting_.participants[i];
    site.synchronous = setting_.databases[i].synchronous_standby;
    site.server =
        std::make_unique<model::Server>(scheduler_, Dice(seed, 910 + i), setting_.databases[i]);
    site.server->observe_gids([this, &site](const model::GidEvent& event) {
      tally_.happened(event, scheduler_.now());
      book_.happened(site.participant, event);
    });
    for (const char* const where : {"a", "b"}) {
      const auto place = static_cast<Place>(kFirstAgent + 2 * i + site.agents.size());
      site.agents.push_back(std::make_unique<Agent>(
          around, site.participant, site.participant + "." + where, place,
          [&site, at = site.agents.size()] { return site.server_of(at); }, seed));
    }
  }
  troubles_.emplace(around, setting_, sites_, [this] {
    for (const auto& host : group_.hosts) {
      host->crash();
      scheduler_.after(50 * kMillisecond, [&host] { host->boot(); });
    }
  });
}

void System::make_clients() {
  const Neighbours around{scheduler_, trace_, wire_, book_, coordinators_};
  for (std::uint32_t i = 0; i < setting_.clients; ++i) {
    clients_.push_back(std::make_unique<Client>(
        around, [this](const std::string& address) { return find_agent(address); },
        setting_.participants, Place(kFirstClient + i), setting_.group.seed, setting_.think_max,
        setting_.client_clock_max));
  }
}

void System::executed(const state::Command& command, const state::CommandResult& result) {
  if (std::holds_alternative<state::TookEffect>(result)) {
    const auto* const commit = std::get_if<state::Committed>(&command);
    const auto* const abort = std::get_if<state::Aborted>(&command);
    if (commit != nullptr) {
      trace_.event(0, "decision", commit->transaction.low, 1,
                   [&] { return to_string(commit->transaction) + " COMMITTED"; });
    } else if (abort != nullptr) {
      trace_.event(0, "decision", abort->transaction.low, 2, [&] {
        return to_string(abort->transaction) + " ABORTED: " + words(abort->reason);
      });
    }
  }
  book_.executed(command, result);
}

void System::read_outcome_rows() {
  for (const Site& site : sites_) {
    for (const auto& [text, committed] : site.server->outcome_rows()) {
      if (committed)
        book_.committed_one_phase(site.participant, parse_transaction_id(text).value());
    }
  }
}

Agent* System::find_agent(const std::string& address) const {
  for (const Site& site : sites_) {
    for (const auto& agent : site.agents) {
      if (agent->address() == address) return agent.get();
    }
  }
  return nullptr;
}

void System::run() {
  group_.boot();
  for (const Site& site : sites_) site.agents[0]->boot();
  for (const auto& client : clients_) client->start();
  group_.faults.start();
  group_.operators.start();
  troubles_->start();
  change_group();
  if (setting_.backed_up_at > 0) lose_the_log();
  break_things();
  if (setting_.relentless) return;
  settle();
  check_end();
}

// Operators ask whoever leads for the next change, again and again.
void System::change_group() {
  scheduler_.after(kChangeEvery, [this] { change_group(); });
  if (auto change = group_.operators.next_change()) propose(std::move(*change));
}

void System::propose(state::Command command) {
  const auto shared = std::make_shared<const state::Command>(std::move(command));
  for (const auto& host : group_.hosts) {
    if (host->serving()) host->ask({++asked_, shared});
  }
}

// Everything of the coordinator is lost at once, and it goes on from a backup (R15).
void System::lose_the_log() {
  scheduler_.at(setting_.backed_up_at, [this] {
    trace_.event(0, "backs up", group_.ledger.executed().value);
    scheduler_.after(setting_.restored_after, [this, backup = group_.ledger.back_up()] {
      group_.restore(backup);
      book_.log_restored();
      trace_.event(0, "restores", group_.ledger.executed().value);
      for (const auto& host : group_.hosts) host->boot();
    });
  });
}

void System::break_things() {
  const auto enough = [&] {
    return book_.committed() + book_.aborted() >= kTransactionsMin &&
           group_.faults.total() + troubles_->total() >= kFaultsMin;
  };
  const Micros at_least = setting_.relentless ? kRelentlessTime : kTroubleTimeMin;
  while (scheduler_.now() < at_least || (!enough() && scheduler_.now() < kTroubleTimeMax)) {
    scheduler_.run_until(scheduler_.now() + 100 * kMillisecond);
  }
  if (enough()) return;
  violated(Checker::kTame, std::to_string(book_.committed()) + " committed, " +
                               std::to_string(book_.aborted()) + " aborted, " +
                               std::to_string(group_.faults.total() + troubles_->total()) +
                               " faults");
}

void System::settle() {
  trace_.event(0, "heals");
  group_.operators.stop();
  group_.faults.heal();
  troubles_->heal();
  buggify_.stop();
  tally_.healed(scheduler_.now());
  for (const auto& client : clients_) {
    client->calm();
    client->stop();
  }
  const Micros healed = scheduler_.now();
  // A client whose id is ahead of time may have to wait until log time is there, which goes at half
  // speed where the leader's clock is behind.
  const Micros ahead = setting_.client_clock_max.value * kMillisecond;
  await(
      Checker::kNothingOpen, kRestWithin + 2 * ahead,
      [&] {
        troubles_->keep_agents_up();
        return busy().empty();
      },
      [&] { return busy(); });
  rest_after_heal_ = scheduler_.now() - healed;
  if (setting_.backed_up_at > 0) resolve_what_is_left();
}

// They know what became of each transaction elsewhere; of some the log still tells it.
void System::resolve_what_is_left() {
  for (const auto& [transaction, told] : group_.ledger.state().heuristics().kept()) {
    if (told.resolution || group_.ledger.state().find(transaction) != nullptr) continue;
    const Outcome outcome = told.listed > 0 ? told.outcome : book_.outcome_known(transaction);
    propose(state::HeuristicResolved{transaction, outcome, "somebody", "restore"});
  }
  await(
      Checker::kNothingPrepared, kRestWithin, [&] { return left_to_operators().empty(); },
      [&] { return left_to_operators() + " is prepared though operators have decided,"; });
}

std::string System::left_to_operators() const {
  for (const Site& site : sites_) {
    for (const auto& prepared : site.server->prepared()) {
      if (prepared.gid.starts_with("assent:sim:")) return prepared.gid;
    }
  }
  return "";
}

template <class Condition, class Words>
void System::await(Checker checker, Micros patience, Condition condition, Words words) {
  const Micros begun = scheduler_.now();
  while (!condition()) {
    if (scheduler_.now() - begun >= patience) {
      violated(checker, words() + " for " + std::to_string(patience / kMillisecond) +
                            " ms after the healing");
    }
    scheduler_.run_until(scheduler_.now() + kPoll);
  }
}

std::vector<std::string> System::left_prepared(const Site& site) const {
  std::vector<std::string> out;
  for (const auto& prepared : site.server->prepared()) {
    const auto gid = parse_gid(prepared.gid);
    const bool ours = gid && gid->cluster == "sim";
    if (ours && !book_.left_to_operators(gid->branch)) out.push_back(prepared.gid);
  }
  return out;
}

// What is still at work; empty: nothing.
std::string System::busy() const {
  for (const auto& client : clients_) {
    if (client->busy()) return "a client " + client->doing();
  }
  for (const Site& site : sites_) {
    const auto prepared = left_prepared(site);
    if (!prepared.empty()) return prepared.front() + " is prepared";
    for (const auto& agent : site.agents) {
      if (agent->live_branches() > 0) return "branches live at " + agent->address();
    }
  }
  bool led = false;
  for (const auto& coordinator : coordinators_) {
    if (coordinator->driven() > 0) return "an office drives transactions";
    led = led || coordinator->leads();
  }
  return led ? "" : "nobody leads";
}

void System::check_end() {
  Balances balances;
  for (const Site& site : sites_) {
    for (const auto& [account, balance] : site.server->balances()) {
      balances[site.participant][account] = balance - kBalance;
    }
    book_.check_nothing_prepared(site.participant, left_prepared(site));
    const auto prepared = site.server->prepared();
    for (const std::string& gid : site.strangers) {
      const bool there = std::any_of(prepared.begin(), prepared.end(),
                                     [&](const auto& one) { return one.gid == gid; });
      if (!there) violated(Checker::kStrangersUntouched, gid + " was ended");
    }
    const auto unknown = site.server->unknown_statements();
    if (!unknown.empty()) violated(Checker::kUnknownStatement, unknown.front());
  }
  book_.check_balances(balances);
  book_.check_heuristics();
}

void System::fill(SystemFigures& out) const {
  out.transactions = book_.transactions();
  out.committed = book_.committed();
  out.aborted = book_.aborted();
  out.one_phase = book_.one_phase();
  for (const auto& client : clients_) out.unknown += client->unknown();
  for (const Site& site : sites_) {
    out.server_crashes += site.server->counters().crashes;
    for (const auto& agent : site.agents) out.agent_lives += agent->lives();
  }
  static_assert(kTroubleKinds <= kTroublesMax);
  std::ranges::copy(troubles_->counts(), out.troubles.begin());
  tally_.write(out);
  out.buggified = buggify_.hits();
}

Figures System::figures() const {
  Figures out;
  out.seed = setting_.group.seed;
  out.time = scheduler_.now();
  out.commands = group_.ledger.commands();
  out.slots = group_.ledger.executed().value;
  out.fault_total = group_.faults.total() + troubles_->total();
  out.faults = group_.faults.counts();
  out.network = group_.network.counts();
  out.progress_after_heal = rest_after_heal_;
  out.trace_hash = trace_.hash();
  out.changes = group_.ledger.electorates().changes();
  fill(out.system);
  return out;
}

}  // namespace assent::simulation::system
