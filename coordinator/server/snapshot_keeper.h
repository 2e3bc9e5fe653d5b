// Keeps the log of one replica short, and brings it up when the log does not: writes a snapshot of
// the state now and then, one chunk in each turn of the event loop, and fetches one from another
// replica when it is offered. docs/adr/0007 has the design.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "coordinator/replica/core.h"
#include "coordinator/replica/snapshot_fetch.h"
#include "coordinator/replica/snapshot_schedule.h"
#include "coordinator/storage/replica_log.h"

namespace boost::asio {
class io_context;
}

namespace assent::coordinator {

struct SnapshotOptions {
  std::uint64_t log_bytes = 64u << 20;  // a snapshot after each so many bytes of records
  std::size_t chunk_records = 500;      // of the state, written in one turn
};

struct SnapshotCounters {
  std::uint64_t written = 0;
  std::uint64_t fetched = 0;        // from another replica, and taken in
  std::uint64_t failed = 0;         // of either kind: given up
  std::int64_t pause_max_us = 0;    // the longest turn of the loop that a chunk took
  std::int64_t install_max_us = 0;  // the longest turn in which a fetched state took its place
};

class SnapshotKeeper {
 public:
  using GotPart = std::function<void(Result<std::string> bytes)>;
  using GotBackup = std::function<void(Result<storage::SnapshotInfo> backup)>;

  // What it needs of others. Called on the event loop.
  struct Outside {
    // Asks a member for a part; `got` is called once, never from inside.
    std::function<void(const replica::PartAsked&, GotPart got)> ask;
    // A snapshot is durable here, and others may be offered it.
    std::function<void(const paxos::SnapshotInfo&)> kept;
    // Takes in a state, unless the core is further or leads.
    std::function<void(std::shared_ptr<state::StateMachine>)> install;
  };

  // All references outlive this. `state` are the options of the core's state machine.
  SnapshotKeeper(boost::asio::io_context& loop, SnapshotOptions options, state::StateOptions state,
                 replica::Core& core, storage::ReplicaLog& log, Outside outside);

  // The log has been opened and the core started: offers the snapshot that is here.
  void start();

  // Begins a snapshot when one is due. Called when the log has grown.
  void maybe_begin();

  // Takes a snapshot of the state as it is now, or further. `done` is called once, on the loop,
  // when it is durable; never when this is destroyed first. kUnavailable: there is no room.
  void backup(GotBackup done);

  // What the log has lost matters no more: snapshots follow that take its place.
  void repaired();

  // The leader offers a snapshot of a state that is further than this replica's.
  void take_offer(const paxos::SnapshotOffered& offer);

  [[nodiscard]] const SnapshotCounters& counters() const { return counters_; }
  [[nodiscard]] const replica::SnapshotFetch& fetch() const { return fetch_; }

 private:
  void begin();
  void post_chunk();
  void write_chunk();
  void written(const Result<storage::SnapshotInfo>& result);
  void answer_backups(const Result<storage::SnapshotInfo>& result);

  [[nodiscard]] bool is_of_use(const paxos::SnapshotInfo& offered);
  void begin_fetch(const paxos::SnapshotOffered& offer);
  void ask_part();
  void got_part(const replica::PartAsked& asked, Result<std::string> bytes);
  void complete();
  void completed(const Result<storage::SnapshotInfo>& result);
  void load(const storage::SnapshotInfo& info);
  void install(const storage::SnapshotInfo& info, std::shared_ptr<state::StateMachine> state);
  void give_up_fetch(const Error& why);
  void keep(const storage::SnapshotInfo& info);

  boost::asio::io_context& loop_;
  const SnapshotOptions options_;
  const state::StateOptions state_options_;
  replica::Core& core_;
  storage::ReplicaLog& log_;
  const Outside outside_;

  replica::SnapshotSchedule schedule_;
  replica::SnapshotFetch fetch_;
  bool taking_in_ = false;     // all bytes are here, and being verified and loaded
  bool told_of_room_ = false;  // that there is none for what is offered
  struct Backup {
    Slot of;  // the state of no earlier slot than this
    GotBackup done;
  };
  std::vector<Backup> backups_;  // that are waited for
  SnapshotCounters counters_;
  std::shared_ptr<char> alive_;  // what is posted holds it weakly
};

}  // namespace assent::coordinator
