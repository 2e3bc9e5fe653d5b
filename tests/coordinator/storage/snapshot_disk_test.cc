// A disk that is full, or that fails, under a snapshot: this program has its own pwrite, fdatasync
// and rename. And a real disk that is full, where one may be mounted.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/coordinator/storage/replica_log_fixture.h"

namespace {

enum class Call { kNone, kWrite, kFlush, kRename };

std::atomic<Call> failing = Call::kNone;
std::atomic<int> failing_with = 0;

bool is_snapshot(std::string_view path) {
  return path.find("/snapshot-") != path.npos || path.find("/incoming-") != path.npos;
}

bool is_snapshot(int descriptor) {
  std::array<char, 4'096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  return length > 0 && is_snapshot(std::string_view(path.data(), static_cast<std::size_t>(length)));
}

bool fails(Call call) {
  if (failing != call) return false;
  errno = failing_with;
  return true;
}

}  // namespace

// They stand in front of the C library's.
extern "C" ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  if (is_snapshot(descriptor) && fails(Call::kWrite)) return -1;
  return ::syscall(SYS_pwrite64, descriptor, bytes, count, offset);
}
extern "C" int fdatasync(int descriptor) {
  if (is_snapshot(descriptor) && fails(Call::kFlush)) return -1;
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}
extern "C" int rename(const char* from, const char* to) noexcept {
  if (is_snapshot(from) && fails(Call::kRename)) return -1;
  return static_cast<int>(::syscall(SYS_rename, from, to));
}

namespace assent::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::vector<Call> kCalls = {Call::kWrite, Call::kFlush, Call::kRename};

class SnapshotDisk : public ReplicaLogFixture {
 protected:
  void SetUp() override {
    open();
    append({accepted(1, 1, "a"), chosen(1)});
    ASSERT_TRUE(all_persisted());
  }
  void TearDown() override { fail(Call::kNone, 0); }

  static void fail(Call call, int error) {
    failing_with = error;
    failing = call;
  }
  [[nodiscard]] std::size_t snapshot_files() const {
    std::size_t count = 0;
    for (const auto& [name, bytes] : contents(directory_.path())) {
      count += name.starts_with("snapshot-") || name.starts_with("incoming-") ? 1 : 0;
    }
    return count;
  }
  void expect_log_goes_on() {
    append({accepted(2, 1, "b"), chosen(2)});
    ASSERT_TRUE(all_persisted());
    EXPECT_EQ(read(2), "1:b");
  }
};

TEST_F(SnapshotDisk, AFullDiskGivesTheSnapshotUpAndNothingElse) {
  for (const Call call : kCalls) {
    fail(call, ENOSPC);
    const auto result = snapshot(1, {"state"});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(result.error().message, HasSubstr("No space left"));
    EXPECT_FALSE(log_->snapshots().writing());
    EXPECT_THAT(log_->snapshots().kept(), IsEmpty());
    EXPECT_EQ(snapshot_files(), 0u);
  }
  expect_log_goes_on();
  fail(Call::kNone, 0);
  ASSERT_TRUE(snapshot(2, {"state"}).has_value()) << "there is room again";
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state"});
}

TEST_F(SnapshotDisk, AFullDiskGivesAFetchedSnapshotUp) {
  const std::string whole = snapshot_image(Slot(9), Sequence(1), {"state"});
  const auto info = *decode_snapshot_header(whole.substr(0, kSnapshotHeaderBytes));
  SnapshotStore& store = log_->snapshots();
  for (const Call call : kCalls) {
    EXPECT_EQ(store.incoming(info.id, info.through, info.bytes), 0u);
    fail(call, ENOSPC);
    store.write(0, whole.substr(kSnapshotHeaderBytes));
    if (call == Call::kWrite) {
      ASSERT_TRUE(loop_.run_until([&] { return store.incoming_error().has_value(); }));
      EXPECT_EQ(store.incoming_error()->code, ErrorCode::kUnavailable);
    }
    const auto got = complete_snapshot(store, loop_, Sequence(1));
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(snapshot_files(), 0u);
    fail(Call::kNone, 0);
  }
  expect_log_goes_on();
  EXPECT_EQ(store.incoming(info.id, info.through, info.bytes), 0u);
  store.write(0, whole.substr(kSnapshotHeaderBytes));
  EXPECT_TRUE(complete_snapshot(store, loop_, Sequence(1)).has_value());
}

TEST_F(SnapshotDisk, OneThatWasGivenUpWhileFetchingBeginsAnew) {
  const std::string whole = snapshot_image(Slot(9), Sequence(1), {"state"});
  const auto info = *decode_snapshot_header(whole.substr(0, kSnapshotHeaderBytes));
  SnapshotStore& store = log_->snapshots();
  EXPECT_EQ(store.incoming(info.id, info.through, info.bytes), 0u);
  fail(Call::kWrite, ENOSPC);
  store.write(0, whole.substr(kSnapshotHeaderBytes, 50));
  ASSERT_TRUE(loop_.run_until([&] { return store.incoming_error().has_value(); }));
  fail(Call::kNone, 0);
  EXPECT_EQ(store.incoming(info.id, info.through, info.bytes), 0u);
  EXPECT_EQ(store.incoming_error(), std::nullopt);
  store.write(0, whole.substr(kSnapshotHeaderBytes));
  EXPECT_TRUE(complete_snapshot(store, loop_, Sequence(1)).has_value());
}

using SnapshotDiskDeathTest = SnapshotDisk;

TEST_F(SnapshotDiskDeathTest, AnyOtherFailureEndsTheProcess) {
  close();  // a child has no threads of its parent's
  for (const Call call : kCalls) {
    const auto end = [&] {
      open();
      fail(call, EIO);
      if (snapshot(1, {"state"})) std::fputs("[told]", stderr);
      std::fputs("[still running]", stderr);
    };
    EXPECT_DEATH(end(),
                 AllOf(HasSubstr("snapshot-00000000000000000001"), HasSubstr("Input/output error"),
                       HasSubstr("nothing acknowledged is lost. Check this disk"),
                       Not(HasSubstr("[told]")), Not(HasSubstr("[still running]"))));
  }
}

// ── a real one ──────────────────────────────────────────────────────────────────────────────────

class SmallDisk : public SnapshotDisk {
 protected:
  void SetUp() override {
    const std::string size = "size=" + std::to_string(kBytes);
    if (::mount("assent-test", directory_.path().c_str(), "tmpfs", 0, size.c_str()) != 0) {
      GTEST_SKIP() << "no disk may be mounted here: " << std::generic_category().message(errno);
    }
    mounted_ = true;
    SnapshotDisk::SetUp();
  }
  void TearDown() override {
    close();
    if (mounted_) {
      EXPECT_EQ(::umount(directory_.path().c_str()), 0);
    }
  }

  static constexpr std::size_t kBytes = 1u << 20;
  bool mounted_ = false;
};

TEST_F(SmallDisk, IsFullUnderASnapshotAndTheLogGoesOn) {
  const Chunks large(16, std::string(kBytes / 8, 'x'));
  const auto refused = snapshot(1, large);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(snapshot_files(), 0u);
  expect_log_goes_on();
  ASSERT_TRUE(snapshot(2, {"state"}).has_value()) << "what it took is given back";
  reopen();
  EXPECT_EQ(loaded_, Chunks{"state"});
  EXPECT_THAT(log_->snapshots().kept(), SizeIs(1));
}

// ── a full disk under the log ───────────────────────────────────────────────────────────────────

class FullDisk : public SmallDisk {
 protected:
  // What others use of the disk.
  void fill() {
    Result<File> file = File::open(filler(), O_RDWR | O_CREAT);
    ASSERT_TRUE(file.has_value());
    const std::string block(4'096, 'x');
    for (std::uint64_t at = 0; file->write_at(at, block); at += block.size()) continue;
  }
  void make_room() { std::filesystem::remove(filler()); }
  [[nodiscard]] std::string filler() const { return directory_.file("of others"); }

  void append_one() { append({accepted(++slot_, 1, std::string(500, 'v')), chosen(slot_)}); }
  // Up to the last segment that there is room for.
  void append_until_short() {
    for (int i = 0; i < 60 && !log_->counters().short_of_space; ++i) {
      append_one();
      ASSERT_TRUE(all_persisted()) << "there is a segment left";
      loop_.run_posted();
    }
    ASSERT_TRUE(log_->counters().short_of_space);
  }
  // More than a segment holds.
  void append_too_much() {
    for (int i = 0; i < 12; ++i) append_one();
  }

  std::uint64_t slot_ = 1;
};

TEST_F(FullDisk, ItIsToldWhileTheLogHasRoomAndTheLogGoesOnWhenThereIsSomeAgain) {
  fill();
  append_until_short();
  append_one();
  ASSERT_TRUE(all_persisted()) << "a whole segment is reserved by then";

  append_too_much();
  make_room();

  ASSERT_TRUE(all_persisted());
  ASSERT_TRUE(loop_.run_until([&] { return !log_->counters().short_of_space; }));
  reopen();
  EXPECT_EQ(restored_, written_);
}

TEST_F(FullDisk, ACloseDropsWhatWaitsForRoomAndNothingThatWasTold) {
  fill();
  append_until_short();
  append_too_much();
  loop_.run_posted();
  const std::uint64_t told = persisted();
  ASSERT_LT(told, appended_);

  reopen();

  EXPECT_GE(restored_.size(), told);
  EXPECT_THAT(restored_, testing::ElementsAreArray(
                             written_.begin(),
                             written_.begin() + static_cast<std::ptrdiff_t>(restored_.size())));
}

}  // namespace
}  // namespace assent::storage
