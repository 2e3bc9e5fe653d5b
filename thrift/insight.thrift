/** What operators are shown: participants, transactions, and what databases have prepared. Nothing here changes anything. */
include "common.thrift"
include "participant.thrift"
include "admin.thrift"
namespace cpp assent.wire
namespace py assent_wire.insight

// ── what a replica knows ────────────────────────────────────────────────────────────────────────

/** Who answers, and how far its knowledge goes. */
struct Viewpoint {
  1: string cluster
  /** Replica that answers. */
  2: i32 replica
  /** It leads: what it says is complete. Else it is what this replica has executed so far, which may lag behind. */
  3: bool leads
  /** The log's time now, in milliseconds since 1970. */
  4: i64 now_ms
  /** No record is made any more for ids of this time and before (R14). */
  5: i64 floor_ms
  /** How long outcomes are kept at least. */
  6: i64 retention_ms
  /** Of a leader: number of its office, and the last slot before it; what was decided up to there, an earlier office has decided. */
  7: optional i64 office
  8: optional i64 office_after_slot
  /** Of a leader: when it took office, by the log's time. */
  9: optional i64 office_since_ms
  /** The coordinator was restored from a backup: what was decided behind the backup is lost (R15). */
  10: bool restored
}

struct ParticipantsRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** True: a replica that does not lead answers, too, with what it knows. Else it answers NOT_LEADER. */
  2: bool any_replica
}

/** An operator's word that a participant takes no new branches. */
struct Drain {
  1: string operator_name
  2: string reason
  /** By the log's time, in milliseconds since 1970. */
  3: i64 at_ms
}

/** How a participant stands to the limits of its in-doubt budget. */
enum BudgetLevel {
  WITHIN = 1,
  /** Above a first limit: somebody has to look. */
  ALARM = 2,
  /** Above a second limit, and not below all first ones again since: new branches are refused. */
  REFUSING = 3,
}

/** What is in doubt at a participant, as its agent's latest inventory showed. */
struct InDoubtState {
  1: BudgetLevel level
  /** Branches that have been prepared for longer than a second. */
  2: i64 number
  /** Of the branch that has been prepared for longest; 0: none is prepared. */
  3: i64 oldest_ms
  4: optional common.BranchId oldest
  /** Of the branch that holds the vacuum horizon back furthest: transactions begun since. */
  5: i64 horizon
  6: optional common.BranchId holder
  /** Of ALARM and REFUSING: which limits, and what to do. */
  7: optional string why
}

/** A limit and the one above it; 0: there is none. */
struct LimitPair {
  1: i64 alarm
  2: i64 refuse
}

/** The in-doubt budget of each participant, as this replica's configuration has it. */
struct BudgetLimits {
  1: LimitPair age_ms
  2: LimitPair number
  3: LimitPair horizon
}

/** A participant, as the log and the leader know it. */
struct ParticipantState {
  1: string name
  2: string client_address
  3: string peer_address
  /** Of its agent, as its heartbeats tell it; absent: not told to this replica. */
  4: optional string admin_address
  /** Present life of its agent. */
  5: i64 epoch
  /** A leader hears its heartbeats. */
  6: bool live
  /** Since its last heartbeat; absent: this replica has heard none. */
  7: optional i64 heard_ms_ago
  /** The leader has a connection to it. */
  8: bool connected
  /** A single writing branch may commit there in one phase. */
  9: bool one_phase
  10: participant.DatabaseIdentity identity
  11: i32 timeline
  /** Lives of lower epochs worked in a history that the database may have lost in part; 0: there was no break. */
  12: i64 broken_below
  /** When the log learnt of that break. */
  13: i64 broken_at_ms
  /** Branches of lower epochs are of before a restore of the coordinator; 0: none is. */
  14: i64 quarantined_below
  /** Present: it is drained. */
  15: optional Drain drain
  /** Of a leader: branches at it of transactions that it works on, and which have not ended. */
  16: optional i64 driven
  /** Of a leader: since it took office; absent: its agent has shown no inventory yet. */
  17: optional InDoubtState in_doubt
}

struct ParticipantsReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  2: Viewpoint viewpoint
  /** In the order of their names. */
  3: list<ParticipantState> participants
  4: BudgetLimits limits
}

/** The log's record of a decided transaction. */
struct TransactionRecord {
  1: common.Outcome outcome
  /** Aborted by recovery: its branch was found prepared, and nobody was committing it. */
  2: bool presumed
  /** Of an abort. */
  3: optional common.AssentError reason
  /** Branches that it lists, with the evidence of their votes. */
  4: list<participant.FoundBranch> branches
  5: i64 decided_in
  6: i64 decided_at_ms
  /** Slot in which every branch was known to have carried the outcome out; 0: not yet. */
  7: i64 forgotten_in
}

/** What the leader is doing about a transaction. */
enum Stage {
  /** Branches are asked to prepare; nothing is decided. */
  PREPARING = 1,
  /** Its only writer was told to commit at once, and has not answered. */
  ONE_PHASE = 2,
  /** It is to be aborted, and may have committed in one phase: the writer's outcome row is asked for. */
  SETTLING = 3,
  /** The decision is on its way through the log. */
  PROPOSING = 4,
  /** It is decided, and its branches are told. */
  FINISHING = 5,
}

enum BranchStage {
  /** The writer of a commit that may go in one phase: it is asked when the others have voted. */
  HELD = 1,
  /** It was asked to prepare, and has not voted. */
  ASKED = 2,
  /** It voted YES. */
  VOTED = 3,
  /** It had only read, and has left. */
  LEFT = 4,
  /** It was not named in the request; it rolls back once the transaction is decided. */
  STRAY = 5,
  /** It is told the outcome, and has not confirmed. */
  ENDING = 6,
  /** It has confirmed. */
  ENDED = 7,
}

struct DrivenBranch {
  1: common.BranchId branch
  2: BranchStage stage
  /** Why its last prepare had no answer. */
  3: optional string last_loss
  /** Its message is sent again after this long; absent: it is in flight, or there is nothing to send. */
  4: optional i64 next_try_ms
  /** Of ENDED: how. */
  5: optional participant.FinishResult result
}

/** A transaction that the leader works on. */
struct DrivenTransaction {
  1: Stage stage
  /** From PROPOSING on. */
  2: optional common.Outcome outcome
  /** Of an abort. */
  3: optional string reason
  /** Until it is given up; of PREPARING and ONE_PHASE. Negative: it has passed. */
  4: optional i64 deadline_in_ms
  5: list<DrivenBranch> branches
  /** Participant whose branch may have committed in one phase; absent: none. */
  6: optional string writer
  /** Clients that wait for the answer. */
  7: i32 callers
  /** It stands below the floor without a record, and only rolls back. */
  8: bool expired
  /** An operator has decided it. */
  9: bool resolved
}

/** All that a replica knows of one transaction; nothing is present: it knows nothing. */
struct TransactionState {
  /** Text form of its id. */
  1: string transaction
  2: optional TransactionRecord record
  3: optional DrivenTransaction driven
  4: optional admin.Heuristic heuristic
}

struct TransactionsRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** As in ParticipantsRequest. */
  2: bool any_replica
  /** Present: these, known or not; at most 1,000. Absent: all that are not at rest, in the order of their ids. */
  3: optional list<string> transactions
  /** Without `transactions`: those behind this one; absent: from the first. */
  4: optional string after
  /** Without `transactions`: at most so many; 1 to 1,000. */
  5: i32 limit
}

struct TransactionsReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  2: Viewpoint viewpoint
  3: list<TransactionState> transactions
  /** There are more behind the last one. */
  4: bool more
}

// ── what an agent's database knows ──────────────────────────────────────────────────────────────

/** Whose a prepared transaction is, as far as its database shows. */
enum Belonging {
  /** It has a name of this participant, and was prepared by its agent's work role in its database. */
  OURS = 1,
  /** It has a name of this participant, and somebody else has prepared it: it is left alone. */
  STRANGER = 2,
  /** It has another name. */
  FOREIGN = 3,
}

/** Locks of one kind that a prepared transaction holds. */
struct HeldLock {
  /** What is locked: a relation's name, or the kind of thing. */
  1: string object
  /** PostgreSQL's name of the mode. */
  2: string mode
  3: i64 count
}

/** A backend that waits for a lock which the prepared transaction holds. */
struct LockWaiter {
  1: i32 pid
  2: string user
  3: string application
  /** Absent: this version of PostgreSQL does not tell. */
  4: optional i64 waiting_ms
  5: string object
  6: string mode
}

struct PreparedTransaction {
  1: string gid
  /** Role that has prepared it. */
  2: string owner
  3: string database
  /** 32 bits, as PostgreSQL shows it. */
  4: i64 xid
  5: i64 age_ms
  /** How many transactions have begun since its own: vacuum keeps the dead rows of all of them. */
  6: i64 xid_age
  7: Belonging belonging
  /** What its gid names; absent: it is not of our form. */
  8: optional common.BranchId branch
  /** Cluster that its gid names. */
  9: optional string cluster
  /** In the agent's database only; PostgreSQL does not name the relations of others. */
  10: list<HeldLock> locks
  /** In the agent's database only. */
  11: list<LockWaiter> waiters
}

struct PreparedRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

struct PreparedReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  2: string participant
  3: i64 epoch
  /** Name of the participant's database. */
  4: string database
  /** Of the whole server. */
  5: i64 slots_used
  6: i64 slots_max
  /** How many transactions have begun since the oldest that anyone in the server may still see. */
  7: i64 horizon_age
  /** Of the whole server, the oldest first; at most 1,000. */
  8: list<PreparedTransaction> transactions
  /** Connections of the agent's login roles to the server, that of this look included. */
  9: i64 connections
  /** Absent: the agent is of an older version. */
  10: optional string cluster
}

/** A branch as its agent remembers it. */
struct RememberedBranch {
  1: common.BranchId branch
  /** In a word: "open", "prepared", "ended" … */
  2: string state
  3: optional participant.VoteKind vote
  /** Of one that has ended: why. */
  4: optional string because
  /** Absent: it came with its commit. */
  5: optional i64 opened_ms_ago
  /** It is rolled back after this long without a statement; absent: it is not idle. */
  6: optional i64 idle_ends_in_ms
  /** It is rolled back after this long, unless it is asked to prepare before. */
  7: optional i64 life_ends_in_ms
}

/** A row of assent.outcome: a one-phase commit's own proof, or an abort that no commit can follow. */
struct OutcomeRow {
  1: bool committed
  /** By the database's clock, in milliseconds since 1970. */
  2: i64 decided_at_ms
}

struct TraceRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Text form of the transaction's id. */
  2: string transaction
}

/** Everything that an agent and its database know of one transaction. */
struct TraceReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  2: string participant
  3: i64 epoch
  /** Clock of the agent's host, in milliseconds since 1970. */
  4: i64 now_ms
  /** In the agent's memory, of its present life. */
  5: optional RememberedBranch branch
  /** Why its database could not be asked; absent: it was, and what follows is what it says. */
  6: optional string database_error
  /** Prepared under a gid that names the transaction, whoever owns it. */
  7: list<PreparedTransaction> prepared
  8: optional OutcomeRow outcome
  /** Its branches here, as "epoch.attempt", that have written that they committed (`postgres.outcome_row`). */
  9: list<string> branch_outcomes
  /** Absent: the agent is of an older version. */
  10: optional string cluster
}

/** Admin port of a replica. */
service CoordinatorInsight extends admin.CoordinatorAdmin {
  /** The participants, and whether their agents are heard. */
  ParticipantsReply participants(1: ParticipantsRequest request) throws (1: common.AssentError error)
  /** Transactions that are not at rest, or those that are named. */
  TransactionsReply transactions(1: TransactionsRequest request) throws (1: common.AssentError error)
}

/** Admin port of an agent. */
service AgentInsight extends admin.Admin {
  /** What is prepared in the database's server, with locks and who waits for them. */
  PreparedReply prepared(1: PreparedRequest request) throws (1: common.AssentError error)
  /** What is known here of one transaction. */
  TraceReply trace(1: TraceRequest request) throws (1: common.AssentError error)
}
