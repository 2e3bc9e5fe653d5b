// One fsync for a batch, and a disk that fails it: this program has its own fdatasync.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

#include "tests/coordinator/storage/replica_log_fixture.h"

namespace {

std::atomic<bool> failing = false;
std::atomic<int> calls = 0;  // for segments

bool is_segment(int descriptor) {
  std::array<char, 4'096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  return length > 0 &&
         std::string_view(path.data(), static_cast<std::size_t>(length)).ends_with(".wal");
}

}  // namespace

// Stands in front of the C library's.
extern "C" int fdatasync(int descriptor) {
  if (!is_segment(descriptor)) return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
  ++calls;
  if (!failing) return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
  std::fputs("[flush failed]", stderr);
  errno = EIO;
  return -1;
}

namespace assent::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Matcher;
using ::testing::Not;

class Fsync : public ReplicaLogFixture {
 protected:
  void append_to_failing_disk() {
    open();
    append({promised(1)});
    ASSERT_TRUE(all_persisted());
    failing = true;
    append({accepted(1, 1, "never durable")});
    if (all_persisted()) std::fputs("[told]", stderr);
    std::fputs("[still running]", stderr);
  }
};

TEST_F(Fsync, OneForEachBatch) {
  open();
  const int before = calls;
  loop_.close_gate();
  append({accepted(1, 1, "first")});
  ASSERT_TRUE(loop_.wait_until_held());
  for (std::uint64_t slot = 2; slot <= 11; ++slot) append({accepted(slot, 1, "v"), chosen(slot)});
  loop_.open_gate();
  ASSERT_TRUE(all_persisted());

  EXPECT_EQ(calls - before, 2) << "of the first record, and of the twenty behind it";
  EXPECT_EQ(log_->counters().flushes, 2u);
}

using FsyncDeathTest = Fsync;

TEST_F(FsyncDeathTest, AFailedFsyncEndsTheProcessAtOnceAndIsNotRetried) {
  const Matcher<const std::string&> last_words = AllOf(
      HasSubstr("[flush failed]"), HasSubstr("cannot flush "), HasSubstr(".wal: Input/output"),
      HasSubstr("the process ends; nothing acknowledged is lost"),
      Not(HasSubstr("[flush failed][flush failed]")), Not(HasSubstr("[told]")),
      Not(HasSubstr("[still running]")));
  EXPECT_DEATH(append_to_failing_disk(), last_words);
}

}  // namespace
}  // namespace assent::storage
