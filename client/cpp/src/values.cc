#include <array>
#include <charconv>
#include <cmath>

#include "assent/client.h"
#include "base/check.h"

namespace assent {
namespace {

// PostgreSQL refuses "-nan" and "inf" of older servers' kind; its own spellings always work.
std::string float8_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  CHECK(end.ec == std::errc(), "the shortest form of a double has at most 24 characters");
  return {digits.data(), end.ptr};
}

// Reads all of `text` as a number, or nothing.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "t") return true;
  if (text == "f") return false;
  return std::nullopt;
}

tl::unexpected<Error> wrong_type(std::string_view column, std::string_view text,
                                 std::string_view type) {
  return failure(ErrorCode::kInvalidArgument, "column \"" + std::string(column) + "\" holds \"" +
                                                  std::string(text.substr(0, 64)) +
                                                  "\", which is not " + std::string(type));
}

template <class T>
Result<T> typed(const Result<std::string_view>& text, std::optional<T> (*parse)(std::string_view),
                std::string_view column, std::string_view type) {
  if (!text) return tl::unexpected(text.error());
  if (const auto value = parse(*text)) return *value;
  return wrong_type(column, *text, type);
}

}  // namespace

Parameter::Parameter(double value) : text_(float8_text(value)) {}

Rows::Rows(std::vector<Column> columns, std::vector<std::vector<Value>> values,
           std::int64_t row_count, std::string command_tag)
    : columns_(std::move(columns)),
      values_(std::move(values)),
      row_count_(row_count),
      command_tag_(std::move(command_tag)) {
  for (const auto& row : values_) {
    CHECK_EQ(row.size(), columns_.size(), "a row has a value for each column");
  }
}

const Rows::Value& Rows::text(std::size_t row, std::size_t column) const {
  CHECK_LT(row, values_.size(), "the row exists");
  CHECK_LT(column, columns_.size(), "the column exists");
  return values_[row][column];
}

Result<const Rows::Value*> Rows::find(std::size_t row, std::string_view column) const {
  if (row >= values_.size()) {
    return failure(ErrorCode::kInvalidArgument, "there is no row " + std::to_string(row) + ": " +
                                                    std::to_string(values_.size()) +
                                                    " rows, counted from 0");
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == column) return &values_[row][i];
  }
  return failure(ErrorCode::kInvalidArgument,
                 "there is no column \"" + std::string(column) + "\" in the result");
}

Result<std::string_view> Rows::present(std::size_t row, std::string_view column) const {
  const auto value = find(row, column);
  if (!value) return tl::unexpected(value.error());
  if (!**value) {
    return failure(ErrorCode::kInvalidArgument,
                   "column \"" + std::string(column) + "\" is NULL in row " + std::to_string(row));
  }
  return std::string_view(***value);
}

Result<std::int64_t> Rows::integer(std::size_t row, std::string_view column) const {
  return typed(present(row, column), parse_number<std::int64_t>, column, "a 64-bit integer");
}

Result<double> Rows::number(std::size_t row, std::string_view column) const {
  return typed(present(row, column), parse_number<double>, column, "a number");
}

Result<bool> Rows::boolean(std::size_t row, std::string_view column) const {
  return typed(present(row, column), parse_boolean, column, "a boolean");
}

Result<std::string> Rows::string(std::size_t row, std::string_view column) const {
  const auto text = present(row, column);
  if (!text) return tl::unexpected(text.error());
  return std::string(*text);
}

Result<bool> Rows::is_null(std::size_t row, std::string_view column) const {
  const auto value = find(row, column);
  if (!value) return tl::unexpected(value.error());
  return !(*value)->has_value();
}

}  // namespace assent
