#include "integration/workload/decision_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <vector>

namespace assent::workload {
namespace {

TEST(DecisionLog, FlushesOnceForEachRecordOfOneThread) {
  const std::string path = testing::TempDir() + "decision_log_test.one";
  const auto log = DecisionLog::create(path);
  ASSERT_TRUE(log) << log.error().message;

  for (int i = 0; i < 5; ++i) (*log)->append();

  EXPECT_EQ((*log)->flushes(), 5);
  EXPECT_TRUE(std::filesystem::remove(path));
}

TEST(DecisionLog, FlushesAtMostOnceForEachRecordOfMany) {
  const std::string path = testing::TempDir() + "decision_log_test.many";
  const auto log = DecisionLog::create(path);
  ASSERT_TRUE(log) << log.error().message;

  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&log] {
      for (int each = 0; each < 20; ++each) (*log)->append();
    });
  }
  threads.clear();

  EXPECT_GE((*log)->flushes(), 20) << "each thread waits for every record of its own";
  EXPECT_LE((*log)->flushes(), 160);
  EXPECT_TRUE(std::filesystem::remove(path));
}

TEST(DecisionLog, SaysWhereItCannotBe) {
  const auto log = DecisionLog::create("/nonexistent/log");
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(log.error().message.find("/nonexistent/log"), std::string::npos);
}

}  // namespace
}  // namespace assent::workload
