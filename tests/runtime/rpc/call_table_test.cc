#include "runtime/rpc/call_table.h"

#include <gtest/gtest.h>

namespace assent::rpc {
namespace {

PendingCall call(const std::string& method, MonoTime deadline, std::uint64_t position = 0) {
  return {.method = method, .read = {}, .done = {}, .deadline = deadline, .position = position};
}

TEST(CallTable, TakesACallOnce) {
  CallTable table;
  table.add(1, call("prepare", MonoTime(10)));

  EXPECT_EQ(table.take(1)->method, "prepare");

  EXPECT_FALSE(table.take(1));
  EXPECT_EQ(table.size(), 0u);
  EXPECT_FALSE(table.next_deadline());
}

TEST(CallTable, ExpiresCallsAtTheirDeadlineTheEarliestFirst) {
  CallTable table;
  table.add(1, call("later", MonoTime(20)));
  table.add(2, call("sooner", MonoTime(10)));
  table.add(3, call("last", MonoTime(30)));
  EXPECT_EQ(table.next_deadline(), MonoTime(10));

  EXPECT_FALSE(table.take_expired(MonoTime(9)));
  EXPECT_EQ(table.take_expired(MonoTime(20))->method, "sooner");
  EXPECT_EQ(table.take_expired(MonoTime(20))->method, "later");
  EXPECT_FALSE(table.take_expired(MonoTime(20)));
  EXPECT_EQ(table.next_deadline(), MonoTime(30));
}

TEST(CallTable, GivesAllInTheOrderInWhichTheyWereSent) {
  CallTable table;
  for (int i = 0; i < 100; ++i) {
    table.add(table.next_seqid(),
              call(std::to_string(i), MonoTime(100 - i), static_cast<std::uint64_t>(10 * i)));
  }

  const std::vector<PendingCall> all = table.take_all();

  ASSERT_EQ(all.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(all[i].method, std::to_string(i));
  EXPECT_EQ(table.size(), 0u);
  EXPECT_FALSE(table.next_deadline());
}

TEST(CallTable, NeverGivesOutTheSeqidOfAPendingCall) {
  CallTable table;
  table.add(2, call("pending", MonoTime(10)));

  EXPECT_EQ(table.next_seqid(), 1);
  EXPECT_EQ(table.next_seqid(), 3);
}

}  // namespace
}  // namespace assent::rpc
