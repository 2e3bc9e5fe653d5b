#include "coordinator/state/command.h"

#include <utility>

#include "base/codec.h"
#include "coordinator/state/encoding.h"

// The grammar stands in docs/log-format.md. Numbers of kinds are never reused.

namespace assent::state {
namespace {

enum class Kind : std::uint8_t {
  kOfficeTaken = 1,
  kCommitted = 2,
  kAborted = 3,
  kForgotten = 4,
  kEnrolled = 5,
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

void put_command(Encoder& out, const Enrolled& command) {
  put_kind(out, Kind::kEnrolled);
  out.put_string(command.participant);
  out.put_string(command.nonce);
  out.put_varint(command.stored_epoch.value);
  put(out, command.identity);
  out.put_varint(command.timeline);
  out.put_varint(command.wal_position);
  out.put_string(command.client_address);
  out.put_string(command.peer_address);
  out.put_u8(command.one_phase ? 1 : 0);
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

Enrolled read_enrolled(Reader& in) {
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
  return command;
}

Command read_command(Reader& in) {
  switch (static_cast<Kind>(in.byte())) {
    case Kind::kOfficeTaken:
      return OfficeTaken{read_ballot(in)};
    case Kind::kCommitted:
      return read_committed(in);
    case Kind::kAborted:
      return read_aborted(in);
    case Kind::kForgotten:
      return read_forgotten(in);
    case Kind::kEnrolled:
      return read_enrolled(in);
  }
  in.require(false);
  return {};
}

}  // namespace

std::string encode(const Entry& entry) {
  Encoder out;
  out.put_u8(kEntryFormat);
  put_time(out, entry.time);
  out.put_varint(entry.commands.size());
  for (const Command& command : entry.commands) {
    std::visit([&](const auto& one) { put_command(out, one); }, command);
  }
  return out.take();
}

Result<Entry> decode_entry(std::string_view bytes) {
  Reader in(bytes);
  const std::uint8_t format = in.byte();
  if (in.ok() && format != kEntryFormat) {
    return failure(ErrorCode::kInternal,
                   "log entry has format " + std::to_string(format) + ", this program reads " +
                       std::to_string(kEntryFormat) + ": run the version that wrote it, or newer");
  }
  Entry entry;
  entry.time = read_time(in);
  entry.commands = in.list([&] { return read_command(in); });
  if (!in.finished()) {
    return failure(ErrorCode::kInternal, "log entry of " + std::to_string(bytes.size()) +
                                             " bytes does not follow its format");
  }
  return entry;
}

}  // namespace assent::state
