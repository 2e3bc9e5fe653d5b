#include "runtime/rpc/ids.h"

namespace assent::rpc {

wire::Ballot to_wire(const Ballot& ballot) {
  wire::Ballot out;
  out.incarnation = static_cast<std::int64_t>(ballot.incarnation.value);
  out.round = static_cast<std::int64_t>(ballot.round.value);
  out.replica = static_cast<std::int32_t>(ballot.replica.value);
  return out;
}

wire::BranchId to_wire(const BranchId& branch) {
  wire::BranchId out;
  out.transaction = to_string(branch.transaction);
  out.participant = branch.participant;
  out.epoch = static_cast<std::int64_t>(branch.epoch.value);
  out.attempt = static_cast<std::int64_t>(branch.attempt.value);
  return out;
}

wire::Evidence to_wire(const Evidence& evidence) {
  wire::Evidence out;
  out.xid = static_cast<std::int64_t>(evidence.xid);
  out.system_identifier = static_cast<std::int64_t>(evidence.system_identifier);
  out.timeline = static_cast<std::int32_t>(evidence.timeline);
  out.wal_position = static_cast<std::int64_t>(evidence.wal_position);
  return out;
}

wire::Outcome::type to_wire(Outcome outcome) {
  return outcome == Outcome::kCommitted ? wire::Outcome::COMMITTED : wire::Outcome::ABORTED;
}

Result<std::uint64_t> positive_from_wire(std::int64_t number, const char* what) {
  if (number >= 1) return static_cast<std::uint64_t>(number);
  return failure(ErrorCode::kInvalidArgument,
                 std::string(what) + " is " + std::to_string(number) + ", but counts from 1");
}

Result<Ballot> from_wire(const wire::Ballot& ballot) {
  const auto incarnation = positive_from_wire(ballot.incarnation, "ballot.incarnation");
  if (!incarnation) return tl::unexpected(incarnation.error());
  const auto round = positive_from_wire(ballot.round, "ballot.round");
  if (!round) return tl::unexpected(round.error());
  const auto replica = positive_from_wire(ballot.replica, "ballot.replica");
  if (!replica) return tl::unexpected(replica.error());
  return Ballot{Incarnation(*incarnation), Round(*round),
                ReplicaId(static_cast<std::uint32_t>(*replica))};
}

Result<TransactionId> transaction_from_wire(const std::string& text) {
  if (const auto id = parse_transaction_id(text)) return *id;
  return failure(ErrorCode::kInvalidArgument,
                 "transaction is not an id: expected a lower-case UUIDv7, '-' and 16 hex digits "
                 "(53 characters), got " +
                     std::to_string(text.size()) + " bytes");
}

Result<std::string> participant_from_wire(const std::string& name) {
  if (valid_participant_name(name)) return name;
  return failure(ErrorCode::kInvalidArgument,
                 "participant is not a name: expected 1 to 63 of [a-z0-9_-]");
}

Result<BranchId> from_wire(const wire::BranchId& branch) {
  auto transaction = transaction_from_wire(branch.transaction);
  if (!transaction) return tl::unexpected(transaction.error());
  auto participant = participant_from_wire(branch.participant);
  if (!participant) return tl::unexpected(participant.error());
  const auto epoch = positive_from_wire(branch.epoch, "branch.epoch");
  if (!epoch) return tl::unexpected(epoch.error());
  const auto attempt = positive_from_wire(branch.attempt, "branch.attempt");
  if (!attempt) return tl::unexpected(attempt.error());
  return BranchId{*transaction, std::move(*participant), Epoch(*epoch), Attempt(*attempt)};
}

Evidence from_wire(const wire::Evidence& evidence) {
  return Evidence{static_cast<std::uint64_t>(evidence.xid),
                  static_cast<std::uint64_t>(evidence.system_identifier),
                  static_cast<std::uint32_t>(evidence.timeline),
                  static_cast<std::uint64_t>(evidence.wal_position)};
}

Result<Outcome> from_wire(wire::Outcome::type outcome) {
  if (outcome == wire::Outcome::COMMITTED) return Outcome::kCommitted;
  if (outcome == wire::Outcome::ABORTED) return Outcome::kAborted;
  return failure(ErrorCode::kInvalidArgument, "outcome is neither COMMITTED nor ABORTED");
}

wire::FinishResult::type to_wire(FinishResult result) {
  switch (result) {
    case FinishResult::kDone:
      return wire::FinishResult::DONE;
    case FinishResult::kHeuristicCommit:
      return wire::FinishResult::HEURISTIC_COMMIT;
    case FinishResult::kHeuristicRollback:
      return wire::FinishResult::HEURISTIC_ROLLBACK;
    case FinishResult::kHazard:
      return wire::FinishResult::HAZARD;
  }
  return wire::FinishResult::HAZARD;
}

FinishResult from_wire(wire::FinishResult::type result) {
  switch (result) {
    case wire::FinishResult::DONE:
      return FinishResult::kDone;
    case wire::FinishResult::HEURISTIC_COMMIT:
      return FinishResult::kHeuristicCommit;
    case wire::FinishResult::HEURISTIC_ROLLBACK:
      return FinishResult::kHeuristicRollback;
    case wire::FinishResult::HAZARD:
      return FinishResult::kHazard;
  }
  return FinishResult::kHazard;
}

}  // namespace assent::rpc
