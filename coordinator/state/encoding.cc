#include "coordinator/state/encoding.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace assent::state {
namespace {

Evidence read_evidence(Reader& in) {
  Evidence evidence;
  evidence.xid = in.varint();
  evidence.system_identifier = in.fixed();
  evidence.timeline = in.number<std::uint32_t>();
  evidence.wal_position = in.varint();
  return evidence;
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

void put_ids(Encoder& out, const std::vector<ReplicaId>& ids) {
  out.put_varint(ids.size());
  for (const ReplicaId id : ids) out.put_varint(id.value);
}

// Ascending, each once.
std::vector<ReplicaId> read_ids(Reader& in) {
  std::vector<ReplicaId> ids = in.list([&] { return read_replica(in); });
  in.require(std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end());
  return ids;
}

}  // namespace

// All of it but the members' order, which their ids give.
struct MembershipEncoding {
  static void put(Encoder& out, const Membership& membership) {
    out.put_varint(membership.from_.value);
    out.put_varint(membership.replicas_.size());
    for (const auto& [id, member] : membership.replicas_) state::put(out, member);
    out.put_varint(membership.before_.from.value);
    put_ids(out, membership.before_.members);
    put_ids(out, membership.before_.learners);
    put_ids(out, {membership.retired_.begin(), membership.retired_.end()});
  }

  static Membership read(Reader& in) {
    Membership out;
    out.from_ = Slot(in.varint());
    for (Member& member : in.list([&] { return read_member(in); })) {
      in.require(out.replicas_.emplace(member.id, member).second);
    }
    out.before_ = {Slot(in.varint()), read_ids(in), read_ids(in)};
    for (const ReplicaId id : read_ids(in)) out.retired_.insert(id);
    in.require(out.empty() == (out.from_ == Slot(0)));
    in.require(out.empty() || !out.electorate().members.empty());
    in.require(out.before_.from == Slot(0) || !out.before_.members.empty());
    return out;
  }
};

struct HeuristicsEncoding {
  static void put(Encoder& out, const Heuristics& heuristics, std::uint8_t format) {
    out.put_varint(heuristics.untold_);
    out.put_varint(heuristics.kept_.size());
    for (const auto& [transaction, one] : heuristics.kept_) {
      state::put(out, transaction);
      out.put_u8(static_cast<std::uint8_t>(one.outcome));
      out.put_varint(one.listed);
      out.put_varint(one.found_in.value);
      put_time(out, one.found_at);
      out.put_varint(one.branches.size());
      for (const HeuristicBranch& branch : one.branches) {
        state::put(out, branch.branch);
        out.put_u8(static_cast<std::uint8_t>(branch.result));
      }
      if (format < kSnapshotFormatRestores) continue;
      out.put_u8(one.resolution ? 1 : 0);
      if (one.resolution) put_resolution(out, *one.resolution);
    }
  }

  static void put_resolution(Encoder& out, const Resolution& resolution) {
    out.put_u8(static_cast<std::uint8_t>(resolution.outcome));
    out.put_string(resolution.operator_name);
    out.put_string(resolution.reason);
    put_time(out, resolution.at);
    out.put_varint(resolution.branches);
  }

  static Resolution read_resolution(Reader& in) {
    Resolution resolution;
    resolution.outcome = read_outcome(in);
    resolution.operator_name = in.text();
    resolution.reason = in.text();
    resolution.at = read_time(in);
    resolution.branches = in.varint();
    return resolution;
  }

  static Heuristics read(Reader& in, std::uint8_t format) {
    Heuristics out;
    out.untold_ = in.varint();
    in.list([&] {
      const TransactionId transaction = read_transaction(in);
      Heuristic one;
      one.outcome = read_outcome(in);
      one.listed = in.varint();
      one.found_in = Slot(in.varint());
      one.found_at = read_time(in);
      one.branches = in.list([&] {
        HeuristicBranch branch;
        branch.branch = read_branch(in);
        branch.result = read_finish_result(in);
        return branch;
      });
      in.require(!one.branches.empty());
      if (format >= kSnapshotFormatRestores && in.flag()) one.resolution = read_resolution(in);
      in.require(!one.resolution || one.resolution->branches <= one.branches.size());
      in.require(out.kept_.emplace(transaction, std::move(one)).second);
      return transaction;
    });
    in.require(out.kept_.size() <= Heuristics::kMax);
    return out;
  }
};

void put_time(Encoder& out, LogTime time) {
  out.put_u64(static_cast<std::uint64_t>(time.value));
}

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

void put(Encoder& out, const Landmark& landmark) {
  out.put_varint(landmark.epoch.value);
  out.put_varint(landmark.wal_position);
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

void put(Encoder& out, const Member& member) {
  out.put_varint(member.id.value);
  out.put_u64(member.disk);
  out.put_u8(member.learner ? 1 : 0);
  out.put_string(member.client_address);
  out.put_string(member.peer_address);
  out.put_string(member.admin_address);
}

void put(Encoder& out, const Membership& membership) {
  MembershipEncoding::put(out, membership);
}

void put(Encoder& out, const Restoration& restoration) {
  out.put_varint(restoration.incarnation.value);
  out.put_u64(restoration.backup);
  out.put_u8(restoration.begun ? 1 : 0);
  out.put_varint(static_cast<std::uint64_t>(restoration.ahead.value));
}

void put(Encoder& out, const Heuristics& heuristics, std::uint8_t format) {
  HeuristicsEncoding::put(out, heuristics, format);
}

void put_record(Encoder& out, const TransactionId& id, const TransactionRecord& record) {
  put(out, id);
  out.put_u8(static_cast<std::uint8_t>(record.outcome));
  out.put_u64(record.request_hash);
  put(out, record.reason);
  put(out, record.branches);
  out.put_varint(record.decided_in.value);
  put_time(out, record.decided_at);
  out.put_varint(record.forgotten_in.value);
}

void put_participant(Encoder& out, const std::string& name, const ParticipantRecord& record,
                     std::uint8_t format) {
  out.put_string(name);
  put(out, record.identity);
  out.put_varint(record.epoch.value);
  out.put_varint(record.proven_epoch.value);
  out.put_string(record.nonce);
  out.put_varint(record.timeline);
  out.put_varint(record.wal_position);
  out.put_string(record.client_address);
  out.put_string(record.peer_address);
  out.put_u8(record.one_phase ? 1 : 0);
  if (format < kSnapshotFormatHistories) return;
  out.put_u8(static_cast<std::uint8_t>(record.tracks_history));
  out.put_varint(record.proven_position);
  out.put_varint(record.broken_below.value);
  if (format < kSnapshotFormatRestores) return;
  out.put_varint(record.quarantined_below.value);
  put(out, record.landmark);
  put(out, record.survived);
  put_time(out, record.broken_at);
  if (format < kSnapshotFormatEveryBreak) return;
  out.put_varint(record.linear_from.value);
  out.put_varint(record.earlier.size());
  for (const Break& one : record.earlier) {
    put(out, one.survived);
    out.put_varint(one.below.value);
  }
}

LogTime read_time(Reader& in) {
  return LogTime(static_cast<std::int64_t>(in.fixed()));
}

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

DatabaseIdentity read_identity(Reader& in) {
  DatabaseIdentity identity;
  identity.system_identifier = in.fixed();
  identity.database_oid = in.varint();
  return identity;
}

Landmark read_landmark(Reader& in) {
  Landmark landmark;
  landmark.epoch = Epoch(in.varint());
  landmark.wal_position = in.varint();
  return landmark;
}

Outcome read_outcome(Reader& in) {
  const auto outcome = static_cast<Outcome>(in.byte());
  in.require(outcome == Outcome::kCommitted || outcome == Outcome::kAborted);
  return outcome;
}

FinishResult read_finish_result(Reader& in) {
  const auto result = static_cast<FinishResult>(in.byte());
  in.require(FinishResult::kDone <= result && result <= FinishResult::kHazard);
  return result;
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

ReplicaId read_replica(Reader& in) {
  const ReplicaId replica(in.number<std::uint32_t>());
  in.require(replica != ReplicaId(0));
  return replica;
}

Member read_member(Reader& in) {
  Member member;
  member.id = read_replica(in);
  member.disk = in.fixed();
  member.learner = in.flag();
  member.client_address = in.text();
  member.peer_address = in.text();
  member.admin_address = in.text();
  return member;
}

std::vector<Member> read_members(Reader& in) {
  std::vector<Member> members = in.list([&] { return read_member(in); });
  std::set<ReplicaId> ids;
  for (const Member& member : members) in.require(ids.insert(member.id).second);
  in.require(!std::all_of(members.begin(), members.end(),
                          [](const Member& member) { return member.learner; }));
  return members;
}

Membership read_membership(Reader& in) {
  return MembershipEncoding::read(in);
}

Restoration read_restoration(Reader& in) {
  Restoration restoration;
  restoration.incarnation = Incarnation(in.varint());
  restoration.backup = in.fixed();
  restoration.begun = in.flag();
  restoration.ahead = Millis(in.number<std::int64_t>());
  in.require(restoration.incarnation != Incarnation(0));
  return restoration;
}

Heuristics read_heuristics(Reader& in, std::uint8_t format) {
  return HeuristicsEncoding::read(in, format);
}

TransactionRecord read_record(Reader& in) {
  TransactionRecord record;
  record.outcome = read_outcome(in);
  record.request_hash = in.fixed();
  record.reason = read_error(in);
  record.branches = read_branches(in);
  record.decided_in = Slot(in.varint());
  record.decided_at = read_time(in);
  record.forgotten_in = Slot(in.varint());
  return record;
}

ParticipantRecord read_participant(Reader& in, std::uint8_t format) {
  ParticipantRecord record;
  record.identity = read_identity(in);
  record.epoch = Epoch(in.varint());
  record.proven_epoch = Epoch(in.varint());
  record.nonce = in.text();
  record.timeline = in.number<std::uint32_t>();
  record.wal_position = in.varint();
  record.client_address = in.text();
  record.peer_address = in.text();
  record.one_phase = in.flag();
  if (format < kSnapshotFormatHistories) return record;
  record.tracks_history = static_cast<Tracking>(in.byte());
  in.require(record.tracks_history <=
             (format < kSnapshotFormatEveryBreak ? Tracking::kLandmarks : Tracking::kEveryBreak));
  record.proven_position = in.varint();
  record.broken_below = Epoch(in.varint());
  if (format < kSnapshotFormatRestores) return record;
  record.quarantined_below = Epoch(in.varint());
  record.landmark = read_landmark(in);
  record.survived = read_landmark(in);
  record.broken_at = read_time(in);
  if (format < kSnapshotFormatEveryBreak) return record;
  record.linear_from = Epoch(in.varint());
  record.earlier = in.list([&] {
    const Landmark survived = read_landmark(in);
    return Break{survived, Epoch(in.varint())};
  });
  in.require(record.earlier.size() < ParticipantRecord::kBreaksMax);
  return record;
}

}  // namespace assent::state
