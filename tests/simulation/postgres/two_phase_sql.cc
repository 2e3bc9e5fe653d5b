// PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED.
#include <utility>

#include "tests/simulation/postgres/commands.h"

namespace assent::model {
namespace {

constexpr std::size_t kGidMax = 200;  // with its terminator

// What a transaction must not have done (postgres.md, rows 12 to 14), in PostgreSQL's order.
std::optional<Answer> refuse_early(Backend& backend) {
  if (auto refused = check_deferred(backend)) return refused;
  if (backend.session.new_holdable_cursor) {
    return error("0A000", "cannot PREPARE a transaction that has created a cursor WITH HOLD");
  }
  if (auto refused = check_serializable(backend)) return refused;
  if (backend.transaction().touched_temporary) {
    return error("0A000", "cannot PREPARE a transaction that has operated on temporary objects");
  }
  return std::nullopt;
}

std::optional<Answer> refuse_gid(const Backend& backend, const std::string& gid) {
  const int slots = backend.instance().options.max_prepared_transactions;
  const auto& prepared = backend.store().prepared;
  if (gid.size() >= kGidMax) {
    return error("22023", "transaction identifier \"" + gid + "\" is too long");
  }
  if (slots == 0) return error("55000", "prepared transactions are disabled");
  if (prepared.contains(gid)) {
    return error("42710", "transaction identifier \"" + gid + "\" is already in use");
  }
  if (prepared.size() >= static_cast<std::size_t>(slots)) {
    return error("53200", "maximum number of prepared transactions reached");
  }
  return std::nullopt;
}

bool holds_for_session(const Backend& backend, std::int64_t key) {
  const auto found = backend.instance().advisory_locks.find(key);
  if (found == backend.instance().advisory_locks.end()) return false;
  for (const AdvisoryHolder& holder : found->second) {
    if (holder.session == backend.id() && !holder.of_transaction) return true;
  }
  return false;
}

std::optional<Answer> refuse_late(const Backend& backend) {
  if (backend.session.listened) {
    return error("0A000",
                 "cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY");
  }
  for (const std::int64_t key : backend.session.advisory_locks) {
    if (!holds_for_session(backend, key)) continue;
    return error("0A000",
                 "cannot PREPARE while holding both session-level and transaction-level locks on "
                 "the same object");
  }
  return std::nullopt;
}

Answer refused_prepare(Backend& backend, Answer why) {
  backend.abort_transaction();
  return why;
}

// Its locks stay, as the prepared transaction's.
Answer end_prepare(Backend& backend, const std::string& gid) {
  Instance& instance = backend.instance();
  const Xid xid = backend.transaction().xid;
  backend.store().prepared.at(gid).busy = 0;
  ++instance.counters.prepares;
  for (const std::int64_t key : std::exchange(backend.session.advisory_locks, {})) {
    auto& holders = instance.advisory_locks[key];
    std::erase(holders, AdvisoryHolder{backend.id(), 0, true});
    holders.push_back({0, xid, true});
  }
  backend.forget_transaction();
  return done("PREPARE TRANSACTION");
}

// ── finishing ───────────────────────────────────────────────────────────────────────────────────

std::optional<Answer> refuse_finish(const Backend& backend, const std::string& gid) {
  const auto found = backend.store().prepared.find(gid);
  if (found == backend.store().prepared.end() || !found->second.valid) {
    return error("42704", "prepared transaction with identifier \"" + gid + "\" does not exist");
  }
  if (found->second.busy != 0) {
    return error("55000", "prepared transaction with identifier \"" + gid + "\" is busy");
  }
  if (found->second.durable.owner != backend.current_role() && !backend.is_superuser()) {
    return error("42501", "permission denied to finish prepared transaction");
  }
  if (found->second.durable.database != backend.instance().options.database) {
    return error("0A000", "prepared transaction belongs to another database");
  }
  return std::nullopt;
}

Step finish(Backend& backend, const std::string& gid, bool commit) {
  const std::string tag = commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED";
  if (backend.login().standby) return error("25006", "cannot execute " + tag + " during recovery");
  if (backend.in_transaction_block()) {
    return error("25001", tag + " cannot run inside a transaction block");
  }
  if (auto refused = refuse_finish(backend, gid)) return *refused;
  Store& store = backend.store();
  store.prepared.at(gid).busy = backend.id();
  const Lsn position = store.wal.append(FinishRecord{gid, commit});
  return Durable{position, backend.waits_for_standby(), true, {}, [&backend, gid, commit, tag] {
                   backend.instance().end_prepared(gid, commit, backend.current_role());
                   return done(tag);
                 }};
}

template <bool kCommit>
Step finish_prepared(Backend& backend, const Values& values) {
  return finish(backend, values[0].value_or(""), kCommit);
}

constexpr Rule kRules[] = {
    {"COMMIT PREPARED ?", finish_prepared<true>},
    {"ROLLBACK PREPARED ?", finish_prepared<false>},
};

}  // namespace

Rules two_phase_rules() {
  return kRules;
}

// 1. The gid is taken before anything is written.
// 2. Once the record is flushed the view shows the row, though the standby may not have it yet; the
//    gid is busy until it has (postgres.md, row 10).
Step prepare(Backend& backend, const std::string& gid) {
  if (auto refused = refuse_early(backend)) return refused_prepare(backend, *refused);
  if (auto refused = refuse_gid(backend, gid)) return refused_prepare(backend, *refused);
  if (auto refused = refuse_late(backend)) return refused_prepare(backend, *refused);
  Store& store = backend.store();
  const Xid xid = store.assign_xid(backend.transaction());
  const PreparedTransaction durable{gid,
                                    backend.current_role(),
                                    backend.instance().options.database,
                                    xid,
                                    backend.instance().scheduler.now(),
                                    backend.session.changes,
                                    backend.session.advisory_locks};
  store.prepared[gid] = {durable, false, backend.id()};
  const Lsn position = store.wal.append(PrepareRecord{durable});
  const auto on_flushed = [&backend, gid, durable] {
    backend.store().prepared.at(gid).valid = true;
    backend.instance().note(GidEvent::Kind::kPrepared, durable, durable.owner);
  };
  return Durable{position, backend.waits_for_standby(), false, on_flushed,
                 [&backend, gid] { return end_prepare(backend, gid); }};
}

}  // namespace assent::model
