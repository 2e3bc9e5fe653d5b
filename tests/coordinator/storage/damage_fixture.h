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
    restored_.clear();
    persisted_.clear();
    loaded_.clear();
    told_.clear();
    appended_ = 0;
    log_ = std::make_unique<ReplicaLog>(options());
    return log_->open([this](const paxos::Record& record) { restored_.push_back(encode(record)); },
                      [this](paxos::RecordIndex through) { persisted_.push_back(through.value); },
                      [this](std::string_view chunk) -> Result<void> {
                        loaded_.emplace_back(chunk);
                        return {};
                      },
                      [this](const LogDamage& damage) -> Result<void> {
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
  // The first record of the slot, anywhere in the log.
  struct At {
    std::string name;
    std::size_t offset = 0;
  };
  [[nodiscard]] At find(std::uint64_t slot) const {
    for (const std::string& name : segments()) {
      const std::string bytes = read_file(directory_.file(name));
      const auto header = decode_segment_header(bytes);
      for (std::size_t at = kSegmentHeaderBytes; header && at < bytes.size();) {
        const auto record = find_record(bytes, at, header->salt);
        if (!record) break;
        const auto type = static_cast<RecordType>(record->header.type);
        if (type == RecordType::kAccepted) {
          const auto decoded = decode_record(type, record->payload);
          if (std::get<paxos::Accepted>(*decoded).slot == Slot(slot)) return {name, at};
        }
        at = record->end;
      }
    }
    ADD_FAILURE() << "slot " << slot << " has no record";
    return {};
  }
  void flip(const std::string& name, std::size_t offset) const {
    std::string bytes = read_file(directory_.file(name));
    bytes.at(offset) ^= 0x10;
    write_file(directory_.file(name), bytes);
  }
  At rot(std::uint64_t slot) {
    const At at = find(slot);
    flip(at.name, at.offset + kRecordHeaderBytes);
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

  std::uint64_t slot_ = 0;
  std::vector<LogDamage> told_;
};

}  // namespace assent::storage
