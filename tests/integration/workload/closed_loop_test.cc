#include "integration/workload/closed_loop.h"

#include <gtest/gtest.h>

#include <atomic>

namespace assent::workload {
namespace {

// Answers at once, and says how often it was asked.
class Fast : public Mover {
 public:
  explicit Fast(std::atomic<std::uint64_t>& moved) : moved_(moved) {}

  CommitResult move(const Changes& /*changes*/) override {
    ++moved_;
    return {.state = CommitState::kCommitted};
  }

 private:
  std::atomic<std::uint64_t>& moved_;
};

TEST(Changes, TakeFromTheFirstDatabaseWhatTheyGiveToTheOthers) {
  std::mt19937_64 random(1);
  for (const std::size_t databases : {1U, 2U, 16U}) {
    const Changes changes = pick_changes(databases, 10, random);
    ASSERT_EQ(changes.size(), databases);
    std::int64_t sum = 0;
    for (const Change& change : changes) {
      sum += change.amount;
      EXPECT_GE(change.account, 1);
      EXPECT_LE(change.account, 10);
    }
    EXPECT_EQ(sum, 0);
    EXPECT_EQ(changes.front().amount, 1 - static_cast<std::int64_t>(databases));
  }
}

TEST(ClosedLoop, CountsInTheWindowAlone) {
  std::atomic<std::uint64_t> moved = 0;
  std::vector<std::unique_ptr<Mover>> movers;
  for (int i = 0; i < 3; ++i) movers.push_back(std::make_unique<Fast>(moved));
  ClosedLoop loop(std::move(movers), {});
  while (moved < 1'000) std::this_thread::yield();

  const std::uint64_t before = moved;
  loop.open_window();
  while (moved < before + 1'000) std::this_thread::yield();
  const Tally tally = loop.close_window();
  const std::uint64_t after = moved;
  loop.stop();

  // Each client may be between its answer and the count of it, at either end.
  EXPECT_GE(tally.committed + 3, 1'000U);
  EXPECT_LE(tally.committed, after - before + 3);
  EXPECT_EQ(tally.latency_us.count(), tally.committed);
  EXPECT_EQ(tally.aborted + tally.unknown, 0U);
}

TEST(ClosedLoop, DoesNothingMoreOnceStopped) {
  std::atomic<std::uint64_t> moved = 0;
  std::vector<std::unique_ptr<Mover>> movers;
  movers.push_back(std::make_unique<Fast>(moved));
  ClosedLoop loop(std::move(movers), {});
  while (moved == 0) std::this_thread::yield();

  loop.stop();

  const std::uint64_t then = moved;
  std::this_thread::yield();
  EXPECT_EQ(moved, then);
}

}  // namespace
}  // namespace assent::workload
