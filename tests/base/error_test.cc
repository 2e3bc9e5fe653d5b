#include "base/error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace assent {
namespace {

std::string common_thrift() {
  std::ifstream file(ASSENT_COMMON_THRIFT);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ErrorCode, NamesAndNumbersAreThoseOfTheWire) {
  const std::string thrift = common_thrift();
  const std::size_t begin = thrift.find("enum ErrorCode");
  ASSERT_NE(begin, std::string::npos);
  const std::string codes = thrift.substr(begin, thrift.find("\n}", begin) - begin);
  std::istringstream lines(codes);
  std::set<int> seen;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string code;
    std::string equals;
    int number = 0;
    if (!(words >> code >> equals >> number) || equals != "=") continue;
    EXPECT_EQ(name(static_cast<ErrorCode>(number)), code);
    seen.insert(number);
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(ErrorCode::kRowCount));
}

TEST(ErrorCode, ANumberThatNoCodeHasIsNamedSo) {
  EXPECT_EQ(name(static_cast<ErrorCode>(200)), "UNKNOWN_CODE");
}

TEST(Error, OnlyWhatMayPassIsRetryable) {
  const std::set<ErrorCode> may_pass = {ErrorCode::kNotLeader, ErrorCode::kUnavailable,
                                        ErrorCode::kOverloaded, ErrorCode::kOutcomeUnknown};
  for (int number = 1; number <= static_cast<int>(ErrorCode::kInternal); ++number) {
    const auto code = static_cast<ErrorCode>(number);
    EXPECT_EQ(retryable(code), may_pass.count(code) == 1) << name(code);
  }
}

TEST(Error, AnSqlErrorIsRetryableByItsState) {
  const auto sql = [](const char* state) {
    Error error{ErrorCode::kSql, "refused"};
    error.sql = SqlError{};
    error.sql->sqlstate = state;
    return error;
  };
  for (const char* passing : {"40001", "40P01", "55P03", "53200", "53300"}) {
    EXPECT_TRUE(retryable(sql(passing))) << passing;
  }
  for (const char* final_one : {"23505", "42601", "0A000", ""}) {
    EXPECT_FALSE(retryable(sql(final_one))) << final_one;
  }
}

}  // namespace
}  // namespace assent
