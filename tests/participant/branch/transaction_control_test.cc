#include "participant/branch/transaction_control.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/participant/branch/random.h"

namespace assent::branch {
namespace {

// Statements as words, so that anything PostgreSQL skips can be put between them.
using Words = std::vector<std::string>;

const std::vector<Words> kControl = {
    {"BEGIN"},
    {"BEGIN", "ISOLATION", "LEVEL", "SERIALIZABLE"},
    {"BEGIN", "WORK"},
    {"START", "TRANSACTION"},
    {"START", "TRANSACTION", "READ", "ONLY"},
    {"COMMIT"},
    {"COMMIT", "WORK"},
    {"COMMIT", "AND", "CHAIN"},
    {"COMMIT", "PREPARED", "'gid'"},
    {"END"},
    {"END", "TRANSACTION"},
    {"ROLLBACK"},
    {"ROLLBACK", "WORK"},
    {"ROLLBACK", "TRANSACTION"},
    {"ROLLBACK", "AND", "NO", "CHAIN"},
    {"ROLLBACK", "WORK", "AND", "CHAIN"},
    {"ROLLBACK", "PREPARED", "'gid'"},
    {"ABORT"},
    {"ABORT", "TRANSACTION"},
    {"PREPARE", "TRANSACTION", "'gid'"},
    {"PREPARE", "TRANSACTION", "E'gid'"},
    {"PREPARE", "TRANSACTION", "$$gid$$"},
    {"PREPARE", "TRANSACTION", "U&'gid'"},
};

const std::vector<Words> kOther = {
    {"SELECT", "1"},
    {"SAVEPOINT", "commit"},
    {"RELEASE", "SAVEPOINT", "rollback"},
    {"RELEASE", "a"},
    {"ROLLBACK", "TO", "a"},
    {"ROLLBACK", "TO", "SAVEPOINT", "a"},
    {"ROLLBACK", "WORK", "TO", "a"},
    {"ROLLBACK", "TRANSACTION", "TO", "SAVEPOINT", "a"},
    {"SET", "TRANSACTION", "ISOLATION", "LEVEL", "SERIALIZABLE"},
    {"PREPARE", "commit", "AS", "SELECT", "1"},
    {"PREPARE", "transaction", "AS", "SELECT", "1"},
    {"PREPARE", "transaction", "(int)", "AS", "SELECT", "$1"},
    {"PREPARE", "\"transaction\"", "AS", "SELECT", "1"},
    {"EXECUTE", "commit"},
    {"DEALLOCATE", "PREPARE", "commit"},
    {"\"commit\""},
    {"commit_"},
    {"commit1"},
    {"commit$"},
    {"commit\xc3\xa9"},
    {"begins"},
    {"BEGIN_"},
    {"SELECT", "'COMMIT'"},
    {"DO", "$$ BEGIN COMMIT; END $$"},
    {"LISTEN", "a"},
    {"(", "COMMIT", ")"},
    {"'COMMIT'"},
};

std::string joined(const Words& words, std::string_view between) {
  std::string sql;
  for (const std::string& word : words) {
    sql += sql.empty() ? "" : std::string(between);
    sql += word;
  }
  return sql;
}

TEST(TransactionControl, RefusesEveryFormThatBeginsEndsOrPrepares) {
  for (const Words& words : kControl) {
    EXPECT_TRUE(is_transaction_control(joined(words, " "))) << joined(words, " ");
  }
}

TEST(TransactionControl, LeavesAllOtherStatementsToPostgres) {
  for (const Words& words : kOther) {
    EXPECT_FALSE(is_transaction_control(joined(words, " "))) << joined(words, " ");
  }
}

TEST(TransactionControl, SeesThroughWhatPostgresSkips) {
  for (const std::string_view prefix :
       {"-- note\n", "-- note\r", "--\n", "/* */", "/**/", "/***/", "/* /* */ */", "/*/**/*/",
        "/* -- */", "--/*\n", ";", " ; ;", ";--x\n;", "/* ' */", "\t\r\n\f\v"}) {
    EXPECT_TRUE(is_transaction_control(std::string(prefix) + "commit")) << prefix;
    EXPECT_FALSE(is_transaction_control(std::string(prefix) + "select 1")) << prefix;
  }
}

TEST(TransactionControl, DoesNotLookIntoCommentsThatHideTheWord) {
  for (const std::string_view sql :
       {"-- commit", "-- commit\nselect 1", "/* commit */ select 1", "/* /* */ commit", "/* commit",
        "/* /* */ commit */ select 1", "--\\\nselect 1", "- commit", "/ commit", "*/ commit"}) {
    EXPECT_FALSE(is_transaction_control(sql)) << sql;
  }
}

TEST(TransactionControl, TakesEmptyAndBrokenTextForSomethingElse) {
  for (const std::string_view sql :
       {"", " ", ";", ";;", "-", "--", "/", "/*", "/*/", "/**", "prepare", "start", "\x80"}) {
    EXPECT_FALSE(is_transaction_control(sql)) << sql;
  }
  EXPECT_TRUE(is_transaction_control("rollback --"));
  EXPECT_TRUE(is_transaction_control("commit/*"));
  EXPECT_TRUE(is_transaction_control(std::string_view("commit\0 x", 9)));
}

std::string random_comment(Random& random, int depth) {
  static constexpr std::array<std::string_view, 8> kTexts = {
      "", " ", "commit", "'", "--", "$$", "* / ", "select 1; rollback"};
  std::string comment = "/*" + std::string(kTexts[random.below(kTexts.size())]);
  if (depth > 0 && random.below(2) == 0) {
    comment += random_comment(random, depth - 1);
  }
  return comment + std::string(kTexts[random.below(kTexts.size())]) + "*/";
}

// Something that PostgreSQL takes for a space; never empty.
std::string random_gap(Random& random) {
  static constexpr std::string_view kSpaces = " \t\n\r\f";
  std::string gap;
  do {
    switch (random.below(3)) {
      case 0:
        gap += kSpaces[random.below(kSpaces.size())];
        break;
      case 1:
        gap += random_comment(random, 3);
        break;
      case 2:
        gap += "-- commit /* ' " + std::string(random.below(2) == 0 ? "\n" : "\r");
        break;
    }
  } while (random.below(2) == 0);
  return gap;
}

std::string random_case(Random& random, const std::string& word) {
  const bool quoted = word.find_first_of("'\"$") != std::string::npos;
  std::string result = word;
  for (char& c : result) {
    if (!quoted && random.below(2) == 0) {
      c = static_cast<char>(std::isupper(static_cast<unsigned char>(c)) != 0
                                ? std::tolower(static_cast<unsigned char>(c))
                                : std::toupper(static_cast<unsigned char>(c)));
    }
  }
  return result;
}

std::string disguised(Random& random, const Words& words) {
  std::string sql;
  while (random.below(2) == 0) {
    sql += random.below(2) == 0 ? ";" : random_gap(random);
  }
  for (const std::string& word : words) {
    sql += random_case(random, word) + random_gap(random);
  }
  return sql + (random.below(2) == 0 ? ";" : "");
}

TEST(TransactionControl, JudgesADisguisedStatementAsThePlainOne) {
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    Random random(seed);
    for (const bool control : {true, false}) {
      const auto& statements = control ? kControl : kOther;
      const std::string sql = disguised(random, statements[random.below(statements.size())]);
      ASSERT_EQ(is_transaction_control(sql), control) << "seed " << seed << ": " << sql;
    }
  }
}

// ── first words ─────────────────────────────────────────────────────────────────────────────────

TEST(FirstWord, IsInLowerCaseBehindWhatPostgresSkips) {
  EXPECT_EQ(first_word("COPY a FROM STDIN"), "copy");
  EXPECT_EQ(first_word(" ; /* x /* y */ */ -- z\n\tCopy(SELECT 1) TO STDOUT"), "copy");
  EXPECT_EQ(first_word("copy_ a"), "copy_");
}

TEST(FirstWord, IsEmptyWhenTheStatementBeginsWithSomethingElse) {
  for (const std::string_view sql : {"", ";", "'copy'", "\"copy\"", "(copy)", "$$copy$$", "1"}) {
    EXPECT_EQ(first_word(sql), "") << sql;
  }
}

TEST(ReadsByItsWord, KnowsTheWordsThatOnlyReadAsARule) {
  for (const std::string_view sql : {"SELECT 1", "values (1)", "Table a", "SHOW all",
                                     "/**/ explain SELECT 1", "FETCH 1 FROM c"}) {
    EXPECT_TRUE(reads_by_its_word(sql)) << sql;
  }
  for (const std::string_view sql :
       {"INSERT INTO a", "WITH x AS (SELECT 1) SELECT 1", "selects", "(SELECT 1)", "", "DO $$ $$",
        "UPDATE a", "CALL f()", "'select'"}) {
    EXPECT_FALSE(reads_by_its_word(sql)) << sql;
  }
}

// ── an oracle of its own ────────────────────────────────────────────────────────────────────────

// A piece of SQL, and what a person who reads it takes it for: a word in lower case, nothing (a
// gap), or one character that is no word.
struct Piece {
  std::string sql;
  std::string meaning;
};
constexpr std::string_view kGap;
constexpr std::string_view kEmptyStatement = ";";
constexpr std::string_view kThing = "?";

Piece random_word(Random& random) {
  static const std::vector<std::string> kWords = {
      "begin",       "commit", "end",     "abort", "rollback", "prepare", "start",
      "transaction", "work",   "to",      "as",    "copy",     "select",  "savepoint",
      "values",      "table",  "explain", "fetch", "show",     "prepared"};
  const std::string& word = kWords[random.below(kWords.size())];
  return {random_case(random, word), word};
}

Piece random_thing(Random& random) {
  static const std::vector<std::string> kThings = {"'commit'",
                                                   "'it''s; commit'",
                                                   "$$ commit; $$",
                                                   "$x$ /* begin $$ $x$",
                                                   "\"commit\"",
                                                   "(",
                                                   ")",
                                                   "1",
                                                   "'--'",
                                                   "$1",
                                                   "'/*'",
                                                   "/",
                                                   "*"};
  return {kThings[random.below(kThings.size())], std::string(kThing)};
}

Piece random_piece(Random& random) {
  switch (random.below(8)) {
    case 0:
      return random_thing(random);
    case 1:
      return {";", std::string(kEmptyStatement)};
    case 2:
    case 3:
      return {random_gap(random), std::string(kGap)};
    default:
      return random_word(random);
  }
}

// What the statement begins with: gaps are left out, leading empty statements too.
std::vector<std::string> meanings(const std::vector<Piece>& pieces) {
  std::vector<std::string> read;
  for (const Piece& piece : pieces) {
    const bool leading = read.empty() && piece.meaning == kEmptyStatement;
    if (piece.meaning != kGap && !leading) {
      read.push_back(piece.meaning);
    }
  }
  read.resize(read.size() + 4);  // so that there is always a next one
  return read;
}

bool oracle_says_control(const std::vector<std::string>& read) {
  const std::string& first = read[0];
  if (first == "rollback") {
    return read[read[1] == "work" || read[1] == "transaction" ? 2 : 1] != "to";
  }
  if (first == "prepare") {
    return read[1] == "transaction" && read[2] != "as" && read[2] != "(";
  }
  if (first == "start") {
    return read[1] == "transaction";
  }
  return first == "begin" || first == "commit" || first == "end" || first == "abort";
}

// Pieces with a gap between any two, as two words would be one without.
std::vector<Piece> random_statement(Random& random) {
  std::vector<Piece> pieces;
  for (std::size_t left = 1 + random.below(7); left > 0; --left) {
    Piece piece = random_piece(random);
    if (piece.sql == "(") {
      piece.meaning = "(";
    }
    pieces.push_back(std::move(piece));
    pieces.push_back({random_gap(random), std::string(kGap)});
  }
  return pieces;
}

TEST(FirstWord, AgreesWithTheOracleOnRandomPieces) {
  std::size_t control = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    Random random(seed);
    const std::vector<Piece> pieces = random_statement(random);
    std::string sql;
    for (const Piece& piece : pieces) {
      sql += piece.sql;
    }
    const std::vector<std::string> read = meanings(pieces);
    const bool word = !read[0].empty() && std::islower(static_cast<unsigned char>(read[0][0])) != 0;
    ASSERT_EQ(first_word(sql), word ? read[0] : "") << "seed " << seed << ": " << sql;
    ASSERT_EQ(is_transaction_control(sql), oracle_says_control(read))
        << "seed " << seed << ": " << sql;
    control += is_transaction_control(sql) ? 1 : 0;
  }
  EXPECT_GT(control, 2'000U);
}

}  // namespace
}  // namespace assent::branch
