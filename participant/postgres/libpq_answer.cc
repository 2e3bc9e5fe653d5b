#include "participant/postgres/libpq_answer.h"

#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace assent::postgres {
namespace {

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string() : std::string(text);
}

// 0 for none.
template <class T>
T number(std::string_view text) {
  T value{};
  if (text.empty()) return value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  CHECK(error == std::errc() && end == text.data() + text.size(),
        "libpq hands numbers over as digits: " + std::string(text));
  return value;
}

AnswerStatus status_of(const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
      return AnswerStatus::kOk;
    case PGRES_PIPELINE_ABORTED:
      return AnswerStatus::kSkipped;
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
      return AnswerStatus::kFailed;
  }
  return AnswerStatus::kFailed;
}

Value value_at(const PGresult* result, int row, int column) {
  if (PQgetisnull(result, row, column) != 0) return std::nullopt;
  return std::string(PQgetvalue(result, row, column),
                     static_cast<std::size_t>(PQgetlength(result, row, column)));
}

StatementResult result_of(const PGresult* result) {
  const int columns = PQnfields(result);
  StatementResult out;
  for (int column = 0; column < columns; ++column) {
    out.columns.push_back({PQfname(result, column), PQftype(result, column)});
  }
  out.rows.resize(static_cast<std::size_t>(PQntuples(result)));
  for (std::size_t row = 0; row < out.rows.size(); ++row) {
    out.rows[row].reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      out.rows[row].push_back(value_at(result, static_cast<int>(row), column));
    }
  }
  // PQcmdTuples and PQcmdStatus take what they do not change for not const.
  auto* unchanged = const_cast<PGresult*>(result);
  out.row_count = number<std::int64_t>(PQcmdTuples(unchanged));
  out.command_tag = PQcmdStatus(unchanged);
  return out;
}

SqlError error_of(const PGresult* result) {
  return {field(result, PG_DIAG_SQLSTATE),
          field(result, PG_DIAG_MESSAGE_PRIMARY),
          field(result, PG_DIAG_MESSAGE_DETAIL),
          field(result, PG_DIAG_MESSAGE_HINT),
          field(result, PG_DIAG_CONSTRAINT_NAME),
          0,
          number<int>(field(result, PG_DIAG_STATEMENT_POSITION))};
}

SqlError refused_copy() {
  SqlError sql;
  sql.sqlstate = "0A000";
  sql.message = "COPY to or from the client is not supported in a branch";
  sql.hint = "Use INSERT and SELECT.";
  return sql;
}

}  // namespace

Answer to_answer(const PGresult* result, std::vector<std::string> warnings, bool copied) {
  Answer out;
  out.status = copied ? AnswerStatus::kFailed : status_of(result);
  if (out.ok()) {
    out.result = result_of(result);
  } else {
    out.sql = copied ? refused_copy() : error_of(result);
  }
  out.warnings = std::move(warnings);
  out.was_copy = copied;
  return out;
}

}  // namespace assent::postgres
