#include "coordinator/storage/snapshot_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "tests/coordinator/storage/snapshot_fixture.h"

namespace assent::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

TEST_F(Snapshots, ANewDirectoryHasNone) {
  EXPECT_THAT(store_->kept(), IsEmpty());
  EXPECT_EQ(store_->newest(), std::nullopt);
  EXPECT_EQ(store_->needed_from(), Sequence(1));
  EXPECT_FALSE(store_->writing());
  EXPECT_FALSE(store_->ready());
}

TEST_F(Snapshots, GivesBackItsChunksInThisLifeAndTheNext) {
  const Chunks chunks = {"first", std::string(100'000, 'x'), std::string("\0\xff", 2)};
  const SnapshotInfo info = write(7, 3, chunks);
  EXPECT_EQ(info.through, Slot(7));
  EXPECT_EQ(info.replay_from, Sequence(3));
  EXPECT_EQ(info.chunks, 3u);
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(store_->newest(), info);
    EXPECT_EQ(load(7), chunks);
    open();
  }
}

TEST_F(Snapshots, OneWithoutChunksIsASnapshotToo) {
  write(7, 3, {});
  open();
  EXPECT_THAT(load(7), IsEmpty());
  EXPECT_THAT(store_->kept(), SizeIs(1));
}

TEST_F(Snapshots, IsWrittenAsDocumented) {
  write(7, 3, {"one", "two"});
  EXPECT_EQ(read_file(path(7)), snapshot_image(Slot(7), Sequence(3), {"one", "two"}));
}

// The example of docs/log-format.md, byte by byte: the format cannot change unnoticed.
TEST(SnapshotBytes, AreThoseOfTheDocumentedExample) {
  const std::string expected(
      "ASSENTSH\1\0\0\0\x40\0\0\0"
      "\7\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"
      "\x85\0\0\0\0\0\0\0\x78\xa5\x63\xc1\xe0\x5c\x4f\xff"
      "\1\0\0\0\0\0\0\0\xab\x4e\x15\xce\xcc\x4b\0\xfd"
      "ASSENTSC\1\0\0\0\4\0\0\0"
      "\7\0\0\0\0\0\0\0demo\0\0\0\0"
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
      "\0\0\0\0\0\0\0\0\x6c\xc7\x5e\x13\x5d\x5e\x05\xa3"
      "\xa5\x43\0\0\5\0\0\0\1\0\0\0\0\0\0\0"
      "\x74\x59\x7c\x61\x09\xc0\x82\x72\x29\xc1\x82\x5a\x18\x92\xdc\x4c"
      "state\xa5\x45\0\0\0\0\0\0\1\0\0"
      "\0\0\0\0\0\x82\xd4\xae\xc5\x75\x12\x37\xc8\x7e\x16\x70"
      "\x6d\xe2\xc4\x39\xb7",
      197);
  EXPECT_EQ(snapshot_image(Slot(7), Sequence(3), {"state"}), expected);
}

TEST_F(Snapshots, TheTwoNewestAreKept) {
  for (std::uint64_t slot = 1; slot <= 5; ++slot) write(slot * 10, slot, {std::to_string(slot)});
  EXPECT_EQ(names(), (std::set<std::string>{snapshot_name(Slot(40)), snapshot_name(Slot(50))}));
  for (int life = 0; life < 2; ++life) {
    ASSERT_THAT(store_->kept(), SizeIs(2));
    EXPECT_THAT(load(40), ElementsAre("4"));
    EXPECT_THAT(load(50), ElementsAre("5"));
    open();
  }
}

// The record of a slot can be older than that of one in front of it: the lower one counts.
TEST_F(Snapshots, TheLogIsNeededFromTheLowestRecordOfBoth) {
  write(10, 300, {"a"});
  EXPECT_EQ(store_->needed_from(), Sequence(1)) << "with one, the log is the other";
  write(20, 200, {"b"});
  EXPECT_EQ(store_->needed_from(), Sequence(200));
  write(30, 400, {"c"});
  EXPECT_EQ(store_->needed_from(), Sequence(200));
  open();
  EXPECT_EQ(store_->needed_from(), Sequence(200));
  write(40, 500, {"d"});
  EXPECT_EQ(store_->needed_from(), Sequence(400));
}

TEST_F(Snapshots, IsNotThereBeforeItIsFinished) {
  store_->begin(Slot(7), Sequence(1), [] {});
  store_->append("chunk");
  EXPECT_TRUE(store_->writing());
  EXPECT_THAT(store_->kept(), IsEmpty());
  open();
  EXPECT_THAT(names(), IsEmpty());
  EXPECT_THAT(store_->damaged(), IsEmpty());
}

TEST_F(Snapshots, TheQueueIsBoundedAndSaysWhenThereIsRoom) {
  int told = 0;
  loop_.close_gate();
  store_->begin(Slot(7), Sequence(1), [&] { ++told; });
  EXPECT_TRUE(store_->ready());
  store_->append(std::string(999, 'a'));
  EXPECT_TRUE(store_->ready());
  store_->append("bb");
  EXPECT_FALSE(store_->ready());
  EXPECT_EQ(told, 0);
  loop_.open_gate();
  ASSERT_TRUE(loop_.run_until([&] { return told == 1; }));
  EXPECT_TRUE(store_->ready());
  ASSERT_TRUE(finish_snapshot(*store_, loop_).has_value());
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(store_->ready());
}

TEST_F(Snapshots, AChunkMayFollowEachCall) {
  std::uint64_t chunks = 0;
  const auto feed = [&] {
    while (store_->ready() && chunks < 200) store_->append(std::string(300, 'a' + chunks++ % 26));
  };
  store_->begin(Slot(7), Sequence(1), feed);
  feed();
  EXPECT_LE(chunks, 4u);
  ASSERT_TRUE(loop_.run_until([&] { return chunks == 200; }));
  ASSERT_TRUE(finish_snapshot(*store_, loop_).has_value());
  EXPECT_THAT(load(7), SizeIs(200));
}

TEST_F(Snapshots, AnAbandonedOneIsGoneAndTellsNobody) {
  bool told = false;
  store_->begin(Slot(7), Sequence(1), [] {});
  store_->append("chunk");
  store_->finish([&](const Result<SnapshotInfo>&) { told = true; });
  store_->abandon();
  EXPECT_FALSE(store_->writing());
  store_->begin(Slot(8), Sequence(1), [] {});
  store_->append("dropped");
  store_->abandon();
  write(9, 1, {"other"});
  EXPECT_FALSE(told);
  EXPECT_FALSE(names().contains(snapshot_name(Slot(8)) + ".part"));
  EXPECT_THAT(load(9), ElementsAre("other"));
}

TEST_F(Snapshots, MayBeClosedByItsCallback) {
  int told = 0;
  store_->begin(Slot(7), Sequence(1), [] {});
  store_->finish([&, keeps = std::string(100, 'k')](const Result<SnapshotInfo>&) {
    store_.reset();
    told += keeps == std::string(100, 'k') ? 1 : 100;
  });
  ASSERT_TRUE(loop_.run_until([&] { return told == 1; }));
  open();
  EXPECT_THAT(store_->kept(), SizeIs(1));
}

TEST_F(Snapshots, AClosedStoreCallsNobody) {
  store_->begin(Slot(7), Sequence(1), [] { FAIL() << "ready"; });
  store_->append(std::string(5'000, 'a'));
  store_->finish([](const Result<SnapshotInfo>&) { FAIL() << "done"; });
  store_.reset();
  loop_.run_posted();
}

using SnapshotsDeathTest = Snapshots;

TEST_F(SnapshotsDeathTest, AnOlderOneIsNotBegun) {
  write(7, 1, {"a"});
  EXPECT_DEATH(store_->begin(Slot(7), Sequence(1), [] {}), "snapshots are newer and newer");
}

// ── crashes: the files as they would be left ────────────────────────────────────────────────────

TEST_F(Snapshots, ACrashWhileItIsWrittenLeavesTheOneBefore) {
  write(7, 3, {"good"});
  const std::string whole = snapshot_image(Slot(9), Sequence(5), {"one", std::string(500, 'x')});
  for (std::size_t bytes = 0; bytes <= whole.size(); bytes += 7) {
    // Content comes first, the header last: both with it and without.
    for (const bool header : {false, true}) {
      std::string part = whole.substr(0, bytes);
      if (!header)
        part.replace(0, std::min<std::size_t>(bytes, 64), std::min<std::size_t>(bytes, 64), '\0');
      write_file(path(9) + ".part", part);
      open();
      ASSERT_THAT(store_->kept(), SizeIs(1));
      ASSERT_EQ(load(7), Chunks{"good"});
      ASSERT_EQ(names(), std::set<std::string>{snapshot_name(Slot(7))});
    }
  }
}

TEST_F(Snapshots, ACrashInFrontOfTheRemovalOfTheOldestIsMadeGoodFor) {
  for (const std::uint64_t slot : {1, 2, 3, 4}) {
    write_file(path(slot), snapshot_image(Slot(slot), Sequence(slot), {std::to_string(slot)}));
  }
  open();
  EXPECT_EQ(names(), (std::set<std::string>{snapshot_name(Slot(3)), snapshot_name(Slot(4))}));
  EXPECT_THAT(load(3), ElementsAre("3"));
}

TEST_F(Snapshots, ADamagedNewestIsSkippedAndReported) {
  write(7, 3, {"good"});
  write(9, 5, {"rotten"});
  std::string bytes = read_file(path(9));
  bytes[bytes.find("rotten")] = 'R';
  write_file(path(9), bytes);

  open();

  ASSERT_THAT(store_->kept(), SizeIs(1));
  EXPECT_EQ(store_->newest()->through, Slot(7));
  EXPECT_EQ(store_->newest()->replay_from, Sequence(3));
  ASSERT_THAT(store_->damaged(), SizeIs(1));
  const std::size_t chunk = kSnapshotHeaderBytes + kSnapshotPreambleBytes;
  EXPECT_THAT(store_->damaged()[0],
              HasSubstr(path(9) + " is damaged at offset " + std::to_string(chunk)));
  EXPECT_TRUE(names().contains(snapshot_name(Slot(9)))) << "it is looked at by a person";

  write(11, 8, {"new"});
  EXPECT_THAT(load(7), ElementsAre("good"));
  write(13, 9, {"newer"});
  EXPECT_FALSE(names().contains(snapshot_name(Slot(9))));
}

// It is still there, between an older one that is whole and a newer one.
TEST_F(Snapshots, ADamagedOneNeverTakesThePlaceOfAnOlderWholeOne) {
  write(7, 3, {"good"});
  write(9, 5, {"rotten"});
  std::string bytes = read_file(path(9));
  bytes[bytes.find("rotten")] = 'R';
  write_file(path(9), bytes);
  open();
  write(11, 8, {"new"});
  open();
  ASSERT_THAT(store_->kept(), SizeIs(2));
  EXPECT_THAT(load(7), ElementsAre("good"));
  EXPECT_EQ(store_->needed_from(), Sequence(3));
}

TEST_F(Snapshots, ANewerFormatIsRefusedByNameAndLeftAlone) {
  const std::string whole = snapshot_image(Slot(7), Sequence(1), {"good"});
  for (const std::size_t at : {std::size_t{0}, kSnapshotHeaderBytes}) {
    write_file(path(7), newer(whole, at, 56));
    const auto before = contents(directory_.path());
    const auto opened = SnapshotStore::open(options());
    ASSERT_FALSE(opened.has_value()) << at;
    EXPECT_EQ(opened.error().code, ErrorCode::kUnsupportedVersion);
    EXPECT_THAT(opened.error().message, HasSubstr(path(7) + " has snapshot format 2"));
    EXPECT_EQ(contents(directory_.path()), before);
  }
}

TEST_F(Snapshots, AnotherClustersIsSkipped) {
  SnapshotEncoder encoder("prod", Slot(7));
  std::string content = encoder.preamble();
  content += encoder.end();
  write_file(path(7), encode(encoder.info(Sequence(1))) + content);
  open();
  EXPECT_THAT(store_->kept(), IsEmpty());
  ASSERT_THAT(store_->damaged(), SizeIs(1));
  EXPECT_THAT(store_->damaged()[0], HasSubstr("cluster prod after slot 7, not of demo"));
}

TEST_F(Snapshots, AFileUnderAnotherSlotsNameIsSkipped) {
  write_file(path(8), snapshot_image(Slot(7), Sequence(1), {"a"}));
  open();
  EXPECT_THAT(store_->kept(), IsEmpty());
  EXPECT_THAT(store_->damaged(), SizeIs(1));
}

// ── names ───────────────────────────────────────────────────────────────────────────────────────

TEST(SnapshotNames, LeadBackToWhatTheyName) {
  EXPECT_EQ(snapshot_name(Slot(1'000)), "snapshot-00000000000000001000");
  EXPECT_EQ(parse_snapshot_name("snapshot-00000000000000001000"), Slot(1'000));
  const IncomingName name{Slot(1'000), 0x0123456789abcdef};
  EXPECT_EQ(incoming_name(name), "incoming-00000000000000001000-0123456789abcdef.part");
  EXPECT_EQ(parse_incoming_name(incoming_name(name)), name);
}

TEST(SnapshotNames, OthersAreNone) {
  for (const char* name :
       {"snapshot-", "snapshot-1000", "snapshot-00000000000000001000.part",
        "snapshot-00000000000000000000", "snapshot-0000000000000000100x",
        "snapshot-99999999999999999999", "snapshot-000000000000000010000", "spare"}) {
    EXPECT_EQ(parse_snapshot_name(name), std::nullopt) << name;
  }
  for (const char* name : {"incoming-00000000000000001000-0123456789abcdef",
                           "incoming-00000000000000001000-0123456789ABCDEF.part",
                           "incoming-00000000000000000000-0123456789abcdef.part",
                           "incoming-00000000000000001000_0123456789abcdef.part",
                           "incoming-00000000000000001000-0123456789abcde.part"}) {
    EXPECT_EQ(parse_incoming_name(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace assent::storage
