// What the tests of a replica's log share: one log, opened life after life, and what it told.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/storage/consensus_record.h"
#include "coordinator/storage/replica_log.h"
#include "tests/coordinator/storage/snapshot_fixture.h"
#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {

inline Ballot ballot(std::uint64_t round) {
  return {Incarnation(1), Round(round), ReplicaId(1)};
}
inline paxos::Record promised(std::uint64_t round) {
  return paxos::Promised{ballot(round)};
}
inline paxos::Record accepted(std::uint64_t slot, std::uint64_t round, std::string value) {
  return paxos::Accepted{Slot(slot), ballot(round), paxos::make_value(std::move(value))};
}
inline paxos::Record chosen(std::uint64_t through) {
  return paxos::ChosenMark{Slot(through)};
}

class ReplicaLogFixture : public ::testing::Test {
 protected:
  [[nodiscard]] ReplicaLogOptions options() {
    return {.log = small_segments(directory_.path(), loop_), .cluster = "demo"};
  }

  // A new life.
  Result<void> try_open(ReplicaLogOptions options,
                        const WriteAheadLog::OnDamage& damaged = WriteAheadLog::refuse_damage) {
    restored_.clear();
    persisted_.clear();
    loaded_.clear();
    appended_ = 0;
    log_ = std::make_unique<ReplicaLog>(std::move(options));
    return log_->open([this](const paxos::Record& record) { restored_.push_back(encode(record)); },
                      [this](paxos::RecordIndex through) { persisted_.push_back(through.value); },
                      [this](std::string_view chunk) -> Result<void> {
                        loaded_.emplace_back(chunk);
                        return {};
                      },
                      damaged);
  }
  void open() {
    const auto opened = try_open(options());
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
  }
  void close() { log_.reset(); }
  void reopen() {
    close();
    open();
  }

  void append(const std::vector<paxos::Record>& records) {
    for (const paxos::Record& record : records) written_.push_back(encode(record));
    appended_ += records.size();
    log_->append(records);
  }
  // Records of this life that are on stable storage, as told.
  [[nodiscard]] std::uint64_t persisted() const {
    return persisted_.empty() ? 0 : persisted_.back();
  }
  [[nodiscard]] bool all_persisted() {
    return loop_.run_until([this] { return persisted() == appended_; });
  }
  // Writes a snapshot of the state after the slot, which is the state now.
  Result<SnapshotInfo> snapshot(std::uint64_t slot, const std::vector<std::string>& chunks) {
    return write_snapshot(log_->snapshots(), loop_, Slot(slot), log_->replay_from(Slot(slot)),
                          chunks);
  }
  // Waits until the flush thread has deleted so many segments in this life.
  [[nodiscard]] bool deleted(std::uint64_t segments) {
    return loop_.run_until([&] { return log_->counters().segments_deleted == segments; });
  }

  // "round:value" of the slot.
  [[nodiscard]] std::string read(std::uint64_t slot) const {
    const paxos::AcceptedValue value = log_->read(Slot(slot));
    return to_string(value.ballot.round) + ":" + *value.value;
  }

  ScratchDirectory directory_{memory_directory()};
  TestLoop loop_;
  std::unique_ptr<ReplicaLog> log_;
  std::vector<Record> written_;           // of all lives
  std::vector<Record> restored_;          // by the last open
  std::vector<std::string> loaded_;       // chunks of a snapshot, by the last open
  std::vector<std::uint64_t> persisted_;  // as told in this life
  std::uint64_t appended_ = 0;            // in this life
};

}  // namespace assent::storage
