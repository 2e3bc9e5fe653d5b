/** What replicas say to each other, and everything a replica answers on its peer port. */
include "common.thrift"
include "participant.thrift"
namespace cpp assent.wire
namespace py assent_wire.replica

struct IdentifyRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Cluster that the caller belongs to; another one is answered WRONG_CLUSTER. */
  2: string cluster
  /** When the caller is a replica of the group: which. */
  3: optional i32 replica
  /** And its disk: drawn when its data directory was first used, never 0. It is remembered. */
  4: optional i64 disk
  /** Backup that the caller's state was restored from, by its content (R15); absent: none. Replicas of other backups are not heard. */
  5: optional i64 restored_from
}

struct IdentifyReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Replica at this address; from 1. */
  2: i32 replica
  /** Highest ballot that this replica knows. */
  3: common.Ballot ballot
  /** True when it holds that ballot and serves. */
  4: bool leader
  /** Its disk. */
  5: i64 disk
  /** To a replica: the disk by which it is known here. Another one than its own: it must not take part. */
  6: optional i64 known_disk
  /** Backup that this replica's state was restored from, by its content (R15); absent: none. Replicas of other backups are not heard. */
  7: optional i64 restored_from
}

// ── consensus: coordinator/paxos/message.h says what each message means ─────────────────────────
// Slots, rounds and probes count upwards from 0; a receiver drops a message with a negative one.

struct PreVote {
  /** The ballot that the asker would take. */
  1: common.Ballot ballot
  /** The asker's chosen mark. */
  2: i64 chosen_through
}

struct PreVoteAnswer {
  /** Of the question. */
  1: common.Ballot ballot
  2: bool welcome
  /** Highest ballot that the answerer knows of. */
  3: common.Ballot promised
}

/** Phase 1a, for all slots from `from` on. */
struct PaxosPrepare {
  1: common.Ballot ballot
  2: i64 from_slot
}

struct PromisedSlot {
  1: i64 slot
  /** Under which it was accepted. */
  2: common.Ballot ballot
  3: binary value
}

/** Phase 1b: all that was accepted in the slots from `from_slot` to before `next_slot`. */
struct PaxosPromise {
  1: common.Ballot ballot
  2: i64 from_slot
  /** Where the next part begins; 0: this is the last. */
  3: i64 next_slot
  4: list<PromisedSlot> accepted
  5: i64 chosen_through
}

/** Phase 2a of consecutive slots; without values a heartbeat. */
struct PaxosAccept {
  1: common.Ballot ballot
  /** First slot of `values`. */
  2: i64 first
  /** Each an encoded entry of the log; empty: a no-op. */
  3: list<binary> values
  4: i64 chosen_through
  5: i64 probe
}

/** Phase 2b: all slots up to `through` are accepted at exactly `ballot`, or known chosen. */
struct AcceptedThrough {
  1: common.Ballot ballot
  2: i64 through
  3: i64 chosen_through
  4: i64 probe
}

/** `ballot` is below what this acceptor has promised. */
struct PaxosRefused {
  1: common.Ballot ballot
  2: common.Ballot promised
}

/** The leader of `ballot` asks the receiver to take over at once. */
struct TakeOver {
  1: common.Ballot ballot
}

/** A snapshot of the state, as one replica keeps it. */
struct SnapshotInfo {
  /** The state after this slot. */
  1: i64 through
  /** Of exactly these bytes. */
  2: i64 id
  /** How many. */
  3: i64 bytes
}

/** The leader of `ballot` no longer keeps the values that the receiver lacks. */
struct SnapshotOffer {
  1: common.Ballot ballot
  2: SnapshotInfo snapshot
}

/** The sender lost records of its log: how far has this ballot gone? */
struct RecoveryAsk {
  1: common.Ballot ballot
  /** Drawn in this life of the sender; any 64 bits. */
  2: i64 nonce
  /** Up to here it has what this ballot proposed, or knows it chosen. */
  3: i64 through
}

/** The leader of `ballot` had proposed in no slot above `last`, nor heard of one, when it was asked. */
struct RecoveryAnswer {
  1: common.Ballot ballot
  /** Of the question. */
  2: i64 nonce
  3: i64 last
  /** Its phase 1 was whole for the group of every slot from there up to this one. */
  4: i64 governed_through
}

union PaxosMessage {
  1: PreVote pre_vote
  2: PreVoteAnswer pre_vote_answer
  3: PaxosPrepare prepare
  4: PaxosPromise promise
  5: PaxosAccept accept
  6: AcceptedThrough accepted_through
  7: PaxosRefused refused
  8: TakeOver take_over
  9: SnapshotOffer snapshot_offer
  10: RecoveryAsk recovery_ask
  11: RecoveryAnswer recovery_answer
}

/** All that one replica has to say to another at the end of a turn of its event loop. */
struct Delivery {
  /** The version of this message: PROTOCOL_VERSION. One of another version is dropped. */
  1: i32 protocol_version
  /** Cluster of the sender; a delivery of another cluster is dropped. */
  2: string cluster
  /** Replica that speaks: from 1, and not the receiver. */
  3: i32 sender
  /** Replica that is meant; another one drops it: the address is wrong somewhere. */
  4: i32 receiver
  /** In the order in which they were sent. */
  5: list<PaxosMessage> messages
  /** The sender's disk; a replica that is known by another one is not heard. */
  6: i64 disk
  /** Peer port of the sender, "host:port": a receiver that has not heard of it yet answers there. */
  7: optional string sender_address
  /** Backup that the sender's state was restored from, by its content (R15); absent: none. Replicas of other backups are not heard. */
  8: optional i64 restored_from
}

struct SnapshotPartRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Cluster that the caller belongs to; another one is answered WRONG_CLUSTER. */
  2: string cluster
  /** As it was offered; one that is no longer kept is answered EXPIRED. */
  3: SnapshotInfo snapshot
  /** From 0; beyond the end is INVALID_ARGUMENT. */
  4: i64 offset
}

struct SnapshotPartReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** The bytes from `offset` on, as many as fit well into a message; at least one. */
  2: binary bytes
}

/** Peer port of a replica: agents use what is inherited. */
service Replica extends participant.Registry {
  /** Who is at this address, and is it the leader. */
  IdentifyReply identify(1: IdentifyRequest request) throws (1: common.AssentError error)
  /** Messages of consensus. No answer: each may be lost, and is sent again where it matters. */
  oneway void deliver(1: Delivery delivery)
  /** A part of a snapshot that this replica has offered. */
  SnapshotPartReply snapshot_part(1: SnapshotPartRequest request) throws (1: common.AssentError error)
}
