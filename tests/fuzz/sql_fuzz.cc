// Client SQL as the agent looks at it before PostgreSQL does.
#include <algorithm>

#include "base/check.h"
#include "participant/branch/transaction_control.h"
#include "tests/fuzz/target.h"

namespace assent::fuzz {

std::vector<std::string> corpus() {
  return {"COMMIT",
          "begin isolation level serializable",
          "start transaction read only",
          "ROLLBACK WORK TO SAVEPOINT s",
          "rollback and chain",
          "prepare transaction 'gid'",
          "PREPARE transaction (int) AS SELECT $1",
          "/* a /* nested */ -- one */ end",
          "-- line\n;;\tabort",
          "SELECT '/* commit' || $tag$ -- $tag$",
          "savepoint \"commit\"",
          "COPY t FROM STDIN",
          "U&'x' E'\\'' \xEF\xBB\xBF\xC2\xA0",
          "values (1) /*",
          ""};
}

namespace {

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

// What a statement is does not change by what PostgreSQL skips in front of it, nor by its case.
void check_same(const std::string& sql, const std::string& variant) {
  CHECK(branch::is_transaction_control(sql) == branch::is_transaction_control(variant), variant);
  CHECK(branch::first_word(sql) == branch::first_word(variant), variant);
  CHECK(branch::reads_by_its_word(sql) == branch::reads_by_its_word(variant), variant);
}

}  // namespace
}  // namespace assent::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assent;
  const std::string sql(fuzz::as_text(data, size));
  fuzz::check_same(sql, fuzz::upper(sql));
  for (const char* skipped : {" ", "\n\t\r\f", ";", "/**/", "/*/* ' */-- */", "-- x\n", "--;\r"}) {
    fuzz::check_same(sql, skipped + sql);
  }
  const std::string word = branch::first_word(sql);
  CHECK(word == branch::first_word(word), "a word is its own first word");
  if (branch::is_transaction_control(sql)) {
    CHECK(!branch::reads_by_its_word(sql), "no statement both reads and ends its transaction");
  }
  return 0;
}
