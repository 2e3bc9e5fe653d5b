#include "runtime/rpc/statements.h"

#include <algorithm>
#include <utility>

namespace assent::rpc {
namespace {

constexpr std::size_t kParametersMax = 65'535;  // of PostgreSQL's protocol

wire::Value to_wire(const Value& value) {
  wire::Value out;
  if (value) out.__set_text(*value);
  return out;
}

Value from_wire(const wire::Value& value) {
  return value.__isset.text ? Value(value.text) : std::nullopt;
}

bool has_zero_byte(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

}  // namespace

// ── to the wire ─────────────────────────────────────────────────────────────────────────────────

wire::Statement to_wire(const Statement& statement) {
  wire::Statement out;
  out.sql = statement.sql;
  out.parameters.reserve(statement.parameters.size());
  for (const Value& value : statement.parameters) out.parameters.push_back(to_wire(value));
  if (statement.timeout != Millis(0)) {
    out.__set_timeout_ms(static_cast<std::int32_t>(statement.timeout.value));
  }
  if (statement.expected_rows) out.__set_expected_rows(*statement.expected_rows);
  return out;
}

wire::StatementResult to_wire(const StatementResult& result) {
  wire::StatementResult out;
  out.columns.reserve(result.columns.size());
  for (const Column& column : result.columns) {
    wire::Column& named = out.columns.emplace_back();
    named.name = column.name;
    named.type_oid = static_cast<std::int32_t>(column.type_oid);
  }
  out.rows.reserve(result.rows.size());
  for (const auto& row : result.rows) {
    auto& values = out.rows.emplace_back().values;
    values.reserve(row.size());
    for (const Value& value : row) values.push_back(to_wire(value));
  }
  out.row_count = result.row_count;
  out.command_tag = result.command_tag;
  return out;
}

wire::BranchMode to_wire(const BranchMode& mode) {
  wire::BranchMode out;
  if (mode.isolation) out.__set_isolation(static_cast<wire::Isolation::type>(*mode.isolation));
  if (mode.read_only) out.__set_read_only(*mode.read_only);
  return out;
}

wire::OneShot to_wire(const OneShotBranch& one_shot) {
  wire::OneShot out;
  for (const Statement& statement : one_shot.statements) {
    out.statements.push_back(to_wire(statement));
  }
  if (one_shot.mode != BranchMode{}) out.__set_mode(to_wire(one_shot.mode));
  return out;
}

std::vector<wire::StatementResult> to_wire(const std::vector<StatementResult>& results) {
  std::vector<wire::StatementResult> out;
  out.reserve(results.size());
  for (const StatementResult& result : results) out.push_back(to_wire(result));
  return out;
}

// ── from the wire ───────────────────────────────────────────────────────────────────────────────

Result<Statement> from_wire(const wire::Statement& statement) {
  if (statement.parameters.size() > kParametersMax) {
    return failure(ErrorCode::kInvalidArgument, "a statement takes at most 65535 parameters");
  }
  // libpq takes zero-terminated strings: a zero byte would silently cut the rest off.
  if (has_zero_byte(statement.sql)) {
    return failure(ErrorCode::kInvalidArgument, "sql holds a zero byte");
  }
  if (statement.__isset.expected_rows && statement.expected_rows < 0) {
    return failure(ErrorCode::kInvalidArgument, "expected_rows is negative");
  }
  Statement out;
  out.sql = statement.sql;
  out.timeout = Millis(statement.__isset.timeout_ms ? std::max(statement.timeout_ms, 0) : 0);
  if (statement.__isset.expected_rows) out.expected_rows = statement.expected_rows;
  out.parameters.reserve(statement.parameters.size());
  for (const wire::Value& value : statement.parameters) {
    if (value.__isset.text && has_zero_byte(value.text)) {
      return failure(ErrorCode::kInvalidArgument,
                     "a parameter holds a zero byte, which no PostgreSQL text value can; send "
                     "binary data as bytea in its \\x form");
    }
    out.parameters.push_back(from_wire(value));
  }
  return out;
}

Result<BranchMode> from_wire(const wire::BranchMode& mode) {
  BranchMode out;
  if (mode.__isset.isolation) {
    if (mode.isolation < wire::Isolation::READ_COMMITTED ||
        mode.isolation > wire::Isolation::SERIALIZABLE) {
      return failure(ErrorCode::kInvalidArgument, "mode.isolation is none that is known");
    }
    out.isolation = static_cast<IsolationLevel>(mode.isolation);
  }
  if (mode.__isset.read_only) out.read_only = mode.read_only;
  return out;
}

Result<OneShotBranch> from_wire(const wire::OneShot& one_shot) {
  if (one_shot.statements.size() > kOneShotStatementsMax) {
    return failure(ErrorCode::kInvalidArgument,
                   "one_shot.statements are " + std::to_string(one_shot.statements.size()) +
                       ", but at most " + std::to_string(kOneShotStatementsMax) + " may be");
  }
  auto mode = from_wire(one_shot.mode);
  if (!mode) return tl::unexpected(mode.error());
  OneShotBranch out;
  out.mode = *mode;
  out.statements.reserve(one_shot.statements.size());
  for (const wire::Statement& statement : one_shot.statements) {
    auto taken = from_wire(statement);
    if (!taken) return tl::unexpected(taken.error());
    out.statements.push_back(std::move(*taken));
  }
  return out;
}

StatementResult from_wire(const wire::StatementResult& result) {
  StatementResult out;
  for (const wire::Column& column : result.columns) {
    out.columns.push_back({column.name, static_cast<std::uint32_t>(column.type_oid)});
  }
  out.rows.reserve(result.rows.size());
  for (const wire::Row& row : result.rows) {
    auto& values = out.rows.emplace_back();
    values.reserve(row.values.size());
    for (const wire::Value& value : row.values) values.push_back(from_wire(value));
  }
  out.row_count = result.row_count;
  out.command_tag = result.command_tag;
  return out;
}

StatementResults from_wire(const std::vector<wire::StatementResult>& results) {
  auto out = std::make_shared<std::vector<StatementResult>>();
  out->reserve(results.size());
  for (const wire::StatementResult& result : results) out->push_back(from_wire(result));
  return out;
}

}  // namespace assent::rpc
