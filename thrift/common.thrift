/**
 * What every service of Assent shares: identifiers, evidence, outcomes and the one exception.
 *
 * Conventions of all files in this folder
 *  - Field 1 of every request and every reply is `protocol_version`. A receiver that does not know a
 *    version answers UNSUPPORTED_VERSION and has done nothing.
 *  - Transport: framed; protocol: binary or compact, detected per connection by its first byte.
 *    Replies may overtake each other on a connection and are matched by seqid. A client that sends
 *    one call at a time (every stock generated client) sees nothing unusual.
 *  - Durations are in milliseconds (`…_ms`), times in milliseconds of Unix time.
 *  - An optional field that is absent means what its comment says, never "unknown".
 */
namespace cpp assent.wire
namespace py assent_wire.common

/** Version of all messages in this folder. Goes up when old receivers would misunderstand new messages. */
const i32 PROTOCOL_VERSION = 1

/** What went wrong. Numbers are stable and never reused; docs/errors.md has meaning and remedy of each. */
enum ErrorCode {
  /** A field is missing, malformed or out of range; the message names it. Not retryable. */
  INVALID_ARGUMENT = 1,
  /** The receiver does not know this protocol_version. Not retryable. */
  UNSUPPORTED_VERSION = 2,
  /** This replica does not hold the office that is meant; `leader` may name who leads. Nothing was done. Retryable. */
  NOT_LEADER = 3,
  /** A process that is needed cannot be reached now (agent, database, coordinator). Retryable. */
  UNAVAILABLE = 4,
  /** A queue, pool or limit is full; nothing was done. Retryable. */
  OVERLOADED = 5,
  /** No participant of that name is registered, or this agent serves another one. Not retryable. */
  UNKNOWN_PARTICIPANT = 6,
  /** The time in the transaction id is too far ahead of the coordinator's. Take a new id. Not retryable. */
  CLOCK = 7,
  /** The transaction id is older than the retention of outcomes. Not retryable. */
  EXPIRED = 8,
  /** The id was used for a different request. Nothing of this request was done. Not retryable. */
  ID_REUSED = 9,
  /** This agent does not know that branch: never opened here, or the agent restarted. Not retryable. */
  UNKNOWN_BRANCH = 10,
  /** A statement number left a gap, or its stored answer is no longer kept. Not retryable. */
  STATEMENT_NUMBER = 11,
  /** The branch is past executing (prepared, ended, rolled back at its deadline). Not retryable. */
  BRANCH_ENDED = 12,
  /** PostgreSQL refused the statement; `sql` says why. `retryable` follows its SQLSTATE. */
  SQL = 13,
  /** The sender's ballot is lower than one seen before: it is no longer the leader. Not retryable. */
  STALE_BALLOT = 14,
  /** The database behind this name is not the one that was registered. Not retryable. */
  IDENTITY_MISMATCH = 15,
  /** Another agent serves this participant, or a newer life of this agent does. */
  DISPLACED = 16,
  /** The caller belongs to another cluster. Not retryable. */
  WRONG_CLUSTER = 17,
  /** The deadline passed first; the message says what is known of the outcome. */
  DEADLINE = 18,
  /** The truth cannot be known now. Ask again with `status`, or repeat the same request. Retryable. */
  OUTCOME_UNKNOWN = 19,
  /** Client SQL tried to end or prepare its transaction. Nothing was sent. Not retryable. */
  TRANSACTION_CONTROL = 20,
  /** A fault of ours; the process's log has more. Not retryable. */
  INTERNAL = 21,
  /** A statement affected or returned another number of rows than `expected_rows`. Not retryable. */
  ROW_COUNT = 22,
}

/** PostgreSQL's own words about a failed statement. */
struct SqlError {
  /** Five characters, for example "23505". */
  1: string sqlstate
  /** Primary message. */
  2: string message
  /** Absent when PostgreSQL gave none. */
  3: optional string detail
  /** Absent when PostgreSQL gave none. */
  4: optional string hint
  /** 1-based number of the statement in its branch; 0 when it was the prepare. */
  5: i32 statement_number
  /** Position in the statement's text, in characters from 1; absent when PostgreSQL gave none. */
  6: optional i32 position
  /** Absent when PostgreSQL named none. */
  7: optional string constraint_name
}

/** The one exception of all services. */
exception AssentError {
  /** What went wrong. */
  1: ErrorCode code
  /** One sentence that names the thing and, where there is one, the remedy. */
  2: string message
  /** True when the same request may succeed later without change. */
  3: bool retryable
  /** The participant concerned; absent when none is. */
  4: optional string participant
  /** Present exactly when code is SQL. */
  5: optional SqlError sql
  /** "host:port" of the leader's port of the kind that was asked, with NOT_LEADER when known. */
  6: optional string leader
  /** With NOT_LEADER, present: this replica leads, in this office, and the promise `first` was made to another. Nothing was done; it may be made anew, to this one. */
  7: optional i64 office
}

/** The coordinator's term of office: ordered by incarnation, then round, then replica. Never reused. */
struct Ballot {
  /** Grows when the coordinator is restored from a backup; from 1. */
  1: i64 incarnation
  /** Grows with each term; from 1. */
  2: i64 round
  /** Replica that holds the office; from 1. */
  3: i32 replica
}

/** The one name of a branch (R5). */
struct BranchId {
  /** Text form of the transaction id: a UUIDv7, '-', 16 hex digits of its creator's tag. */
  1: string transaction
  /** Participant's name: 1 to 63 of [a-z0-9_-]. */
  2: string participant
  /** Life of the agent that opened the branch; from 1. */
  3: i64 epoch
  /** Try within the epoch; from 1. */
  4: i64 attempt
}

/** What a YES vote proves itself with later, when its gid is missing (R7). */
struct Evidence {
  /** 64-bit transaction id in the participant's database. */
  1: i64 xid
  /** pg_control_system().system_identifier, as unsigned bits. */
  2: i64 system_identifier
  /** Timeline on which the branch was prepared. */
  3: i32 timeline
  /** A WAL position at or after the PREPARE record, in bytes. */
  4: i64 wal_position
}

/** A transaction's outcome. */
enum Outcome {
  COMMITTED = 1,
  ABORTED = 2,
}

// ── statements ──────────────────────────────────────────────────────────────────────────────────

/** A value in PostgreSQL's text form; both parameters and results. */
struct Value {
  /** Absent: NULL. */
  1: optional string text
}

/** One SQL statement. Transaction control other than savepoints, and COPY, are refused. */
struct Statement {
  /** The text, without a zero byte. */
  1: string sql
  /** Values of $1, $2, …; the server infers their types. */
  2: list<Value> parameters
  /** Cancels the statement after this long. Absent or 0: the database's own statement_timeout. */
  3: optional i32 timeout_ms
  /** Rows that it must affect or return; any other number fails it with ROW_COUNT. Absent: any. */
  4: optional i64 expected_rows
}

struct Column {
  /** Name of the column, as PostgreSQL gives it. */
  1: string name
  /** pg_type.oid. */
  2: i32 type_oid
}

/** A row: one value for each column. */
struct Row {
  /** In the order of the columns. */
  1: list<Value> values
}

/** What a statement gave. */
struct StatementResult {
  /** Empty for a statement without rows. */
  1: list<Column> columns
  /** In the order in which PostgreSQL returned them; empty for a statement without rows. */
  2: list<Row> rows
  /** Rows affected or returned, as the command tag says; 0 when it names none. */
  3: i64 row_count
  /** For example "UPDATE 1". */
  4: string command_tag
}

/** PostgreSQL's transaction isolation. */
enum Isolation {
  READ_COMMITTED = 1,
  REPEATABLE_READ = 2,
  SERIALIZABLE = 3,
}

/** How a branch's transaction begins. */
struct BranchMode {
  /** Absent: the work role's default. */
  1: optional Isolation isolation
  /** True: PostgreSQL refuses every statement that writes. Absent: the work role's default. */
  2: optional bool read_only
}

/** A whole branch: its statements, which run between BEGIN and the vote. */
struct OneShot {
  /** In the order in which they run; 1 to 1,000. */
  1: list<Statement> statements
  /** Absent: the work role's defaults. */
  2: optional BranchMode mode
}
