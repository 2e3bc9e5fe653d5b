#include "base/gid.h"

#include <gtest/gtest.h>

#include <limits>

namespace assent {
namespace {

constexpr std::string_view kGid =
    "assent:bank:0190a5b0-1234-7abc-9def-0123456789ab-fedcba9876543210:orders:3.14";

BranchId branch() {
  return {*parse_transaction_id("0190a5b0-1234-7abc-9def-0123456789ab-fedcba9876543210"), "orders",
          Epoch(3), Attempt(14)};
}

TEST(Gid, NamesClusterAndBranch) {
  EXPECT_EQ(make_gid("bank", branch()), kGid);
  EXPECT_EQ(parse_gid(kGid), (Gid{"bank", branch()}));
}

TEST(Gid, TheLongestStillFitsPostgreSQL) {
  BranchId longest = branch();
  longest.participant = std::string(kParticipantNameMax, 'p');
  longest.epoch = Epoch(std::numeric_limits<std::uint64_t>::max());
  longest.attempt = Attempt(std::numeric_limits<std::uint64_t>::max());
  const std::string cluster(kClusterNameMax, 'c');
  const std::string gid = make_gid(cluster, longest);
  EXPECT_EQ(gid.size(), kGidLengthMax);
  EXPECT_EQ(parse_gid(gid), (Gid{cluster, longest}));
}

TEST(Gid, EveryTruncationIsAStrangers) {
  for (std::size_t length = 0; length < kGid.size(); ++length) {
    const auto gid = parse_gid(kGid.substr(0, length));
    // "3.14" cut to "3.1" is a gid too, of another branch.
    if (gid) {
      EXPECT_EQ(make_gid(gid->cluster, gid->branch), kGid.substr(0, length));
    }
  }
}

TEST(Gid, EveryOneCharacterChangeIsAStrangersOrAnotherBranchs) {
  for (std::size_t i = 0; i < kGid.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string text(kGid);
      if (text[i] == static_cast<char>(c)) continue;
      text[i] = static_cast<char>(c);
      const auto gid = parse_gid(text);
      if (gid) {
        EXPECT_EQ(make_gid(gid->cluster, gid->branch), text);
      }
    }
  }
}

TEST(Gid, HostileNamesAreStrangers) {
  const std::string id = "0190a5b0-1234-7abc-9def-0123456789ab-fedcba9876543210";
  for (const std::string& bad : {
           std::string(),
           std::string("assent:"),
           std::string("assent::::."),
           "assent:bank:" + id + ":orders:0.1",                     // epochs count from 1
           "assent:bank:" + id + ":orders:1.0",                     // attempts too
           "assent:bank:" + id + ":orders:01.1",                    // not canonical
           "assent:bank:" + id + ":orders:+1.1",                    // not canonical
           "assent:bank:" + id + ":orders:1.1 ",                    // trailing
           "assent:bank:" + id + ":orders:1.1.1",                   // trailing
           "assent:bank:" + id + ":orders:18446744073709551616.1",  // overflow
           "assent:Bank:" + id + ":orders:1.1",                     // upper case
           "assent:bank:" + id + "::1.1",                           // no participant
           "assent::" + id + ":orders:1.1",                         // no cluster
           "ASSENT:bank:" + id + ":orders:1.1",
           "assent:bank:" + id + ":" + std::string(64, 'p') + ":1.1",
           std::string(1 << 20, ':'),
       }) {
    EXPECT_FALSE(parse_gid(bad).has_value()) << bad.substr(0, 200);
  }
}

TEST(GidDeathTest, IsNeverMadeOfInvalidNames) {
  BranchId bad = branch();
  bad.participant = "a:b";
  EXPECT_DEATH(make_gid("bank", bad), "valid names");
  EXPECT_DEATH(make_gid("", branch()), "valid names");
}

}  // namespace
}  // namespace assent
