// What happens to the server as a whole, and what others do to it.
#include <algorithm>
#include <utility>

#include "tests/simulation/postgres/backend.h"
#include "tests/simulation/postgres/instance.h"
#include "tests/simulation/postgres/server.h"

namespace assent::model {

bool Server::is_up() const {
  return instance_->up;
}

void Server::crash() {
  if (!instance_->up && instance_->backends.empty()) return;
  ++instance_->counters.crashes;
  const std::vector<Lsn> doubtful = instance_->store.wal.unflushed();
  const std::size_t kept = instance_->dice.below(doubtful.size() + 1);
  const Lsn until = kept == 0 ? instance_->store.wal.flushed() : doubtful[kept - 1];
  instance_->fall(until, "server closed the connection unexpectedly");
}

void Server::start() {
  if (instance_->up) return;
  const Options& options = instance_->options;
  instance_->after(instance_->dice.between(options.start_min, options.start_max),
                   [this] { instance_->up = true; });
}

void Server::stall_flushes(bool stalled) {
  instance_->stall_flushes(stalled);
}

void Server::hold_standby(bool held) {
  instance_->hold_standby(held);
}

// The new primary recovers while the old one's clients are told.
void Server::replace(Lsn until, const std::string& why) {
  instance_->fall(until, why);
  start();
}

void Server::promote() {
  ++instance_->counters.promotions;
  const Lsn until = instance_->store.wal.boundary(instance_->replicated());
  replace(until, "the server was replaced by its standby");
  ++instance_->store.timeline;
  instance_->promoted_at = until;
  instance_->set_replicated(until);
}

void Server::promote_without(std::size_t records) {
  const Lsn wanted = instance_->store.wal.before(records);
  const bool synchronous = instance_->options.synchronous_standby;
  const Lsn at_least = synchronous ? instance_->replicated() : 0;
  instance_->set_replicated(std::max(wanted, at_least));
  promote();
}

Server::Backup Server::back_up() const {
  auto copy = std::make_shared<Wal>(instance_->store.wal);
  copy->cut(copy->flushed());
  return copy;
}

void Server::restore(const Backup& backup, bool new_timeline) {
  begin_as(backup, instance_->store.timeline + (new_timeline ? 1 : 0));
}

void Server::begin_as(const Backup& backup, std::uint32_t timeline) {
  instance_->fall_to(*backup, "the server was replaced by an old copy of its data");
  instance_->store.timeline = timeline;
  start();
}

void Server::forget_xids_before(Xid xid) {
  instance_->store.forget_xids_before(xid);
}

// ── somebody else ───────────────────────────────────────────────────────────────────────────────

// A superuser in psql.
bool Server::finish_by_hand(const std::string& gid, bool commit) {
  Store& store = instance_->store;
  const auto found = store.prepared.find(gid);
  if (!instance_->up || found == store.prepared.end()) return false;
  if (!found->second.valid || found->second.busy != 0) return false;
  store.wal.flush_to(store.wal.append(FinishRecord{gid, commit}));
  instance_->end_prepared(gid, commit, "postgres");
  instance_->flush(store.wal.end(), [] {});  // and so on to the standby
  return true;
}

bool Server::prepare_by_hand(const std::string& gid, const std::string& role,
                             const std::string& database, std::function<void()> acknowledged) {
  Store& store = instance_->store;
  const auto slots = static_cast<std::size_t>(instance_->options.max_prepared_transactions);
  if (!instance_->up || store.prepared.contains(gid) || store.prepared.size() >= slots) {
    return false;
  }
  Transaction transaction;
  const PreparedTransaction durable{gid, role, database, store.assign_xid(transaction),
                                    instance_->scheduler.now()};
  store.prepared[gid] = {durable, true, 0};
  store.wal.flush_to(store.wal.append(PrepareRecord{durable}));
  instance_->note(GidEvent::Kind::kPrepared, durable, role);
  const Lsn position = store.wal.end();
  instance_->flush(position, [this, position, acknowledged = std::move(acknowledged)] {
    if (!instance_->options.synchronous_standby) return acknowledged();
    instance_->await_standby(position, acknowledged);
  });
  return true;
}

}  // namespace assent::model
