#include "coordinator/state/command.h"

#include <limits>
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

void put_time(Encoder& out, LogTime time) {
  out.put_u64(static_cast<std::uint64_t>(time.value));
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

// Takes values off the front of a Decoder. A value that is not there, or is out of its range,
// spoils the whole entry: `ok()` is false from then on.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : in_(bytes) {}

  [[nodiscard]] bool ok() const { return in_range_ && in_.ok(); }
  [[nodiscard]] bool finished() const { return in_range_ && in_.finished(); }

  std::uint8_t byte() { return in_.get_u8(); }
  bool flag() {
    const std::uint8_t value = in_.get_u8();
    require(value <= 1);
    return value == 1;
  }
  std::uint64_t fixed() { return in_.get_u64(); }
  std::uint64_t varint() { return in_.get_varint(); }
  std::string text() { return std::string(in_.get_string()); }

  // A varint that must fit into Int.
  template <class Int>
  Int number() {
    const std::uint64_t value = in_.get_varint();
    require(value <= static_cast<std::uint64_t>(std::numeric_limits<Int>::max()));
    return static_cast<Int>(value);
  }

  // A count, then that many values. Every value takes at least one byte, so a count above the bytes
  // that are left is a lie; it is refused before anything is allocated for it.
  template <class ReadOne>
  auto list(ReadOne read_one) {
    std::vector<decltype(read_one())> values;
    const std::uint64_t count = in_.get_varint();
    require(count <= in_.remaining());
    for (std::uint64_t i = 0; i < count && ok(); ++i) values.push_back(read_one());
    return values;
  }

  void require(bool condition) { in_range_ = in_range_ && condition; }

 private:
  Decoder in_;
  bool in_range_ = true;
};

TransactionId read_transaction(Reader& in) {
  TransactionId id;
  id.high = in.fixed();
  id.low = in.fixed();
  id.creator = in.fixed();
  return id;
}

Ballot read_ballot(Reader& in) {
  Ballot ballot;
  ballot.incarnation = Incarnation(in.varint());
  ballot.round = Round(in.varint());
  ballot.replica = ReplicaId(in.number<std::uint32_t>());
  return ballot;
}

Evidence read_evidence(Reader& in) {
  Evidence evidence;
  evidence.xid = in.varint();
  evidence.system_identifier = in.fixed();
  evidence.timeline = in.number<std::uint32_t>();
  evidence.wal_position = in.varint();
  return evidence;
}

DecidedBranch read_branch(Reader& in) {
  DecidedBranch branch;
  branch.participant = in.text();
  branch.epoch = Epoch(in.varint());
  branch.attempt = Attempt(in.varint());
  branch.evidence = read_evidence(in);
  return branch;
}

std::vector<DecidedBranch> read_branches(Reader& in) {
  return in.list([&] { return read_branch(in); });
}

SqlError read_sql_error(Reader& in) {
  SqlError sql;
  sql.sqlstate = in.text();
  sql.message = in.text();
  sql.detail = in.text();
  sql.hint = in.text();
  sql.constraint_name = in.text();
  sql.statement_number = static_cast<int>(in.number<std::uint32_t>());
  sql.position = static_cast<int>(in.number<std::uint32_t>());
  return sql;
}

Error read_error(Reader& in) {
  Error error;
  // Any number is let through: a reason is only told, and one that an agent made up, or that a
  // later version knows, must not make the log unreadable.
  error.code = static_cast<ErrorCode>(in.byte());
  error.message = in.text();
  error.participant = in.text();
  if (in.flag()) error.sql = read_sql_error(in);
  error.leader = in.text();
  return error;
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
  command.identity.system_identifier = in.fixed();
  command.identity.database_oid = in.varint();
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

void put(Encoder& out, const TransactionId& id) {
  out.put_u64(id.high);
  out.put_u64(id.low);
  out.put_u64(id.creator);
}

void put(Encoder& out, const Ballot& ballot) {
  out.put_varint(ballot.incarnation.value);
  out.put_varint(ballot.round.value);
  out.put_varint(ballot.replica.value);
}

void put(Encoder& out, const DatabaseIdentity& identity) {
  out.put_u64(identity.system_identifier);
  out.put_varint(identity.database_oid);
}

void put(Encoder& out, const DecidedBranch& branch) {
  out.put_string(branch.participant);
  out.put_varint(branch.epoch.value);
  out.put_varint(branch.attempt.value);
  out.put_varint(branch.evidence.xid);
  out.put_u64(branch.evidence.system_identifier);
  out.put_varint(branch.evidence.timeline);
  out.put_varint(branch.evidence.wal_position);
}

void put(Encoder& out, const std::vector<DecidedBranch>& branches) {
  out.put_varint(branches.size());
  for (const DecidedBranch& branch : branches) put(out, branch);
}

void put(Encoder& out, const Error& error) {
  out.put_u8(static_cast<std::uint8_t>(error.code));
  out.put_string(error.message);
  out.put_string(error.participant);
  out.put_u8(error.sql ? 1 : 0);
  if (error.sql) {
    out.put_string(error.sql->sqlstate);
    out.put_string(error.sql->message);
    out.put_string(error.sql->detail);
    out.put_string(error.sql->hint);
    out.put_string(error.sql->constraint_name);
    out.put_varint(static_cast<std::uint32_t>(error.sql->statement_number));
    out.put_varint(static_cast<std::uint32_t>(error.sql->position));
  }
  out.put_string(error.leader);
}

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
  entry.time = LogTime(static_cast<std::int64_t>(in.fixed()));
  entry.commands = in.list([&] { return read_command(in); });
  if (!in.finished()) {
    return failure(ErrorCode::kInternal, "log entry of " + std::to_string(bytes.size()) +
                                             " bytes does not follow its format");
  }
  return entry;
}

}  // namespace assent::state
