#include "tests/simulation/postgres/store.h"

#include <algorithm>

#include "base/check.h"

namespace assent::model {
namespace {

constexpr std::size_t kVersionsKept = 16;

}  // namespace

Store::Store(Wal log) : wal(std::move(log)) {
  recover();
}

void Store::recover() {
  const State state = wal.fold();
  tables_.clear();
  owners_.clear();
  running_.clear();
  prepared.clear();
  ++sequence_;
  for (const auto& [name, rows] : state.tables) {
    for (const auto& [key, row] : rows) tables_[name][key] = {{sequence_, row}};
  }
  for (const auto& [gid, transaction] : state.prepared) {
    prepared[gid] = {transaction, true, 0};
    running_.insert(transaction.xid);
    for (const Change& change : transaction.changes) owners_[change.row] = transaction.xid;
  }
  ended_ = state.ended;
  next_xid_ = state.next_xid;
  latest_completed_ = next_xid_ - 1;
}

// ── rows ────────────────────────────────────────────────────────────────────────────────────────

std::optional<Row> Store::visible(const Versions& versions, const Transaction& transaction) {
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    if (!transaction.snapshot || version->sequence <= *transaction.snapshot) return version->row;
  }
  return std::nullopt;
}

std::optional<Row> Store::read(const RowId& id, const Transaction& transaction,
                               const std::vector<Change>& own) const {
  for (auto change = own.rbegin(); change != own.rend(); ++change) {
    if (change->row == id) return change->value;
  }
  const auto table = tables_.find(id.table);
  if (table == tables_.end()) return std::nullopt;
  const auto versions = table->second.find(id.key);
  return versions == table->second.end() ? std::nullopt : visible(versions->second, transaction);
}

Table Store::scan(const std::string& table, const Transaction& transaction,
                  const std::vector<Change>& own) const {
  Table out;
  const auto found = tables_.find(table);
  if (found != tables_.end()) {
    for (const auto& [key, versions] : found->second) {
      if (auto row = visible(versions, transaction)) out[key] = std::move(*row);
    }
  }
  for (const Change& change : own) {
    if (change.row.table != table) continue;
    if (change.value) {
      out[change.row.key] = *change.value;
    } else {
      out.erase(change.row.key);
    }
  }
  return out;
}

Table Store::committed(const std::string& table) const {
  return scan(table, {}, {});
}

bool Store::changed_since(const RowId& id, const Transaction& transaction) const {
  const auto table = tables_.find(id.table);
  if (!transaction.snapshot || table == tables_.end()) return false;
  const auto versions = table->second.find(id.key);
  return versions != table->second.end() && !versions->second.empty() &&
         versions->second.back().sequence > *transaction.snapshot;
}

void Store::take_snapshot(Transaction& transaction) const {
  if (transaction.snapshot || transaction.isolation == "read committed") return;
  transaction.snapshot = sequence_;
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

Xid Store::owner(const RowId& id) const {
  const auto found = owners_.find(id);
  return found == owners_.end() ? 0 : found->second;
}

Xid Store::assign_xid(Transaction& transaction) {
  if (transaction.xid == 0) {
    transaction.xid = next_xid_;
    running_.insert(next_xid_);
    next_xid_ = xid_after(next_xid_);
  }
  return transaction.xid;
}

void Store::write(Transaction& transaction, std::vector<Change>& own, RowId id,
                  std::optional<Row> value, bool locked_only) {
  const Xid xid = assign_xid(transaction);
  CHECK(owner(id) == 0 || owner(id) == xid, "a row has one writer at a time");
  Xid writer = xid;
  for (Savepoint& savepoint : transaction.savepoints) {
    if (savepoint.xid == 0) {
      savepoint.xid = next_xid_;
      next_xid_ = xid_after(next_xid_);
    }
    writer = savepoint.xid;
  }
  owners_[id] = xid;
  own.push_back({writer, std::move(id), std::move(value), locked_only});
  wal.append(WriteRecord{xid, own.back()});
  transaction.wrote = true;
}

void Store::undo(Transaction& transaction, const std::vector<Change>& own, std::size_t left) {
  if (own.size() == left) return;
  release(transaction.xid, own, left);
  wal.append(RollbackToRecord{transaction.xid, left});
}

// A row stays locked for the changes of it that are left.
void Store::release(Xid xid, const std::vector<Change>& changes, std::size_t left) {
  const auto kept = changes.begin() + static_cast<std::ptrdiff_t>(left);
  for (auto change = kept; change != changes.end(); ++change) {
    const bool still = std::any_of(changes.begin(), kept,
                                   [&](const Change& one) { return one.row == change->row; });
    const auto owned = owners_.find(change->row);
    if (!still && owned != owners_.end() && owned->second == xid) owners_.erase(owned);
  }
}

void Store::end(Xid xid, const std::vector<Change>& changes, bool committed) {
  running_.erase(xid);
  ended_[xid] = committed;
  latest_completed_ = std::max(latest_completed_, xid);
  release(xid, changes, 0);
  if (!committed) return;
  ++sequence_;
  for (const Change& change : changes) {
    latest_completed_ = std::max(latest_completed_, change.xid);
    if (change.locked_only) continue;
    Versions& versions = tables_[change.row.table][change.row.key];
    if (!versions.empty() && versions.back().sequence == sequence_) versions.pop_back();
    versions.push_back({sequence_, change.value});
    prune(versions);
  }
}

void Store::prune(Versions& versions) const {
  if (versions.size() > kVersionsKept) versions.erase(versions.begin());
}

// ── transactions ────────────────────────────────────────────────────────────────────────────────

XidStatus Store::status(Xid xid) const {
  if (xid >= next_xid_) return XidStatus::kInTheFuture;
  if (xid < oldest_xid_) return XidStatus::kForgotten;
  if (running_.contains(xid)) return XidStatus::kInProgress;
  const auto ended = ended_.find(xid);
  const bool committed = ended != ended_.end() && ended->second;
  return committed ? XidStatus::kCommitted : XidStatus::kAborted;
}

const Gxact* Store::prepared_with(Xid xid) const {
  for (const auto& [gid, gxact] : prepared) {
    if (gxact.durable.xid == xid) return &gxact;
  }
  return nullptr;
}

}  // namespace assent::model
