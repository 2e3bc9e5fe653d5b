#include "tests/simulation/postgres/sql_text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace assent::model {
namespace {

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

constexpr char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-' ||
         c == '$' || c == '+';
}

// 'it''s', which begins at `at`; moves behind it.
std::string quoted(std::string_view sql, std::size_t& at) {
  std::string out;
  for (++at; at < sql.size(); ++at) {
    if (sql[at] == '\'') {
      if (at + 1 == sql.size() || sql[at + 1] != '\'') break;
      ++at;
    }
    out += sql[at];
  }
  if (at < sql.size()) ++at;
  return out;
}

// One value of the pattern's "?"; false when there is none.
bool take_value(std::string_view sql, std::size_t& at, std::size_t parameters,
                std::vector<Found>& values) {
  if (at == sql.size()) return false;
  if (sql[at] == '\'') {
    values.emplace_back(Value(quoted(sql, at)));
    return true;
  }
  const std::size_t begin = at;
  while (at < sql.size() && is_word(sql[at])) ++at;
  const std::string word(sql.substr(begin, at - begin));
  if (word.empty()) return false;
  if (word[0] == '$') {
    const auto number = to_number(std::string_view(word).substr(1));
    if (!number || *number < 1 || static_cast<std::size_t>(*number) > parameters) return false;
    values.emplace_back(static_cast<std::size_t>(*number) - 1);
  } else if (lower(word) == "null") {
    values.emplace_back(Value());
  } else {
    values.emplace_back(Value(word));
  }
  return true;
}

bool match_from(std::string_view pattern, std::string_view sql, std::size_t at,
                std::size_t parameters, std::vector<Found>& values) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '%') {
      const std::string_view rest = pattern.substr(i + 1);
      const std::size_t kept = values.size();
      if (rest.empty()) return true;
      const bool literal = rest[0] != '?' && rest[0] != '%';
      for (std::size_t from = at; from < sql.size(); ++from) {
        if (literal && lowered(sql[from]) != lowered(rest[0])) continue;
        if (match_from(rest, sql, from, parameters, values)) return true;
        values.resize(kept);
      }
      return false;
    }
    if (pattern[i] == '?') {
      if (!take_value(sql, at, parameters, values)) return false;
    } else {
      if (at == sql.size()) return false;
      if (sql[at] != pattern[i] && lowered(sql[at]) != lowered(pattern[i])) return false;
      ++at;
    }
  }
  return at == sql.size();
}

}  // namespace

std::string normalised(std::string_view sql) {
  std::string out;
  bool in_quotes = false;
  for (const char c : sql) {
    if (c == '\'') in_quotes = !in_quotes;
    if (in_quotes || !is_space(c)) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == ';')) out.pop_back();
  return out;
}

std::optional<std::vector<Found>> match(std::string_view pattern, std::string_view sql,
                                        std::size_t parameters) {
  std::vector<Found> values;
  if (!match_from(pattern, sql, 0, parameters, values)) return std::nullopt;
  return values;
}

std::vector<Value> values_of(const std::vector<Found>& found,
                             const std::vector<Value>& parameters) {
  std::vector<Value> values;
  values.reserve(found.size());
  for (const Found& one : found) {
    const auto* const number = std::get_if<std::size_t>(&one);
    values.push_back(number != nullptr ? parameters[*number] : std::get<Value>(one));
  }
  return values;
}

std::optional<std::int64_t> to_number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string> array_members(std::string_view array) {
  std::vector<std::string> out;
  std::string member;
  for (const char c : array) {
    if (c == '{' || c == ' ') continue;
    if (c != ',' && c != '}') {
      member += c;
    } else if (!member.empty()) {
      out.push_back(std::exchange(member, {}));
    }
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lowered);
  return out;
}

}  // namespace assent::model
