#include "participant/branch/transaction_control.h"

#include <cstddef>

namespace assent::branch {
namespace {

// PostgreSQL 16 and later also count the vertical tab as a space. Before, a statement with one is a
// syntax error, so skipping it is safe everywhere.
constexpr std::string_view kSpaces = " \t\n\r\f\v";

bool starts_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

bool continues_word(char c) {
  return starts_word(c) || (c >= '0' && c <= '9') || c == '$';
}

// PostgreSQL lowers only ASCII letters when it looks for keywords.
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Takes the words off the front of a statement, as PostgreSQL's scanner (scan.l) sees them.
class Words {
 public:
  explicit Words(std::string_view sql) : rest_(sql) { skip_gap(";"); }

  // The next word in lower case; empty when something else or nothing comes next.
  std::string take() {
    std::string word;
    if (rest_.empty() || !starts_word(rest_.front())) {
      return word;
    }
    while (!rest_.empty() && continues_word(rest_.front())) {
      word.push_back(lower(rest_.front()));
      rest_.remove_prefix(1);
    }
    skip_gap("");
    return word;
  }

  [[nodiscard]] bool at(char c) const { return !rest_.empty() && rest_.front() == c; }

 private:
  // Skips spaces, comments and the characters in `also`.
  void skip_gap(std::string_view also) {
    for (;;) {
      if (rest_.starts_with("--")) {
        skip_to(rest_.find_first_of("\n\r"));
      } else if (rest_.starts_with("/*")) {
        skip_block_comment();
      } else if (!rest_.empty() && (kSpaces.find(rest_.front()) != std::string_view::npos ||
                                    also.find(rest_.front()) != std::string_view::npos)) {
        rest_.remove_prefix(1);
      } else {
        return;
      }
    }
  }

  // Block comments nest. An unterminated one takes everything: PostgreSQL refuses the statement.
  void skip_block_comment() {
    std::size_t depth = 0;
    do {
      if (rest_.starts_with("/*")) {
        ++depth;
        rest_.remove_prefix(2);
      } else if (rest_.starts_with("*/")) {
        --depth;
        rest_.remove_prefix(2);
      } else {
        rest_.remove_prefix(1);
      }
    } while (depth > 0 && !rest_.empty());
  }

  void skip_to(std::size_t position) {
    rest_.remove_prefix(position == std::string_view::npos ? rest_.size() : position);
  }

  std::string_view rest_;
};

// ROLLBACK [WORK | TRANSACTION] TO … goes back to a savepoint.
bool rolls_back_all(Words& words) {
  std::string word = words.take();
  if (word == "work" || word == "transaction") {
    word = words.take();
  }
  return word != "to";
}

// "transaction" is also a legal name of a prepared statement: PREPARE transaction [(types)] AS ….
bool prepares_transaction(Words& words) {
  return words.take() == "transaction" && !words.at('(') && words.take() != "as";
}

}  // namespace

bool is_transaction_control(std::string_view sql) {
  Words words(sql);
  const std::string first = words.take();
  if (first == "rollback") {
    return rolls_back_all(words);
  }
  if (first == "prepare") {
    return prepares_transaction(words);
  }
  if (first == "start") {
    return words.take() == "transaction";
  }
  return first == "begin" || first == "commit" || first == "end" || first == "abort";
}

std::string first_word(std::string_view sql) {
  return Words(sql).take();
}

bool reads_by_its_word(std::string_view sql) {
  const std::string word = first_word(sql);
  return word == "select" || word == "values" || word == "table" || word == "show" ||
         word == "explain" || word == "fetch";
}

}  // namespace assent::branch
