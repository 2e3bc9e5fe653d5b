#include "runtime/rpc/errors.h"

#include <utility>

namespace assent::rpc {
namespace {

wire::SqlError to_wire(const SqlError& error) {
  wire::SqlError out;
  out.__set_sqlstate(error.sqlstate);
  out.__set_message(error.message);
  out.__set_statement_number(error.statement_number);
  if (!error.detail.empty()) out.__set_detail(error.detail);
  if (!error.hint.empty()) out.__set_hint(error.hint);
  if (!error.constraint_name.empty()) out.__set_constraint_name(error.constraint_name);
  if (error.position != 0) out.__set_position(error.position);
  return out;
}

// Absent optional fields are empty or zero in both worlds.
SqlError from_wire(const wire::SqlError& error) {
  return SqlError{.sqlstate = error.sqlstate,
                  .message = error.message,
                  .detail = error.detail,
                  .hint = error.hint,
                  .constraint_name = error.constraint_name,
                  .statement_number = error.statement_number,
                  .position = error.position};
}

// A code of a newer peer is a fault that we cannot name.
ErrorCode from_wire(wire::ErrorCode::type code) {
  const bool known =
      code >= wire::ErrorCode::INVALID_ARGUMENT && code <= wire::ErrorCode::ROW_COUNT;
  return known ? static_cast<ErrorCode>(code) : ErrorCode::kInternal;
}

}  // namespace

wire::AssentError to_wire(const Error& error) {
  wire::AssentError out;
  out.__set_code(static_cast<wire::ErrorCode::type>(error.code));
  out.__set_message(error.message);
  out.__set_retryable(retryable(error));
  if (!error.participant.empty()) out.__set_participant(error.participant);
  if (!error.leader.empty()) out.__set_leader(error.leader);
  if (error.office != 0) out.__set_office(static_cast<std::int64_t>(error.office));
  if (error.sql) out.__set_sql(to_wire(*error.sql));
  return out;
}

Error from_wire(const wire::AssentError& error) {
  Error out{from_wire(error.code), error.message, error.participant};
  out.leader = error.leader;
  if (error.office > 0) out.office = static_cast<std::uint64_t>(error.office);
  if (out.code == ErrorCode::kSql) out.sql = from_wire(error.sql);
  return out;
}

}  // namespace assent::rpc
