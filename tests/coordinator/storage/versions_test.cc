// What a newer version wrote is refused by name, and left as it was; one test for each row of the
// table in docs/log-format.md, "Versions", whose bytes are on a replica's disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "coordinator/storage/known_disks.h"
#include "coordinator/storage/snapshot_file.h"
#include "tests/coordinator/storage/replica_log_fixture.h"
#include "tests/coordinator/storage/snapshot_fixture.h"

namespace assent::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A replica that has lived, has met another one, and died while it wrote its next snapshot.
class NewerVersion : public ReplicaLogFixture {
 protected:
  void SetUp() override {
    open();
    append({accepted(1, 1, "a"), accepted(2, 1, "b"), chosen(1)});
    ASSERT_TRUE(all_persisted());
    ASSERT_TRUE(snapshot(1, {"state 1"}).has_value());
    close();
    write_file(path("peers"), encode("demo", {{ReplicaId(2), DiskIncarnation(7)}}));
    write_file(path("snapshot-00000000000000000002.part"), "half");
  }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_.file(name); }

  // Gives the text file another first line with a version, as a newer program would.
  void raise_format(const std::string& name) const {
    std::string text = read_file(path(name));
    const std::size_t at = text.find("format = 1");
    ASSERT_NE(at, std::string::npos);
    write_file(path(name), text.replace(at, 10, "format = 2"));
  }
  // The log is one segment of this image.
  void replace_log(const SegmentImage& image) const {
    ASSERT_EQ(image.name(), segment_name(Sequence(1)));
    write_file(path(image.name()), image.bytes());
  }

  void expect_refused(const std::string& thing, const std::string& found,
                      const std::string& known) {
    const auto before = contents(directory_.path());
    const auto opened = try_open(options());
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kUnsupportedVersion);
    EXPECT_THAT(opened.error().message,
                AllOf(HasSubstr(thing), HasSubstr(found), HasSubstr("reads up to " + known + ":"),
                      HasSubstr("run the version that wrote it, or newer")));
    close();
    EXPECT_EQ(contents(directory_.path()), before);
  }
};

TEST_F(NewerVersion, OfTheIdentity) {
  raise_format("identity");
  expect_refused(path("identity"), "has format 2", "1");
}

TEST_F(NewerVersion, OfThePeers) {
  raise_format("peers");
  expect_refused(path("peers"), "has format 2", "1");
}

TEST_F(NewerVersion, OfASnapshot) {
  const std::string whole = read_file(path(snapshot_name(Slot(1))));
  for (const std::size_t at : {std::size_t{0}, kSnapshotHeaderBytes}) {
    write_file(path(snapshot_name(Slot(1))), newer(whole, at, 56));
    expect_refused(path(snapshot_name(Slot(1))), "has snapshot format 2", "1");
  }
}

TEST_F(NewerVersion, OfASegment) {
  const std::string name = segment_name(Sequence(1));
  std::string bytes = read_file(path(name));
  auto header = decode_segment_header(bytes);
  ASSERT_TRUE(header.has_value());
  header->format = 2;
  const std::string raised = encode(*header);
  write_file(path(name), bytes.replace(0, raised.size(), raised));
  std::filesystem::remove(path("snapshot-00000000000000000002.part"));  // goes with any start
  expect_refused(path(name), "has segment format 2", "1");
}

TEST_F(NewerVersion, OfARecord) {
  std::filesystem::remove(path("snapshot-00000000000000000002.part"));
  const Record value = encode(accepted(2, 1, "b"));
  SegmentImage format(Sequence(1));
  format.record({.format = 2, .type = 4, .sequence = Sequence(1)}, value.payload);
  replace_log(format);
  expect_refused(path(format.name()) + " at offset " + std::to_string(format.offset(0)),
                 "has record format 2", "1");
  SegmentImage type(Sequence(1));
  type.record({.type = 8, .sequence = Sequence(1)}, value.payload);
  replace_log(type);
  expect_refused(path(type.name()) + " at offset " + std::to_string(type.offset(0)),
                 "has a record of type 8", "7");
}

}  // namespace
}  // namespace assent::storage
