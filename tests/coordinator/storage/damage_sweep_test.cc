// Bytes of a replica's log are flipped, zeroed, written twice and cut, everywhere, while another
// replica knows nothing of the latest decisions: what was decided is never lost, and nothing else
// comes to be decided. Either the log is refused by name, or the others repair it.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/coordinator/paxos/stage.h"
#include "tests/coordinator/storage/replica_log_fixture.h"

namespace assent::storage {
namespace {

using paxos::Stage;
using Files = std::map<std::string, std::string>;

constexpr std::uint32_t kLeader = 1;
constexpr std::uint32_t kAway = 2;    // knows the first decisions only
constexpr std::uint32_t kRotten = 3;  // whose log is changed
constexpr int kKnownToAll = 5;
constexpr int kDecisions = 14;

std::string value(int number) {
  return std::to_string(number) + std::string(500, 'v');
}

// All decide five values, then two of them nine more.
std::unique_ptr<Stage> decide() {
  auto stage = std::make_unique<Stage>(3);
  stage->elect(kLeader);
  for (int i = 1; i <= kDecisions; ++i) {
    const std::vector<std::uint32_t> cut =
        i <= kKnownToAll ? std::vector<std::uint32_t>{} : std::vector<std::uint32_t>{kAway};
    stage->propose(kLeader, value(i));
    stage->settle(cut);
    stage->pass(Millis(50));
    stage->settle(cut);
  }
  stage->drop_all();
  return stage;
}

using Records = std::vector<paxos::Record>;

void go_on(Stage& stage, const std::vector<std::uint32_t>& cut) {
  for (int i = 0; i < 150; ++i) {
    stage.pass(Millis(10));
    stage.settle(cut);
  }
}

class DamageSweep : public ReplicaLogFixture {
 protected:
  void SetUp() override {
    open();
    const std::unique_ptr<Stage> stage = decide();
    write_each(stage->player(kRotten).log.durable);
    end_log(*stage);
  }
  // Each in a batch of its own.
  void write_each(const Records& records) {
    for (const paxos::Record& record : records) {
      append({record});
      ASSERT_TRUE(all_persisted());
    }
  }
  // At last a promise stands alone in a batch: one that rots there cannot be told from a torn tail,
  // and is given by the record before it, too.
  void end_log(Stage& stage) {
    const paxos::Promised promised{*stage.at(kLeader).leading()};
    write_each({chosen(stage.at(kRotten).chosen_through().value), promised, promised});
    close();
    disk_ = contents(directory_.path());
    ASSERT_LE(2u, segments().size()) << "some that are followed, and the last";
  }
  // The group as it was when the log was written.
  [[nodiscard]] virtual std::unique_ptr<Stage> as_it_was() const { return decide(); }
  [[nodiscard]] std::vector<std::string> segments() const {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : disk_) {
      if (name.ends_with(".wal")) names.push_back(name);
    }
    return names;
  }
  [[nodiscard]] std::size_t used(const std::string& name) const {
    return disk_.at(name).find_last_not_of('\0') + 1;
  }

  // Changes the file, and lets the group go on with what a start makes of it.
  void change(const std::string& name, const std::function<void(std::string& bytes)>& change) {
    Files changed = disk_;
    change(changed.at(name));
    if (changed == disk_) return;
    directory_.clear();
    for (const auto& [file, bytes] : changed) write_file(directory_.file(file), bytes);
    paxos::RecordedLog found;
    ReplicaLog log(options());
    const auto opened =
        log.open([&](const paxos::Record& record) { found.durable.push_back(record); },
                 [](paxos::RecordIndex) {}, [](std::string_view) { return Result<void>(); },
                 [&](const LogDamage&) -> Result<void> {
                   found.lost_before.insert(found.durable.size());
                   return {};
                 });
    if (opened) return expect_nothing_lost(std::move(found));
    ++refused_;
    EXPECT_NE(opened.error().message.find(directory_.file(name)), std::string::npos)
        << opened.error().message;
    EXPECT_NE(opened.error().message.find("replace this replica"), std::string::npos);
  }

  // One bit at a time, in steps of so many bytes; smaller ones near the header of a segment.
  void flip_bits(std::size_t step, std::size_t step_in_header) {
    for (const std::string& name : segments()) {
      for (std::size_t at = 0; at < used(name); at += at < 48 ? step_in_header : step) {
        SCOPED_TRACE(name + " at " + std::to_string(at));
        change(name, [&](std::string& bytes) { bytes[at] = static_cast<char>(bytes[at] ^ 0x20); });
        if (HasFailure()) return;
      }
    }
  }
  // Sixty-four bytes at a time.
  void zero(std::size_t step) {
    for (const std::string& name : segments()) {
      for (std::size_t at = 0; at < used(name); at += step) {
        SCOPED_TRACE(name + " at " + std::to_string(at));
        change(name, [&](std::string& bytes) { bytes.replace(at, 64, 64, '\0'); });
        if (HasFailure()) return;
      }
    }
  }

  void expect_nothing_lost(paxos::RecordedLog found) {
    const std::unique_ptr<Stage> stage = as_it_was();
    stage->player(kRotten).log.durable = std::move(found.durable);
    stage->player(kRotten).log.lost_before = std::move(found.lost_before);
    stage->restart(kRotten);
    const bool recovering = stage->at(kRotten).recovering();
    ++(recovering ? recovering_ : sound_);
    // The leader is gone, and who was away is back: together they are a quorum.
    go_on(*stage, {kLeader});
    const bool led = stage->at(kAway).leading() || stage->at(kRotten).leading();
    EXPECT_EQ(led, !recovering);
    if (led) expect_decided(*stage, kAway);
    go_on(*stage, {});
    EXPECT_FALSE(stage->at(kRotten).recovering());
    for (const std::uint32_t id : {kLeader, kAway, kRotten}) expect_decided(*stage, id);
  }
  static void expect_decided(const Stage& stage, std::uint32_t id) {
    const std::vector<std::string> values = stage.values(id);
    ASSERT_LE(static_cast<std::size_t>(kDecisions), values.size()) << "at " << id;
    for (int i = 1; i <= kDecisions; ++i) {
      ASSERT_EQ(values[static_cast<std::size_t>(i) - 1], value(i)) << "at " << id;
    }
  }

  Files disk_;
  int refused_ = 0;
  int recovering_ = 0;
  int sound_ = 0;
};

TEST_F(DamageSweep, OfFlippedBits) {
  flip_bits(13, 5);
  EXPECT_GT(recovering_, 300);
  EXPECT_GT(refused_, 5) << "the header of the last segment, and what is near its end";
}

TEST_F(DamageSweep, OfZeros) {
  zero(96);
  EXPECT_GT(recovering_, 30);
}

// A write that went to another place.
TEST_F(DamageSweep, OfBytesThatStandTwice) {
  for (const std::string& name : segments()) {
    for (std::size_t at = kSegmentHeaderBytes; at + 512 < used(name); at += 160) {
      SCOPED_TRACE(name + " at " + std::to_string(at));
      change(name, [&](std::string& bytes) { bytes.replace(at, 256, bytes, at + 256, 256); });
      change(name, [&](std::string& bytes) { bytes.replace(at + 256, 256, bytes, at, 256); });
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(recovering_, 20);
}

// The last segment is not cut: what a cut takes from the end cannot be told from what was never
// written (docs/log-format.md, "What it cannot tell").
TEST_F(DamageSweep, OfAFileThatIsCut) {
  const std::string name = segments().front();
  for (std::size_t at = 0; at < used(name); at += 61) {
    SCOPED_TRACE(at);
    change(name, [&](std::string& bytes) { bytes.resize(at); });
    if (HasFailure()) return;
  }
  EXPECT_GT(recovering_, 100);
}

// ── a log that was damaged and repaired ─────────────────────────────────────────────────────────

// The value of a decision that the replica that was away does not know has rotted, and was learned
// again from the leader: the log has the damage, what was learned, and that it is repaired.
class RepairedSweep : public DamageSweep {
 protected:
  void SetUp() override {
    open();
    const std::unique_ptr<Stage> stage = decide();
    const Records before = stage->player(kRotten).log.durable;
    write_each(before);
    close();
    spoil(lost(before));
    repair(*stage);
    open_damaged();
    const Records& after = stage->player(kRotten).log.durable;
    ASSERT_LT(before.size(), after.size());
    ASSERT_TRUE(std::ranges::any_of(
        after, [](const auto& one) { return std::holds_alternative<paxos::Repaired>(one); }));
    write_each({after.begin() + static_cast<std::ptrdiff_t>(before.size()) - 1, after.end()});
    end_log(*stage);
  }
  [[nodiscard]] std::unique_ptr<Stage> as_it_was() const override {
    auto stage = decide();
    repair(*stage);
    return stage;
  }
  // The place of the record that rots.
  static std::size_t lost(const Records& records) {
    for (std::size_t i = 0; i < records.size(); ++i) {
      const auto* accepted = std::get_if<paxos::Accepted>(&records[i]);
      if (accepted != nullptr && *accepted->value == value(9)) return i;
    }
    ADD_FAILURE() << "it has no record of the ninth value";
    return 0;
  }
  static void repair(Stage& stage) {
    const std::size_t at = lost(stage.player(kRotten).log.durable);
    stage.rot(kRotten, at, at + 1);
    stage.restart(kRotten);
    go_on(stage, {kAway});
    ASSERT_FALSE(stage.at(kRotten).recovering());
    stage.drop_all();
  }
  void spoil(std::size_t place) {
    for (const auto& [name, bytes] : contents(directory_.path())) {
      const auto header = decode_segment_header(bytes);
      if (!name.ends_with(".wal") || !header) continue;
      std::size_t at = kSegmentHeaderBytes;
      for (auto found = find_record(bytes, at, header->salt); found;
           found = find_record(bytes, at, header->salt)) {
        if (found->header.sequence.value == place + 1) {
          std::string changed = bytes;
          changed[at + kRecordHeaderBytes] ^= 0x01;
          return write_file(directory_.file(name), changed);
        }
        at = found->end;
      }
    }
    FAIL() << "record " << place + 1 << " is not there";
  }
  void open_damaged() {
    appended_ = 0;
    persisted_.clear();
    log_ = std::make_unique<ReplicaLog>(options());
    const auto opened =
        log_->open([](const paxos::Record&) {},
                   [this](paxos::RecordIndex through) { persisted_.push_back(through.value); },
                   [](std::string_view) { return Result<void>(); },
                   [](const LogDamage&) { return Result<void>(); });
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
  }
};

TEST_F(RepairedSweep, OfFlippedBits) {
  flip_bits(19, 9);
  EXPECT_GT(recovering_, 300) << "damage that is not the one that was repaired";
  EXPECT_GT(sound_, 20) << "more damage where it is repaired";
}

TEST_F(RepairedSweep, OfZeros) {
  zero(120);
  EXPECT_GT(recovering_, 30);
  EXPECT_GT(sound_, 2);
}

}  // namespace
}  // namespace assent::storage
