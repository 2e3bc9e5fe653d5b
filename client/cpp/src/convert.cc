#include "client/cpp/src/convert.h"

#include <utility>

#include "runtime/rpc/errors.h"

namespace assent::client {
namespace {

CommitResult outcome(const std::string& transaction, wire::Outcome::type decided) {
  if (decided == wire::Outcome::COMMITTED) return {CommitState::kCommitted, transaction};
  return {.state = CommitState::kAborted,
          .transaction = transaction,
          .reason = aborted_without_reason()};
}

std::vector<Rows::Value> values_of(wire::Row& row) {
  std::vector<Rows::Value> values;
  values.reserve(row.values.size());
  for (auto& value : row.values) {
    values.push_back(value.__isset.text ? Rows::Value(std::move(value.text)) : std::nullopt);
  }
  return values;
}

}  // namespace

std::vector<wire::Value> to_wire(const std::vector<Parameter>& parameters) {
  std::vector<wire::Value> values(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (const auto& text = parameters[i].text()) values[i].__set_text(*text);
  }
  return values;
}

wire::Acknowledge::type to_wire(Acknowledge acknowledge) {
  switch (acknowledge) {
    case Acknowledge::kApplied:
      return wire::Acknowledge::APPLIED;
    case Acknowledge::kDecided:
      return wire::Acknowledge::DECIDED;
  }
  return wire::Acknowledge::APPLIED;
}

Result<Rows> from_wire(wire::ExecuteReply reply) {
  std::vector<Rows::Column> columns;
  for (auto& column : reply.columns) {
    columns.push_back({std::move(column.name), static_cast<std::uint32_t>(column.type_oid)});
  }
  std::vector<std::vector<Rows::Value>> rows;
  rows.reserve(reply.rows.size());
  for (auto& row : reply.rows) {
    if (row.values.size() != columns.size()) {
      return failure(ErrorCode::kInternal, "the agent sent a row of " +
                                               std::to_string(row.values.size()) + " values for " +
                                               std::to_string(columns.size()) + " columns");
    }
    rows.push_back(values_of(row));
  }
  return Rows(std::move(columns), std::move(rows), reply.row_count, std::move(reply.command_tag));
}

Error aborted_without_reason() {
  return {ErrorCode::kBranchEnded, "the transaction was aborted"};
}

CommitResult from_wire(const std::string& transaction, const wire::CommitReply& reply) {
  CommitResult result = outcome(transaction, reply.outcome);
  result.pending = reply.pending;
  if (reply.__isset.heuristic) result.heuristic = reply.heuristic;
  if (reply.__isset.reason) result.reason = rpc::from_wire(reply.reason);
  return result;
}

CommitResult from_wire(const std::string& transaction, const wire::AbortReply& reply) {
  return outcome(transaction, reply.outcome);
}

CommitResult from_wire(const std::string& transaction, const wire::StatusReply& reply) {
  switch (reply.state) {
    case wire::TransactionState::COMMITTED: {
      CommitResult result = outcome(transaction, wire::Outcome::COMMITTED);
      result.pending = reply.pending;
      return result;
    }
    case wire::TransactionState::ABORTED:
      return outcome(transaction, wire::Outcome::ABORTED);
    case wire::TransactionState::UNDECIDED:
      break;
  }
  return {.transaction = transaction,
          .reason = Error{ErrorCode::kOutcomeUnknown,
                          "the transaction is neither committed nor aborted; it may still become "
                          "either"}};
}

}  // namespace assent::client
