#include "runtime/logging.h"

#include <gmock/gmock.h>

#include <sstream>
#include <thread>

namespace assent::log {
namespace {

// What `work` writes to standard error. The log is set up once for all tests.
std::string logged(const std::function<void()>& work) {
  static const bool ready = (init("assent-test", Level::kInfo), true);
  testing::internal::CaptureStderr();
  if (ready) work();
  return testing::internal::GetCapturedStderr();
}

// The line without its time.
std::string after_time(const std::string& line) {
  return line.substr(line.find(' ') + 1);
}

TEST(Log, ALineHasTimeLevelProgramTextAndFields) {
  const std::string line = logged([] {
    info("agent enrolled", {{"participant", "orders"}, {"epoch", std::to_string(3)}});
  });

  EXPECT_THAT(line, testing::MatchesRegex(
                        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                        "info  assent-test agent enrolled participant=orders epoch=3\n"));
}

TEST(Log, LinesBelowTheLevelAreNotWritten) {
  const std::string lines = logged([] {
    debug("too much");
    warning("a warning");
    error("an error");
  });

  EXPECT_FALSE(enabled(Level::kDebug));
  EXPECT_TRUE(enabled(Level::kInfo));
  EXPECT_THAT(lines, testing::Not(testing::HasSubstr("too much")));
  EXPECT_THAT(lines, testing::HasSubstr(" warning assent-test a warning\n"));
  EXPECT_THAT(lines, testing::HasSubstr(" error assent-test an error\n"));
}

TEST(Log, ValuesThatCouldBeMisreadAreQuoted) {
  const std::string line = logged([] {
    info("fields", {{"space", "a b"},
                    {"quote", "say \"no\""},
                    {"backslash", "a\\b"},
                    {"equals", "a=b"},
                    {"empty", ""},
                    {"plain", "127.0.0.1:7001"}});
  });

  EXPECT_EQ(after_time(line),
            "info  assent-test fields space=\"a b\" quote=\"say \\\"no\\\"\" "
            "backslash=\"a\\\\b\" equals=\"a=b\" empty=\"\" plain=127.0.0.1:7001\n");
}

TEST(Log, AHostileValueCannotMakeUpALine) {
  const std::string lines = logged([] {
    info("text\nmore", {{"value", "x\n2026 error forged\r\x1b[31m"}});
  });

  EXPECT_EQ(after_time(lines),
            "info  assent-test text\\x0amore value=\"x\\x0a2026 error forged\\x0d\\x1b[31m\"\n");
}

TEST(Log, LinesOfThreadsStayWhole) {
  constexpr int kThreads = 4;
  constexpr int kLines = 200;
  const std::string lines = logged([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([] {
        for (int n = 0; n < kLines; ++n) info("a line", {{"value", std::string(100, 'x')}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });

  std::istringstream in(lines);
  int count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    ASSERT_EQ(after_time(line), "info  assent-test a line value=" + std::string(100, 'x'));
  }
  EXPECT_EQ(count, kThreads * kLines);
}

TEST(LogLevel, IsParsedFromItsName) {
  EXPECT_EQ(parse_level("debug").value(), Level::kDebug);
  EXPECT_EQ(parse_level("info").value(), Level::kInfo);
  EXPECT_EQ(parse_level("warning").value(), Level::kWarning);
  EXPECT_EQ(parse_level("error").value(), Level::kError);
}

TEST(LogLevel, AnyOtherNameIsRefusedAndShown) {
  const auto level = parse_level("verbose");

  ASSERT_FALSE(level.has_value());
  EXPECT_EQ(level.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(level.error().message, testing::HasSubstr("'verbose'"));
}

}  // namespace
}  // namespace assent::log
