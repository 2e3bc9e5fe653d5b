#include "coordinator/storage/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "tests/coordinator/storage/replica_log_fixture.h"

namespace assent::storage {
namespace {

using ::testing::HasSubstr;

const Identity kIdentity{"demo", ReplicaId(3), DiskIncarnation(0x0123456789abcdef)};

// ── the text ────────────────────────────────────────────────────────────────────────────────────

TEST(IdentityText, SurvivesEncoding) {
  EXPECT_EQ(decode_identity(encode(kIdentity)), kIdentity);
  EXPECT_EQ(to_string(kIdentity), "replica 3 of cluster demo");
}

// docs/log-format.md has these lines.
TEST(IdentityText, IsWrittenAsDocumented) {
  EXPECT_EQ(encode(kIdentity),
            "# Whose data directory this is. Never edit, copy or remove this file.\n"
            "format = 1\n"
            "cluster = demo\n"
            "replica = 3\n"
            "incarnation = 0123456789abcdef\n"
            "checksum = 5a9ecd4e0eac5066\n");
}

TEST(IdentityText, EveryCutFlippedOrDoubledByteIsRefused) {
  const std::string whole = encode(kIdentity);
  const auto expect_refused = [](const std::string& text) {
    const auto identity = decode_identity(text);
    EXPECT_FALSE(identity.has_value()) << text;
  };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    expect_refused(whole.substr(0, at));
    expect_refused(whole.substr(0, at) + whole[at] + whole.substr(at));
    for (int bit = 0; bit < 8; ++bit) {
      std::string text = whole;
      text[at] = static_cast<char>(text[at] ^ (1 << bit));
      expect_refused(text);
    }
  }
  expect_refused(whole + "\n");
}

TEST(IdentityText, WhatNoReplicaIsCalledIsRefused) {
  for (const Identity& identity : {Identity{"De mo", ReplicaId(1), DiskIncarnation(1)},
                                   Identity{"", ReplicaId(1), DiskIncarnation(1)},
                                   Identity{std::string(33, 'x'), ReplicaId(1), DiskIncarnation(1)},
                                   Identity{"demo", ReplicaId(0), DiskIncarnation(1)},
                                   Identity{"demo", ReplicaId(1), DiskIncarnation(0)}}) {
    EXPECT_FALSE(decode_identity(encode(identity)).has_value()) << encode(identity);
  }
}

TEST(IdentityText, ANewerFormatIsRefusedByName) {
  std::string text = encode(kIdentity);
  text.replace(text.find("format = 1"), 10, "format = 2");
  const auto identity = decode_identity(text);
  ASSERT_FALSE(identity.has_value());
  EXPECT_EQ(identity.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(identity.error().message, HasSubstr("format 2"));
}

// ── a directory ─────────────────────────────────────────────────────────────────────────────────

class DirectoryIdentity : public ReplicaLogFixture {
 protected:
  // Opening refuses, in these words, and changes nothing.
  void expect_refused(ErrorCode code, const std::string& part) {
    expect_refused(options(), code, part);
  }
  void expect_refused(ReplicaLogOptions options, ErrorCode code, const std::string& part) {
    close();
    const auto before = contents(directory_.path());
    const auto opened = try_open(std::move(options));
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, code);
    EXPECT_THAT(opened.error().message, HasSubstr(part));
    EXPECT_TRUE(restored_.empty());
    close();
    EXPECT_EQ(contents(directory_.path()), before);
  }
  // A log with one record, closed.
  void live() {
    open();
    append({promised(1)});
    close();
  }
  void remove(const std::string& name) { std::filesystem::remove(directory_.file(name)); }
  [[nodiscard]] bool has(const std::string& name) const {
    return std::filesystem::exists(directory_.file(name));
  }
};

TEST_F(DirectoryIdentity, IsDrawnOnceAndKept) {
  open();
  const Identity drawn = log_->identity();
  EXPECT_EQ(drawn.cluster, "demo");
  EXPECT_EQ(drawn.replica, ReplicaId(1));
  EXPECT_NE(drawn.incarnation, DiskIncarnation(0));
  EXPECT_EQ(decode_identity(read_file(directory_.file("identity"))), drawn);
  EXPECT_FALSE(has("identity.new"));
  EXPECT_FALSE(has("identity.part"));

  reopen();
  EXPECT_EQ(log_->identity(), drawn);
}

TEST_F(DirectoryIdentity, AWipedDirectoryHasAnother) {
  std::set<std::uint64_t> drawn;
  for (int life = 0; life < 5; ++life) {
    close();
    directory_.clear();
    open();
    drawn.insert(log_->identity().incarnation.value);
  }
  EXPECT_EQ(drawn.size(), 5u);
}

TEST_F(DirectoryIdentity, TheDirectoryOfAnotherReplicaIsRefused) {
  live();
  ReplicaLogOptions other = options();
  other.replica = ReplicaId(2);
  expect_refused(other, ErrorCode::kIdentityMismatch,
                 "is that of replica 1 of cluster demo, and this is replica 2 of cluster demo: "
                 "correct the cluster, the replica id or the data directory");
  open();
  EXPECT_EQ(restored_, written_) << "and it is as it was";
}

TEST_F(DirectoryIdentity, TheDirectoryOfAnotherClusterIsRefused) {
  live();
  ReplicaLogOptions other = options();
  other.cluster = "prod";
  expect_refused(other, ErrorCode::kIdentityMismatch,
                 "replica 1 of cluster demo, and this is replica 1 of cluster prod");
}

TEST_F(DirectoryIdentity, ALogWithoutOneIsRefused) {
  live();
  remove("identity");
  expect_refused(ErrorCode::kInternal, "identity is missing beside a log");
}

TEST_F(DirectoryIdentity, SnapshotsWithoutOneAreRefused) {
  write_file(directory_.file("snapshot-00000000000000000007"), "whatever");
  expect_refused(ErrorCode::kInternal, "identity is missing beside snapshots");
}

TEST_F(DirectoryIdentity, OneWithoutALogIsRefused) {
  live();
  remove(segment_name(Sequence(1)));
  expect_refused(ErrorCode::kInternal, "The log of replica 1 of cluster demo is gone");
  remove("spare");
  expect_refused(ErrorCode::kInternal, "replace this replica under a new id");
}

TEST_F(DirectoryIdentity, OneWithSnapshotsAndWithoutALogIsRefused) {
  live();
  remove(segment_name(Sequence(1)));
  write_file(directory_.file("snapshot-00000000000000000007"),
             snapshot_image(Slot(7), Sequence(1), {"state"}));
  expect_refused(ErrorCode::kInternal, "The log of replica 1 of cluster demo is gone");
}

TEST_F(DirectoryIdentity, ADamagedOneIsRefused) {
  live();
  std::string text = read_file(directory_.file("identity"));
  text[text.find("replica = 1") + 10] = '2';
  write_file(directory_.file("identity"), text);
  expect_refused(ErrorCode::kInternal, directory_.file("identity") + " is damaged");
}

TEST_F(DirectoryIdentity, ARecordBesideOneThatIsNotSettledIsRefused) {
  live();
  std::filesystem::rename(directory_.file("identity"), directory_.file("identity.new"));
  close();
  const auto opened = try_open(options());
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("an identity that is not settled"));
}

// ── a crash while a directory is used for the first time ────────────────────────────────────────

TEST_F(DirectoryIdentity, ACrashWhileItIsWrittenLeavesANewDirectory) {
  const std::string text = encode(Identity{"demo", ReplicaId(1), DiskIncarnation(7)});
  for (std::size_t bytes = 0; bytes <= text.size(); bytes += 10) {
    close();
    directory_.clear();
    write_file(directory_.file("identity.part"), text.substr(0, bytes));
    open();
    EXPECT_NE(log_->identity().incarnation, DiskIncarnation(7));
    EXPECT_FALSE(has("identity.part"));
  }
}

TEST_F(DirectoryIdentity, ACrashInFrontOfTheFirstSegmentIsGoneOnFrom) {
  write_file(directory_.file("identity.new"),
             encode(Identity{"demo", ReplicaId(1), DiskIncarnation(7)}));
  open();
  EXPECT_EQ(log_->identity().incarnation, DiskIncarnation(7));
  EXPECT_TRUE(has("identity"));
  EXPECT_FALSE(has("identity.new"));
}

TEST_F(DirectoryIdentity, ACrashBehindTheFirstSegmentIsGoneOnFrom) {
  write_file(directory_.file("identity.new"),
             encode(Identity{"demo", ReplicaId(1), DiskIncarnation(7)}));
  write_file(directory_.file(segment_name(Sequence(1))), SegmentImage(Sequence(1)).bytes());
  open();
  EXPECT_EQ(log_->identity().incarnation, DiskIncarnation(7));
  append({promised(1)});
  reopen();
  EXPECT_EQ(restored_, written_);
}

TEST_F(DirectoryIdentity, ANewDirectoryOfAnotherReplicaIsRefusedToo) {
  write_file(directory_.file("identity.new"),
             encode(Identity{"demo", ReplicaId(2), DiskIncarnation(7)}));
  expect_refused(ErrorCode::kIdentityMismatch, "is that of replica 2 of cluster demo");
}

}  // namespace
}  // namespace assent::storage
