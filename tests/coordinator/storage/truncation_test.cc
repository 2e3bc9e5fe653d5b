// The front of a log goes: only what lies wholly in front, the oldest first, and never what a start
// needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Payloads = std::vector<std::string>;

class Truncation : public ::testing::Test {
 protected:
  Result<OpenedLog> try_open(Sequence needed_from) {
    log_.reset();
    durable_ = 0;
    appended_ = 0;
    return open_log(
        small_segments(directory_.path(), loop_),
        [this](const Flushed& flushed) { durable_ = flushed.through; }, needed_from);
  }
  void open(std::uint64_t needed_from = 1) {
    auto opened = try_open(Sequence(needed_from));
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    log_ = std::move(opened->log);
    found_ = std::move(opened->payloads);
  }
  // Three records of 1,000 bytes fill a segment.
  void append(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      append_bytes(*log_, std::string(1'000, static_cast<char>('a' + all_.size() % 26)));
      all_.push_back(std::string(1'000, static_cast<char>('a' + all_.size() % 26)));
    }
    appended_ += count;
    ASSERT_TRUE(loop_.run_until([&] { return durable_ == appended_; }));
  }
  [[nodiscard]] std::vector<std::uint64_t> segments() const {
    std::vector<std::uint64_t> firsts;
    for (const auto& [name, bytes] : contents(directory_.path())) {
      if (const auto first = parse_segment_name(name)) firsts.push_back(first->value);
    }
    return firsts;
  }
  [[nodiscard]] bool deleted(std::uint64_t count) {
    return loop_.run_until([&] { return log_->counters().segments_deleted == count; });
  }
  void remove(std::uint64_t first) {
    std::filesystem::remove(directory_.file(segment_name(Sequence(first))));
  }
  // The records from this one on.
  [[nodiscard]] Payloads from(std::uint64_t first) const {
    return {all_.begin() + static_cast<std::ptrdiff_t>(first - 1), all_.end()};
  }

  ScratchDirectory directory_{memory_directory()};
  TestLoop loop_;
  std::unique_ptr<WriteAheadLog> log_;
  Payloads found_;
  Payloads all_;
  std::uint64_t appended_ = 0;
  std::uint64_t durable_ = 0;
};

TEST_F(Truncation, DeletesWhatLiesWhollyInFront) {
  open();
  append(14);
  ASSERT_THAT(segments(), ElementsAre(1, 4, 7, 10, 13)) << "as the record sizes are chosen";
  EXPECT_EQ(log_->counters().bytes_held, 5 * SegmentImage::kBytes);

  log_->truncate(Sequence(9));
  ASSERT_TRUE(deleted(2));
  EXPECT_THAT(segments(), ElementsAre(7, 10, 13)) << "record 9 stands in the segment from 7 on";
  EXPECT_EQ(log_->counters().bytes_held, 3 * SegmentImage::kBytes);

  log_->truncate(Sequence(10));
  ASSERT_TRUE(deleted(3));
  EXPECT_THAT(segments(), ElementsAre(10, 13));
}

TEST_F(Truncation, NeverDeletesTheLast) {
  open();
  append(8);
  log_->truncate(Sequence(1'000'000));
  ASSERT_TRUE(deleted(2));
  EXPECT_THAT(segments(), ElementsAre(7));
  append(2);
  ASSERT_TRUE(deleted(3)) << "what it was asked for holds for later segments too";
  EXPECT_THAT(segments(), ElementsAre(10));
}

TEST_F(Truncation, NeverGoesBack) {
  open();
  append(8);
  log_->truncate(Sequence(4));
  log_->truncate(Sequence(1));
  ASSERT_TRUE(deleted(1));
  append(3);
  EXPECT_THAT(segments(), ElementsAre(4, 7, 10));
}

TEST_F(Truncation, TheNextLifeBeginsWithTheFirstSegmentThatIsThere) {
  open();
  append(8);
  log_->truncate(Sequence(7));
  ASSERT_TRUE(deleted(2));
  for (int life = 0; life < 3; ++life) {
    open(7);
    EXPECT_EQ(found_, from(7));
    EXPECT_EQ(log_->counters().bytes_held, segments().size() * SegmentImage::kBytes);
    append(1);
  }
}

TEST_F(Truncation, ALongerLogThanIsNeededIsReadFromItsBeginning) {
  open();
  append(8);
  open(7);
  EXPECT_EQ(found_, all_);
}

TEST_F(Truncation, ALogThatBeginsBehindWhatIsNeededIsRefused) {
  open();
  append(8);
  log_.reset();
  remove(1);
  const auto before = contents(directory_.path());
  for (const std::uint64_t needed : {1, 2, 3}) {
    const auto opened = try_open(Sequence(needed));
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kInternal);
    EXPECT_THAT(opened.error().message,
                HasSubstr("record " + std::to_string(needed) + " is missing in front of " +
                          directory_.file(segment_name(Sequence(4)))));
    EXPECT_EQ(contents(directory_.path()), before);
  }
  open(4);
  EXPECT_EQ(found_, from(4));
}

TEST_F(Truncation, ASegmentMissingInTheMiddleIsRefusedWhateverIsNeeded) {
  open();
  append(11);
  log_.reset();
  remove(4);
  for (const std::uint64_t needed : {1, 4, 7, 10}) {
    const auto opened = try_open(Sequence(needed));
    ASSERT_FALSE(opened.has_value());
    EXPECT_THAT(opened.error().message, HasSubstr("a segment is missing"));
  }
}

TEST_F(Truncation, NoSegmentAtAllIsRefusedWhenOneIsNeeded) {
  const auto opened = try_open(Sequence(4));
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("record 4 is missing in " + directory_.path()));
  EXPECT_TRUE(contents(directory_.path()).empty());
}

TEST_F(Truncation, GoesOnUnderLoadWithTheSpareMadeInTime) {
  open();
  for (int round = 1; round <= 20; ++round) {
    append(30);
    log_->truncate(Sequence(all_.size() > 10 ? all_.size() - 10 : 1));
    append(1);
  }
  ASSERT_TRUE(loop_.run_until([&] { return segments().size() <= 6; }));
  // The flush thread is done when it is idle: closing waits for what it has in hand.
  const std::uint64_t first = segments().front();
  EXPECT_LE(first, all_.size() - 10);
  open(all_.size() - 10);
  EXPECT_EQ(found_, from(first));
}

// Whatever is asked for, and whenever it ends: a life finds all from the first segment on, and that
// is never behind what was asked for.
TEST_F(Truncation, IsAlwaysAPrefixOfWholeSegments) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    log_.reset();
    directory_.clear();
    all_.clear();
    open();
    std::uint64_t asked = 1;
    for (int step = 0; step < 40; ++step) {
      append(random() % 7);
      if (random() % 3 == 0) {
        asked = std::max(asked, random() % (all_.size() + 2) + 1);
        log_->truncate(Sequence(asked));
      }
      if (random() % 5 > 0) continue;
      // What was asked for last is not carried over, and need not be done yet.
      open(std::min<std::uint64_t>(asked, all_.size() + 1));
      const std::uint64_t first = segments().front();
      ASSERT_LE(first, std::max<std::uint64_t>(asked, 1));
      ASSERT_EQ(found_, from(first));
    }
  }
}

}  // namespace
}  // namespace assent::storage
