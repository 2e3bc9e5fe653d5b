// The commands that a branch sends besides its client's: BEGIN, and what its vote is made of.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/statement.h"
#include "participant/postgres/connection.h"

namespace assent::postgres {

// BEGIN in this mode, and the transaction's id as application_name, for people who look into
// pg_stat_activity. Ends with the transaction.
void add_begin(Batch& batch, const TransactionId& transaction, const BranchMode& mode);

// True when one of its statements expects a number of rows.
bool expects_rows(const OneShotBranch& one_shot);

// Statements that seem to read may leave without being prepared, and a COMMIT cannot be taken back
// when the number of rows is wrong. All others travel in one batch with PREPARE.
bool answers_come_first(const OneShotBranch& one_shot, bool one_phase);

// False when the command has changed rows for certain, by its tag. True is only a guess: the xid
// tells.
bool maybe_read_only(std::string_view command_tag);

// False when the statement, by its word, may leave something in its session that only DISCARD ALL
// takes away: statements and cursors with names, temporary tables, settings.
bool leaves_session_alone(std::string_view sql);

// The client's command: its text is taken for one that comes again when it changes rows by
// parameters and returns none. (A plan whose columns have changed meanwhile would be an error.)
Command to_command(const Statement& statement);

// ── the vote ────────────────────────────────────────────────────────────────────────────────────
// Each is one batch, or the end of one. What comes first puts settings back that client SQL may
// have left and that would lie to us; in a failed transaction it fails, and the rest is skipped.

// One answer of one row. A branch without an xid has written nothing here, unless COMMIT does: it
// reads a cursor WITH HOLD to its end, and has postgres_fdw commit what it wrote elsewhere.
Batch reader_check();
bool is_reader(const StatementResult& checked);

// Where the answers are. PREPARE takes effect when it is executed and not at the Sync; what comes
// behind it cannot undo it. The position is read behind it, so it is at or after the PREPARE
// record. An outcome row comes behind the settings: rights are checked before a command begins, and
// the role is put back by a command of its own. What resets the session comes last.
struct PrepareCommands {
  constexpr PrepareCommands(bool outcome_row, bool resets)
      : row(outcome_row ? 1 : 0),
        prepare(row + 1),
        position(row + 2),
        reset(row + 3),
        count(reset + (resets ? kResets : 0)) {}

  static constexpr std::size_t kResets = 4;

  static constexpr std::size_t kXid = 0;
  std::size_t row;  // kXid: there is none
  std::size_t prepare;
  std::size_t position;
  std::size_t reset;  // from here to the end
  std::size_t count;
};
// Writes an outcome row with `key`; none when it is empty.
//
// Resets the session if it is told to, in the same batch. Precondition then: every statement of the
// branch leaves_session_alone(). That is as good as DISCARD ALL for the next branch:
// 1. These statements can still call functions, which can do nearly everything. Settings, the
//    role, locks and notifications that these leave are taken away here.
// 2. Cursors WITH HOLD and temporary tables cannot be left: PREPARE refuses a branch that has made
//    one, and then nothing behind it runs, and the pool discards all.
// 3. Statements that a function has prepared stay until the next DISCARD ALL. Had it deallocated
//    ours, the next branch that uses one fails, unprepared, and the pool discards all. Whoever must
//    not trust the functions in a database sets postgres.prepared_statements = 0.
void add_prepare(Batch& batch, const std::string& cluster, const BranchId& branch,
                 const std::string& key, bool resets);

// Four answers (R12); the position is read behind the commit. Precondition: a transaction is open;
// the row would be committed without one. The role is put back by a command of its own: rights are
// checked before a command begins.
struct OnePhaseCommands {
  static constexpr std::size_t kSettings = 0;
  static constexpr std::size_t kRow = 1;
  static constexpr std::size_t kCommit = 2;
  static constexpr std::size_t kPosition = 3;
  static constexpr std::size_t kCount = 4;
};
void add_one_phase(Batch& batch, const TransactionId& transaction, const std::string& key);

}  // namespace assent::postgres
