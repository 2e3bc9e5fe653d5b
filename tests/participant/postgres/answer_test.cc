#include "participant/postgres/answer.h"

#include <gtest/gtest.h>

namespace assent::postgres {
namespace {

TEST(Answer, LsnIsTwoHexadecimalHalves) {
  EXPECT_EQ(parse_lsn("16/B374D848"), 0x16'B374'D848U);
  EXPECT_EQ(parse_lsn("0/0"), 0U);
}

TEST(Answer, TimelineIsTheFirstPartOfAWalFileName) {
  EXPECT_EQ(timeline_of_wal_file("0000001A0000000100000003"), 0x1AU);
}

TEST(Answer, XidIsExtendedToTheNearestTurnOfTheCounter) {
  EXPECT_EQ(extend_xid(700, 0x3'0000'0400), 0x3'0000'02BCU);
  EXPECT_EQ(extend_xid(1025, 0x3'0000'0400), 0x3'0000'0401U) << "the view's xmax may be behind";
  EXPECT_EQ(extend_xid(0xFFFF'FFF0, 0x3'0000'0400), 0x2'FFFF'FFF0U);
  EXPECT_EQ(extend_xid(5, 0x2'FFFF'FFF0), 0x3'0000'0005U);
}

TEST(Answer, SystemIdentifierKeepsItsBitsAboveTheSign) {
  EXPECT_EQ(to_bits("-1"), 0xFFFF'FFFF'FFFF'FFFFU);
}

}  // namespace
}  // namespace assent::postgres
