// What a replica's process does about snapshots: writes one now and then while entries are
// executed, fetches one that is offered, takes its state in. The rules are the production's
// (replica::SnapshotSchedule, replica::SnapshotFetch); the disk and the wires are simulated.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "coordinator/replica/core.h"
#include "coordinator/replica/snapshot_fetch.h"
#include "coordinator/replica/snapshot_schedule.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/setting.h"
#include "tests/simulation/trace.h"
#include "tests/simulation/witness.h"

namespace assent::simulation {

class Keeper {
 public:
  // What it has the process do.
  struct Process {
    // Runs later, unless the process has ended by then; not while it stands still.
    std::function<void(Micros delay, std::function<void()>)> later;
    std::function<void(const replica::Input&)> step;
    std::function<void(const replica::PartAsked&)> ask;
  };

  // All outlive this.
  Keeper(Trace& trace, Witness& witness, const Setting& setting, ReplicaId id, Disk& disk,
         Process process);

  // A life begins, with this core, which outlives it.
  void boot(replica::Core& core);
  void crash();

  // The core has made a step.
  void stepped();
  // What the log has lost matters no more: a snapshot takes its place soon.
  void repaired() { schedule_.hasten(disk_.bytes()); }
  void take_offer(const paxos::SnapshotOffered& offer);
  // None: the part is not given, or was lost.
  void got_part(const replica::PartAsked& asked, const std::optional<std::string>& bytes);
  // What another replica asks for.
  [[nodiscard]] std::optional<std::string> part(const replica::PartAsked& asked) const;

  [[nodiscard]] std::uint64_t written() const { return written_; }
  [[nodiscard]] std::uint64_t installed() const { return installed_; }

 private:
  // A snapshot that is being written.
  struct Writing {
    StoredSnapshot snapshot;
    std::string content;
    std::uint64_t hash = 0;  // of the state that it is of
  };

  // Every fourth snapshot is held against the state that it was made of: that takes time.
  [[nodiscard]] bool checked() const { return written_ % 4 == 0; }
  void begin();
  void write_chunk();
  void finish();
  void shelve(StoredSnapshot snapshot);
  void keep(StoredSnapshot snapshot);
  void ask_part();
  void complete();
  void install(const StoredSnapshot& snapshot);

  Trace& trace_;
  Witness& witness_;
  const Setting& setting_;
  const ReplicaId id_;
  Dice dice_;
  Disk& disk_;
  const Process process_;
  replica::Core* core_ = nullptr;  // of this life
  replica::SnapshotSchedule schedule_;
  replica::SnapshotFetch fetch_;
  std::optional<Writing> writing_;
  bool finishing_ = false;  // every chunk is there, and not durable yet
  bool taking_in_ = false;
  std::uint64_t written_ = 0;    // in all lives
  std::uint64_t installed_ = 0;  // fetched, in all lives
};

}  // namespace assent::simulation
