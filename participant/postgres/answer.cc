#include "participant/postgres/answer.h"

#include <charconv>
#include <utility>

#include "base/check.h"

namespace assent::postgres {
namespace {

template <class T>
T parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  CHECK(error == std::errc() && end == text.data() + text.size(),
        "our own queries return the numbers that they name: " + std::string(text));
  return value;
}

}  // namespace

const StatementResult& to_result(const Answer& answer) {
  CHECK(answer.ok(), "only a success has a result");
  return answer.result;
}

StatementResult take_result(Answer& answer) {
  CHECK(answer.ok(), "only a success has a result");
  return std::move(answer.result);
}

Error to_error(const Answer& answer, int statement_number) {
  CHECK(!answer.ok(), "only a failure has an error");
  SqlError sql = answer.sql;
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
