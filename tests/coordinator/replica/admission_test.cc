#include "coordinator/replica/admission.h"

#include <gtest/gtest.h>

namespace assent::replica {
namespace {

TEST(Admission, ADiskThatHasSpokenNeedsNobody) {
  EXPECT_TRUE(Admission(4, false).admitted());
}

TEST(Admission, AReplicaAloneNeedsNobody) {
  EXPECT_TRUE(Admission(0, true).admitted());
}

// Two majorities of the others share one, which knows the disk that was there before.
TEST(Admission, ANewDiskMustBeKnownByAMajorityOfTheOthers) {
  for (std::size_t others = 1; others <= 8; ++others) {
    EXPECT_GT(2 * Admission(others, true).needed(), others);
    EXPECT_LE(Admission(others, true).needed(), others);
  }
  Admission five(4, true);
  five.known_by(ReplicaId(2));
  five.known_by(ReplicaId(2));
  five.known_by(ReplicaId(3));
  EXPECT_FALSE(five.admitted());
  five.known_by(ReplicaId(4));
  EXPECT_TRUE(five.admitted());
  EXPECT_TRUE(five.is_known_by(ReplicaId(3)));
  EXPECT_FALSE(five.is_known_by(ReplicaId(5)));
}

}  // namespace
}  // namespace assent::replica
