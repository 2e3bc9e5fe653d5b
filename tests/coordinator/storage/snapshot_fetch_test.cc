// A snapshot of another replica, fetched in parts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "coordinator/storage/snapshot_store.h"
#include "tests/coordinator/storage/snapshot_fixture.h"

namespace assent::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A second store, of another replica.
class Fetching : public Snapshots {
 protected:
  void SetUp() override {
    Snapshots::SetUp();
    SnapshotStoreOptions far = options();
    far.directory = far_directory_.path();
    far_ = std::move(*SnapshotStore::open(far));
    chunks_ = {"beginning", std::string(700, 'r'), std::string(700, 's'), "t"};
    info_ = *write_snapshot(*far_, loop_, Slot(100), Sequence(77), chunks_);
  }
  [[nodiscard]] std::uint64_t begin() {
    return store_->incoming(info_.id, info_.through, info_.bytes);
  }
  // Fetches up to this byte of the content.
  void fetch(std::uint64_t from, std::uint64_t to) {
    store_->write(from, *far_->read(info_, from, to - from));
  }
  [[nodiscard]] std::string part() const {
    return directory_.file(incoming_name({info_.through, info_.id}));
  }

  ScratchDirectory far_directory_{memory_directory()};
  std::unique_ptr<SnapshotStore> far_;
  Chunks chunks_;
  SnapshotInfo info_;
};

TEST_F(Fetching, ReadsAnyRangeOfTheContent) {
  const std::string content = read_file(far_directory_.file(snapshot_name(Slot(100)))).substr(64);
  ASSERT_EQ(content.size(), info_.bytes);
  for (std::uint64_t offset = 0; offset <= content.size(); offset += 101) {
    EXPECT_EQ(far_->read(info_, offset, 200), content.substr(offset, 200));
  }
  EXPECT_EQ(far_->read(info_, content.size(), 200), "");
}

TEST_F(Fetching, WhatIsNotKeptAnyMoreIsNotRead) {
  ASSERT_TRUE(write_snapshot(*far_, loop_, Slot(101), Sequence(78), {"b"}).has_value());
  ASSERT_TRUE(write_snapshot(*far_, loop_, Slot(102), Sequence(79), {"c"}).has_value());
  const auto read = far_->read(info_, 0, 10);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kUnavailable);
}

TEST_F(Fetching, AWholeOneBecomesASnapshotWithAReplayFromOfItsOwn) {
  for (const std::size_t part_bytes : {1, 100, 1'000'000}) {
    store_.reset();
    directory_.clear();
    open();
    const auto got = fetch_snapshot(*store_, loop_, *far_, info_, Sequence(5), part_bytes);
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_EQ(got->id, info_.id);
    EXPECT_EQ(got->replay_from, Sequence(5));
    for (int life = 0; life < 2; ++life) {
      EXPECT_EQ(store_->newest(), *got);
      EXPECT_EQ(load(100), chunks_);
      EXPECT_EQ(names(), std::set<std::string>{snapshot_name(Slot(100))});
      open();
    }
  }
}

TEST_F(Fetching, GoesOnInTheSameLife) {
  EXPECT_EQ(begin(), 0u);
  fetch(0, 500);
  EXPECT_EQ(begin(), 500u);
  const auto got = fetch_snapshot(*store_, loop_, *far_, info_, Sequence(5));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(load(100), chunks_);
}

// Up to the last whole chunk: what a crash left behind it is not trusted.
TEST_F(Fetching, GoesOnAfterARestartFromTheLastWholeChunk) {
  for (std::uint64_t bytes = 0; bytes <= info_.bytes; bytes += 37) {
    store_.reset();
    directory_.clear();
    open();
    EXPECT_EQ(begin(), 0u);
    if (bytes > 0) fetch(0, bytes);
    open();
    const std::uint64_t have = begin();
    ASSERT_LE(have, bytes);
    ASSERT_LE(bytes - have, 700 + kChunkHeaderBytes) << "no more than one chunk is lost";
    const auto got = fetch_snapshot(*store_, loop_, *far_, info_, Sequence(5));
    ASSERT_TRUE(got.has_value()) << got.error().message;
    ASSERT_EQ(load(100), chunks_);
  }
}

TEST_F(Fetching, ACrashAtTheHeaderIsGoneOnFrom) {
  write_file(part(), snapshot_image(Slot(100), Sequence(5), chunks_));
  open();
  EXPECT_EQ(begin(), info_.bytes);
  const auto got = complete_snapshot(*store_, loop_, Sequence(6));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->replay_from, Sequence(6));
}

TEST_F(Fetching, AnotherIdBeginsAnew) {
  EXPECT_EQ(begin(), 0u);
  fetch(0, 500);
  EXPECT_EQ(store_->incoming(info_.id + 1, info_.through, info_.bytes), 0u);
  EXPECT_EQ(begin(), 0u) << "only one is fetched at a time";
  settle();
  EXPECT_EQ(names(), std::set<std::string>{incoming_name({info_.through, info_.id})});
}

TEST_F(Fetching, ADamagedOneIsRefusedAndDeleted) {
  EXPECT_EQ(begin(), 0u);
  std::string bytes = *far_->read(info_, 0, info_.bytes);
  bytes[bytes.size() / 2] ^= 1;
  store_->write(0, bytes);
  const auto got = complete_snapshot(*store_, loop_, Sequence(5));
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, ErrorCode::kInternal);
  EXPECT_THAT(got.error().message, HasSubstr("is damaged at offset"));
  EXPECT_THAT(store_->kept(), IsEmpty());
  EXPECT_THAT(names(), IsEmpty());
  const auto again = fetch_snapshot(*store_, loop_, *far_, info_, Sequence(5));
  ASSERT_TRUE(again.has_value()) << again.error().message;
}

// Whole by its own checksums, and not the one that was offered.
TEST_F(Fetching, AnotherSnapshotUnderTheOfferedIdIsRefused) {
  const std::string other = snapshot_image(Slot(100), Sequence(1), {"other"}).substr(64);
  EXPECT_EQ(store_->incoming(info_.id, Slot(100), other.size()), 0u);
  store_->write(0, other);
  const auto got = complete_snapshot(*store_, loop_, Sequence(5));
  ASSERT_FALSE(got.has_value());
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(Fetching, ALeftoverThatIsOvertakenIsRemoved) {
  EXPECT_EQ(begin(), 0u);
  fetch(0, 500);
  store_.reset();
  write_file(path(100), snapshot_image(Slot(100), Sequence(1), {"own"}));
  open();
  EXPECT_EQ(names(), std::set<std::string>{snapshot_name(Slot(100))});
}

TEST_F(Fetching, GoesOnWhileOneIsWritten) {
  store_->begin(Slot(50), Sequence(2), [] {});
  EXPECT_EQ(begin(), 0u);
  store_->append("own");
  fetch(0, 500);
  ASSERT_TRUE(finish_snapshot(*store_, loop_).has_value());
  EXPECT_EQ(begin(), 500u);
  ASSERT_TRUE(fetch_snapshot(*store_, loop_, *far_, info_, Sequence(5)).has_value());
  ASSERT_THAT(store_->kept(), SizeIs(2));
  EXPECT_THAT(load(50), ElementsAre("own"));
  EXPECT_EQ(load(100), chunks_);
}

TEST_F(Fetching, AStreamOfPartsIsBounded) {
  loop_.close_gate();
  EXPECT_FALSE(store_->incoming_ready());
  EXPECT_EQ(begin(), 0u);
  EXPECT_TRUE(store_->incoming_ready());
  fetch(0, 1'000);
  EXPECT_FALSE(store_->incoming_ready());
  loop_.open_gate();
  ASSERT_TRUE(loop_.run_until([&] { return store_->incoming_ready(); }));
}

}  // namespace
}  // namespace assent::storage
