/** What agents and the coordinator say to each other. */
include "common.thrift"
namespace cpp assent.wire
namespace py assent_wire.participant

// ── agent → coordinator ─────────────────────────────────────────────────────────────────────────

/** What a participant's name is bound to for ever (R16). */
struct DatabaseIdentity {
  /** pg_control_system().system_identifier, as unsigned bits. */
  1: i64 system_identifier
  /** pg_database.oid. */
  2: i64 database_oid
}

struct RegisterRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Cluster that the agent belongs to; another one is answered WRONG_CLUSTER. */
  2: string cluster
  /** Participant's name: 1 to 63 of [a-z0-9_-]. */
  3: string participant
  /** Names this life of the agent; the same nonce gets the same epoch again. 1 to 64 bytes. */
  4: string nonce
  /** Epoch found in the database (`assent.epoch`); 0 when none was ever set. */
  5: i64 stored_epoch
  /** The database behind the name; another one than before is answered IDENTITY_MISMATCH. */
  6: DatabaseIdentity identity
  /** Timeline of the database now. */
  7: i32 timeline
  /** WAL position of the database now, in bytes. */
  8: i64 wal_position
  /** "host:port" that clients reach this agent at. */
  9: string client_address
  /** "host:port" that the coordinator reaches this agent at. */
  10: string peer_address
  /** True when a single writing branch may commit here in one phase (R12). Absent: false. */
  11: optional bool one_phase
  /** Landmark of `stored_epoch` that stands in the database, in bytes of WAL; 0: it has none; absent: the agent is of an older version. */
  12: optional i64 landmark
  /** True: an operator has seen that this database lost what it had acknowledged, and lets it in all the same (R16). Absent: false. */
  13: optional bool takeover
  /** Where a promoted standby left the timeline of `landmark`, in bytes of WAL; absent: none was promoted since, or nobody can tell. */
  14: optional i64 left_at
}

struct RegisterReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** This life's epoch, issued through the log. */
  2: i64 epoch
  /** The agent refuses every lower ballot from now on (R4). */
  3: common.Ballot ballot
  /** As in HeartbeatReply. */
  4: optional common.AssentError refuses
}

struct HeartbeatRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Cluster that the agent belongs to; another one is answered WRONG_CLUSTER. */
  2: string cluster
  /** Participant that the sender serves; one that never enrolled is answered UNKNOWN_PARTICIPANT. */
  3: string participant
  /** The sender's epoch; a lower one than the registered is answered DISPLACED. */
  4: i64 epoch
  /** True in the last heartbeat before a clean stop: the next life need not wait. */
  5: bool leaving
  /** True: what is prepared here can be ended from now on, and could not be before: the epoch was claimed, older lives were fenced, or the database is back. Absent: false. */
  6: optional bool recovered
  /** Latest landmark of this life that stands in the database, in bytes of WAL; absent: none yet. */
  7: optional i64 landmark
  /** "host:port" that administrators reach this agent at; absent: the agent is of an older version. */
  8: optional string admin_address
}

struct HeartbeatReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The coordinator's log time. */
  2: i64 now_ms
  /** No record is made any more for ids of this time and before (R14): their outcome rows may go. */
  3: i64 floor_ms
  /** Present: the agent opens no new branch, and answers who wants one with this: its participant is drained, or over its in-doubt budget. */
  4: optional common.AssentError refuses
  /** Of the leader that answers: what a lower ballot says of `refuses` is older than what a higher one has said. Absent: the coordinator is of an older version, and refuses nothing. */
  5: optional common.Ballot ballot
}

/** What agents ask of a replica, on its peer port. */
service Registry {
  /** Issues an epoch. Refused while the previous life's heartbeat is fresh, or when the identity differs. */
  RegisterReply enroll(1: RegisterRequest request) throws (1: common.AssentError error)
  /** Says that this life goes on. */
  HeartbeatReply heartbeat(1: HeartbeatRequest request) throws (1: common.AssentError error)
}

// ── coordinator → agent ─────────────────────────────────────────────────────────────────────────

enum VoteKind {
  /** Prepared, durable, and will commit or roll back as told. Carries evidence. */
  YES = 1,
  /** It will not commit. Not prepared, and never will be; or, with evidence, prepared, and waiting for its rollback. Carries a reason. */
  NO = 2,
  /** It had assigned no xid, and has committed: it has left, whatever the outcome. */
  READ_ONLY = 3,
  /** It has committed in one phase: the transaction is COMMITTED. Only when that was asked for. */
  COMMITTED = 4,
}

struct PrepareRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Refused with STALE_BALLOT when a higher one was seen (R4). */
  2: common.Ballot ballot
  /** The branch to prepare; of another participant: UNKNOWN_PARTICIPANT, of another life: a NO vote. */
  3: common.BranchId branch
  /** Statements that the client counted (R13); 0 with `one_shot`. */
  4: i32 statements
  /** Present: the attempt is the leader's own, and opens the branch with these statements (R5). */
  5: optional common.OneShot one_shot
  /** True: commit at once, with an outcome row, instead of preparing (R12). */
  6: optional bool one_phase
  /** With `one_shot`: every serial of this office below this one is finished here (R5). */
  7: optional i64 low_water
  /**
   * Life that is meant, as in its RegisterRequest; whoever else answers at this address refuses with
   * UNAVAILABLE, and takes the ballot for nothing. Absent: the coordinator is of an older version.
   */
  8: optional string life
}

struct PrepareReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The vote. It never changes. */
  2: VoteKind vote
  /** With YES; and with NO when the branch is prepared all the same, and waits for its rollback. */
  3: optional common.Evidence evidence
  /** Present exactly with NO. */
  4: optional common.AssentError reason
  /** Of a one-shot that did not vote NO, in the order of its statements. Absent in a repeat that came too late for them. */
  5: optional list<common.StatementResult> results
}

enum FinishResult {
  /** The outcome asked for has been carried out, now or before. */
  DONE = 1,
  /** Someone else committed a branch that was to be rolled back. */
  HEURISTIC_COMMIT = 2,
  /** Someone else rolled back a branch that was to be committed. */
  HEURISTIC_ROLLBACK = 3,
  /** The branch is gone and its evidence does not settle how it ended. */
  HAZARD = 4,
}

struct FinishRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Refused with STALE_BALLOT when a higher one was seen (R4). */
  2: common.Ballot ballot
  /** The branch to finish, of whatever epoch; of another participant: UNKNOWN_PARTICIPANT. */
  3: common.BranchId branch
  /** The logged outcome for this branch. */
  4: common.Outcome outcome
  /** As voted; absent when the coordinator has none (the branch never voted YES to it). */
  5: optional common.Evidence evidence
  /**
   * The database was promoted or restored since the branch voted, and the log does not know that it
   * has kept it. That the server's timeline and WAL position fit the evidence then proves nothing.
   */
  6: optional bool maybe_lost
  /**
   * The database was promoted or restored since the branch voted, and the log proves that its PREPARE
   * is in the history which the agent of this epoch has found: an agent of another epoch is told
   * nothing by it. Its COMMIT PREPARED may be lost all the same. Absent: the log proves no such thing.
   */
  7: optional i64 kept_in
  /** As in PrepareRequest. */
  8: optional string life
}

struct FinishReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** How the branch ended. It never changes. */
  2: FinishResult result
  /** Life that answers: what another one says of its database is not of the history that is served now. */
  3: optional i64 epoch
}

struct InventoryRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Refused with STALE_BALLOT when a higher one was seen (R4). */
  2: common.Ballot ballot
  /** Cluster of the caller; another one is answered WRONG_CLUSTER. */
  3: string cluster
  /** As in PrepareRequest. */
  4: optional string life
}

/** A branch, and what its participant's database knows of it. */
struct FoundBranch {
  /** The branch. */
  1: common.BranchId branch
  /** Its transaction's number in the database's history, and a position behind its PREPARE. */
  2: common.Evidence evidence
}

/** For how long a branch has been prepared. */
struct PreparedAge {
  /** By the database's clock. */
  1: i64 age_ms
  /** How many transactions have begun since its own: it holds the vacuum horizon back by as many. */
  2: i64 xid_age
}

struct InventoryReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Branches of this participant that are prepared in its database, of whatever epoch. */
  2: list<common.BranchId> prepared
  /** Life that answers, as in FinishReply. */
  3: optional i64 epoch
  /** Branches that voted YES to this life, of which no finish was heard, and that are prepared no more. */
  4: optional list<FoundBranch> ended
  /** Of `prepared`, in its order; absent: the agent is of an older version. */
  5: optional list<common.Evidence> evidence
  /** Of `prepared`, in its order; absent: the agent is of an older version. */
  6: optional list<PreparedAge> ages
  /** `max_prepared_transactions` of the database's server, as the agent saw it last; absent or 0: not known. */
  7: optional i64 slots
}

/** Whether a transaction committed here in one phase; afterwards it has or never will (R12). */
struct SettleRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Refused with STALE_BALLOT when a higher one was seen (R4). */
  2: common.Ballot ballot
  /** The transaction's id. */
  3: string transaction
  /** Participant that is meant; another one is answered UNKNOWN_PARTICIPANT. */
  4: string participant
  /** As in PrepareRequest. */
  5: optional string life
}

struct SettleReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** True: it has committed in one phase. False: it never will; its open branch is rolled back, a prepared one is untouched. */
  2: bool committed
  /** Life that answers, as in FinishReply. */
  3: optional i64 epoch
}

/** Who answers at this address; also answered by a life that has no epoch yet. */
struct LifeRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Cluster of the caller; another one is answered WRONG_CLUSTER. */
  2: string cluster
  /** Participant that is meant; another one is answered UNKNOWN_PARTICIPANT. */
  3: string participant
}

struct LifeReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Names this life of the agent, as in its RegisterRequest. */
  2: string nonce
}

/** What the leader asks of an agent, on the agent's peer port. */
service Participant {
  /** Prepares a branch, or commits it in one phase, and votes. Repeating it gives the same vote. */
  PrepareReply prepare(1: PrepareRequest request) throws (1: common.AssentError error)
  /** Carries a logged outcome out. Repeating it gives the same result. */
  FinishReply finish(1: FinishRequest request) throws (1: common.AssentError error)
  /** Ends what may be a one-phase commit. Repeating it gives the same answer. */
  SettleReply settle(1: SettleRequest request) throws (1: common.AssentError error)
  /** Lists what is prepared. */
  InventoryReply inventory(1: InventoryRequest request) throws (1: common.AssentError error)
  /** Names the life that answers here: who succeeds one that is gone need not wait for its silence. */
  LifeReply life(1: LifeRequest request) throws (1: common.AssentError error)
}
