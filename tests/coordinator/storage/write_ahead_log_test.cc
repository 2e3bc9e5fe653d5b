#include "coordinator/storage/write_ahead_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "coordinator/storage/segment_reader.h"
#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Payloads = std::vector<std::string>;

class Log : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    auto opened = open_log(small_segments(directory_.path(), loop_),
                           [this](const Flushed& flushed) { flushes_.push_back(flushed); });
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    log_ = std::move(opened->log);
    found_ = std::move(opened->payloads);
    flushes_.clear();
    earlier_ = appended_.size();
  }
  void reopen() {
    log_.reset();
    open();
  }

  void append(std::string payload) {
    appended_.push_back(payload);
    append_bytes(*log_, std::move(payload));
  }
  [[nodiscard]] bool all_durable() {
    return loop_.run_until([this] { return earlier_ + durable() == appended_.size(); });
  }
  // Records of this life that are durable, as told.
  [[nodiscard]] std::uint64_t durable() const {
    return flushes_.empty() ? 0 : flushes_.back().through;
  }

  ScratchDirectory directory_;
  TestLoop loop_;
  std::unique_ptr<WriteAheadLog> log_;
  Payloads found_;
  Payloads appended_;
  std::size_t earlier_ = 0;       // of them, appended in earlier lives
  std::vector<Flushed> flushes_;  // as told in this life
};

TEST_F(Log, ReturnsWhatWasAppendedInOrder) {
  for (int i = 0; i < 100; ++i) append("record " + std::to_string(i));
  ASSERT_TRUE(all_durable());

  reopen();

  EXPECT_EQ(found_, appended_);
}

TEST_F(Log, TellsOnceForEachFlushHowFarItIsDurable) {
  for (int i = 0; i < 50; ++i) append(std::to_string(i));
  ASSERT_TRUE(all_durable());
  EXPECT_EQ(flushes_.size(), log_->counters().flushes);
  std::uint64_t through = 0;
  for (const Flushed& flushed : flushes_) {
    EXPECT_FALSE(flushed.places.empty());
    through += flushed.places.size();
    EXPECT_EQ(flushed.through, through);
  }
}

TEST_F(Log, TellsWhereEachRecordStands) {
  for (std::size_t i = 0; i < 40; ++i) append(std::string(50 * i, static_cast<char>('a' + i % 26)));
  ASSERT_TRUE(all_durable());

  std::vector<std::string> told;
  SegmentReader reader(directory_.path());
  for (const Flushed& flushed : flushes_) {
    for (const Place& place : flushed.places) {
      const auto record = reader.read(place);
      ASSERT_TRUE(record.has_value()) << record.error().message;
      told.push_back(record->bytes);
    }
  }

  EXPECT_GT(contents(directory_.path()).size(), 3u) << "several segments";
  EXPECT_EQ(told, appended_);
}

TEST_F(Log, RecordsOfOneCallShareAFlush) {
  const std::vector<Record> records(30, Record{RecordType::kAccepted, "record"});
  log_->append(records);
  appended_.resize(30);
  ASSERT_TRUE(all_durable());
  EXPECT_EQ(log_->counters().flushes, 1u);
}

TEST_F(Log, TellsNothingBeforeTheLoopTurns) {
  loop_.close_gate();
  append("one");
  ASSERT_TRUE(loop_.wait_until_held()) << "the flush is over, and not told yet";

  EXPECT_EQ(durable(), 0u);
  EXPECT_EQ(log_->counters().flushes, 0u);

  loop_.open_gate();
  ASSERT_TRUE(all_durable());
  EXPECT_EQ(log_->counters().flushes, 1u);
}

TEST_F(Log, AllThatIsQueuedDuringAFlushSharesTheNext) {
  loop_.close_gate();
  append("first");
  ASSERT_TRUE(loop_.wait_until_held());

  for (int i = 0; i < 50; ++i) append(std::to_string(i));
  loop_.open_gate();
  ASSERT_TRUE(all_durable());

  EXPECT_EQ(log_->counters().records, 51u);
  EXPECT_EQ(log_->counters().flushes, 2u);
}

TEST_F(Log, CountsTheBytesOfRecords) {
  append("123");
  ASSERT_TRUE(all_durable());
  EXPECT_EQ(log_->counters().bytes, record_bytes(3));
}

TEST_F(Log, KeepsEmptyRecordsAndAllByteValues) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  append("");
  append(bytes);
  append("");
  ASSERT_TRUE(all_durable());

  reopen();

  EXPECT_EQ(found_, appended_);
}

TEST_F(Log, GoesOnInNewSegmentsWhenOneIsFull) {
  const std::size_t fit = (SegmentImage::kBytes - kSegmentHeaderBytes) / record_bytes(1'000);
  for (std::size_t i = 0; i < 3 * fit; ++i) append(std::string(1'000, static_cast<char>('a' + i)));
  ASSERT_TRUE(all_durable());

  const auto files = contents(directory_.path());
  EXPECT_TRUE(files.contains(segment_name(Sequence(1))));
  EXPECT_TRUE(files.contains(segment_name(Sequence(1 + fit))));
  EXPECT_TRUE(files.contains(segment_name(Sequence(1 + 2 * fit))));
  reopen();
  EXPECT_EQ(found_, appended_);
}

TEST_F(Log, ABatchLargerThanASegmentIsSpreadOverSeveral) {
  loop_.close_gate();
  append("first");
  ASSERT_TRUE(loop_.wait_until_held());
  for (int i = 0; i < 10; ++i) append(std::string(1'500, static_cast<char>('a' + i)));
  loop_.open_gate();
  ASSERT_TRUE(all_durable());

  reopen();

  EXPECT_EQ(found_, appended_);
}

TEST_F(Log, ARecordTooLargeForWhatRemainsGoesToTheNextSegment) {
  append(std::string(2'000, 'a'));
  append(std::string(2'048, 'b'));
  append(std::string(2'048, 'c'));
  append("small");
  ASSERT_TRUE(all_durable());

  EXPECT_TRUE(contents(directory_.path()).contains(segment_name(Sequence(2))));
  reopen();
  EXPECT_EQ(found_, appended_);
}

TEST_F(Log, GrowsOverManyOpenings) {
  for (int life = 0; life < 20; ++life) {
    for (int i = 0; i < 5; ++i) append(std::string(static_cast<std::size_t>(50 * i), 'x'));
    reopen();
    ASSERT_EQ(found_, appended_) << "life " << life;
  }
}

TEST_F(Log, WritesOutWhatIsQueuedWhenClosedAndCallsNobody) {
  for (int i = 0; i < 100; ++i) append(std::to_string(i));

  log_.reset();
  loop_.run_posted();

  EXPECT_EQ(durable(), 0u);
  open();
  EXPECT_EQ(found_, appended_);
}

TEST_F(Log, MayBeClosedByACallbackAndCallsNobodyAfterwards) {
  log_.reset();
  std::vector<std::uint64_t> told;
  auto opened = open_log(small_segments(directory_.path(), loop_), [&](const Flushed& flushed) {
    told.push_back(flushed.through);
    log_.reset();        // flushes what is behind,
    loop_.run_posted();  // and even a loop turned from in here tells nobody
  });
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  log_ = std::move(opened->log);
  loop_.close_gate();
  append("first");
  ASSERT_TRUE(loop_.wait_until_held());
  append("behind");
  loop_.open_gate();

  ASSERT_TRUE(loop_.run_until([this] { return log_ == nullptr; }));
  loop_.run_posted();

  EXPECT_THAT(told, ElementsAre(1));
  open();
  EXPECT_EQ(found_, appended_);
}

TEST_F(Log, ASecondOpenerIsRefused) {
  append("one");
  ASSERT_TRUE(all_durable());

  const auto second = payloads_in(directory_.path());

  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr(directory_.path() + " is in use"));
  log_.reset();
  EXPECT_TRUE(payloads_in(directory_.path()).has_value());
}

TEST_F(Log, PreparesTheNextSegmentAheadOfNeed) {
  const std::string spare = directory_.file("spare");
  append("one");
  ASSERT_TRUE(all_durable());
  // Closing waits for the flush thread, which makes the spare in its idle time or after a batch.
  append("two");
  ASSERT_TRUE(all_durable());
  log_.reset();

  EXPECT_EQ(read_file(spare), std::string(SegmentImage::kBytes, '\0'));
}

TEST_F(Log, AHalfMadeSpareOfAnEarlierProcessDoesNoHarm) {
  log_.reset();
  write_file(directory_.file("spare"), SegmentImage(Sequence(1)).batch({"old"}).bytes());
  open();
  for (int i = 0; i < 10; ++i) append(std::string(1'000, static_cast<char>('a' + i)));
  ASSERT_TRUE(all_durable());

  reopen();

  EXPECT_EQ(found_, appended_);
}

TEST(LogOptions, ASegmentThatCannotHoldTheLargestRecordIsRefused) {
  const ScratchDirectory directory;
  TestLoop loop;
  WriteAheadLogOptions options = small_segments(directory.path(), loop);
  options.record_bytes_max = static_cast<std::uint32_t>(options.segment_bytes);

  const auto opened = open_log(options);

  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
}

TEST(LogOptions, ADirectoryThatCannotBeMadeIsRefusedByName) {
  const ScratchDirectory directory;
  const auto opened = payloads_in(directory.file("missing/log"));
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr(directory.file("missing/log")));
}

// ── a failing disk, played by a limit on the size of files ──────────────────────────────────────

void limit_file_bytes(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, RLIM_INFINITY};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
}

// A name that is taken by a directory stands for a disk that has no room for the next segment.
class LogWithoutSpare : public Log {
 protected:
  void SetUp() override {
    const SegmentImage first(Sequence(1));
    write_file(directory_.file(first.name()), first.bytes());
    std::filesystem::create_directory(directory_.file("spare"));
    open();
  }
};

TEST_F(LogWithoutSpare, GoesOnWhileTheSegmentInUseHasRoom) {
  append(std::string(2'000, 'a'));
  ASSERT_TRUE(all_durable());
}

TEST_F(LogWithoutSpare, TriesAgainWhenTheSegmentIsFullAndAheadOfNeedAfterwards) {
  append(std::string(2'000, 'a'));
  ASSERT_TRUE(all_durable());
  std::filesystem::remove(directory_.file("spare"));
  append(std::string(2'048, 'b'));
  append("c");
  ASSERT_TRUE(all_durable());
  append("d");
  ASSERT_TRUE(all_durable());
  log_.reset();

  EXPECT_EQ(read_file(directory_.file("spare")), std::string(SegmentImage::kBytes, '\0'));
  open();
  EXPECT_EQ(found_, appended_);
}

using LogWithoutSpareDeathTest = LogWithoutSpare;

TEST_F(LogWithoutSpareDeathTest, EndsTheProcessInClearWordsWhenTheSegmentIsFull) {
  log_.reset();
  const auto fill = [this] {
    open();
    append(std::string(2'000, 'a'));
    append(std::string(2'048, 'b'));
    static_cast<void>(all_durable());
  };
  EXPECT_DEATH(fill(), "spare.*the process ends; nothing acknowledged is lost");
}

class LogDeathTest : public ::testing::Test {
 protected:
  // Appends one record to a log whose files may from then on not be written behind `bytes`.
  void append_with_limit(rlim_t bytes, const std::string& payload) {
    TestLoop loop;
    bool durable = false;
    auto opened =
        open_log(small_segments(directory_.path(), loop), [&](const Flushed&) { durable = true; });
    ASSERT_TRUE(opened.has_value());
    limit_file_bytes(bytes);
    append_bytes(*opened->log, payload);
    EXPECT_TRUE(loop.run_until([&] { return durable; }));
  }

  ScratchDirectory directory_;
};

TEST_F(LogDeathTest, AFailedWriteEndsTheProcess) {
  EXPECT_DEATH(append_with_limit(kSegmentHeaderBytes, "lost"),
               "cannot write to .*the process ends");
}

TEST(LogLimits, NoSpaceForTheFirstSegmentIsSaidClearly) {
  const ScratchDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    limit_file_bytes(kSegmentHeaderBytes);
    const auto opened = payloads_in(directory.path());
    const bool said = !opened && opened.error().message.find("cannot reserve 8192 bytes") == 0;
    ::_exit(said && contents(directory.path()).empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// ── kill -9 ─────────────────────────────────────────────────────────────────────────────────────

std::string numbered(int number) {
  return std::to_string(number) + ":" + std::string(static_cast<std::size_t>(number % 300), 'p');
}

// Appends for ever, several at a time, and tells the pipe each number once it is durable.
[[noreturn]] void append_until_killed(const std::string& directory, int first, int pipe) {
  TestLoop loop;
  int next = first;
  int told = first;
  std::unique_ptr<WriteAheadLog> log;
  const auto on_flushed = [&](const Flushed& flushed) {
    for (; told < first + static_cast<int>(flushed.through); ++told) {
      if (::write(pipe, &told, sizeof told) != sizeof told) ::_exit(1);
      append_bytes(*log, numbered(next++));
    }
  };
  auto opened = open_log(small_segments(directory, loop), on_flushed);
  if (!opened) ::_exit(1);
  log = std::move(opened->log);
  for (int i = 0; i < 16; ++i) append_bytes(*log, numbered(next++));
  static_cast<void>(loop.run_until([] { return false; }));
  ::_exit(1);
}

// Starts such a process, kills it once it has told of `count` records, and returns the last told.
int killed_after(const std::string& directory, int first, int count) {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) append_until_killed(directory, first, ends[1]);
  ::close(ends[1]);
  int last = -1;
  for (int told = 0; told < count; ++told) {
    if (::read(ends[0], &last, sizeof last) != sizeof last) break;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  // What it told before it died counts as well.
  while (::read(ends[0], &last, sizeof last) == sizeof last) {
  }
  ::close(ends[0]);
  return last;
}

TEST(LogKilled, EveryAcknowledgedRecordIsThereAfterKillNine) {
  const ScratchDirectory directory;
  int written = 0;
  for (int life = 0; life < 10; ++life) {
    const int last = killed_after(directory.path(), written, 20 + 30 * life);
    ASSERT_GE(last, written) << "life " << life;

    const auto found = payloads_in(directory.path());

    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_GT(found->size(), static_cast<std::size_t>(last));
    for (std::size_t i = 0; i < found->size(); ++i) {
      ASSERT_EQ((*found)[i], numbered(static_cast<int>(i)));
    }
    written = static_cast<int>(found->size());
  }
}

}  // namespace
}  // namespace assent::storage
