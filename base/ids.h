// Names of the things that Assent speaks of. docs/glossary.md has the words.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/strong.h"
#include "base/time.h"

namespace assent {

using Slot = Strong<struct SlotTag>;  // position in the replicated log, from 1
using ReplicaId = Strong<struct ReplicaIdTag, std::uint32_t>;  // from 1
// Drawn at random when a replica's data directory is first used; never 0. A disk that was wiped has
// another.
using DiskIncarnation = Strong<struct DiskIncarnationTag>;
using Round = Strong<struct RoundTag>;              // of a ballot, from 1
using Incarnation = Strong<struct IncarnationTag>;  // of the cluster, from 1 (R15)
using Epoch = Strong<struct EpochTag>;              // one life of an agent, from 1
using Attempt = Strong<struct AttemptTag>;          // one try at a branch in an epoch, from 1

// Agents count their own attempts from 1. The attempts of one-shots are issued by the leader (R5)
// and lie above all of those: they carry the number of its office (of the OfficeTaken that it
// executed, counted in the log) and a serial, counted from 1 for each participant within the
// office.
struct OneShotSerial {
  std::uint64_t office = 0;
  std::uint64_t serial = 0;

  constexpr auto operator<=>(const OneShotSerial&) const = default;
};
inline constexpr std::uint64_t kOfficeNumberMax = (std::uint64_t{1} << 22) - 1;
inline constexpr std::uint64_t kSerialMax = (std::uint64_t{1} << 40) - 1;

// Precondition: both are from 1 to their maximum.
Attempt one_shot_attempt(OneShotSerial serial);
// None for an attempt that the agent issued.
std::optional<OneShotSerial> one_shot_serial(Attempt attempt);

// A change of the group that is executed in slot s governs the slots from s + this on: a constant
// of the protocol, the same in every version (docs/paxos.md, "Which group governs a slot").
inline constexpr std::uint64_t kGroupDistance = 8;

inline constexpr std::size_t kClusterNameMax = 32;
inline constexpr std::size_t kParticipantNameMax = 63;

// Names are 1 to `max` characters of [a-z0-9_-].
bool valid_name(std::string_view name, std::size_t max);
inline bool valid_cluster_name(std::string_view name) {
  return valid_name(name, kClusterNameMax);
}
inline bool valid_participant_name(std::string_view name) {
  return valid_name(name, kParticipantNameMax);
}

// The coordinator's term of office. Unique and ordered; the highest part is the incarnation (R15).
struct Ballot {
  Incarnation incarnation;
  Round round;
  ReplicaId replica;

  constexpr auto operator<=>(const Ballot&) const = default;
};
std::string to_string(const Ballot& ballot);  // "incarnation.round.replica"

// A transaction: a UUIDv7 and a tag of its creator. Text form: the UUID in its usual spelling, '-',
// 16 hex digits of the tag; 53 characters, all lower case.
struct TransactionId {
  std::uint64_t high = 0;     // first 8 bytes of the UUID, big-endian
  std::uint64_t low = 0;      // last 8 bytes
  std::uint64_t creator = 0;  // tag; see creator_tag

  constexpr auto operator<=>(const TransactionId&) const = default;

  // Milliseconds of Unix time at which the id says that it was made.
  [[nodiscard]] constexpr LogTime time() const {
    return LogTime(static_cast<std::int64_t>(high >> 16));
  }
};
inline constexpr std::size_t kTransactionIdLength = 53;

std::string to_string(const TransactionId& id);

// Accepts only the canonical text form of a version 7, variant 1 UUID with its tag.
std::optional<TransactionId> parse_transaction_id(std::string_view text);

// Makes an id. `now` is the coordinator's time (R17); the two random numbers come from the caller.
TransactionId make_transaction_id(LogTime now, std::uint64_t random_a, std::uint64_t random_b,
                                  std::uint64_t creator);

// Tag of a creator's name: the first 8 bytes of its XXH3 hash.
std::uint64_t creator_tag(std::string_view creator_name);

// The one name of a branch (R5): it stands in every message, in the gid and in the decision.
struct BranchId {
  TransactionId transaction;
  std::string participant;
  Epoch epoch;
  Attempt attempt;

  auto operator<=>(const BranchId&) const = default;
};
std::string to_string(const BranchId& branch);  // "transaction:participant:epoch.attempt"

// What a YES vote proves itself with later, should its gid be missing (R7).
struct Evidence {
  std::uint64_t xid = 0;
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  std::uint64_t wal_position = 0;  // at or after the PREPARE record, in bytes

  bool operator==(const Evidence&) const = default;
};

enum class Outcome : std::uint8_t { kCommitted = 1, kAborted = 2 };
std::string_view name(Outcome outcome);  // "COMMITTED" or "ABORTED"

// How a branch ended when it was told its outcome.
enum class FinishResult : std::uint8_t {
  kDone = 1,               // the outcome has been carried out, now or before
  kHeuristicCommit = 2,    // someone else committed a branch that was to be rolled back
  kHeuristicRollback = 3,  // someone else rolled back a branch that was to be committed
  kHazard = 4,             // it is gone, and its evidence does not settle how it ended
};
std::string_view name(FinishResult result);  // "done", "heuristic-commit", ...

}  // namespace assent

template <>
struct std::hash<assent::TransactionId> {
  std::size_t operator()(const assent::TransactionId& id) const noexcept {
    // The low half of a UUIDv7 is random: it spreads well by itself.
    return static_cast<std::size_t>(id.low ^ (id.high * 0x9E3779B97F4A7C15ULL));
  }
};
