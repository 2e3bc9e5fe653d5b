// The disks on which a replica has met the others.
#include "coordinator/storage/known_disks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr ReplicaId kTwo{2};
constexpr ReplicaId kThree{3};
constexpr DiskIncarnation kDisk{0x0123456789ABCDEF};

class Disks : public ::testing::Test {
 protected:
  Result<KnownDisks> open() { return KnownDisks::open(directory_.path(), "demo"); }
  [[nodiscard]] std::string path() const { return directory_.file("peers"); }

  ScratchDirectory directory_{memory_directory()};
};

TEST_F(Disks, OfReplicasThatWereMetAreKnownInLaterLives) {
  auto disks = open();
  ASSERT_TRUE(disks.has_value()) << disks.error().message;
  EXPECT_FALSE(disks->find(kTwo).has_value());
  ASSERT_TRUE(disks->remember(kTwo, kDisk));
  ASSERT_TRUE(disks->remember(kThree, DiskIncarnation(7)));
  ASSERT_TRUE(disks->remember(kTwo, kDisk)) << "again";

  disks = open();

  ASSERT_TRUE(disks.has_value()) << disks.error().message;
  EXPECT_EQ(disks->find(kTwo), kDisk);
  EXPECT_EQ(disks->find(kThree), DiskIncarnation(7));
}

// docs/log-format.md shows this one.
TEST_F(Disks, AreWrittenLikeThis) {
  EXPECT_THAT(encode("demo", {{kTwo, kDisk}}),
              AllOf(HasSubstr("\nformat = 1\ncluster = demo\nreplica 2 = 0123456789abcdef\n"),
                    HasSubstr("\nchecksum = ")));
}

TEST_F(Disks, AFileThatDiffersInAnyByteIsRefusedByName) {
  ASSERT_TRUE(open()->remember(kTwo, kDisk));
  const std::string good = read_file(path());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 1;
    write_file(path(), bad);
    const auto disks = open();
    ASSERT_FALSE(disks.has_value()) << "byte " << i;
    EXPECT_THAT(disks.error().message, HasSubstr(path()));
  }
  write_file(path(), good.substr(0, good.size() - 1));
  EXPECT_FALSE(open().has_value());
}

TEST_F(Disks, OfAnotherClusterAreRefused) {
  ASSERT_TRUE(open()->remember(kTwo, kDisk));
  const auto disks = KnownDisks::open(directory_.path(), "other");
  ASSERT_FALSE(disks.has_value());
  EXPECT_THAT(disks.error().message, HasSubstr("another cluster"));
}

TEST_F(Disks, ANewerFormatIsRefusedByName) {
  write_file(path(), "# whatever\nformat = 2\n");
  const auto disks = open();
  ASSERT_FALSE(disks.has_value());
  EXPECT_EQ(disks.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(disks.error().message, HasSubstr("a newer version of Assent wrote it"));
}

}  // namespace
}  // namespace assent::storage
