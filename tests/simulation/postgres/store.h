// The memory that all backends share, and the disk: rows and their locks, transactions, what is
// prepared, and the WAL. Knows neither time nor sessions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/postgres/options.h"
#include "tests/simulation/postgres/session_state.h"
#include "tests/simulation/postgres/wal.h"

namespace assent::model {

// A prepared transaction in memory.
struct Gxact {
  PreparedTransaction durable;
  bool valid = false;  // in pg_prepared_xacts: its record is flushed
  SessionId busy = 0;  // the backend that prepares or finishes it
};

enum class XidStatus { kInProgress, kCommitted, kAborted, kForgotten, kInTheFuture };

class Store {
 public:
  explicit Store(Wal log);

  Wal wal;
  std::uint32_t timeline = 1;

  // Throws memory away and rebuilds it from the log.
  void recover();

  // ── rows: what a transaction sees of the committed ones and of its own changes
  [[nodiscard]] std::optional<Row> read(const RowId& id, const Transaction& transaction,
                                        const std::vector<Change>& own) const;
  [[nodiscard]] Table scan(const std::string& table, const Transaction& transaction,
                           const std::vector<Change>& own) const;
  [[nodiscard]] Table committed(const std::string& table) const;
  // Somebody else committed a change of the row behind the transaction's snapshot.
  [[nodiscard]] bool changed_since(const RowId& id, const Transaction& transaction) const;
  // Fixes the snapshot, unless the isolation level takes one for each statement.
  void take_snapshot(Transaction& transaction) const;

  // ── writing
  // Whose uncommitted change the row has; 0: nobody's.
  [[nodiscard]] Xid owner(const RowId& id) const;
  Xid assign_xid(Transaction& transaction);
  // Precondition: the row is nobody's, or the transaction's.
  void write(Transaction& transaction, std::vector<Change>& own, RowId id, std::optional<Row> value,
             bool locked_only = false);
  // Leaves the first `left` of its changes.
  void undo(Transaction& transaction, const std::vector<Change>& own, std::size_t left);
  // Its changes count, or do not, and its row locks are gone. The record is in the log already.
  void end(Xid xid, const std::vector<Change>& changes, bool committed);

  // ── transactions
  [[nodiscard]] XidStatus status(Xid xid) const;
  // Its end stands in the log: it was not merely gone after a crash.
  [[nodiscard]] bool has_ended(Xid xid) const { return ended_.contains(xid); }
  [[nodiscard]] Xid next_xid() const { return next_xid_; }
  [[nodiscard]] Xid xmax() const { return xid_after(latest_completed_); }
  // As if the commit log before `xid` had been truncated.
  void forget_xids_before(Xid xid) { oldest_xid_ = xid; }

  std::map<std::string, Gxact> prepared;
  [[nodiscard]] const Gxact* prepared_with(Xid xid) const;

 private:
  struct Version {
    std::uint64_t sequence;
    std::optional<Row> row;
  };
  using Versions = std::vector<Version>;  // oldest first

  [[nodiscard]] static std::optional<Row> visible(const Versions& versions,
                                                  const Transaction& transaction);
  void release(Xid xid, const std::vector<Change>& changes, std::size_t left);
  void prune(Versions& versions) const;

  std::map<std::string, std::map<std::string, Versions>> tables_;
  std::map<RowId, Xid> owners_;
  std::map<Xid, bool> ended_;
  std::set<Xid> running_;
  std::uint64_t sequence_ = 0;
  Xid next_xid_ = 0;
  Xid latest_completed_ = 0;
  Xid oldest_xid_ = 0;
};

}  // namespace assent::model
