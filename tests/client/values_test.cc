#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "assent/client.h"

namespace assent {
namespace {

using testing::HasSubstr;

std::string text(const Parameter& parameter) {
  return parameter.text().value_or("(NULL)");
}

TEST(Parameter, PassesIntegersOfEveryWidth) {
  EXPECT_EQ(text(7), "7");
  EXPECT_EQ(text(short{-7}), "-7");
  EXPECT_EQ(text(7LL), "7");
  EXPECT_EQ(text(std::size_t{7}), "7");
  EXPECT_EQ(text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(text(0), "0");
}

TEST(Parameter, PassesDoublesThatReadBackEqual) {
  for (const double value : {0.1, 1.0 / 3, 1e300, -5e-324, 100.0}) {
    EXPECT_EQ(std::strtod(text(value).c_str(), nullptr), value);
  }
  EXPECT_EQ(text(0.1), "0.1");
}

TEST(Parameter, SpellsDoublesWithoutDigitsAsPostgresqlDoes) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(text(kInfinity), "Infinity");
  EXPECT_EQ(text(-kInfinity), "-Infinity");
  EXPECT_EQ(text(std::nan("")), "NaN");
  EXPECT_EQ(text(-std::nan("")), "NaN");
}

TEST(Parameter, TellsTextNullAndBooleanApart) {
  EXPECT_EQ(text("NULL"), "NULL");
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(text(true), "t");
  EXPECT_EQ(text(false), "f");
  EXPECT_FALSE(Parameter(nullptr).text().has_value());
  EXPECT_FALSE(Parameter(std::nullopt).text().has_value());
}

TEST(Parameter, TakesAnOptionalAsItsValueOrNull) {
  EXPECT_EQ(text(std::optional<int>(5)), "5");
  EXPECT_FALSE(Parameter(std::optional<std::string>()).text().has_value());
}

TEST(Parameter, ListsOfMixedValuesReadAsOneVector) {
  const std::vector<Parameter> list = {0, "seven", nullptr, 0.5, true};
  ASSERT_EQ(list.size(), 5U);
  EXPECT_EQ(text(list[0]), "0");
  EXPECT_EQ(text(list[1]), "seven");
  EXPECT_FALSE(list[2].text().has_value());
  EXPECT_EQ(text(list[3]), "0.5");
  EXPECT_EQ(text(list[4]), "t");
}

class RowsOfOne : public testing::Test {
 protected:
  const Rows rows_{
      {{"id", 20}, {"ratio", 701}, {"open", 16}, {"note", 25}, {"gone", 25}, {"id", 25}},
      {{"42", "-0.5", "t", "hello", std::nullopt, "second"}},
      1,
      "SELECT 1"};
};

TEST_F(RowsOfOne, ReadsEachTypeByColumnName) {
  EXPECT_EQ(rows_.integer(0, "id"), 42);
  EXPECT_EQ(rows_.number(0, "ratio"), -0.5);
  EXPECT_EQ(rows_.boolean(0, "open"), true);
  EXPECT_EQ(rows_.string(0, "note"), "hello");
  EXPECT_EQ(rows_.string(0, "id"), "42") << "the first column of a name counts";
  EXPECT_EQ(rows_.text(0, 5), "second");
}

TEST_F(RowsOfOne, TellsNullFromValues) {
  EXPECT_EQ(rows_.is_null(0, "gone"), true);
  EXPECT_EQ(rows_.is_null(0, "note"), false);
  EXPECT_EQ(rows_.text(0, 4), std::nullopt);
  const auto value = rows_.string(0, "gone");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(value.error().message, HasSubstr("\"gone\" is NULL in row 0"));
}

TEST_F(RowsOfOne, RefusesValuesOfAnotherType) {
  EXPECT_THAT(rows_.integer(0, "ratio").error().message, HasSubstr("\"-0.5\""));
  EXPECT_FALSE(rows_.integer(0, "note"));
  EXPECT_FALSE(rows_.number(0, "note"));
  EXPECT_FALSE(rows_.boolean(0, "id"));
}

TEST_F(RowsOfOne, NamesTheColumnOrRowThatIsMissing) {
  EXPECT_THAT(rows_.integer(0, "balance").error().message, HasSubstr("\"balance\""));
  EXPECT_THAT(rows_.integer(1, "id").error().message, HasSubstr("no row 1"));
  EXPECT_FALSE(rows_.is_null(1, "id"));
}

TEST(Rows, ReadsNumbersWithoutDigits) {
  const Rows rows({{"x", 701}}, {{"Infinity"}, {"NaN"}, {"-Infinity"}}, 3, "SELECT 3");
  EXPECT_TRUE(std::isinf(rows.number(0, "x").value()));
  EXPECT_TRUE(std::isnan(rows.number(1, "x").value()));
  EXPECT_LT(rows.number(2, "x").value(), 0);
}

TEST(Rows, RefusesIntegersOutOfRange) {
  const Rows rows({{"x", 1700}}, {{"9223372036854775808"}}, 1, "SELECT 1");
  EXPECT_FALSE(rows.integer(0, "x"));
}

TEST(RowsDeathTest, ChecksRowAndColumnByNumber) {
  const Rows rows({{"x", 25}}, {{"a"}}, 1, "SELECT 1");
  EXPECT_DEATH((void)rows.text(1, 0), "the row exists");
  EXPECT_DEATH((void)rows.text(0, 1), "the column exists");
}

}  // namespace
}  // namespace assent
