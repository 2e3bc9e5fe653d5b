#include "runtime/process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <csignal>
#include <set>

namespace assent::process {
namespace {

constexpr std::chrono::seconds kDeadline{10};

TEST(Signals, TheFirstSignalAsksToStop) {
  for (const int number : {SIGTERM, SIGINT}) {
    boost::asio::io_context loop;
    std::string stopped_by;
    const Signals signals(loop, [&](const std::string& name) { stopped_by = name; });

    std::raise(number);

    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (stopped_by.empty() && loop.run_one_until(deadline) > 0) {
    }
    EXPECT_EQ(stopped_by, number == SIGTERM ? "SIGTERM" : "SIGINT");
  }
}

TEST(Signals, TheSecondSignalEndsTheProcessAtOnce) {
  const auto signalled_twice = [] {
    boost::asio::io_context loop;
    const Signals signals(loop, [](const std::string&) { std::raise(SIGTERM); });
    std::raise(SIGINT);
    loop.run_for(kDeadline);
  };

  EXPECT_EXIT(signalled_twice(), testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST(Signals, LetTheLoopEndWhenDropped) {
  boost::asio::io_context loop;
  {
    const Signals signals(loop, [](const std::string&) {});
  }

  loop.run_for(kDeadline);

  EXPECT_TRUE(loop.stopped());
}

TEST(Signals, WritingToAClosedPipeIsNoSignal) {
  boost::asio::io_context loop;
  const Signals signals(loop, [](const std::string&) {});
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);

  EXPECT_EQ(write(ends[1], "x", 1), -1);

  close(ends[1]);
}

TEST(Clocks, TheMonotonicOneNeverGoesBack) {
  MonoTime last = monotonic_now();
  for (int i = 0; i < 10'000; ++i) {
    const MonoTime now = monotonic_now();
    ASSERT_LE(last, now);
    last = now;
  }
}

TEST(Clocks, TheWallOneIsUnixTimeInMilliseconds) {
  const std::int64_t seconds = time(nullptr);

  EXPECT_NEAR(static_cast<double>(wall_now_ms()), 1'000.0 * static_cast<double>(seconds), 5'000);
}

TEST(RandomU64, DoesNotRepeatItself) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1'000; ++i) seen.insert(random_u64());

  EXPECT_EQ(seen.size(), 1'000u);
}

TEST(RaiseFileLimit, GoesToTheHardLimit) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);

  raise_file_limit();

  rlimit after{};
  getrlimit(RLIMIT_NOFILE, &after);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace assent::process
