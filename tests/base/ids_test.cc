#include "base/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace assent {
namespace {

constexpr std::string_view kText = "0190a5b0-1234-7abc-9def-0123456789ab-fedcba9876543210";

TEST(Names, AreLowerCaseLettersDigitsUnderscoreAndHyphen) {
  EXPECT_TRUE(valid_participant_name("orders_2-b"));
  for (const char* bad : {"", "Orders", "a b", "a:b", "a.b", "a/b", "\xC3\xA9", "a\n", "'"}) {
    EXPECT_FALSE(valid_participant_name(bad)) << bad;
  }
  EXPECT_FALSE(valid_participant_name(std::string_view("a\0b", 3)));
}

TEST(Names, AreBoundedInLength) {
  EXPECT_TRUE(valid_participant_name(std::string(63, 'a')));
  EXPECT_FALSE(valid_participant_name(std::string(64, 'a')));
  EXPECT_TRUE(valid_cluster_name(std::string(32, 'a')));
  EXPECT_FALSE(valid_cluster_name(std::string(33, 'a')));
}

TEST(TransactionId, TextFormComesBackAsItWas) {
  const auto id = parse_transaction_id(kText);
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->high, 0x0190'a5b0'1234'7abcULL);
  EXPECT_EQ(id->low, 0x9def'0123'4567'89abULL);
  EXPECT_EQ(id->creator, 0xfedc'ba98'7654'3210ULL);
  EXPECT_EQ(to_string(*id), kText);
}

TEST(TransactionId, EveryOneCharacterChangeIsRefusedOrIsAnotherId) {
  for (std::size_t i = 0; i < kText.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string text(kText);
      if (text[i] == static_cast<char>(c)) continue;
      text[i] = static_cast<char>(c);
      const auto id = parse_transaction_id(text);
      if (id) {
        EXPECT_EQ(to_string(*id), text);
      }
    }
  }
}

TEST(TransactionId, OnlyTheCanonicalFormOfVersion7IsAccepted) {
  for (std::string bad : {
           std::string(kText.substr(1)),
           std::string(kText) + "0",
           std::string("0190a5b0-1234-4abc-9def-0123456789ab-fedcba9876543210"),  // version 4
           std::string("0190a5b0-1234-7abc-0def-0123456789ab-fedcba9876543210"),  // variant 0
           std::string("0190A5B0-1234-7ABC-9DEF-0123456789AB-FEDCBA9876543210"),  // upper case
           std::string("0190a5b0+1234-7abc-9def-0123456789ab-fedcba9876543210"),
           std::string(),
       }) {
    EXPECT_FALSE(parse_transaction_id(bad).has_value()) << bad;
  }
}

TEST(TransactionId, CarriesItsTimeAndOrdersByIt) {
  const auto earlier = make_transaction_id(LogTime(1'700'000'000'000), ~0ULL, ~0ULL, ~0ULL);
  const auto later = make_transaction_id(LogTime(1'700'000'000'001), 0, 0, 0);
  EXPECT_EQ(earlier.time(), LogTime(1'700'000'000'000));
  EXPECT_LT(earlier, later);
  EXPECT_EQ(parse_transaction_id(to_string(earlier)), earlier);
}

TEST(CreatorTag, TellsCreatorsApart) {
  std::set<std::uint64_t> tags;
  for (const char* creator : {"", "a", "b", "ab"}) tags.insert(creator_tag(creator));
  EXPECT_EQ(tags.size(), 4u);
}

TEST(Ballot, OrdersByIncarnationThenRoundThenReplica) {
  const Ballot low{Incarnation(1), Round(9), ReplicaId(9)};
  const Ballot middle{Incarnation(2), Round(1), ReplicaId(9)};
  const Ballot high{Incarnation(2), Round(2), ReplicaId(1)};
  EXPECT_LT(low, middle);
  EXPECT_LT(middle, high);
  EXPECT_EQ(to_string(high), "2.2.1");
}

TEST(Outcome, HasItsNames) {
  EXPECT_EQ(name(Outcome::kCommitted), "COMMITTED");
  EXPECT_EQ(name(Outcome::kAborted), "ABORTED");
}

}  // namespace
}  // namespace assent
