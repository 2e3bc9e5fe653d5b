/** What clients speak: to a replica (service Coordinator) and to agents (service Branches). */
include "common.thrift"
namespace cpp assent.wire
namespace py assent_wire.transaction

// ── client → coordinator ────────────────────────────────────────────────────────────────────────

struct HelloRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Cluster that the client means; absent: any. Another one is answered WRONG_CLUSTER. */
  2: optional string cluster
}

/** Where a participant is served. */
struct ParticipantInfo {
  /** 1 to 63 of [a-z0-9_-]. */
  1: string name
  /** "host:port" of its agent's client port. */
  2: string client_address
  /** Epoch of the agent's present life. */
  3: i64 epoch
  /** True when the agent's heartbeat is fresh. */
  4: bool live
}

struct HelloReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The cluster's name: 1 to 32 of [a-z0-9_-]. */
  2: string cluster
  /** The coordinator's log time; clients make transaction ids from it, not from their own clock (R17). */
  3: i64 now_ms
  /** All registered participants. */
  4: list<ParticipantInfo> participants
}

struct StartRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

struct StartReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** A fresh transaction id. Nothing is stored for it. */
  2: string transaction
  /** The coordinator's log time. */
  3: i64 now_ms
}

/** A branch as the client knows it at commit. */
struct CommitBranch {
  /** Participant's name. */
  1: string participant
  /** As answered when the branch was opened. */
  2: i64 epoch
  /** As answered when the branch was opened. */
  3: i64 attempt
  /** How many statements the client sent to this branch; any other count at the agent votes NO (R13). */
  4: i32 statements
}

/** When the client is answered. */
enum Acknowledge {
  /** When every branch is readable, or at the deadline with the branches still pending listed. */
  APPLIED = 1,
  /** As soon as the outcome is durable; branches follow. */
  DECIDED = 2,
}

struct CommitRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The transaction's id. */
  2: string transaction
  /** Every branch, each participant once; 1 to 64. */
  3: list<CommitBranch> branches
  /** Default APPLIED. */
  4: optional Acknowledge acknowledge
  /** From receipt; when it passes before all votes are in, the transaction is aborted. Default 10,000; 1 to 600,000. */
  5: optional i32 timeout_ms
}

/** May be repeated, to any replica, for as long as outcomes are retained; the outcome is for ever (R9, R10). */
struct CommitReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The outcome, for ever. */
  2: common.Outcome outcome
  /** COMMITTED only: participants that have not yet carried the outcome out; they will without further action. */
  3: list<string> pending
  /** ABORTED only: why. */
  4: optional common.AssentError reason
  /** Participants whose branch was ended by someone other than Assent. Absent when none. */
  5: optional list<string> heuristic
}

struct AbortRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The transaction's id. */
  2: string transaction
  /** Branches the client knows of; others of this transaction are rolled back at their deadline. May be empty. */
  3: list<CommitBranch> branches
}

/** The outcome as it is: COMMITTED when the commit came first. */
struct AbortReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The outcome, for ever. */
  2: common.Outcome outcome
}

struct StatusRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The transaction's id; one older than the retention of outcomes is answered EXPIRED. */
  2: string transaction
}

enum TransactionState {
  /** No record: neither committed nor aborted (R3). It may still become either. */
  UNDECIDED = 1,
  COMMITTED = 2,
  ABORTED = 3,
}

struct StatusReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** What is recorded of it. */
  2: TransactionState state
  /** True when every branch has carried the outcome out. */
  3: bool applied
  /** Participants that have not confirmed yet. */
  4: list<string> pending
}

/** Client port of a replica. */
service Coordinator {
  /** Names the cluster, its time and its participants. */
  HelloReply hello(1: HelloRequest request) throws (1: common.AssentError error)
  /** Makes a transaction id, for clients without a UUIDv7 of their own. */
  StartReply start(1: StartRequest request) throws (1: common.AssentError error)
  /** Commits the transaction on every participant, or aborts it on every participant. */
  CommitReply commit(1: CommitRequest request) throws (1: common.AssentError error)
  /** Aborts a transaction unless it is already committed. */
  AbortReply abort(1: AbortRequest request) throws (1: common.AssentError error)
  /** What is known of a transaction. */
  StatusReply status(1: StatusRequest request) throws (1: common.AssentError error)
}

// ── client → agent ──────────────────────────────────────────────────────────────────────────────

/** A value in PostgreSQL's text form; both parameters and results. */
struct Value {
  /** Absent: NULL. */
  1: optional string text
}

/** Present on the first statement of a branch, which opens it (R13). */
struct OpenBranch {
  /** Client's nonce, 1 to 64 bytes; the same nonce opens the same branch again, and gets the same answer. */
  1: string nonce
  /** The branch is rolled back when it has been idle this long. Default 60,000; 1 to 3,600,000. */
  2: optional i32 idle_timeout_ms
}

/** Names a branch that is open. */
struct BranchRef {
  /** Life of the agent that opened the branch; from 1. */
  1: i64 epoch
  /** Try within the epoch; from 1. */
  2: i64 attempt
}

struct ExecuteRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The transaction's id. */
  2: string transaction
  /** Participant that the client means; another one is answered UNKNOWN_PARTICIPANT. */
  3: string participant
  /** Exactly one of `start` and `branch` is present; `start` goes with statement_number 1 only. */
  4: optional OpenBranch start
  /** Names the open branch of every statement but the first; see `start`. */
  5: optional BranchRef branch
  /** 1, 2, 3 … within the branch. A number already answered gets the stored answer; the last 16 are kept. */
  6: i32 statement_number
  /** One SQL statement. Transaction control other than savepoints is refused. */
  7: string sql
  /** Values of $1, $2, …; the server infers their types. */
  8: list<Value> parameters
  /** Cancels the statement after this long. Absent or 0: the database's own statement_timeout. */
  9: optional i32 timeout_ms
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

struct ExecuteReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The branch that ran it; the client names it from now on. */
  2: BranchRef branch
  /** Empty for a statement without rows. */
  3: list<Column> columns
  /** In the order in which PostgreSQL returned them; empty for a statement without rows. */
  4: list<Row> rows
  /** Rows affected or returned, as the command tag says; 0 when it names none. */
  5: i64 row_count
  /** For example "UPDATE 1". */
  6: string command_tag
}

/** Client port of an agent. */
service Branches {
  /** Runs one statement in a branch, opening it first when asked to. When the opening statement fails, the branch is rolled back at once. */
  ExecuteReply execute(1: ExecuteRequest request) throws (1: common.AssentError error)
}
