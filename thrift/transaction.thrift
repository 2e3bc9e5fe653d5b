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
  /** Number of the leader's office, for the promise `first` of a commit; grows with every change of leader. */
  5: i64 office
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
  /** Number of the leader's office, as in HelloReply. */
  4: i64 office
}

/** A branch as the client knows it at commit: one that it opened, or a whole one in `one_shot`. */
struct CommitBranch {
  /** Participant's name. */
  1: string participant
  /** As answered when the branch was opened; 0 with `one_shot`. */
  2: i64 epoch
  /** As answered when the branch was opened; 0 with `one_shot`. */
  3: i64 attempt
  /** How many statements the client sent to this branch; any other count at the agent votes NO (R13). 0 with `one_shot`. */
  4: i32 statements
  /** Present: the branch is not open yet and runs these statements as part of the commit. An abort may leave them empty. */
  5: optional common.OneShot one_shot
  /**
   * A hint: the client believes that the branch only reads. When exactly one branch is not so
   * hinted, that one may commit in one phase. A wrong hint costs time, never correctness.
   */
  6: optional bool reads
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
  /**
   * A promise to one office: no earlier copy of this request can have reached a replica that acted
   * upon it. Only then do one-shot branches run. Absent or false: this may be a repeat (R9).
   */
  6: optional bool first
  /**
   * The office to which `first` is promised, as hello or start told it; required with `first`. To
   * any other office the request is a repeat; one with one-shots, of which that office finds no
   * trace, is refused with NOT_LEADER and its number.
   */
  7: optional i64 office
}

/** The results of one one-shot branch. */
struct BranchResults {
  /** Participant's name. */
  1: string participant
  /** One for each of its statements, in their order. */
  2: list<common.StatementResult> results
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
  /** COMMITTED only: true when the one branch that wrote committed without being prepared (R12). */
  6: bool one_phase
  /** COMMITTED only: participants whose branch had only read and left at the vote. */
  7: list<string> read_only
  /** COMMITTED only: what the one-shot branches gave, in the order of the request. Absent when there is none, or with results_unavailable. */
  8: optional list<BranchResults> results
  /** COMMITTED only: true when there were one-shot branches and their results are no longer known (R9), or do not fit into one reply. */
  9: bool results_unavailable
}

struct AbortRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The transaction's id. */
  2: string transaction
  /** Branches the client knows of; others of this transaction are rolled back at their deadline. Empty only with `never_committed`; after a commit was asked for, named as it named them, `reads` included. */
  3: list<CommitBranch> branches
  /** A promise: nobody ever asked to commit this transaction. Absent or false: it may have committed in one phase, which is looked up first (R12). */
  4: optional bool never_committed
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
  /** No record: neither committed nor aborted by the log (R3). It may still become either, or has committed in one phase, which repeating the commit tells. */
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
  /** Participants where a branch ended otherwise, by somebody else's hand, or is lost. */
  5: optional list<string> heuristic
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

/** Present on the first statement of a branch, which opens it (R13). */
struct OpenBranch {
  /** Client's nonce, 1 to 64 bytes; the same nonce opens the same branch again, and gets the same answer. */
  1: string nonce
  /** The branch is rolled back when it has been idle this long. Default 60,000; 1 to 3,600,000. */
  2: optional i32 idle_timeout_ms
  /** The branch is rolled back, and what it runs is cancelled, this long after its opening unless it was asked to prepare before. Default 3,600,000; 1 to 86,400,000. */
  3: optional i32 lifetime_ms
  /** Absent: the work role's defaults. */
  4: optional common.BranchMode mode
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
  /** What to run. */
  7: common.Statement statement
}

struct ExecuteReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The branch that ran it; the client names it from now on. */
  2: BranchRef branch
  /** What it gave. */
  3: common.StatementResult result
}

/** Names the branch by the nonce that opened it, or as it was answered. */
struct CancelRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The transaction's id. */
  2: string transaction
  /** Participant that the client means; another one is answered UNKNOWN_PARTICIPANT. */
  3: string participant
  /** Exactly one of `nonce` and `branch` is present. */
  4: optional string nonce
  /** As answered when the branch was opened. */
  5: optional BranchRef branch
}

struct CancelReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

/** Client port of an agent. */
service Branches {
  /** Runs one statement in a branch, opening it first when asked to. When the opening statement fails, the branch is rolled back at once. */
  ExecuteReply execute(1: ExecuteRequest request) throws (1: common.AssentError error)
  /** Cancels what a branch runs or waits for, and rolls it back; its transaction can then only abort. A branch that was asked to prepare is left to the coordinator (BRANCH_ENDED). */
  CancelReply cancel(1: CancelRequest request) throws (1: common.AssentError error)
}
