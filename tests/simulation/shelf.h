// The snapshots on a replica's disk: the two newest, and the one that is being fetched.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/paxos/record.h"
#include "coordinator/state/state_machine.h"

namespace assent::simulation {

// Numbers the records of a disk, from 0.
using RecordNumber = std::uint64_t;

struct StoredSnapshot {
  paxos::SnapshotInfo info;
  std::shared_ptr<const std::string> content;
  RecordNumber replay_from = 0;  // a start from it needs the records from here on
};

// The content of a snapshot: chunks, each behind its length.
void add_chunk(std::string& content, const std::string& chunk);
std::uint64_t id_of(const std::string& content);
// None: a chunk is not what the state machine takes.
std::shared_ptr<state::StateMachine> state_of(const std::string& content,
                                              const state::StateOptions& options);

class Shelf {
 public:
  // Null: there is none.
  [[nodiscard]] const StoredSnapshot* newest() const {
    return kept_.empty() ? nullptr : &kept_.back();
  }
  [[nodiscard]] const StoredSnapshot* find(const paxos::SnapshotInfo& info) const;
  // Records in front of this one are needed by no start.
  [[nodiscard]] RecordNumber needed_from() const;
  void keep(StoredSnapshot snapshot);

  // Begins to fetch this one, or goes on with it; says how much is here. Another that was being
  // fetched is given up.
  std::uint64_t incoming(const paxos::SnapshotInfo& info);
  void add(const std::string& bytes) { incoming_bytes_ += bytes; }
  // What was fetched, whole. Nothing is being fetched any more.
  std::string take_incoming();

 private:
  std::vector<StoredSnapshot> kept_;  // in the order of their slots
  std::optional<paxos::SnapshotInfo> incoming_;
  std::string incoming_bytes_;
};

}  // namespace assent::simulation
