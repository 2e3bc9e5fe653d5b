// The lexer of client SQL against the judge it has to agree with: the server's own parser.
#include <array>
#include <string_view>
#include <vector>

#include "participant/branch/transaction_control.h"
#include "tests/participant/branch/random.h"
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using branch::Random;
using namespace std::string_view_literals;

// What ends a transaction, and what looks like it, as words.
const std::vector<std::vector<std::string_view>> kStatements{
    {"commit"},
    {"commit", "work", "and", "chain"},
    {"commit", "and", "no", "chain"},
    {"end", "transaction"},
    {"rollback"},
    {"rollback", "transaction", "and", "chain"},
    {"rollback", "to", "s"},
    {"abort", "work"},
    {"begin", "read", "only"},
    {"start", "transaction"},
    {"prepare", "transaction", "'g'"},
    {"prepare", "transaction", "E'g'"},
    {"prepare", "transaction", "$$g$$"},
    {"prepare", "transaction", "U&'g'"},
    {"prepare", "transaction", "as", "select", "1"},
    {"prepare", "transaction", "(int)", "as", "select", "$1"},
    {"release", "savepoint", "s"},
    {"call", "ending()"},
    {"do", "$$ begin commit; end $$"},
    {"execute", "commit"},
    {"explain", "commit"},
};

// What may stand between two words, or hide one.
constexpr std::array kBetween{" "sv,
                              " "sv,
                              "\t"sv,
                              "\n"sv,
                              "\r"sv,
                              "\f"sv,
                              "\v"sv,
                              ";"sv,
                              "--"sv,
                              "-- x\n"sv,
                              "--\r"sv,
                              "/*"sv,
                              "*/"sv,
                              "/**/"sv,
                              "/*/"sv,
                              "/***/"sv,
                              "/* -- */"sv,
                              "/*/**/*/"sv,
                              "\xC2\xA0"sv,
                              "\xEF\xBB\xBF"sv,
                              "\xE3\x80\x80"sv,
                              "\\"sv,
                              "'"sv,
                              "\""sv,
                              "$"sv,
                              "$$"sv,
                              "1"sv,
                              "_"sv,
                              "("sv,
                              ")"sv,
                              "commit"sv,
                              "to"sv,
                              "transaction"sv,
                              "-- '\n/*'*/"sv,
                              ";;"sv};

std::string any_case(Random& random, std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z' && random.one_in(4)) c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

void add_between(Random& random, std::string& sql) {
  if (!random.one_in(3)) sql += ' ';
  while (random.one_in(4)) sql += kBetween[random.below(kBetween.size())];
}

std::string random_sql(Random& random) {
  std::string sql;
  if (random.one_in(2)) add_between(random, sql);
  for (const std::string_view word : kStatements[random.below(kStatements.size())]) {
    if (!random.one_in(16)) sql += any_case(random, word);
    add_between(random, sql);
  }
  return sql;
}

class Lexer : public DatabaseTest {
 protected:
  // True when the transaction that wrote row 1 is over, one way or the other, after this statement
  // came in a message of its own.
  bool ends_transaction(const std::string& sql) {
    worker.query("BEGIN; INSERT INTO t VALUES (1, 1); SAVEPOINT s");
    worker.answer_alone(sql);
    const bool ended = worker.transaction() == PQTRANS_IDLE ||
                       (worker.transaction() == PQTRANS_INTRANS &&
                        worker.answer("SELECT FROM t WHERE id = 1 AND xmin = "
                                      "pg_current_xact_id()::xid") != "SELECT 1");
    worker.answer("ROLLBACK");
    for (const auto& row : worker.query("SELECT format('%L', gid) FROM pg_prepared_xacts")) {
      worker.query("ROLLBACK PREPARED " + row.at(0).value());
    }
    worker.answer("DEALLOCATE ALL");
    worker.answer("DELETE FROM t");
    return ended;
  }

  testing::Admin worker{server.socket_directory(), name, "assent_work"};
};

TEST_F(Lexer, Row02NothingThatEndsATransactionGetsPast) {
  admin.query("CREATE PROCEDURE ending() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'");
  worker.query("SET synchronous_commit = off");
  int ended = 0;
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    Random random(seed);
    const std::string sql = random_sql(random);
    if (!ends_transaction(sql)) continue;
    ++ended;
    ASSERT_TRUE(branch::is_transaction_control(sql)) << "seed " << seed << ": " << sql;
  }
  EXPECT_GT(ended, 500) << "enough of them were what is looked for";
}

}  // namespace
}  // namespace assent::postgres
