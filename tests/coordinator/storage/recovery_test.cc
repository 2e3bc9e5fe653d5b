#include "coordinator/storage/recovery.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Payloads = std::vector<std::string>;

class Recovery : public ::testing::Test {
 protected:
  void write(const SegmentImage& image) { write_file(path(image), image.bytes()); }
  void write(const SegmentImage& image, std::string_view bytes) { write_file(path(image), bytes); }
  [[nodiscard]] std::string path(const SegmentImage& image) const {
    return directory_.file(image.name());
  }

  // Opening refuses, in words that hold all of `parts`, and changes nothing.
  void expect_refused(ErrorCode code, const Payloads& parts) {
    const auto before = contents(directory_.path());
    const auto found = payloads_in(directory_.path());
    ASSERT_FALSE(found.has_value()) << "opened with " << found->size() << " records";
    EXPECT_EQ(found.error().code, code);
    for (const auto& part : parts) EXPECT_THAT(found.error().message, HasSubstr(part));
    EXPECT_EQ(contents(directory_.path()), before);
  }

  // Opening finds exactly these, and so does every later one; a record appended then is kept too.
  void expect_records(Payloads expected) {
    TestLoop loop;
    auto opened = open_log(small_segments(directory_.path(), loop));
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    ASSERT_EQ(opened->payloads, expected);
    append_bytes(*opened->log, "after");
    opened->log.reset();
    expected.emplace_back("after");
    const auto again = payloads_in(directory_.path());
    ASSERT_TRUE(again.has_value()) << again.error().message;
    ASSERT_EQ(*again, expected);
  }

  ScratchDirectory directory_{memory_directory()};
};

// Two batches: "one" and "two" were durable before the last batch, of three, was written.
SegmentImage two_batches() {
  SegmentImage image(Sequence(1));
  image.batch({"one", "two"}).batch({"three", std::string(20, '4'), "five!"});
  return image;
}
constexpr std::size_t kLastBatch = 2;  // its first record, from 0

// How many records of two_batches() stand whole in front of `offset`.
std::size_t whole_before(const SegmentImage& image, std::size_t offset) {
  std::size_t count = 0;
  while (count < 5 && image.offset(count + 1) <= offset) ++count;
  return count;
}

Payloads first_of_two_batches(std::size_t count) {
  const Payloads all{"one", "two", "three", std::string(20, '4'), "five!"};
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST_F(Recovery, FindsNothingInAnEmptyDirectory) {
  expect_records({});
}

TEST_F(Recovery, FindsAllRecordsOfAllSegments) {
  SegmentImage first(Sequence(1));
  first.batch({"one", "two"}).batch({"three"});
  SegmentImage second(Sequence(4));
  second.batch({"four"});
  write(first);
  write(second);

  expect_records({"one", "two", "three", "four"});
}

TEST_F(Recovery, FindsASegmentThatHoldsNoRecordYet) {
  SegmentImage first(Sequence(1));
  first.batch({"one"});
  write(first);
  write(SegmentImage(Sequence(2)));

  expect_records({"one"});
}

TEST_F(Recovery, FileCutAnywhereInTheLastBatchLosesOnlyItsTornRecords) {
  const SegmentImage image = two_batches();
  for (std::size_t at = image.offset(kLastBatch); at <= image.end(); ++at) {
    SCOPED_TRACE(at);
    write(image, image.bytes().substr(0, at));
    expect_records(first_of_two_batches(whole_before(image, at)));
    if (HasFatalFailure()) return;
    directory_.clear();
  }
}

TEST_F(Recovery, ZerosFromAnywhereInTheLastBatchLoseOnlyItsTornRecords) {
  const SegmentImage image = two_batches();
  for (std::size_t at = image.offset(kLastBatch); at < image.end(); ++at) {
    SCOPED_TRACE(at);
    std::string bytes = image.bytes().substr(0, at);
    bytes.resize(SegmentImage::kBytes, '\0');
    // A record whose last bytes are zeros anyway is whole: padding.
    const std::size_t whole = bytes == image.bytes() ? 5 : whole_before(image, at);
    const std::size_t end = whole < 5 ? image.offset(whole + 1) : image.end();
    const bool only_padding = bytes.substr(0, end) == image.bytes().substr(0, end);
    write(image, bytes);
    expect_records(first_of_two_batches(only_padding && whole < 5 ? whole + 1 : whole));
    if (HasFatalFailure()) return;
    directory_.clear();
  }
}

TEST_F(Recovery, ABitFlippedAnywhereInTheLastBatchLosesNothingBeforeIt) {
  const SegmentImage image = two_batches();
  for (std::size_t at = image.offset(kLastBatch); at < image.end(); ++at) {
    SCOPED_TRACE(at);
    std::string bytes = image.bytes();
    bytes[at] = static_cast<char>(bytes[at] ^ 0x04);
    write(image, bytes);
    expect_records(first_of_two_batches(whole_before(image, at)));
    if (HasFatalFailure()) return;
    directory_.clear();
  }
}

TEST_F(Recovery, ABitFlippedAnywhereInDurableRecordsIsRefused) {
  const SegmentImage image = two_batches();
  for (std::size_t at = image.offset(0); at < image.offset(kLastBatch); ++at) {
    SCOPED_TRACE(at);
    std::string bytes = image.bytes();
    bytes[at] = static_cast<char>(bytes[at] ^ 0x04);
    write(image, bytes);
    const std::size_t damaged = image.offset(whole_before(image, at));
    expect_refused(ErrorCode::kInternal,
                   {path(image) + " at offset " + std::to_string(damaged), "is damaged"});
    if (HasFailure()) return;
  }
}

// The last batch was lost too, all but one header: that alone knows what was durable.
TEST_F(Recovery, ALoneHeaderOfALaterBatchProvesDamage) {
  const SegmentImage image = two_batches();
  std::string bytes = image.bytes();
  bytes[image.offset(1) + kRecordHeaderBytes] = 'x';
  const std::size_t kept = image.offset(3);
  bytes.replace(image.offset(kLastBatch), kept - image.offset(kLastBatch),
                kept - image.offset(kLastBatch), '\0');
  const std::size_t rest = kept + kRecordHeaderBytes;
  bytes.replace(rest, bytes.size() - rest, bytes.size() - rest, '\0');
  write(image, bytes);

  expect_refused(ErrorCode::kInternal, {"offset " + std::to_string(image.offset(1))});
}

TEST_F(Recovery, DamageInASegmentThatIsFollowedIsRefused) {
  SegmentImage first(Sequence(1));
  first.batch({"one"}).batch({"two"});
  write(first);
  write(SegmentImage(Sequence(3)));
  std::string bytes = first.bytes();
  bytes[first.offset(1) + kRecordHeaderBytes] = 'x';
  write(first, bytes);

  // Nothing follows record 2 in its own segment: the next one's name is what proves it.
  expect_refused(ErrorCode::kInternal,
                 {path(first) + " at offset " + std::to_string(first.offset(1)), "Record 2"});
}

TEST_F(Recovery, AMissingSegmentIsRefused) {
  SegmentImage first(Sequence(1));
  first.batch({"one"});
  SegmentImage third(Sequence(5));
  third.batch({"five"});
  write(first);
  write(third);

  expect_refused(ErrorCode::kInternal, {"Records 2 to 4", path(third), "a segment is missing"});
}

TEST_F(Recovery, AMissingFirstSegmentIsRefused) {
  write(SegmentImage(Sequence(5)));
  expect_refused(ErrorCode::kInternal, {"begins with record 1 is missing"});
}

TEST_F(Recovery, ADamagedSegmentHeaderIsRefused) {
  const SegmentImage image = two_batches();
  std::string bytes = image.bytes();
  bytes[20] = static_cast<char>(bytes[20] ^ 1);
  write(image, bytes);

  expect_refused(ErrorCode::kInternal, {"header of " + path(image) + " is damaged"});
}

TEST_F(Recovery, ARenamedSegmentIsRefused) {
  write_file(directory_.file(segment_name(Sequence(1))), SegmentImage(Sequence(2)).bytes());
  expect_refused(ErrorCode::kInternal, {"begins with record 2"});
}

TEST_F(Recovery, BytesOfARecordRepeatedBehindItAreNoRecord) {
  SegmentImage image(Sequence(1));
  image.batch({"one"}).batch({"two"});
  std::string bytes = image.bytes();
  const std::size_t length = image.end() - image.offset(1);
  bytes.replace(image.end(), length, bytes.substr(image.offset(1), length));
  write(image, bytes);

  expect_records({"one", "two"});
}

TEST_F(Recovery, AnIntactRecordWithAnotherSequenceIsNotTheNext) {
  SegmentImage skipped(Sequence(1));
  skipped.batch({"one"}).record({.type = 4, .sequence = Sequence(3), .durable = Sequence(1)}, "x");
  write(skipped);
  expect_records({"one"});
  directory_.clear();

  SegmentImage lost(Sequence(1));
  lost.batch({"one"}).record({.type = 4, .sequence = Sequence(3), .durable = Sequence(2)}, "x");
  write(lost);
  expect_refused(ErrorCode::kInternal, {"Record 2", "offset " + std::to_string(lost.offset(1)),
                                        "is damaged", "it was durable"});
  directory_.clear();

  SegmentImage two(Sequence(1));
  two.batch({"one"}).record({.type = 4, .sequence = Sequence(4), .durable = Sequence(3)}, "x");
  write(two);
  expect_refused(ErrorCode::kInternal, {"Records 2 to 3", "are damaged", "they were durable"});
}

TEST_F(Recovery, RecordsOfTheTornBatchBehindTheTearNeverComeBack) {
  const SegmentImage image = two_batches();
  std::string bytes = image.bytes();
  bytes[image.offset(kLastBatch) + kRecordHeaderBytes] = 'x';
  write(image, bytes);
  TestLoop loop;
  auto opened = open_log(small_segments(directory_.path(), loop));
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ(opened->torn_bytes, image.end() - image.offset(kLastBatch) - 3u) << "but the padding";

  // As long as the torn one: the record that stood behind it would now be the next.
  append_bytes(*opened->log, "THREE");
  opened->log.reset();

  EXPECT_EQ(payloads_in(directory_.path()), (Payloads{"one", "two", "THREE"}));
}

TEST_F(Recovery, WhatReplayRefusesIsRefusedWithItsPlace) {
  const SegmentImage image = two_batches();
  write(image);
  TestLoop loop;
  const auto before = contents(directory_.path());

  const auto opened = WriteAheadLog::open(
      small_segments(directory_.path(), loop), *lock_directory(directory_.path()), Sequence(1),
      [](const FoundInLog& record) -> Result<void> {
        if (record.payload == "two") return failure(ErrorCode::kUnsupportedVersion, "strange");
        return {};
      },
      [](const Flushed&) {});

  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(opened.error().message,
            path(image) + " at offset " + std::to_string(image.offset(1)) + ": strange");
  EXPECT_EQ(contents(directory_.path()), before);
}

TEST_F(Recovery, NewerFormatsAreRefusedByName) {
  std::string newer = encode(SegmentHeader{.format = 2, .first = Sequence(1)});
  newer.resize(SegmentImage::kBytes, '\0');
  write_file(directory_.file(segment_name(Sequence(1))), newer);
  expect_refused(ErrorCode::kUnsupportedVersion, {"segment format 2", "newer version"});

  SegmentImage record(Sequence(1));
  record.batch({"one"}).record({.format = 2, .type = 4, .sequence = Sequence(2)}, "two");
  write(record);
  expect_refused(ErrorCode::kUnsupportedVersion,
                 {"offset " + std::to_string(record.offset(1)), "record format 2"});

  SegmentImage type(Sequence(1));
  type.record({.type = 9, .sequence = Sequence(1)}, "one");
  write(type);
  expect_refused(ErrorCode::kUnsupportedVersion, {"a record of type 9", "newer version"});
}

TEST_F(Recovery, ARecordOfAnOlderFormatIsRefusedByName) {
  SegmentImage old(Sequence(1));
  old.record({.type = 1, .sequence = Sequence(1)}, "an entry");
  write(old);
  expect_refused(ErrorCode::kUnsupportedVersion,
                 {"offset " + std::to_string(old.offset(0)) + " has a record of type 1",
                  "older format", "not converted"});
}

TEST_F(Recovery, FilesOfStrangersStayAndSegmentsOfStrangersAreRefused) {
  const SegmentImage image = two_batches();
  write(image);
  write_file(directory_.file("README"), "not ours");
  std::filesystem::create_directory(directory_.file("lost+found"));
  ASSERT_EQ(payloads_in(directory_.path()), first_of_two_batches(5));
  EXPECT_EQ(read_file(directory_.file("README")), "not ours");

  std::filesystem::remove(directory_.file("lost+found"));
  write_file(directory_.file("backup.wal"), "whose?");
  expect_refused(ErrorCode::kInternal, {"backup.wal", "move it out"});
}

// The page cache can show what the disk does not have: a failed flush leaves its pages clean.
TEST_F(Recovery, WhatIsNotProvenDurableIsWrittenAgain) {
  const SegmentImage image = two_batches();
  std::string disk = image.bytes();
  disk.replace(image.offset(kLastBatch), 500, 500, 'x');
  write(image, disk);
  auto file = File::open(path(image), O_RDWR);
  ASSERT_TRUE(file.has_value());

  const auto settled = settle(
      {.segment = {std::move(*file), Sequence(1), image.salt(), image.end(), SegmentImage::kBytes},
       .bytes = image.bytes(),
       .proven = image.offset(kLastBatch)});

  ASSERT_TRUE(settled.has_value()) << settled.error().message;
  EXPECT_EQ(read_file(path(image)), image.bytes());
}

TEST_F(Recovery, OnlyTheLastBatchIsNotProvenDurable) {
  const SegmentImage image = two_batches();
  write(image);

  const auto found =
      recover(directory_.path(), Sequence(1), [](const FoundInLog&) { return Result<void>(); });

  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_TRUE(found->tail.has_value());
  EXPECT_EQ(found->tail->proven, image.offset(kLastBatch));
  EXPECT_EQ(found->next, Sequence(6));
}

// ── a power cut, at random ──────────────────────────────────────────────────────────────────────

constexpr std::size_t kSector = 512;

struct PowerCut {
  SegmentImage image{Sequence(1), 1u << 16};
  Payloads durable;
  Payloads last;  // of the batch that was under way
  std::string disk;
};

std::string random_payload(std::mt19937_64& random) {
  return std::string(random() % 700, static_cast<char>('a' + random() % 26));
}

Payloads random_batch(std::mt19937_64& random) {
  Payloads batch(1 + random() % 3);
  for (auto& payload : batch) payload = random_payload(random);
  return batch;
}

// Batches that were flushed, and one of whose sectors any subset reached the disk.
PowerCut random_power_cut(std::mt19937_64& random) {
  PowerCut cut;
  for (std::size_t batches = random() % 4; batches > 0; --batches) {
    const Payloads batch = random_batch(random);
    cut.image.batch(batch);
    cut.durable.insert(cut.durable.end(), batch.begin(), batch.end());
  }
  cut.disk = cut.image.bytes();
  const std::size_t begin = cut.image.end();
  cut.last = random_batch(random);
  cut.image.batch(cut.last);
  for (std::size_t at = begin / kSector * kSector; at < cut.image.end(); at += kSector) {
    if (random() % 2 == 0) cut.disk.replace(at, kSector, cut.image.bytes(), at, kSector);
  }
  return cut;
}

TEST_F(Recovery, AnySubsetOfTheLastBatchOnDiskKeepsAllThatWasDurable) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const PowerCut cut = random_power_cut(random);
    write(cut.image, cut.disk);

    const auto found = payloads_in(directory_.path());

    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_GE(found->size(), cut.durable.size());
    Payloads all = cut.durable;
    all.insert(all.end(), cut.last.begin(), cut.last.end());
    all.resize(found->size());
    ASSERT_EQ(*found, all);
    expect_records(*found);
    if (HasFatalFailure()) return;
    directory_.clear();
  }
}

TEST_F(Recovery, RotInWhatWasDurableIsFoundWhateverBecameOfTheLastBatch) {
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    PowerCut cut = random_power_cut(random);
    if (cut.durable.empty()) continue;
    // A whole batch follows, so that there is a witness for each durable record.
    cut.disk = cut.image.bytes();
    const std::size_t begin = kSegmentHeaderBytes;
    const std::size_t end = cut.image.offset(cut.durable.size());
    const std::size_t at = begin + random() % (end - begin);
    cut.disk[at] = static_cast<char>(cut.disk[at] ^ (1 << random() % 8));
    write(cut.image, cut.disk);

    expect_refused(ErrorCode::kInternal, {path(cut.image) + " at offset "});
    if (HasFailure()) return;
    ++refused;
    directory_.clear();
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace assent::storage
