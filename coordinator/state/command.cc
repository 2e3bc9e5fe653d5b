#include "coordinator/state/command.h"

#include <algorithm>
#include <utility>

#include "base/codec.h"
#include "base/overloaded.h"
#include "coordinator/state/encoding.h"

// The grammar stands in docs/log-format.md. Numbers of kinds are never reused.

namespace assent::state {
namespace {

constexpr std::uint8_t kEntryFormatFirst = 1;
constexpr std::uint8_t kEntryFormatGroups = 2;
constexpr std::uint8_t kEntryFormatHistories = 3;
constexpr std::uint8_t kEntryFormatRestores = 4;     // landmarks, and what operators decide
constexpr std::uint8_t kEntryFormatWithdrawals = 5;  // participants that operators take out
constexpr std::uint8_t kEntryFormatNewest = 6;       // every break of a history

enum class Kind : std::uint8_t {
  kOfficeTaken = 1,
  kCommitted = 2,
  kAborted = 3,
  kForgotten = 4,
  kEnrolled = 5,
  kGroupFounded = 6,
  kReplicaAdded = 7,
  kReplicaPromoted = 8,
  kReplicaRemoved = 9,
  kReplicaMoved = 10,
  kHeuristicFound = 11,
  kHeuristicForgotten = 12,
  kEnrolledTracked = 13,
  kEnrolledWithLandmark = 14,
  kLandmarkNoted = 15,
  kHeuristicResolved = 16,
  kUntoldForgotten = 17,
  kParticipantDrained = 18,
  kParticipantResumed = 19,
  kParticipantRemoved = 20,
  kEnrolledWithEveryBreak = 21,
};

void put_kind(Encoder& out, Kind kind) {
  out.put_u8(static_cast<std::uint8_t>(kind));
}

void put_command(Encoder& out, const OfficeTaken& command) {
  put_kind(out, Kind::kOfficeTaken);
  put(out, command.ballot);
}

void put_command(Encoder& out, const Committed& command) {
  put_kind(out, Kind::kCommitted);
  put(out, command.transaction);
  out.put_u64(command.request_hash);
  put(out, command.branches);
}

void put_command(Encoder& out, const Aborted& command) {
  put_kind(out, Kind::kAborted);
  put(out, command.transaction);
  out.put_u64(command.request_hash);
  put(out, command.reason);
  put(out, command.branches);
}

void put_command(Encoder& out, const Forgotten& command) {
  put_kind(out, Kind::kForgotten);
  out.put_varint(command.transactions.size());
  for (const TransactionId& id : command.transactions) put(out, id);
}

Kind kind_of(Tracking tracks) {
  switch (tracks) {
    case Tracking::kNone:
      return Kind::kEnrolled;
    case Tracking::kBreaks:
      return Kind::kEnrolledTracked;
    case Tracking::kLandmarks:
      return Kind::kEnrolledWithLandmark;
    case Tracking::kEveryBreak:
      return Kind::kEnrolledWithEveryBreak;
  }
  return Kind::kEnrolled;
}

void put_optional(Encoder& out, const std::optional<std::uint64_t>& position) {
  out.put_u8(position ? 1 : 0);
  if (position) out.put_varint(*position);
}

void put_command(Encoder& out, const Enrolled& command) {
  put_kind(out, kind_of(command.tracks_history));
  out.put_string(command.participant);
  out.put_string(command.nonce);
  out.put_varint(command.stored_epoch.value);
  put(out, command.identity);
  out.put_varint(command.timeline);
  out.put_varint(command.wal_position);
  out.put_string(command.client_address);
  out.put_string(command.peer_address);
  out.put_u8(command.one_phase ? 1 : 0);
  if (command.tracks_history < Tracking::kLandmarks) return;
  put_optional(out, command.landmark);
  out.put_u8(command.takeover ? 1 : 0);
  if (command.tracks_history < Tracking::kEveryBreak) return;
  put_optional(out, command.left_at);
}

void put_command(Encoder& out, const LandmarkNoted& command) {
  put_kind(out, Kind::kLandmarkNoted);
  out.put_string(command.participant);
  put(out, command.landmark);
}

void put_command(Encoder& out, const GroupFounded& command) {
  put_kind(out, Kind::kGroupFounded);
  out.put_varint(command.members.size());
  for (const Member& member : command.members) put(out, member);
}

void put_command(Encoder& out, const ReplicaAdded& command) {
  put_kind(out, Kind::kReplicaAdded);
  put(out, command.replica);
}

void put_command(Encoder& out, const ReplicaPromoted& command) {
  put_kind(out, Kind::kReplicaPromoted);
  out.put_varint(command.replica.value);
}

void put_command(Encoder& out, const ReplicaRemoved& command) {
  put_kind(out, Kind::kReplicaRemoved);
  out.put_varint(command.replica.value);
}

void put_command(Encoder& out, const ReplicaMoved& command) {
  put_kind(out, Kind::kReplicaMoved);
  put(out, command.replica);
}

void put_command(Encoder& out, const HeuristicFound& command) {
  put_kind(out, Kind::kHeuristicFound);
  put(out, command.transaction);
  out.put_u8(static_cast<std::uint8_t>(command.outcome));
  out.put_varint(command.listed);
  put(out, command.branch);
  out.put_u8(static_cast<std::uint8_t>(command.result));
}

void put_command(Encoder& out, const HeuristicForgotten& command) {
  put_kind(out, Kind::kHeuristicForgotten);
  put(out, command.transaction);
  out.put_string(command.operator_name);
  out.put_string(command.reason);
}

void put_command(Encoder& out, const HeuristicResolved& command) {
  put_kind(out, Kind::kHeuristicResolved);
  put(out, command.transaction);
  out.put_u8(static_cast<std::uint8_t>(command.outcome));
  out.put_string(command.operator_name);
  out.put_string(command.reason);
}

void put_command(Encoder& out, const UntoldForgotten& command) {
  put_kind(out, Kind::kUntoldForgotten);
  out.put_varint(command.count);
  out.put_string(command.operator_name);
  out.put_string(command.reason);
}

// Drained, resumed and removed say the same of whom, by whom and why.
template <class Withdrawing>
void put_withdrawing(Encoder& out, Kind kind, const Withdrawing& command) {
  put_kind(out, kind);
  out.put_string(command.participant);
  out.put_string(command.operator_name);
  out.put_string(command.reason);
}

void put_command(Encoder& out, const ParticipantDrained& command) {
  put_withdrawing(out, Kind::kParticipantDrained, command);
}

void put_command(Encoder& out, const ParticipantResumed& command) {
  put_withdrawing(out, Kind::kParticipantResumed, command);
}

void put_command(Encoder& out, const ParticipantRemoved& command) {
  put_withdrawing(out, Kind::kParticipantRemoved, command);
}

Committed read_committed(Reader& in) {
  Committed command;
  command.transaction = read_transaction(in);
  command.request_hash = in.fixed();
  command.branches = read_branches(in);
  return command;
}

Aborted read_aborted(Reader& in) {
  Aborted command;
  command.transaction = read_transaction(in);
  command.request_hash = in.fixed();
  command.reason = read_error(in);
  command.branches = read_branches(in);
  return command;
}

Forgotten read_forgotten(Reader& in) {
  return Forgotten{in.list([&] { return read_transaction(in); })};
}

Enrolled read_enrolled(Reader& in, Tracking tracks_history) {
  Enrolled command;
  command.participant = in.text();
  command.nonce = in.text();
  command.stored_epoch = Epoch(in.varint());
  command.identity = read_identity(in);
  command.timeline = in.number<std::uint32_t>();
  command.wal_position = in.varint();
  command.client_address = in.text();
  command.peer_address = in.text();
  command.one_phase = in.flag();
  command.tracks_history = tracks_history;
  if (tracks_history < Tracking::kLandmarks) return command;
  if (in.flag()) command.landmark = in.varint();
  command.takeover = in.flag();
  if (tracks_history < Tracking::kEveryBreak) return command;
  if (in.flag()) command.left_at = in.varint();
  return command;
}

LandmarkNoted read_landmark_noted(Reader& in) {
  LandmarkNoted command;
  command.participant = in.text();
  command.landmark = read_landmark(in);
  return command;
}

HeuristicFound read_heuristic_found(Reader& in) {
  HeuristicFound command;
  command.transaction = read_transaction(in);
  command.outcome = read_outcome(in);
  command.listed = in.varint();
  command.branch = read_branch(in);
  command.result = read_finish_result(in);
  return command;
}

HeuristicForgotten read_heuristic_forgotten(Reader& in) {
  HeuristicForgotten command;
  command.transaction = read_transaction(in);
  command.operator_name = in.text();
  command.reason = in.text();
  return command;
}

HeuristicResolved read_heuristic_resolved(Reader& in) {
  HeuristicResolved command;
  command.transaction = read_transaction(in);
  command.outcome = read_outcome(in);
  command.operator_name = in.text();
  command.reason = in.text();
  return command;
}

UntoldForgotten read_untold_forgotten(Reader& in) {
  UntoldForgotten command;
  command.count = in.varint();
  command.operator_name = in.text();
  command.reason = in.text();
  return command;
}

template <class Withdrawing>
Withdrawing read_withdrawing(Reader& in) {
  Withdrawing command;
  command.participant = in.text();
  command.operator_name = in.text();
  command.reason = in.text();
  return command;
}

// The first format that has the kind.
std::uint8_t format_of(Kind kind) {
  if (kind < Kind::kGroupFounded) return kEntryFormatFirst;
  if (kind < Kind::kHeuristicFound) return kEntryFormatGroups;
  if (kind < Kind::kEnrolledWithLandmark) return kEntryFormatHistories;
  if (kind < Kind::kUntoldForgotten) return kEntryFormatRestores;
  return kind < Kind::kEnrolledWithEveryBreak ? kEntryFormatWithdrawals : kEntryFormatNewest;
}

// What an earlier format did not know was not written under it.
Command read_command(Reader& in, std::uint8_t format) {
  const Kind kind = static_cast<Kind>(in.byte());
  in.require(format_of(kind) <= format);
  switch (kind) {
    case Kind::kOfficeTaken:
      return OfficeTaken{read_ballot(in)};
    case Kind::kCommitted:
      return read_committed(in);
    case Kind::kAborted:
      return read_aborted(in);
    case Kind::kForgotten:
      return read_forgotten(in);
    case Kind::kEnrolled:
      return read_enrolled(in, Tracking::kNone);
    case Kind::kEnrolledTracked:
      return read_enrolled(in, Tracking::kBreaks);
    case Kind::kEnrolledWithLandmark:
      return read_enrolled(in, Tracking::kLandmarks);
    case Kind::kEnrolledWithEveryBreak:
      return read_enrolled(in, Tracking::kEveryBreak);
    case Kind::kLandmarkNoted:
      return read_landmark_noted(in);
    case Kind::kGroupFounded:
      return GroupFounded{read_members(in)};
    case Kind::kReplicaAdded:
      return ReplicaAdded{read_member(in)};
    case Kind::kReplicaPromoted:
      return ReplicaPromoted{read_replica(in)};
    case Kind::kReplicaRemoved:
      return ReplicaRemoved{read_replica(in)};
    case Kind::kReplicaMoved:
      return ReplicaMoved{read_member(in)};
    case Kind::kHeuristicFound:
      return read_heuristic_found(in);
    case Kind::kHeuristicForgotten:
      return read_heuristic_forgotten(in);
    case Kind::kHeuristicResolved:
      return read_heuristic_resolved(in);
    case Kind::kUntoldForgotten:
      return read_untold_forgotten(in);
    case Kind::kParticipantDrained:
      return read_withdrawing<ParticipantDrained>(in);
    case Kind::kParticipantResumed:
      return read_withdrawing<ParticipantResumed>(in);
    case Kind::kParticipantRemoved:
      return read_withdrawing<ParticipantRemoved>(in);
  }
  in.require(false);
  return {};
}

}  // namespace

std::uint8_t format_of(const Command& command) {
  return std::visit(
      Overloaded{
          [](const OfficeTaken&) { return kEntryFormatFirst; },
          [](const Committed&) { return kEntryFormatFirst; },
          [](const Aborted&) { return kEntryFormatFirst; },
          [](const Forgotten&) { return kEntryFormatFirst; },
          [](const Enrolled& life) { return format_of(kind_of(life.tracks_history)); },
          [](const LandmarkNoted&) { return kEntryFormatRestores; },
          [](const GroupFounded&) { return kEntryFormatGroups; },
          [](const ReplicaAdded&) { return kEntryFormatGroups; },
          [](const ReplicaPromoted&) { return kEntryFormatGroups; },
          [](const ReplicaRemoved&) { return kEntryFormatGroups; },
          [](const ReplicaMoved&) { return kEntryFormatGroups; },
          [](const HeuristicFound&) { return kEntryFormatHistories; },
          [](const HeuristicForgotten&) { return kEntryFormatHistories; },
          [](const HeuristicResolved&) { return kEntryFormatRestores; },
          [](const UntoldForgotten&) { return kEntryFormatWithdrawals; },
          [](const ParticipantDrained&) { return kEntryFormatWithdrawals; },
          [](const ParticipantResumed&) { return kEntryFormatWithdrawals; },
          [](const ParticipantRemoved&) { return kEntryFormatWithdrawals; },
      },
      command);
}

std::string encode(const Entry& entry) {
  Encoder out;
  std::uint8_t format = kEntryFormatFirst;
  for (const Command& command : entry.commands) format = std::max(format, format_of(command));
  out.put_u8(format);
  put_time(out, entry.time);
  out.put_varint(entry.commands.size());
  for (const Command& command : entry.commands) {
    std::visit([&](const auto& one) { put_command(out, one); }, command);
  }
  return out.take();
}

Result<Entry> decode_entry(std::string_view bytes, std::uint8_t known) {
  Reader in(bytes);
  const std::uint8_t format = in.byte();
  if (in.ok() && (format < kEntryFormatFirst || known < format)) {
    return failure(format == 0 ? ErrorCode::kInternal : ErrorCode::kUnsupportedVersion,
                   "log entry has format " + std::to_string(format) +
                       ", this program reads up to " + std::to_string(known) +
                       ": run the version that wrote it, or newer");
  }
  Entry entry;
  entry.time = read_time(in);
  entry.commands = in.list([&] { return read_command(in, format); });
  if (!in.finished()) {
    return failure(ErrorCode::kInternal, "log entry of " + std::to_string(bytes.size()) +
                                             " bytes does not follow its format");
  }
  return entry;
}

}  // namespace assent::state
