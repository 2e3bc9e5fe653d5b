// One participant's database as the agent uses it: a control connection, a pool of work connections
// for branches, a few finishers for COMMIT PREPARED and ROLLBACK PREPARED. Everything runs on the
// loop's one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/statement.h"
#include "base/time.h"
#include "participant/branch/branch_table.h"
#include "participant/postgres/connection.h"
#include "participant/postgres/preflight.h"
#include "participant/postgres/prepared_view.h"

namespace boost::asio {
class io_context;
}

namespace assent::postgres {

// The landmark that a life left (landmarks.h), in bytes of WAL.
struct StoredLandmark {
  std::uint64_t wal_position = 0;  // 0: it left none
  std::uint64_t left_at = 0;  // where a promoted standby left its timeline; 0: that is not known
};

struct DatabaseOptions {
  std::string cluster;
  std::string participant;
  std::string socket_directory;  // or a host name
  std::uint16_t port = 5432;
  std::string database;
  std::string control_role = "assent_agent";  // owns the schema `assent`; used by this agent only
  std::string work_role = "assent_work";      // runs client SQL, owns the prepared transactions
  std::size_t work_connections = 64;          // branches open at once; the next waits
  Millis work_wait{5'000};                    // then it is refused, retryable
  std::size_t finish_connections = 8;
  // How long a statement waits for a lock; then it fails with 55P03, retryable. PostgreSQL sees no
  // deadlock that goes through two databases: without a bound it would last for ever. Well below a
  // commit's usual 10 s, so that the answer is who held the lock and not that time ran out. 0: no
  // bound.
  Millis lock_timeout{5'000};
  // Every prepared branch writes a row that tells that it has committed, in any history of the
  // database: after the promotion of an asynchronous standby no commit is a hazard that is there.
  bool outcome_row = false;
  Millis finish_retry{5'000};  // how long a finish is tried again before its end is an Error
  // What one statement, or all of a one-shot, may return; more ends the branch with SQLSTATE 54000.
  // On the wire it takes up to twice as much, which must fit into a frame.
  std::uint64_t result_max_bytes = 8u << 20;
  // Texts that a work connection keeps prepared at most. 0: none, and every session is reset by
  // DISCARD ALL behind its branch, whatever that did.
  std::size_t prepared_statements = 64;
};

// Where a database stands in its life (R7, R16).
struct Position {
  std::uint64_t system_identifier = 0;
  std::uint64_t database_oid = 0;
  std::uint32_t timeline = 0;
  std::uint64_t wal_position = 0;  // bytes
};

// For how long a branch has been prepared, by the database's clock.
struct PreparedAge {
  Millis age;
  std::int64_t xid_age = 0;  // transactions that have begun since its own
};

// What of our branches is prepared in the database.
struct Inventory {
  std::vector<branch::PreparedBranch> prepared;
  std::vector<PreparedAge> ages;              // of `prepared`, in its order
  std::vector<branch::PreparedBranch> ended;  // of those that were expected to be
  std::uint64_t slots = 0;  // max_prepared_transactions, as the last check of the server saw it
};

struct DatabaseCounters {
  std::uint64_t connects = 0;
  std::uint64_t connections_lost = 0;
  std::size_t work_busy = 0;     // now
  std::size_t work_waiting = 0;  // now
  std::size_t strangers = 0;     // prepared under our names by others, at the latest inventory
  std::uint64_t slots = 0;       // max_prepared_transactions, at the latest check of the server
};

class Database {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  // `connect` opens every connection; libpq_connection.h has the one for production.
  Database(boost::asio::io_context& loop, DatabaseOptions options, Connect connect);
  ~Database();

  // ── start, in this order (postgres.md, "The fence") ───────────────────────────────────────────
  // Errors: kUnavailable when the server cannot be reached (try again later); kInvalidArgument for
  // what an operator must mend (schema not installed, max_prepared_transactions = 0, a standby …).

  // Brings the schema up to date, checks all that preflight.h lists, and reads identity and
  // position, which is durable by then, on the synchronous standby as well. The error is the first
  // failure found; warnings are logged.
  void identify(Done<Position> done);
  // The epoch in `assent.epoch`; 0 when none was ever set.
  void stored_epoch(Done<Epoch> done);
  // The landmark that the life of this epoch left. On a standby that has just taken the place of
  // that life's server it notes where it left that life's timeline.
  void stored_landmark(Epoch epoch, Done<StoredLandmark> done);
  // Sets the epoch by compare-and-set; kDisplaced when it is not `previous` any more. From now on
  // every new connection reads the epoch and closes when it is not `mine` (reported by
  // on_over).
  void claim_epoch(Epoch previous, Epoch mine, Done<void> done);
  // Terminates every backend of the two login roles in this database that is not a connection of
  // this object, and calls back when none is left. Until then no branch may be opened, and the
  // absence of an older epoch's gid proves nothing.
  void fence_older_lives(Done<void> done);

  // ── branches ──────────────────────────────────────────────────────────────────────────────────
  // The shell's side of branch::BranchTable's operations; same names, same contracts. Results come
  // back through the sink, never from inside the call.

  void carry_out(const branch::Operation& operation);
  // Where the inputs go. Set once, before the first carry_out.
  void set_sink(std::function<void(branch::Input)> sink);
  // Asked immediately before PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED is sent (R4).
  void set_may_send(std::function<bool(Ballot)> may_send);
  // Called once when this life is over. kDisplaced: the epoch in the database is higher than ours.
  // kIdentityMismatch: its history is not the one of this life any more (a standby was promoted,
  // old data restored, another server answers); a new life has to enrol.
  void on_over(std::function<void(Error)> observer);

  // Called whenever the control connection, once lost, stands again.
  void on_reconnected(std::function<void()> observer);

  // Deletes the outcome rows of transactions and branches of this time and before (R14). Call it as
  // often as the floor is heard of: it does so now and then.
  void drop_outcomes(LogTime floor);

  // Looks at everything again, now. Never an error: what cannot be looked at is a finding.
  void doctor(Done<std::vector<Finding>> done);

  // ── looking ───────────────────────────────────────────────────────────────────────────────────
  // On a connection of its own, so that nothing else waits for a look.

  // What is prepared in the server, the locks that it holds and who waits for them.
  void look(Done<PreparedView> done);
  // What the database has of one transaction.
  void trace(const TransactionId& transaction, Done<TraceView> done);

  // ── recovery ──────────────────────────────────────────────────────────────────────────────────

  // Our cluster's and participant's prepared transactions in this database, owned by the work role,
  // without those whose finish is queued or in flight (R6, R8). And those of `expected`, branches
  // of this life which it knows to have been prepared, that are there no more.
  void take_inventory(std::vector<branch::PreparedBranch> expected, Done<Inventory> done);

  // The WAL position of this life's landmark, as it stands in the database; 0: none yet.
  [[nodiscard]] std::uint64_t landmark() const;

  [[nodiscard]] const DatabaseCounters& counters() const;

  // Closes every connection; nothing is called back any more. Open branches roll back.
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::postgres
