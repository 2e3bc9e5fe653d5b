#include "tests/simulation/postgres/server.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tests/simulation/postgres/backend.h"
#include "tests/simulation/postgres/instance.h"
#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {
namespace {

std::shared_ptr<Backend> find(const Instance& instance, SessionId session) {
  const auto found = instance.backends.find(session);
  return found == instance.backends.end() ? nullptr : found->second;
}

}  // namespace

Server::Server(simulation::Scheduler& scheduler, simulation::Dice dice, Options options)
    : instance_(std::make_unique<Instance>(scheduler, dice, std::move(options))) {}

Server::~Server() = default;

// ── clients ─────────────────────────────────────────────────────────────────────────────────────

std::optional<SessionId> Server::connect(const Login& login, Lost lost) {
  const auto most = static_cast<std::size_t>(instance_->options.connections_max);
  if (!instance_->up || instance_->backends.size() >= most) return std::nullopt;
  const SessionId id = ++instance_->last_session;
  ++instance_->counters.connections;
  const auto backend =
      std::make_shared<Backend>(*instance_, id, ++instance_->last_pid, login, std::move(lost));
  instance_->backends.emplace(id, backend);
  return id;
}

int Server::pid(SessionId session) const {
  const auto backend = find(*instance_, session);
  return backend ? backend->pid() : 0;
}

void Server::send(SessionId session, postgres::Batch batch, Answered answered) {
  if (const auto backend = find(*instance_, session)) {
    backend->send(std::move(batch), std::move(answered));
  }
}

void Server::hang_up(SessionId session) {
  if (const auto backend = find(*instance_, session)) backend->hang_up();
}

// ── processes ───────────────────────────────────────────────────────────────────────────────────

void Server::stop(SessionId session) {
  if (const auto backend = find(*instance_, session)) backend->stop();
}

void Server::go_on(SessionId session) {
  if (const auto backend = find(*instance_, session)) backend->go_on();
}

void Server::terminate(SessionId session) {
  if (const auto backend = find(*instance_, session)) backend->raise(Signal::kTerminate);
}

void Server::cancel(SessionId session) {
  if (const auto backend = find(*instance_, session)) backend->raise(Signal::kCancel);
}

std::vector<SessionId> Server::sessions() const {
  std::vector<SessionId> all;
  for (const auto& [id, backend] : instance_->backends) all.push_back(id);
  return all;
}

// ── for checkers ────────────────────────────────────────────────────────────────────────────────

std::vector<PreparedTransaction> Server::prepared() const {
  std::vector<PreparedTransaction> all;
  for (const auto& [gid, gxact] : instance_->store.prepared) {
    if (gxact.valid) all.push_back(gxact.durable);
  }
  return all;
}

std::map<std::int64_t, std::int64_t> Server::balances() const {
  std::map<std::int64_t, std::int64_t> all;
  for (const auto& [key, row] : rows("account")) {
    all[to_number(*row.at(0)).value()] = to_number(*row.at(1)).value();
  }
  return all;
}

std::map<std::string, bool> Server::outcome_rows() const {
  std::map<std::string, bool> all;
  for (const auto& [key, row] : rows("assent.outcome")) all[key] = row.at(1) == "t";
  return all;
}

std::set<std::string> Server::one_phase_commits() const {
  return instance_->store.wal.fold().one_phase;
}

Table Server::rows(const std::string& table) const {
  return instance_->store.committed(table);
}

EpochRow Server::epoch_row() const {
  const Row row = rows("assent.epoch").at("");
  return {static_cast<std::uint64_t>(to_number(*row.at(0)).value()), row.at(1), row.at(2),
          row.at(3)};
}

void Server::observe_gids(std::function<void(const GidEvent&)> observer) {
  instance_->observer = std::move(observer);
}

const std::vector<GidEvent>& Server::gid_events() const {
  return instance_->gid_events;
}

const Counters& Server::counters() const {
  return instance_->counters;
}

Lsn Server::flushed() const {
  return instance_->store.wal.flushed();
}

std::uint32_t Server::timeline() const {
  return instance_->store.timeline;
}

const std::vector<std::string>& Server::unknown_statements() const {
  return instance_->unknown_statements;
}

// 1. A transaction is seen once its record is safe, or at once when it did not wait for that; so
//    what is seen is the fold of the whole log without those that wait still.
// 2. They hold their row locks, so rows that nobody holds must agree.
void Server::check_invariants() const {
  const State state = instance_->store.wal.fold();
  for (const auto& [name, table] : state.tables) {
    Table seen = instance_->store.committed(name);
    Table logged = table;
    const auto held = [&](const auto& row) {
      return instance_->store.owner({name, row.first}) != 0;
    };
    std::erase_if(seen, held);
    std::erase_if(logged, held);
    CHECK(seen == logged, "the rows of " + name + " are seen as the log has them");
  }
  for (const auto& [gid, gxact] : instance_->store.prepared) {
    CHECK(!gxact.valid || gxact.busy != 0 || state.prepared.contains(gid),
          "what is listed as prepared stands in the log: " + gid);
  }
}

}  // namespace assent::model
