#include "coordinator/commit/serials.h"

#include <gtest/gtest.h>

namespace assent::commit {
namespace {

TEST(Serials, CountFromOneForEachParticipant) {
  Serials serials(7);
  EXPECT_EQ(serials.issue("a"), one_shot_attempt({7, 1}));
  EXPECT_EQ(serials.issue("a"), one_shot_attempt({7, 2}));
  EXPECT_EQ(serials.issue("b"), one_shot_attempt({7, 1}));
}

TEST(Serials, R5TheLowWaterMarkIsTheLowestThatIsLive) {
  Serials serials(7);
  EXPECT_EQ(serials.low_water("a"), 1u);
  const Attempt first = serials.issue("a");
  const Attempt second = serials.issue("a");
  EXPECT_EQ(serials.low_water("a"), 1u);
  serials.release("a", second);
  EXPECT_EQ(serials.low_water("a"), 1u) << "the first is live still";
  serials.release("a", first);
  EXPECT_EQ(serials.low_water("a"), 3u) << "none is: the next one";
  serials.issue("a");
  EXPECT_EQ(serials.low_water("a"), 3u);
  EXPECT_EQ(serials.low_water("b"), 1u);
}

TEST(Serials, AnotherOfficesAttemptsAndClientsAreNoneOfOurs) {
  Serials serials(7);
  serials.issue("a");
  serials.release("a", one_shot_attempt({6, 1}));
  serials.release("a", Attempt(1));
  serials.release("b", one_shot_attempt({7, 1}));
  EXPECT_EQ(serials.live_count(), 1u);
}

TEST(Serials, ReleasingTwiceIsReleasingOnce) {
  Serials serials(7);
  const Attempt first = serials.issue("a");
  serials.release("a", first);
  serials.release("a", first);
  EXPECT_EQ(serials.low_water("a"), 2u);
  EXPECT_EQ(serials.live_count(), 0u);
}

}  // namespace
}  // namespace assent::commit
