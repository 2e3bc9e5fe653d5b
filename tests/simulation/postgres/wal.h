// The write-ahead log of the model server, and the state that it folds to. What a crash, a
// promotion or a restored backup leaves is the fold of a prefix, and nothing else.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/statement.h"
#include "tests/simulation/scheduler.h"

namespace assent::model {

using simulation::Micros;

using Xid = std::uint64_t;  // with its epoch, as xid8; 0: none
using Lsn = std::uint64_t;  // a position in bytes
using Row = std::vector<Value>;

struct RowId {
  std::string table;
  std::string key;
  auto operator<=>(const RowId&) const = default;
};

// What one statement did to one row; no value: it deleted it.
struct Change {
  Xid xid = 0;  // of the transaction or of its savepoint
  RowId row;
  std::optional<Row> value;
  bool locked_only = false;  // SELECT FOR UPDATE: the value is as it was
  bool operator==(const Change&) const = default;
};

struct PreparedTransaction {
  std::string gid;
  std::string owner;
  std::string database;
  Xid xid = 0;
  Micros at = 0;
  std::vector<Change> changes = {};
  std::set<std::int64_t> advisory_locks = {};
};

// The kinds of WAL records, as far as they matter here.
struct WriteRecord {
  Xid xid;  // the transaction's, whatever its savepoints
  Change change;
};
struct RollbackToRecord {
  Xid xid;
  std::size_t changes;  // so many of its changes are left
};
struct EndRecord {
  Xid xid;
  bool committed;
};
struct PrepareRecord {
  PreparedTransaction prepared;
};
struct FinishRecord {
  std::string gid;
  bool committed;
};
struct MessageRecord {
  Xid xid;
};
using Record = std::variant<WriteRecord, RollbackToRecord, EndRecord, PrepareRecord, FinishRecord,
                            MessageRecord>;

using Table = std::map<std::string, Row>;

// What the disk says once the log has been replayed.
struct State {
  std::map<std::string, Table> tables;
  std::map<std::string, PreparedTransaction> prepared;  // by gid
  std::map<Xid, bool> ended;                            // committed or not; the rest was aborted
  std::set<std::string> one_phase;  // transactions whose outcome row was committed, dropped or not
  std::map<Xid, std::vector<Change>> running;  // of transactions that have not ended
  Xid next_xid = 0;

  void apply(const Record& record);

 private:
  void see(Xid xid);
  void end(Xid xid, bool committed, const std::vector<Change>& changes);
};

// The xid behind `xid`: the lowest three of each four thousand million are never given out.
Xid xid_after(Xid xid);

class Wal {
 public:
  // An empty log behind a state.
  Wal(State base, Lsn begin)
      : base_(std::move(base)), begin_(begin), end_(begin), flushed_(begin) {}

  // Returns the position behind the record.
  Lsn append(Record record);
  [[nodiscard]] Lsn end() const { return end_; }
  [[nodiscard]] Lsn flushed() const { return flushed_; }
  // The positions behind each record that could still be lost.
  [[nodiscard]] std::vector<Lsn> unflushed() const;
  void flush_to(Lsn position);
  // Forgets what comes behind; positions behind it are given out again. Precondition: it is in the
  // log still, and not before what was trimmed.
  void cut(Lsn position);
  // Folds all but the last `kept` records into the base, twice as many allowed, as far as
  // `position`. Precondition: they are flushed.
  void trim_to(std::size_t kept, Lsn position);
  [[nodiscard]] State fold() const;
  [[nodiscard]] Lsn begin() const { return begin_; }
  // The last record's end at or before `position`.
  [[nodiscard]] Lsn boundary(Lsn position) const;
  // The position before its last `records`, as far back as the log goes.
  [[nodiscard]] Lsn before(std::size_t records) const;

 private:
  struct Entry {
    Lsn end;
    Record record;
  };
  State base_;
  std::deque<Entry> entries_;
  Lsn begin_;
  Lsn end_;
  Lsn flushed_;
};

}  // namespace assent::model
