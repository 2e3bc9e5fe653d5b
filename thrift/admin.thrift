/** What administrators ask of any process, on its admin port. */
include "common.thrift"
include "participant.thrift"
include "replica.thrift"
namespace cpp assent.wire
namespace py assent_wire.admin

struct ProcessStatusRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

struct ProcessStatusReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** "assent-coordinator" or "assent-agent". */
  2: string program
  /** Version of the program, for example "0.1.0". */
  3: string version
  /** Operating system's process id. */
  4: i32 pid
  /** Since the process began. */
  5: i64 uptime_ms
  /** True when it serves all that it is for. */
  6: bool ready
  /** Facts in words, for example "cluster", "ballot", "epoch". */
  7: map<string, string> facts
  /** Counts since the process began and gauges of this moment; docs/architecture.md names them. */
  8: map<string, i64> counters
}

struct DoctorRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

enum Verdict {
  /** As it should be. */
  GOOD = 1,
  /** It works, but something is promised less than people expect, or will soon be short. */
  WARNING = 2,
  /** It cannot serve before this is mended. */
  FAILURE = 3,
}

/** One thing that was looked at. */
struct Finding {
  /** A short, stable name, for example "max_prepared_transactions". */
  1: string check
  /** How it is. */
  2: Verdict verdict
  /** What was found, in one sentence. */
  3: string found
  /** What to do; present unless GOOD. */
  4: optional string remedy
}

struct DoctorReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Every check, in the order in which it was made; later ones are left out when an earlier FAILURE makes them impossible. */
  2: list<Finding> findings
}

// ── the group of replicas: of a coordinator only ────────────────────────────────────────────────

/** A replica of the coordinator. */
struct ReplicaInfo {
  /** From 1; never used again once it has left. */
  1: i32 replica
  /** True: it is sent everything and counts in no quorum yet. */
  2: bool learner
  /** Its ports, "host:port"; the admin port is empty where it was not told. */
  3: string client_address
  4: string peer_address
  5: string admin_address
  /** Every slot up to this one is executed there, as the leader heard last. */
  6: i64 chosen_slot
  /** The leader has a connection to it, or is it. */
  7: bool connected
}

struct GroupRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

struct GroupReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  2: string cluster
  /** The one that answers. */
  3: i32 leader
  /** As of the latest change, in the order of their ids. */
  4: list<ReplicaInfo> replicas
  /** Every slot up to this one is chosen; at least all that were when the group was asked for. */
  5: i64 chosen_slot
  /** First slot that is governed by this group. */
  6: i64 governs_from
  /** It governs, and a quorum of it knows so durably: who has left is needed no more. */
  7: bool settled
}

enum GroupChange {
  /** A replica comes, as a learner. */
  ADD = 1,
  /** A learner that has caught up becomes a member. */
  PROMOTE = 2,
  /** A member or learner leaves for ever. */
  REMOVE = 3,
}

struct ChangeGroupRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  2: GroupChange change
  3: i32 replica
  /** Its ports, "host:port", of one that comes. */
  4: optional string client_address
  5: optional string peer_address
  6: optional string admin_address
}

struct ChangeGroupReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** First slot that is governed by the group that the change leads to. */
  2: i64 governs_from
}

struct TransferLeaderRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Member that is to lead; 0: the one that is furthest. */
  2: i32 to
}

struct TransferLeaderReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Member that was asked to take over. */
  2: i32 to
}

// ── branches that ended otherwise than decided: of a coordinator only ───────────────────────────

enum HeuristicKind {
  /** It was to abort, and every branch that its record lists was committed by somebody else. */
  COMMIT = 1,
  /** It was to commit, and every branch that its record lists was rolled back by somebody else. */
  ROLLBACK = 2,
  /** Some of its branches ended as decided, some otherwise. */
  MIXED = 3,
  /** How a branch ended is not known. */
  HAZARD = 4,
  /** Every hazard has ended as decided since. */
  SETTLED = 5,
}

struct HeuristicBranch {
  1: common.BranchId branch
  /** DONE: it was a hazard, and has ended as decided since. */
  2: participant.FinishResult result
  /** Of its YES vote; absent: it never voted YES to who decided. */
  3: optional common.Evidence evidence
}

/** What an operator has decided about a transaction that has no record, and cannot get one any more. */
struct Resolution {
  1: common.Outcome outcome
  2: string operator_name
  3: string reason
  /** By the log's time, in milliseconds since 1970. */
  4: i64 at_ms
}

/** A transaction with branches that ended otherwise than it was decided. */
struct Heuristic {
  /** Text form of its id. */
  1: string transaction
  2: common.Outcome outcome
  3: HeuristicKind kind
  /** By the log's time, in milliseconds since 1970: when the first was found. */
  4: i64 found_at_ms
  /** Branches that its record lists; 0: it has no record. */
  5: i64 listed
  /** In the order in which they were found. */
  6: list<HeuristicBranch> branches
  /** What an operator has decided, of a transaction without a record; absent: nothing. */
  7: optional Resolution resolution
}

struct HeuristicsRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

struct HeuristicsReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** In the order of the transactions' ids. */
  2: list<Heuristic> heuristics
  /** Found when as many as are kept were kept already: only the leader's log of that time names them. */
  3: i64 untold
}

struct ForgetHeuristicRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Text form of the transaction's id. */
  2: string transaction
  /** Who has seen to it, and what was done; both stand in the log. 1 to 200 bytes each. */
  3: string operator_name
  4: string reason
  /** Present: no transaction is meant, but as many of HeuristicsReply.untold as this; `transaction` is empty. */
  5: optional i64 untold
}

struct ForgetHeuristicReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** False: nothing was kept of it. */
  2: bool forgotten
}

/** An operator decides about a transaction whose branches were left prepared, because nobody knows its outcome. */
struct ResolveRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Text form of the transaction's id. */
  2: string transaction
  /** How its branches are to end. */
  3: common.Outcome outcome
  /** Who decides, and why; both stand in the log. 1 to 200 bytes each. */
  4: string operator_name
  5: string reason
}

struct ResolveReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** As it is kept now; its branches are being ended. */
  2: Heuristic heuristic
}

// ── participants that operators take out: of a coordinator only ─────────────────────────────────

enum ParticipantChange {
  /** It takes no new branches until it is resumed; those that are there go on to their ends. */
  DRAIN = 1,
  /** It takes new branches again. */
  RESUME = 2,
  /** It is gone for good: it is forgotten, and its name is never used again. Refused unless it is drained, nothing is owed to it, and its agent is not heard. */
  REMOVE = 3,
  /** It is gone for good, with outcomes that it has not confirmed: each becomes a hazard of its transaction, kept until operators have seen to it, and is not sent there any more. Refused unless it is drained, and its agent is not heard. */
  ABANDON = 4,
}

struct ChangeParticipantRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  2: string participant
  3: ParticipantChange change
  /** Who asks, and why; both stand in the log. 1 to 200 bytes each. */
  4: string operator_name
  5: string reason
  /** True: only tells whether it would be refused, and changes nothing. */
  6: bool dry_run
}

struct ChangeParticipantReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** False: it was so before. */
  2: bool changed
  /** Of ABANDON: the transactions whose outcomes it has not confirmed. Their hazards are on their way through the log. */
  3: list<string> abandoned
}

// ── backups of a replica's state: of a coordinator only, and of any replica ─────────────────────

struct BackupRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /**
   * A replica that has not executed this slot yet answers UNAVAILABLE. GroupReply.chosen_slot, asked
   * before, lets no transaction be missing that a client was told of by then; absent: whatever it has.
   */
  2: optional i64 at_least
}

struct BackupReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** A snapshot of all that was executed here when the backup was asked for; it is kept until two newer ones are. */
  2: replica.SnapshotInfo snapshot
  3: string cluster
  /** Replica that answers. */
  4: i32 replica
}

struct BackupPartRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** As it was answered; one that is no longer kept is answered EXPIRED. */
  2: replica.SnapshotInfo snapshot
  /** From 0; beyond the end is INVALID_ARGUMENT. */
  3: i64 offset
}

struct BackupPartReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The bytes from `offset` on; at least one. */
  2: binary bytes
}

/** Admin port of every process. */
service Admin {
  /** How this process is. */
  ProcessStatusReply process_status(1: ProcessStatusRequest request) throws (1: common.AssentError error)
  /** Looks at all that this process needs from its surroundings, now. */
  DoctorReply doctor(1: DoctorRequest request) throws (1: common.AssentError error)
}

/** Admin port of a replica of the coordinator. All but what is inherited, and backups, is answered by the leader only. */
service CoordinatorAdmin extends Admin {
  /** Who the replicas are. */
  GroupReply group(1: GroupRequest request) throws (1: common.AssentError error)
  /** Changes the group, one replica at a time. May be repeated: what has been done is done once. */
  ChangeGroupReply change_group(1: ChangeGroupRequest request) throws (1: common.AssentError error)
  /** Asks another member to lead. It is asked, not made: the group may elect another. */
  TransferLeaderReply transfer_leader(1: TransferLeaderRequest request) throws (1: common.AssentError error)
  /** Transactions with branches that ended otherwise than decided, until they are forgotten. */
  HeuristicsReply heuristics(1: HeuristicsRequest request) throws (1: common.AssentError error)
  /** An operator has seen to such a transaction: it is not told any more. */
  ForgetHeuristicReply forget_heuristic(1: ForgetHeuristicRequest request) throws (1: common.AssentError error)
  /** Decides about a transaction that has no record. Refused when it has one, or may still get one. */
  ResolveReply resolve(1: ResolveRequest request) throws (1: common.AssentError error)
  /** Drains, resumes or removes a participant. May be repeated: what has been done is done once. */
  ChangeParticipantReply change_participant(1: ChangeParticipantRequest request) throws (1: common.AssentError error)
  /** Takes a snapshot of the state now, and answers when it is durable here. */
  BackupReply backup(1: BackupRequest request) throws (1: common.AssentError error)
  /** A part of such a snapshot. */
  BackupPartReply backup_part(1: BackupPartRequest request) throws (1: common.AssentError error)
}
