#include "runtime/deadline_timer.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

#include "runtime/process.h"

namespace assent {
namespace {

constexpr std::chrono::seconds kDeadline{10};

class DeadlineTimerTest : public testing::Test {
 protected:
  boost::asio::io_context loop_;
  int due_ = 0;
};

TEST_F(DeadlineTimerTest, IsDueAtItsDeadlineAndThenRests) {
  DeadlineTimer timer(loop_, [this] { ++due_; });
  const MonoTime deadline = process::monotonic_now() + Millis(20);

  timer.arm(deadline);
  loop_.run_for(kDeadline);

  EXPECT_EQ(due_, 1);
  EXPECT_GE(process::monotonic_now(), deadline);
}

TEST_F(DeadlineTimerTest, IsDueOnlyAtTheLastDeadlineThatItWasGiven) {
  DeadlineTimer timer(loop_, [this] { ++due_; });

  timer.arm(process::monotonic_now());
  timer.arm(process::monotonic_now() + Millis(20));
  loop_.run_for(kDeadline);

  EXPECT_EQ(due_, 1);
}

TEST_F(DeadlineTimerTest, RestsWhenDisarmed) {
  DeadlineTimer timer(loop_, [this] { ++due_; });

  timer.arm(process::monotonic_now());
  timer.arm(std::nullopt);
  loop_.run_for(kDeadline);

  EXPECT_EQ(due_, 0);
}

TEST_F(DeadlineTimerTest, MayGoWhenItsTimeHasAlreadyCome) {
  auto timer = std::make_unique<DeadlineTimer>(loop_, [this] { ++due_; });
  timer->arm(process::monotonic_now());
  // By the time that this runs the wait has expired, and its end is queued behind.
  boost::asio::post(loop_, [&] {
    loop_.poll_one();
    timer.reset();
  });

  loop_.run_for(kDeadline);

  EXPECT_LE(due_, 1);
}

TEST_F(DeadlineTimerTest, MayBeArmedAgainWhenDue) {
  std::unique_ptr<DeadlineTimer> timer;
  timer = std::make_unique<DeadlineTimer>(loop_, [&] {
    if (++due_ < 3) timer->arm(process::monotonic_now() + Millis(1));
  });

  timer->arm(process::monotonic_now());
  loop_.run_for(kDeadline);

  EXPECT_EQ(due_, 3);
}

}  // namespace
}  // namespace assent
