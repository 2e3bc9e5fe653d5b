#include "coordinator/storage/replica_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/coordinator/storage/replica_log_fixture.h"

namespace assent::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReplicaLogTest : public ReplicaLogFixture {
 protected:
  void SetUp() override { open(); }
};

// ── restoring ───────────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaLogTest, ANewLogRestoresNothing) {
  EXPECT_THAT(restored_, IsEmpty());
  EXPECT_EQ(log_->replayed(), 0u);
  reopen();
  EXPECT_THAT(restored_, IsEmpty());
  EXPECT_EQ(log_->replayed(), 0u);
}

TEST_F(ReplicaLogTest, RestoresAllRecordsInTheirOrder) {
  append({promised(1), accepted(1, 1, "a")});
  append({accepted(2, 1, ""), accepted(4, 1, "d")});
  append({chosen(2), accepted(3, 2, std::string(1'000, 'c')), promised(5)});

  for (int life = 0; life < 3; ++life) {
    reopen();
    EXPECT_EQ(restored_, written_);
    EXPECT_EQ(log_->replayed(), written_.size());
    EXPECT_EQ(log_->torn_bytes(), 0u);
    append({promised(10 + static_cast<std::uint64_t>(life))});
  }
}

TEST_F(ReplicaLogTest, RestoresOverManySegments) {
  for (std::uint64_t slot = 1; slot <= 40; ++slot)
    append({accepted(slot, 1, std::string(700, 'v'))});
  reopen();
  EXPECT_GT(contents(directory_.path()).size(), 8u);
  EXPECT_EQ(restored_, written_);
}

// ── durability (R2) ─────────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaLogTest, TellsOfTheRecordsOfThisLifeOnly) {
  append({promised(1), accepted(1, 1, "a")});
  ASSERT_TRUE(all_persisted());
  reopen();
  append({promised(2)});
  ASSERT_TRUE(all_persisted());
  EXPECT_THAT(persisted_, ElementsAre(1));
}

TEST_F(ReplicaLogTest, TellsNothingBeforeItIsDurable) {
  reopen();
  loop_.close_gate();
  append({promised(1)});
  ASSERT_TRUE(loop_.wait_until_held()) << "the flush is over, and not told yet";
  loop_.run_posted();
  EXPECT_THAT(persisted_, IsEmpty());
  loop_.open_gate();
  ASSERT_TRUE(all_persisted());
}

TEST_F(ReplicaLogTest, AllThatGathersDuringAFlushIsToldOnce) {
  reopen();
  loop_.close_gate();
  append({promised(1)});
  ASSERT_TRUE(loop_.wait_until_held());
  for (std::uint64_t slot = 1; slot <= 20; ++slot) append({accepted(slot, 1, "v"), chosen(slot)});
  loop_.open_gate();

  ASSERT_TRUE(all_persisted());

  EXPECT_THAT(persisted_, ElementsAre(1, 41));
  EXPECT_EQ(log_->counters().flushes, 2u);
  EXPECT_EQ(log_->counters().records, 41u);
}

TEST_F(ReplicaLogTest, RecordsOfOneCallShareAFlush) {
  reopen();
  append({promised(1), accepted(1, 1, "a"), accepted(2, 1, "b"), chosen(1)});
  ASSERT_TRUE(all_persisted());
  EXPECT_THAT(persisted_, ElementsAre(4));
  EXPECT_EQ(log_->counters().flushes, 1u);
}

TEST_F(ReplicaLogTest, AppendingNothingWritesNothing) {
  reopen();
  append({});
  append({promised(1)});
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(log_->counters().records, 1u);
}

TEST_F(ReplicaLogTest, WritesOutWhatIsQueuedWhenClosedAndCallsNobody) {
  for (std::uint64_t slot = 1; slot <= 50; ++slot) append({accepted(slot, 1, "v")});
  close();
  loop_.run_posted();
  EXPECT_THAT(persisted_, IsEmpty());
  open();
  EXPECT_EQ(restored_, written_);
}

TEST_F(ReplicaLogTest, MayBeClosedByItsCallback) {
  close();
  log_ = std::make_unique<ReplicaLog>(options());
  int told = 0;
  const auto opened = log_->open([](const paxos::Record&) {},
                                 [&, keeps = std::string(100, 'k')](paxos::RecordIndex) {
                                   log_.reset();
                                   told += keeps == std::string(100, 'k') ? 1 : 100;
                                 });
  ASSERT_TRUE(opened.has_value());
  append({promised(1)});
  append({promised(2)});
  ASSERT_TRUE(loop_.run_until([&] { return log_ == nullptr; }));
  loop_.run_posted();
  EXPECT_EQ(told, 1);
  open();
  EXPECT_EQ(restored_, written_);
}

// ── reading values back ─────────────────────────────────────────────────────────────────────────

TEST_F(ReplicaLogTest, ReadsAValueThatWasAppended) {
  append({accepted(1, 1, "a"), accepted(2, 1, "")});
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(read(1), "1:a");
  EXPECT_EQ(read(2), "1:");
}

TEST_F(ReplicaLogTest, ReadsAValueOfAnEarlierLife) {
  append({accepted(1, 1, "a")});
  reopen();
  EXPECT_EQ(read(1), "1:a");
}

TEST_F(ReplicaLogTest, ReadsAValueThatIsStillQueued) {
  reopen();
  loop_.close_gate();
  append({accepted(1, 1, "a")});
  ASSERT_TRUE(loop_.wait_until_held());
  append({accepted(2, 1, "b")});  // written by nobody, while the flush thread is held

  EXPECT_EQ(read(1), "1:a");
  EXPECT_EQ(read(2), "1:b");

  loop_.open_gate();
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(read(2), "1:b");
}

TEST_F(ReplicaLogTest, TheLastValueOfASlotCounts) {
  append({accepted(1, 1, "old"), accepted(1, 2, "new")});
  EXPECT_EQ(read(1), "2:new") << "queued";
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(read(1), "2:new") << "of one batch";
  append({accepted(1, 3, "newer")});
  EXPECT_EQ(read(1), "3:newer") << "queued over durable";
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(read(1), "3:newer") << "of two batches";
  reopen();
  EXPECT_EQ(read(1), "3:newer") << "of an earlier life";
  append({accepted(1, 4, "newest")});
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(read(1), "4:newest") << "over an earlier life";
}

TEST_F(ReplicaLogTest, AnOlderValueThatBecomesDurableDoesNotHideTheQueuedOne) {
  reopen();
  loop_.close_gate();
  append({accepted(1, 1, "old")});
  ASSERT_TRUE(loop_.wait_until_held());
  append({accepted(1, 2, "new")});
  loop_.open_gate();
  ASSERT_TRUE(loop_.run_until([this] { return persisted() >= 1; }));
  EXPECT_EQ(read(1), "2:new");
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(read(1), "2:new");
}

TEST_F(ReplicaLogTest, SlotsMayComeInAnyOrder) {
  append({accepted(3, 1, "c"), accepted(5, 1, "e"), accepted(1'000'000'000'000, 1, "far")});
  ASSERT_TRUE(all_persisted());
  EXPECT_EQ(read(5), "1:e");
  append({accepted(2, 1, "b"), accepted(1, 1, "a"), accepted(4, 1, "d")});
  ASSERT_TRUE(all_persisted());
  reopen();
  for (std::uint64_t slot = 1; slot <= 5; ++slot) {
    EXPECT_EQ(read(slot), std::string("1:") + static_cast<char>('a' + slot - 1));
  }
  EXPECT_EQ(read(1'000'000'000'000), "1:far");
}

std::size_t open_files() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

TEST_F(ReplicaLogTest, ReadsAcrossSegmentsWithOneFileOpen) {
  const auto value = [](std::uint64_t slot) {
    return std::string(500 + slot, static_cast<char>('a' + slot % 26));
  };
  for (std::uint64_t slot = 1; slot <= 60; ++slot) append({accepted(slot, slot, value(slot))});
  ASSERT_TRUE(all_persisted());
  const std::size_t before = open_files();
  for (const int life : {1, 2}) {
    for (std::uint64_t slot = 1; slot <= 60; ++slot) {
      EXPECT_EQ(read(slot), std::to_string(slot) + ":" + value(slot));
      EXPECT_EQ(read(61 - slot), std::to_string(61 - slot) + ":" + value(61 - slot));
    }
    EXPECT_LE(open_files(), before + 2) << "the segment read, and a spare, in life " << life;
    reopen();
  }
}

// ── damage under a running replica ──────────────────────────────────────────────────────────────

using ReplicaLogDeathTest = ReplicaLogTest;

TEST_F(ReplicaLogDeathTest, AReadOfADamagedRecordEndsTheProcessAndNamesThePlace) {
  append({accepted(1, 1, "unmistakable")});
  ASSERT_TRUE(all_persisted());
  const std::string path = directory_.file(segment_name(Sequence(1)));
  std::string bytes = read_file(path);
  const std::size_t at = bytes.find("unmistakable");
  bytes[at] = 'U';
  write_file(path, bytes);
  const std::size_t offset = at - kAcceptedPrefixBytes - kRecordHeaderBytes;
  EXPECT_DEATH(static_cast<void>(read(1)),
               "record in " + path + " at offset " + std::to_string(offset) +
                   " is damaged.*start it again: .*the others repair what is lost");
}

TEST_F(ReplicaLogDeathTest, AReadOfAnotherSlotsRecordEndsTheProcess) {
  append({accepted(1, 1, "value")});
  ASSERT_TRUE(all_persisted());
  SegmentImage other(Sequence(1));
  const Record record = encode(accepted(2, 1, "value"));
  other.record({.type = static_cast<std::uint8_t>(record.type), .sequence = other.next()},
               record.payload);
  write_file(directory_.file(other.name()), other.bytes());
  EXPECT_DEATH(static_cast<void>(read(1)), "at offset " + std::to_string(other.offset(0)) +
                                               " is not the value of slot 1.*start it again");
}

TEST_F(ReplicaLogDeathTest, AReadOfASegmentThatIsGoneEndsTheProcess) {
  append({accepted(1, 1, "value")});
  ASSERT_TRUE(all_persisted());
  const std::string path = directory_.file(segment_name(Sequence(1)));
  std::filesystem::remove(path);
  EXPECT_DEATH(static_cast<void>(read(1)), "cannot open " + path);
}

TEST_F(ReplicaLogDeathTest, ASlotWithoutAValueIsNotRead) {
  append({accepted(2, 1, "b")});
  EXPECT_DEATH(static_cast<void>(read(1)), "slot 1 has no value in this log");
}

// ── logs that are refused ───────────────────────────────────────────────────────────────────────

class ReplicaLogRefusal : public ReplicaLogFixture {
 protected:
  // A log of these records, flushed one by one.
  void write(const std::vector<Record>& records) {
    SegmentImage image(Sequence(1));
    for (const Record& record : records) {
      image.record({.type = static_cast<std::uint8_t>(record.type),
                    .sequence = image.next(),
                    .durable = Sequence(image.next().value - 1)},
                   record.payload);
    }
    write_file(directory_.file(image.name()), image.bytes());
    write_file(directory_.file("identity"),
               encode(Identity{"demo", ReplicaId(1), DiskIncarnation(1)}));
  }
  void write(const std::vector<paxos::Record>& records) {
    std::vector<Record> all;
    for (const paxos::Record& record : records) all.push_back(encode(record));
    write(all);
  }

  void expect_refused(ErrorCode code, const std::string& part) {
    const auto before = contents(directory_.path());
    const auto opened = try_open(options());
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, code);
    EXPECT_THAT(opened.error().message, HasSubstr(part));
    EXPECT_THAT(opened.error().message, HasSubstr("00000000000000000001.wal at offset "));
    EXPECT_EQ(contents(directory_.path()), before);
  }
};

TEST_F(ReplicaLogRefusal, BytesThatAreNoRecord) {
  write(std::vector<Record>{{RecordType::kAccepted, "nonsense"}});
  expect_refused(ErrorCode::kInternal, "not an accepted value");
  write(std::vector<Record>{{RecordType::kBase, "no number"}});
  expect_refused(ErrorCode::kInternal, "not a base");
}

TEST_F(ReplicaLogRefusal, ARecordOfAnOlderFormat) {
  for (const int type : {1, 2}) {
    write(std::vector<Record>{{RecordType(type), "whatever"}});
    expect_refused(ErrorCode::kUnsupportedVersion,
                   "a record of type " + std::to_string(type) + ", of an older format");
  }
}

TEST_F(ReplicaLogRefusal, ABallotThatGoesBack) {
  write({promised(5), promised(4)});
  expect_refused(ErrorCode::kInternal, "ballot 1.4.1 behind the higher ballot 1.5.1");
  write({accepted(1, 5, "a"), accepted(2, 4, "b")});
  expect_refused(ErrorCode::kInternal, "ballot 1.4.1 behind the higher ballot 1.5.1");
}

TEST_F(ReplicaLogRefusal, AChosenMarkOverASlotWithoutAValue) {
  write({accepted(1, 1, "a"), accepted(3, 1, "c"), chosen(3)});
  expect_refused(ErrorCode::kInternal, "slot 3 as the chosen mark");
}

TEST_F(ReplicaLogRefusal, AChosenMarkThatGoesBack) {
  write({accepted(1, 1, "a"), accepted(2, 1, "b"), chosen(2), chosen(1)});
  expect_refused(ErrorCode::kInternal, "slot 1 as the chosen mark, behind mark 2");
}

TEST_F(ReplicaLogRefusal, ASecondOpener) {
  open();
  const auto first = std::move(log_);
  const auto second = try_open(options());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
}

// ── random lives ────────────────────────────────────────────────────────────────────────────────

// A replica's log as a list and a map, and a random history that a replica could have written.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  std::vector<paxos::Record> records() {
    std::vector<paxos::Record> out;
    for (std::uint64_t count = below(6); count > 0; --count) out.push_back(record());
    return out;
  }
  // "round:value" of each slot that has one.
  [[nodiscard]] const std::map<std::uint64_t, std::string>& values() const { return values_; }

 private:
  paxos::Record record() {
    const std::uint64_t kind = below(10);
    if (kind == 0) return promised(round_ += below(3));
    while (kind < 4 && values_.contains(mark_ + 1)) ++mark_;
    if (kind < 4 && mark_ > 0) return chosen(mark_);
    round_ += below(8) == 0 ? 1 : 0;
    const std::uint64_t slot = mark_ + 1 + below(6);
    const std::string value(below(4) == 0 ? below(1'500) : below(60),
                            static_cast<char>('a' + below(26)));
    values_[slot] = std::to_string(round_) + ":" + value;
    return accepted(slot, round_, value);
  }

  std::mt19937_64 random_;
  std::uint64_t round_ = 1;
  std::uint64_t mark_ = 0;
  std::map<std::uint64_t, std::string> values_;
};

TEST_F(ReplicaLogTest, BehavesLikeAListAndAMapOverManyLives) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    close();
    directory_.clear();
    written_.clear();
    open();
    Model model(seed);
    for (int step = 0; step < 150; ++step) {
      append(model.records());
      if (model.below(3) == 0) loop_.run_posted();
      if (model.below(20) == 0) {
        ASSERT_TRUE(all_persisted());
      }
      ASSERT_TRUE(std::ranges::is_sorted(persisted_));
      ASSERT_LE(persisted(), appended_);
      for (const auto& [slot, value] : model.values()) {
        if (model.below(10) > 0) continue;
        ASSERT_EQ(read(slot), value) << "slot " << slot;
      }
      if (model.below(30) == 0) {
        reopen();
        ASSERT_EQ(restored_, written_);
      }
    }
    EXPECT_GT(model.values().size(), 20u);
  }
}

}  // namespace
}  // namespace assent::storage
