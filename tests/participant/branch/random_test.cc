// Random conversations with a branch table. A failing seed is replayed by ASSENT_SEED=n.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/participant/branch/conversation.h"

namespace assent::branch {
namespace {

void add(BranchCounters& sum, const BranchCounters& one) {
  sum.opened += one.opened;
  sum.statements += one.statements;
  sum.voted_yes += one.voted_yes;
  sum.voted_no += one.voted_no;
  sum.voted_read_only += one.voted_read_only;
  sum.committed_one_phase += one.committed_one_phase;
  sum.one_shots += one.one_shots;
  sum.settled += one.settled;
  sum.cancelled += one.cancelled;
  sum.committed += one.committed;
  sum.rolled_back += one.rolled_back;
  sum.idle_rolled_back += one.idle_rolled_back;
  sum.expired += one.expired;
  sum.heuristic += one.heuristic;
}

// A conversation in which nothing happens proves nothing.
void expect_that_enough_happened(const BranchCounters& sum) {
  EXPECT_GT(sum.opened, 20'000U);
  EXPECT_GT(sum.one_shots, 5'000U);
  EXPECT_GT(sum.voted_yes, 1'000U);
  EXPECT_GT(sum.voted_no, 4'000U);
  EXPECT_GT(sum.voted_read_only, 500U);
  EXPECT_GT(sum.committed_one_phase, 200U);
  EXPECT_GT(sum.settled, 2'000U);
  EXPECT_GT(sum.cancelled, 500U);
  EXPECT_GT(sum.committed, 1'000U);
  EXPECT_GT(sum.idle_rolled_back, 300U);
  EXPECT_GT(sum.expired, 100U);
  EXPECT_GT(sum.heuristic, 100U);
}

TEST(RandomConversations, NeverBreakARule) {
  const char* const replayed = std::getenv("ASSENT_SEED");
  const std::uint64_t first = replayed == nullptr ? 1 : std::strtoull(replayed, nullptr, 10);
  const std::uint64_t last = replayed == nullptr ? 4'000 : first;
  BranchCounters sum;
  std::size_t committed_by_row = 0;
  std::size_t prepared_in_vain = 0;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    SCOPED_TRACE("ASSENT_SEED=" + std::to_string(seed));
    Conversation conversation(seed);
    conversation.run(300);
    add(sum, conversation.counters());
    committed_by_row += conversation.committed_by_row();
    prepared_in_vain += conversation.prepared_in_vain();
  }
  if (replayed == nullptr) {
    expect_that_enough_happened(sum);
    EXPECT_GT(committed_by_row, 100U);
    EXPECT_GT(prepared_in_vain, 15U);
  }
}

}  // namespace
}  // namespace assent::branch
