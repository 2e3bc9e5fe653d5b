#include "client/cpp/src/hints.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace assent::client {
namespace {

// Statements without an effect on rows, by the first word of their tags.
constexpr std::array<std::string_view, 12> kReadingTags = {
    "SELECT", "VALUES",  "SHOW",  "FETCH",     "MOVE",    "EXPLAIN",
    "SET",    "DECLARE", "CLOSE", "SAVEPOINT", "RELEASE", "ROLLBACK"};
// Statements that found no row to change.
constexpr std::array<std::string_view, 4> kIdleTags = {"UPDATE 0", "DELETE 0", "INSERT 0 0",
                                                       "MERGE 0"};
constexpr std::array<std::string_view, 4> kReadingWords = {"SELECT", "VALUES", "TABLE", "SHOW"};

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

// In capitals; empty when the text begins with something else.
std::string first_word(std::string_view text) {
  const auto begin = std::find_if_not(text.begin(), text.end(), is_space);
  std::string word(begin, std::find_if_not(begin, text.end(), is_letter));
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return word;
}

template <class Words>
bool is_among(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

bool tag_reads(std::string_view command_tag) {
  return is_among(kIdleTags, command_tag) || is_among(kReadingTags, first_word(command_tag));
}

bool statement_reads(std::string_view sql) {
  return is_among(kReadingWords, first_word(sql));
}

}  // namespace assent::client
