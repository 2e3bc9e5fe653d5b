#include "client/cpp/src/convert.h"

#include <utility>

#include "runtime/rpc/errors.h"

namespace assent::client {
namespace {

CommitResult outcome(const std::string& transaction, wire::Outcome::type decided) {
  if (decided == wire::Outcome::COMMITTED) {
    return {.state = CommitState::kCommitted, .transaction = transaction};
  }
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

wire::Isolation::type to_wire(Isolation isolation) {
  switch (isolation) {
    case Isolation::kReadCommitted:
      return wire::Isolation::READ_COMMITTED;
    case Isolation::kRepeatableRead:
      return wire::Isolation::REPEATABLE_READ;
    case Isolation::kSerializable:
      return wire::Isolation::SERIALIZABLE;
  }
  return wire::Isolation::SERIALIZABLE;
}

// nullopt when one of them cannot be read.
std::optional<std::vector<Rows>> rows_of(std::vector<wire::BranchResults>& branches) {
  std::vector<Rows> all;
  for (auto& branch : branches) {
    for (auto& result : branch.results) {
      auto rows = from_wire(std::move(result));
      if (!rows) return std::nullopt;
      all.push_back(std::move(*rows));
    }
  }
  return all;
}

}  // namespace

wire::Statement to_wire(const std::string& sql, const std::vector<Parameter>& parameters,
                        std::optional<std::int64_t> expected_rows, std::int32_t timeout_ms) {
  wire::Statement statement;
  statement.sql = sql;
  statement.parameters.resize(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (const auto& text = parameters[i].text()) statement.parameters[i].__set_text(*text);
  }
  if (expected_rows) statement.__set_expected_rows(*expected_rows);
  statement.__set_timeout_ms(timeout_ms);
  return statement;
}

std::optional<wire::BranchMode> to_wire(const BranchOptions& options) {
  if (!options.isolation && !options.read_only) return std::nullopt;
  wire::BranchMode mode;
  if (options.isolation) mode.__set_isolation(to_wire(*options.isolation));
  if (options.read_only) mode.__set_read_only(*options.read_only);
  return mode;
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

Result<Rows> from_wire(wire::StatementResult result) {
  std::vector<Rows::Column> columns;
  for (auto& column : result.columns) {
    columns.push_back({std::move(column.name), static_cast<std::uint32_t>(column.type_oid)});
  }
  std::vector<std::vector<Rows::Value>> rows;
  rows.reserve(result.rows.size());
  for (auto& row : result.rows) {
    if (row.values.size() != columns.size()) {
      return failure(ErrorCode::kInternal, "the agent sent a row of " +
                                               std::to_string(row.values.size()) + " values for " +
                                               std::to_string(columns.size()) + " columns");
    }
    rows.push_back(values_of(row));
  }
  return Rows(std::move(columns), std::move(rows), result.row_count, std::move(result.command_tag));
}

Error aborted_without_reason() {
  return {ErrorCode::kBranchEnded, "the transaction was aborted"};
}

CommitResult from_wire(const std::string& transaction, wire::CommitReply reply) {
  CommitResult result = outcome(transaction, reply.outcome);
  if (reply.__isset.heuristic) result.heuristic = std::move(reply.heuristic);
  if (!result.committed()) {
    if (reply.__isset.reason) result.reason = rpc::from_wire(reply.reason);
    return result;
  }
  result.pending = std::move(reply.pending);
  result.read_only = std::move(reply.read_only);
  result.one_phase = reply.one_phase;
  result.results_unavailable = reply.results_unavailable;
  if (auto rows = rows_of(reply.results)) {
    result.rows = std::move(*rows);
  } else {
    result.results_unavailable = true;
  }
  return result;
}

CommitResult conclude(const wire::CommitRequest& asked, Result<wire::CommitReply> answer) {
  if (answer) return from_wire(asked.transaction, std::move(*answer));
  const bool nothing_done = asked.first && !retryable(answer.error().code);
  return {.state = nothing_done ? CommitState::kAborted : CommitState::kUnknown,
          .transaction = asked.transaction,
          .reason = std::move(answer.error())};
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
