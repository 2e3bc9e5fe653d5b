// What a session and its transaction remember, apart from rows and locks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/postgres/wal.h"

namespace assent::model {

// Settings by their lower-case names.
class Settings {
 public:
  // What RESET goes back to.
  std::map<std::string, std::string> defaults;

  [[nodiscard]] std::string get(const std::string& name) const;
  void set(const std::string& name, const std::optional<std::string>& value, bool local);
  void end_transaction() { local_.clear(); }
  void reset_all();

 private:
  std::map<std::string, std::string> session_;
  std::map<std::string, std::string> local_;
};

// In milliseconds; "2s" and bare numbers are known. 0: no limit.
std::int64_t milliseconds(const std::string& setting);

// What ROLLBACK takes back, and ROLLBACK TO a savepoint takes back in part.
struct Undoable {
  Settings settings;
  bool temporary_table = false;            // the session has one
  std::set<std::string> holdable_cursors;  // of the session
  bool new_holdable_cursor = false;        // of this transaction
  bool listened = false;                   // LISTEN, UNLISTEN or NOTIFY that has something to do
  bool changes_listening = false;          // the first two of these
  bool notified = false;                   // NOTIFY since its begin
  bool read_only = false;                  // SET TRANSACTION READ ONLY
  std::set<std::int64_t> advisory_locks;   // of the transaction
  std::vector<Change> changes;
  std::vector<std::string> unchecked_parents;  // of the deferred constraint
};

struct Savepoint {
  std::string name;
  Undoable before;
  Xid xid = 0;  // of what comes behind it; 0: nothing was written yet
};

struct Transaction {
  bool block = false;   // begun by BEGIN; else it ends with its batch
  bool failed = false;  // and block: waits for its ROLLBACK
  std::string isolation;
  Xid xid = 0;
  bool queried = false;                   // it took a snapshot: its modes stand
  bool wrote = false;                     // it has records in the WAL
  bool touched_temporary = false;         // which no ROLLBACK TO takes back
  std::optional<std::uint64_t> snapshot;  // of REPEATABLE READ and SERIALIZABLE
  Undoable before;                        // as its session was when it began
  std::vector<Savepoint> savepoints;
};

}  // namespace assent::model
