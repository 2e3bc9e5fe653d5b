#include "participant/postgres/answer.h"

#include <charconv>

#include "base/check.h"

namespace assent::postgres {
namespace {

std::string field(const Answer& answer, int code) {
  const char* text = PQresultErrorField(answer.result.get(), code);
  return text == nullptr ? std::string() : std::string(text);
}

template <class T>
T parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  CHECK(error == std::errc() && end == text.data() + text.size(),
        "our own queries return the numbers that they name: " + std::string(text));
  return value;
}

int to_position(const std::string& text) {
  return text.empty() ? 0 : parse_number<int>(text);
}

// Rows affected or returned; 0 for commands whose tag names none.
std::int64_t row_count(PGresult* result) {
  const std::string_view text = PQcmdTuples(result);
  return text.empty() ? 0 : parse_number<std::int64_t>(text);
}

Value value_at(const PGresult* result, int row, int column) {
  if (PQgetisnull(result, row, column) != 0) return std::nullopt;
  return std::string(PQgetvalue(result, row, column),
                     static_cast<std::size_t>(PQgetlength(result, row, column)));
}

}  // namespace

bool Answer::ok() const {
  const ExecStatusType status = PQresultStatus(result.get());
  return !was_copy &&
         (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY);
}

bool Answer::skipped() const {
  return PQresultStatus(result.get()) == PGRES_PIPELINE_ABORTED;
}

std::string_view Answer::tag() const {
  return PQcmdStatus(result.get());
}

std::string_view Answer::sqlstate() const {
  const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  return state == nullptr ? std::string_view() : std::string_view(state);
}

StatementResult to_result(const Answer& answer) {
  CHECK(answer.ok(), "only a success has a result");
  PGresult* result = answer.result.get();
  const int columns = PQnfields(result);
  const int rows = PQntuples(result);
  StatementResult out;
  for (int column = 0; column < columns; ++column) {
    out.columns.push_back({PQfname(result, column), PQftype(result, column)});
  }
  out.rows.resize(static_cast<std::size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    std::vector<Value>& values = out.rows[static_cast<std::size_t>(row)];
    values.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      values.push_back(value_at(result, row, column));
    }
  }
  out.row_count = row_count(result);
  out.command_tag = answer.tag();
  return out;
}

Error to_error(const Answer& answer, int statement_number) {
  SqlError sql;
  if (answer.was_copy) {
    sql.sqlstate = "0A000";
    sql.message = "COPY to or from the client is not supported in a branch";
    sql.hint = "Use INSERT and SELECT.";
  } else {
    sql = {field(answer, PG_DIAG_SQLSTATE),
           field(answer, PG_DIAG_MESSAGE_PRIMARY),
           field(answer, PG_DIAG_MESSAGE_DETAIL),
           field(answer, PG_DIAG_MESSAGE_HINT),
           field(answer, PG_DIAG_CONSTRAINT_NAME),
           0,
           to_position(field(answer, PG_DIAG_STATEMENT_POSITION))};
  }
  sql.statement_number = statement_number;
  return Error{ErrorCode::kSql, sql.sqlstate + ": " + sql.message, {}, sql};
}

const Answer* first_failed(const Answers& answers) {
  for (const Answer& answer : answers) {
    if (!answer.ok()) return &answer;
  }
  return nullptr;
}

std::uint64_t to_u64(const Value& text) {
  CHECK(text.has_value(), "our own queries return no NULL where a number is read");
  return parse_number<std::uint64_t>(*text);
}

std::uint64_t to_bits(const Value& text) {
  CHECK(text.has_value(), "our own queries return no NULL where a number is read");
  return static_cast<std::uint64_t>(parse_number<std::int64_t>(*text));
}

std::uint64_t parse_lsn(std::string_view text) {
  const std::size_t slash = text.find('/');
  CHECK(slash != std::string_view::npos, "a pg_lsn is two hexadecimal numbers and a slash");
  return (parse_number<std::uint64_t>(text.substr(0, slash), 16) << 32) |
         parse_number<std::uint64_t>(text.substr(slash + 1), 16);
}

std::uint32_t timeline_of_wal_file(std::string_view name) {
  return parse_number<std::uint32_t>(name.substr(0, 8), 16);
}

std::uint64_t extend_xid(std::uint32_t xid, std::uint64_t near) {
  const auto distance = static_cast<std::int32_t>(xid - static_cast<std::uint32_t>(near));
  return near + static_cast<std::uint64_t>(std::int64_t{distance});
}

}  // namespace assent::postgres
