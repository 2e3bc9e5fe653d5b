// Every byte of a small snapshot flipped, zeroed, cut off and doubled: it is refused, or it is as
// it was; never is another state loaded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "coordinator/storage/snapshot_shelf.h"
#include "tests/coordinator/storage/snapshot_fixture.h"

namespace assent::storage {
namespace {

const Slot kSlot(42);
const Chunks kChunks = {"beginning", std::string(24, 'r'), std::string(24, 'r'), "s"};

// Calls `visit` with each damaged version of the bytes.
void for_each_damage(const std::string& whole, const std::function<void(std::string)>& visit) {
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      visit(bytes);
    }
    visit(whole.substr(0, at));
    for (const std::size_t count : {1, 8, 56}) {
      const std::size_t end = std::min(at + count, whole.size());
      visit(std::string(whole).replace(at, end - at, end - at, '\0'));
      visit(whole.substr(0, end) + whole.substr(at));  // doubled in place
      visit(whole.substr(0, at) + whole.substr(end));  // left out
      // Over what follows.
      std::string over = whole;
      over.replace(end, std::min(end - at, whole.size() - end), whole, at,
                   std::min(end - at, whole.size() - end));
      visit(over);
    }
  }
  for (const std::size_t count : {1, 64, 4'096}) visit(whole + std::string(count, '\0'));
  visit(whole + whole);
}

class Sweep : public ::testing::Test {
 protected:
  // The chunks of the snapshot in the directory; nothing when it is refused.
  std::optional<Chunks> load() {
    auto shelf = SnapshotShelf::open(directory_.path(), "demo");
    EXPECT_TRUE(shelf.has_value()) << shelf.error().message;
    EXPECT_EQ(shelf->kept().size() + shelf->damaged().size(), 1u);
    if (shelf->kept().empty()) {
      EXPECT_THAT(shelf->damaged().front(), ::testing::HasSubstr(path_));
      return {};
    }
    Chunks chunks;
    const File file = *File::open(path_, 0);
    const auto read = read_snapshot(file, shelf->kept().front(), "demo",
                                    [&](std::string_view chunk) -> Result<void> {
                                      chunks.emplace_back(chunk);
                                      return {};
                                    });
    EXPECT_TRUE(read.has_value());
    return chunks;
  }

  ScratchDirectory directory_{memory_directory()};
  std::string path_ = directory_.file(snapshot_name(kSlot));
};

TEST_F(Sweep, ADamagedSnapshotIsNeverLoaded) {
  const std::string whole = snapshot_image(kSlot, Sequence(7), kChunks);
  write_file(path_, whole);
  ASSERT_EQ(load(), kChunks);
  std::size_t refused = 0;
  for_each_damage(whole, [&](const std::string& bytes) {
    if (HasFailure() || bytes == whole) return;
    write_file(path_, bytes);
    ASSERT_EQ(load(), std::nullopt);
    ++refused;
  });
  EXPECT_GT(refused, 8 * whole.size());
}

// What is left of one that was being fetched is gone on with behind its last intact chunk.
TEST_F(Sweep, ADamagedIncomingSnapshotIsMadeGoodOrRefused) {
  const std::string whole = snapshot_image(kSlot, Sequence(7), kChunks);
  const std::string content = whole.substr(kSnapshotHeaderBytes);
  const SnapshotInfo info = *decode_snapshot_header(whole.substr(0, kSnapshotHeaderBytes));
  const std::string part = directory_.file(incoming_name({kSlot, info.id}));
  for_each_damage(whole, [&](const std::string& bytes) {
    if (HasFailure()) return;
    directory_.clear();
    write_file(part, bytes);
    auto shelf = SnapshotShelf::open(directory_.path(), "demo");
    ASSERT_TRUE(shelf.has_value()) << shelf.error().message;
    const std::uint64_t have = shelf->found_incoming()->bytes;
    ASSERT_LE(have, content.size());
    ASSERT_TRUE(shelf->put(have, content.substr(have)).has_value());
    const auto got = shelf->complete(content.size(), Sequence(9));
    ASSERT_TRUE(got.has_value()) << got.error().message;
    ASSERT_EQ(load(), kChunks);
  });
}

// Another snapshot's bytes, whole by themselves, at any place in this one.
TEST_F(Sweep, PartsOfAnotherSnapshotAreNone) {
  const std::string whole = snapshot_image(kSlot, Sequence(7), kChunks);
  const std::string other = snapshot_image(
      kSlot, Sequence(7), {"beginning", std::string(24, 'q'), std::string(24, 'r'), "s"});
  ASSERT_EQ(whole.size(), other.size());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    const std::string mixed = whole.substr(0, at) + other.substr(at);
    if (mixed == whole || mixed == other) continue;
    write_file(path_, mixed);
    ASSERT_EQ(load(), std::nullopt) << at;
  }
}

}  // namespace
}  // namespace assent::storage
