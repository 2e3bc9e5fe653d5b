#include "runtime/rpc/replicas.h"

#include <gtest/gtest.h>

namespace assent::rpc {
namespace {

TEST(Replicas, AreAskedOneAfterTheOther) {
  Replicas replicas({"a:1", "b:1"});
  EXPECT_EQ(replicas.current(), "a:1");
  EXPECT_FALSE(replicas.failed("a:1"));
  EXPECT_EQ(replicas.current(), "b:1");
  EXPECT_FALSE(replicas.failed("b:1"));
  EXPECT_EQ(replicas.current(), "a:1");
}

TEST(Replicas, MoveOnOnceForManyFailuresOfOneAddress) {
  Replicas replicas({"a:1", "b:1", "c:1"});
  EXPECT_FALSE(replicas.failed("a:1"));
  EXPECT_TRUE(replicas.failed("a:1")) << "somebody has moved on: b is asked at once";
  EXPECT_EQ(replicas.current(), "b:1");
}

TEST(Replicas, FollowTheHintAtTheLeaderAtOnce) {
  Replicas replicas({"a:1", "b:1", "c:1"});
  EXPECT_TRUE(replicas.failed("a:1", "c:1"));
  EXPECT_EQ(replicas.current(), "c:1");
}

TEST(Replicas, FollowAHintAtAnAddressThatTheyWereNotGiven) {
  Replicas replicas({"a:1", "b:1"});
  EXPECT_TRUE(replicas.failed("a:1", "new:1"));
  EXPECT_EQ(replicas.current(), "new:1");
  EXPECT_FALSE(replicas.failed("new:1"));
  EXPECT_EQ(replicas.current(), "b:1");
}

TEST(Replicas, IgnoreAHintAtTheAskedOneItself) {
  Replicas replicas({"a:1", "b:1"});
  EXPECT_FALSE(replicas.failed("a:1", "a:1"));
  EXPECT_EQ(replicas.current(), "b:1");
}

TEST(Replicas, StayWithWhoSaysThatItLeads) {
  Replicas replicas({"a:1", "b:1", "c:1"});
  replicas.leads("c:1");
  EXPECT_EQ(replicas.current(), "c:1");
  EXPECT_FALSE(replicas.failed("c:1"));
  EXPECT_EQ(replicas.current(), "b:1");
}

TEST(Replicas, NameTheOthersInTurn) {
  Replicas replicas({"a:1", "b:1", "c:1"});
  EXPECT_EQ(replicas.next_other(), "b:1");
  EXPECT_EQ(replicas.next_other(), "c:1");
  EXPECT_EQ(replicas.next_other(), "b:1");
  EXPECT_EQ(Replicas({"a:1"}).next_other(), "a:1");
}

}  // namespace
}  // namespace assent::rpc
