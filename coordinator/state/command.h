// What the replicated log carries: the commands of the state machine, and their encoding.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/state/formats.h"
#include "coordinator/state/membership.h"

namespace assent::state {

// A branch of a decided transaction. The transaction itself is named by what contains it.
struct DecidedBranch {
  std::string participant;
  Epoch epoch;
  Attempt attempt;
  // As voted (R7). All zero in an aborted transaction whose branch never voted YES.
  Evidence evidence;

  bool operator==(const DecidedBranch&) const = default;
};

// What a participant's name is bound to for ever (R16).
struct DatabaseIdentity {
  std::uint64_t system_identifier = 0;
  std::uint64_t database_oid = 0;

  bool operator==(const DatabaseIdentity&) const = default;
};

// How far a database's history is known: whoever has the row of life `epoch` in assent.landmark has
// all that this life did before `wal_position` (docs/postgres.md, "Histories and landmarks").
struct Landmark {
  Epoch epoch;  // 0: none
  std::uint64_t wal_position = 0;

  auto operator<=>(const Landmark&) const = default;
};

// What the state notes of a database's history from an enrolment on: as much as the version knew
// that proposed it. What that version's snapshots do not hold must not follow from its commands.
enum class Tracking : std::uint8_t {
  kNone = 0,
  kBreaks = 1,      // from which epoch on nothing may be lost
  kLandmarks = 2,   // and what of the epochs below is not
  kEveryBreak = 3,  // at every break, not only at the last one
};

// The no-op of a new leader's own ballot: it serves nothing before it has executed this (R1).
struct OfficeTaken {
  Ballot ballot;

  bool operator==(const OfficeTaken&) const = default;
};

// T commits. Expects no record of T (R1), and no branch that its participant may have lost since it
// voted (participants.h).
struct Committed {
  TransactionId transaction;
  std::uint64_t request_hash = 0;  // of the client's request (R9)
  // Exactly these commit (R5), with their evidence (R7). None when every branch had only read.
  std::vector<DecidedBranch> branches;

  bool operator==(const Committed&) const = default;
};

// T aborts. Expects no record of T (R1).
struct Aborted {
  TransactionId transaction;
  std::uint64_t request_hash = 0;       // 0: presumed by recovery, fits every request
  Error reason;                         // told to the client
  std::vector<DecidedBranch> branches;  // those known to the proposer; every other rolls back too

  bool operator==(const Aborted&) const = default;
};

// Every branch of these transactions has carried its outcome out; their records may leave once they
// are below the floor (R14).
struct Forgotten {
  std::vector<TransactionId> transactions;

  bool operator==(const Forgotten&) const = default;
};

// A new life of an agent (R16). The nonce makes it idempotent.
struct Enrolled {
  std::string participant;
  std::string nonce;
  Epoch stored_epoch;  // 0: none was ever set in the database
  DatabaseIdentity identity;
  std::uint32_t timeline = 0;
  std::uint64_t wal_position = 0;
  std::string client_address;  // "host:port"
  std::string peer_address;    // "host:port"
  bool one_phase = false;      // a single writing branch may commit there in one phase (R12)
  Tracking tracks_history = Tracking::kNone;
  // From kLandmarks on. The landmark of `stored_epoch` that stands in the database, 0: it has none;
  // nothing: the agent is of a version that does not tell.
  std::optional<std::uint64_t> landmark = std::nullopt;
  // From kLandmarks on. An operator has seen that this database lost what it had acknowledged.
  bool takeover = false;
  // With kEveryBreak. Where a standby that was promoted left the timeline of that landmark, in
  // bytes of WAL. Nothing: no standby was promoted since, or nobody can tell.
  std::optional<std::uint64_t> left_at = std::nullopt;

  bool operator==(const Enrolled&) const = default;
};

// The life of this epoch has written its landmark at this position. Of another life than the
// present one it is a no-op.
struct LandmarkNoted {
  std::string participant;
  Landmark landmark;

  bool operator==(const LandmarkNoted&) const = default;
};

// ── changes of the group; membership.h says what each does ──────────────────────────────────────

// The group that the configuration names, told by the first leader.
struct GroupFounded {
  std::vector<Member> members;

  bool operator==(const GroupFounded&) const = default;
};
// A replica comes, as a learner.
struct ReplicaAdded {
  Member replica;

  bool operator==(const ReplicaAdded&) const = default;
};
// A learner becomes a member.
struct ReplicaPromoted {
  ReplicaId replica;

  bool operator==(const ReplicaPromoted&) const = default;
};
// A member or a learner leaves for ever.
struct ReplicaRemoved {
  ReplicaId replica;

  bool operator==(const ReplicaRemoved&) const = default;
};
// It has other addresses, or its disk has become known.
struct ReplicaMoved {
  Member replica;

  bool operator==(const ReplicaMoved&) const = default;
};

// ── branches that ended otherwise than decided; heuristics.h ────────────────────────────────────

// A participant has said how a branch of T ended: otherwise than T was decided, or it does not
// know. kDone: what was a hazard has ended as decided after all. Idempotent.
struct HeuristicFound {
  TransactionId transaction;
  Outcome outcome = Outcome::kAborted;  // T's
  std::uint64_t listed = 0;             // branches that T's record lists; 0: it has none
  DecidedBranch branch;
  FinishResult result = FinishResult::kHazard;

  bool operator==(const HeuristicFound&) const = default;
};

// An operator has seen to it: what is kept of T goes.
struct HeuristicForgotten {
  TransactionId transaction;
  std::string operator_name;  // who, and why: for whoever reads the log
  std::string reason;

  bool operator==(const HeuristicForgotten&) const = default;
};

// An operator decides about T, which has no record and can get none any more: its branches that
// were left prepared end so. AlreadyDecided: T has a record, or an operator decided otherwise.
struct HeuristicResolved {
  TransactionId transaction;
  Outcome outcome = Outcome::kAborted;
  std::string operator_name;
  std::string reason;

  bool operator==(const HeuristicResolved&) const = default;
};

// As many of the untold ones as an operator has seen to (heuristics.h) are counted no more.
struct UntoldForgotten {
  std::uint64_t count = 0;
  std::string operator_name;
  std::string reason;

  bool operator==(const UntoldForgotten&) const = default;
};

// ── participants that operators take out; withdrawals.h ─────────────────────────────────────────

// It takes no new branches until it is resumed. Repeated, it changes nothing. ChangeRefused: there
// is no such participant.
struct ParticipantDrained {
  std::string participant;
  std::string operator_name;  // who, and why: both are told to whoever is refused
  std::string reason;

  bool operator==(const ParticipantDrained&) const = default;
};
// It takes new branches again. Of one that is not drained it changes nothing.
struct ParticipantResumed {
  std::string participant;
  std::string operator_name;
  std::string reason;

  bool operator==(const ParticipantResumed&) const = default;
};
// It is gone for good: it is forgotten, and its name is never used again. ChangeRefused unless it
// is drained, and nothing is owed to it. Repeated, it changes nothing.
struct ParticipantRemoved {
  std::string participant;
  std::string operator_name;
  std::string reason;

  bool operator==(const ParticipantRemoved&) const = default;
};

using Command =
    std::variant<OfficeTaken, Committed, Aborted, Forgotten, Enrolled, GroupFounded, ReplicaAdded,
                 ReplicaPromoted, ReplicaRemoved, ReplicaMoved, HeuristicFound, HeuristicForgotten,
                 HeuristicResolved, LandmarkNoted, UntoldForgotten, ParticipantDrained,
                 ParticipantResumed, ParticipantRemoved>;

// The value of one slot: a batch of commands and the leader's time. Time enters the state only
// here.
struct Entry {
  LogTime time;
  std::vector<Command> commands;

  bool operator==(const Entry&) const = default;
};

// The first format of entries that knows the command.
std::uint8_t format_of(const Command& command);

// In the earliest format that knows every command of it.
std::string encode(const Entry& entry);

// Refuses truncated, oversized and trailing bytes (kInternal with a sentence), and a newer format
// than `known` (kUnsupportedVersion: it names both, and the remedy).
Result<Entry> decode_entry(std::string_view bytes, std::uint8_t known = kEntryFormat);

// ── what executing a command answers ────────────────────────────────────────────────────────────

struct TookEffect {};

// A no-op: T has been decided before. Look the record up for more.
struct AlreadyDecided {
  Outcome outcome;
};

// A no-op: T's time is at or below the floor, and T has no record. None will ever be made (R14).
struct BelowFloor {};

// A no-op: a branch of T may be lost, for its participant's database was promoted or restored since
// it voted. T is undecided.
struct BranchLost {
  std::string participant;
};

struct EpochIssued {
  Epoch epoch;
};

// A no-op: the enrolment was refused.
struct EnrolmentRefused {
  Error error;
};

// The group that the change leads to governs from this slot on.
struct GroupGoverns {
  Slot from;
};

// A no-op: the change was refused.
struct ChangeRefused {
  Error error;
};

// A no-op: nothing is kept of T that could be forgotten.
struct NothingKept {};

using CommandResult = std::variant<TookEffect, AlreadyDecided, BelowFloor, BranchLost, EpochIssued,
                                   EnrolmentRefused, GroupGoverns, ChangeRefused, NothingKept>;

}  // namespace assent::state
