// Tables and numbers for people.
#include "cli/table.h"

#include <gtest/gtest.h>

#include "cli/explain/units.h"
#include "cli/options.h"

namespace assent {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  cli::Table table({"name", "age"});
  table.add({"db1", "3.2 s"});
  table.add({"a-long-name", "-"});
  EXPECT_EQ(table.text(),
            "name         age\n"
            "db1          3.2 s\n"
            "a-long-name  -\n");
}

TEST(Table, CharactersAreCountedAndNotBytes) {
  cli::Table table({"who", "x"});
  table.add({"Zoë", "1"});
  EXPECT_EQ(table.text(2), "  who  x\n  Zoë  1\n");
}

TEST(Table, NoColourOutsideOfATerminal) {
  EXPECT_EQ(cli::toned("bad", cli::Tone::kBad), "bad");
}

TEST(Units, NumbersHaveCommas) {
  EXPECT_EQ(explain::with_commas(0), "0");
  EXPECT_EQ(explain::with_commas(999), "999");
  EXPECT_EQ(explain::with_commas(1'234'567), "1,234,567");
  EXPECT_EQ(explain::with_commas(-1'234), "-1,234");
  EXPECT_EQ(explain::with_commas(-123), "-123");
}

TEST(Units, DurationsHaveTwoUnitsAtMost) {
  EXPECT_EQ(explain::duration(Millis(-5)), "0 s");
  EXPECT_EQ(explain::duration(Millis(40)), "0.0 s");
  EXPECT_EQ(explain::duration(Millis(3'249)), "3.2 s");
  EXPECT_EQ(explain::duration(Millis(59'999)), "59 s");
  EXPECT_EQ(explain::duration(Millis(185'000)), "3 min 5 s");
  EXPECT_EQ(explain::duration(Millis(7'200'000)), "2 h");
  EXPECT_EQ(explain::duration(Millis(100 * 3'600'000LL)), "4 d 4 h");
}

TEST(Units, OneIsSingular) {
  EXPECT_EQ(explain::counted(1, "slot"), "1 slot");
  EXPECT_EQ(explain::counted(2'000, "branch", "branches"), "2,000 branches");
}

TEST(Options, DurationsOnTheCommandLine) {
  EXPECT_EQ(cli::parse_duration("90"), Millis(90'000));
  EXPECT_EQ(cli::parse_duration("250ms"), Millis(250));
  EXPECT_EQ(cli::parse_duration("5m"), Millis(300'000));
  EXPECT_EQ(cli::parse_duration("2h"), Millis(7'200'000));
  EXPECT_FALSE(cli::parse_duration("soon"));
  EXPECT_FALSE(cli::parse_duration("-1s"));
  EXPECT_FALSE(cli::parse_duration("1 s"));
}

}  // namespace
}  // namespace assent
