// What the tests of damaged logs share: a log whose records rot, and what its start then tells.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/coordinator/storage/replica_log_fixture.h"

namespace assent::storage {

inline const Record kDamage{RecordType::kBase, "damage"};  // in restored_, where damage was told

class DamageFixture : public ReplicaLogFixture {
 protected:
  // A life that takes damage, as a replica with others beside it does.
  Result<void> try_open_damaged() {
    told_.clear();
    return try_open(options(), [this](const LogDamage& damage) -> Result<void> {
      told_.push_back(damage);
      restored_.push_back(kDamage);
      return {};
    });
  }
  void open_damaged() {
    const auto opened = try_open_damaged();
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
  }
  void reopen_damaged() {
    close();
    open_damaged();
  }
  void expect_refused(const std::string& part) {
    close();
    const auto before = contents(directory_.path());
    const auto opened = try_open_damaged();
    ASSERT_FALSE(opened.has_value());
    EXPECT_THAT(opened.error().message, ::testing::HasSubstr(part));
    close();
    EXPECT_EQ(contents(directory_.path()), before);
  }

  // Slots up to this one are chosen, each with a batch of its own, which has the mark before it.
  void choose(std::uint64_t through, std::uint64_t round = 2) {
    while (slot_ < through) {
      const std::uint64_t before = slot_++;
      std::vector<paxos::Record> batch;
      if (before > 0) batch.push_back(chosen(before));
      batch.push_back(accepted(slot_, round, value(slot_)));
      append(batch);
      ASSERT_TRUE(all_persisted());
    }
  }
  // A first life, in which slots up to this one are chosen.
  void write(std::uint64_t through) {
    open();
    choose(through);
    close();
  }
  // The state after this slot comes from another replica, and the log goes on from there.
  void rest_on_fetched(std::uint64_t through) {
    const auto fetched =
        write_snapshot(log_->snapshots(), loop_, Slot(through), log_->replay_from(Slot(through)),
                       {"state " + std::to_string(through)});
    ASSERT_TRUE(fetched.has_value()) << fetched.error().message;
    log_->rebase(Slot(through));
    slot_ = through;
  }
  // Six slots and a snapshot of five of them; then the state after slot 30 was fetched, and has
  // rotted when the log is at slot 33.
  void lose_fetched_snapshot() {
    open();
    choose(6);
    ASSERT_TRUE(snapshot(5, {"state 5"}).has_value());
    rest_on_fetched(30);
    choose(33);
    close();
    flip(snapshot_name(Slot(30)), 100);
    open_damaged();
    ASSERT_EQ(told_.size(), 1u);
  }
  static std::string value(std::uint64_t slot) {
    return std::string(900, static_cast<char>('a' + slot % 26));
  }
  [[nodiscard]] std::vector<std::string> segments() const {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : contents(directory_.path())) {
      if (name.ends_with(".wal")) names.push_back(name);
    }
    return names;
  }
  struct At {
    std::string name;
    std::size_t offset = 0;
  };
  // Visits every intact record of the log, in order.
  template <class Visit>
  void each_record(const Visit& visit) const {
    for (const std::string& name : segments()) {
      const std::string bytes = read_file(directory_.file(name));
      const auto header = decode_segment_header(bytes);
      for (std::size_t at = kSegmentHeaderBytes; header && at < bytes.size();) {
        const auto record = find_record(bytes, at, header->salt);
        if (record) visit(At{name, at}, *record);
        at = record ? record->end : at + kRecordAlignment;
      }
    }
  }
  // The first record of the slot, anywhere in the log.
  [[nodiscard]] At find(std::uint64_t slot) const {
    At found;
    each_record([&](const At& at, const FoundRecord& record) {
      const auto type = static_cast<RecordType>(record.header.type);
      if (!found.name.empty() || type != RecordType::kAccepted) return;
      const auto decoded = decode_record(type, record.payload);
      if (std::get<paxos::Accepted>(*decoded).slot == Slot(slot)) found = at;
    });
    EXPECT_FALSE(found.name.empty()) << "slot " << slot << " has no record";
    return found;
  }
  // The record of this type that stands last.
  [[nodiscard]] At last(RecordType type) const {
    At found;
    each_record([&](const At& at, const FoundRecord& record) {
      if (record.header.type == static_cast<std::uint8_t>(type)) found = at;
    });
    EXPECT_FALSE(found.name.empty());
    return found;
  }
  void spoil(const At& at) const { flip(at.name, at.offset + kRecordHeaderBytes); }
  void flip(const std::string& name, std::size_t offset) const {
    std::string bytes = read_file(directory_.file(name));
    bytes.at(offset) ^= 0x10;
    write_file(directory_.file(name), bytes);
  }
  At rot(std::uint64_t slot) {
    const At at = find(slot);
    spoil(at);
    return at;
  }
  [[nodiscard]] std::size_t restored(RecordType type) const {
    return static_cast<std::size_t>(std::ranges::count_if(restored_, [&](const Record& one) {
      return one.type == type && one.payload != kDamage.payload;
    }));
  }
  // The records after the damage was told.
  [[nodiscard]] std::vector<Record> restored_behind() const {
    const auto at = std::ranges::find(restored_, kDamage);
    return at == restored_.end() ? std::vector<Record>{}
                                 : std::vector<Record>(at + 1, restored_.end());
  }
  void take_snapshot() {
    ASSERT_TRUE(snapshot(slot_, {"state " + std::to_string(slot_)}).has_value());
    log_->truncate();
  }

  // Of damage that was repaired; the log is at slot 14.
  void expect_gone_with_two_snapshots() {
    EXPECT_TRUE(log_->wants_snapshot());
    take_snapshot();
    EXPECT_TRUE(log_->wants_snapshot());
    choose(20, 3);
    take_snapshot();
    EXPECT_FALSE(log_->wants_snapshot());
    ASSERT_TRUE(loop_.run_until([&] { return log_->counters().segments_deleted > 0; }));
    choose(22, 3);
    close();
    open();
    EXPECT_TRUE(log_->damage().empty());
  }

  std::uint64_t slot_ = 0;
  std::vector<LogDamage> told_;
};

}  // namespace assent::storage
