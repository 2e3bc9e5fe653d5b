// What one replica keeps on its disk: who it is, the records of consensus in the order in which it
// made them, and snapshots of the state.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/paxos/record.h"
#include "coordinator/storage/consensus_record.h"
#include "coordinator/storage/identity.h"
#include "coordinator/storage/known_disks.h"
#include "coordinator/storage/segment_reader.h"
#include "coordinator/storage/slot_index.h"
#include "coordinator/storage/snapshot_store.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

struct ReplicaLogOptions {
  WriteAheadLogOptions log;  // its directory is made when missing; the parent must exist
  // Whose log it is; that of another cluster or replica is refused.
  std::string cluster;
  ReplicaId replica{1};
};

// Owned by the event loop, like the write-ahead log under it: one fsync for all records that
// gathered during the fsync before. A failed one ends the process.
class ReplicaLog final : public paxos::ChosenLog {
 public:
  using Restore = std::function<void(const paxos::Record&)>;

  // Runs on the event loop: this record and all before it are on stable storage. Once for a flush,
  // with the highest index; it may destroy the log.
  using OnPersisted = std::function<void(paxos::RecordIndex through)>;

  // Precondition: the cluster's name is valid, the replica is not 0.
  explicit ReplicaLog(ReplicaLogOptions options);

  // Writes out what is queued. No callback runs after it.
  ~ReplicaLog() override;

  // Takes the directory's lock (kUnavailable when another process holds it) and checks whose it is.
  // Hands the chunks of the newest usable snapshot to `load`, in order; snapshot() says which it is
  // from the first call on. Then reads the log and hands every record of earlier lives to
  // `restore`, in order, all of them durable on return: but records of slots that the snapshot has
  // only as the promises that they imply. Behind both, the chosen mark is the snapshot's or the
  // last that was restored, whichever is higher.
  //
  // Damage in the log is handed to `damaged` in its place among the records. Behind it chosen marks
  // are not handed on: a lost record may have replaced what stands in front of it. What is restored
  // is then not all that this replica said: it takes part as docs/paxos.md ("Lost records") has it,
  // or `damaged` refuses. Only what a start needs beside its snapshot counts. A Repaired is handed
  // on only if it covers all damage in front of it: marks that follow are handed on again.
  //
  // Errors are those of IdentityFile::open, SnapshotStore::open and WriteAheadLog::open, and what
  // `load` or `damaged` refuses; a part was handed on then, to be thrown away with this.
  // Precondition: called once.
  [[nodiscard]] Result<void> open(
      const Restore& restore, OnPersisted persisted, const TakeChunk& load = refuse_snapshots,
      const WriteAheadLog::OnDamage& damaged = WriteAheadLog::refuse_damage);

  // Appends. Records count from 1 in this life, in the order of the calls. Those of one call go out
  // together; those of many calls share a flush. A Repaired names the damage that open() found:
  // until then every start needs the place of the damage, from then on a snapshot may take it.
  // Precondition: open.
  void append(const std::vector<paxos::Record>& records);

  // The last Accepted record of the slot, appended or replayed, durable or still queued. From the
  // disk it costs one or two reads of the page cache or the device; damage there ends the process,
  // with file and offset: what is chosen must not be answered otherwise.
  // Precondition: the slot is not below first_slot().
  [[nodiscard]] paxos::AcceptedValue read(Slot slot) const override;

  // Every slot from this one to the chosen mark can be read.
  [[nodiscard]] Slot first_slot() const { return index_.first(); }
  [[nodiscard]] Slot first() const override { return first_slot(); }

  // ── snapshots; preconditions: open ──

  // Whose directory it is.
  [[nodiscard]] const Identity& identity() const;
  // The disks of the other replicas, as far as they were met.
  [[nodiscard]] KnownDisks& known_disks();
  // Nothing was ever told from this disk: it has no record, and no snapshot. Holds until the first
  // append.
  [[nodiscard]] bool fresh() const { return replayed_ == 0 && !snapshot_; }
  // The snapshot that was loaded at open.
  [[nodiscard]] const std::optional<SnapshotInfo>& snapshot() const { return snapshot_; }
  [[nodiscard]] SnapshotStore& snapshots();
  [[nodiscard]] const SnapshotStore& snapshots() const;

  // From where on the log is needed beside a snapshot of the state after `through`: the first
  // record of a segment. Only what is durable by now counts, so the answer holds whatever a crash
  // takes. Cost: linear in the slots above `through`.
  // Precondition: the state after `through` is the state now: no mark above it was appended.
  [[nodiscard]] Sequence replay_from(Slot through) const;

  // The state after `through` was taken from a snapshot, which is durable: values of slots up to it
  // that are in the log need not be those that were chosen, and marks that follow count on the
  // snapshot. Without it this log is refused from now on. Called before a mark is appended that is
  // higher. Precondition: `through` is above the chosen mark.
  void rebase(Slot through);

  // ── damage that open() found ──

  // All that a start needs, repaired or not.
  [[nodiscard]] const std::vector<LogDamage>& damage() const { return damage_; }
  // A snapshot of the state now would bring nearer the day when the damage is deleted: it takes
  // two, of the time after the repair, when the log has left the segment of the damage.
  [[nodiscard]] bool wants_snapshot() const;

  // Deletes the segments that none of the kept snapshots needs. Slots that go with them are below
  // first_slot() on return. open() does it too.
  void truncate();

  [[nodiscard]] const WriteAheadLogCounters& counters() const;
  // Bytes of records that a start from the snapshot that was loaded would read: those that this
  // open did read, and all that this life made durable. Never goes back.
  [[nodiscard]] std::uint64_t bytes() const { return replayed_bytes_ + counters().bytes; }
  // Records of earlier lives, and bytes cut off a torn tail, at open.
  [[nodiscard]] std::uint64_t replayed() const { return replayed_; }
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }

 private:
  // A value in the write queue; `behind` counts the log's records of this life up to it.
  struct Queued {
    std::uint64_t behind = 0;
    paxos::AcceptedValue accepted;
  };
  // A record that is not known durable.
  struct Unplaced {
    Slot slot;              // of an Accepted; 0: it is none
    bool ballot = false;    // it carries one
    bool numbered = false;  // it is a record of consensus, which the caller counts
  };

  [[nodiscard]] static Result<void> refuse_snapshots(std::string_view chunk);
  [[nodiscard]] Result<void> open_directory();
  [[nodiscard]] Result<void> load_snapshot(const TakeChunk& load);
  [[nodiscard]] Result<void> open_log(const Restore& restore, OnPersisted persisted,
                                      const WriteAheadLog::OnDamage& damaged);
  [[nodiscard]] Result<void> begin_life();

  [[nodiscard]] Result<void> replay(const FoundInLog& found, const Restore& restore,
                                    const WriteAheadLog::OnDamage& damaged);
  [[nodiscard]] Result<void> take_in(const paxos::Record& record, const Place& place);
  [[nodiscard]] Result<void> take_ballot(const Ballot& ballot, const Place& place);
  [[nodiscard]] Result<void> take_mark(Slot through);
  [[nodiscard]] Result<void> take_base(Slot through, const WriteAheadLog::OnDamage& damaged);
  [[nodiscard]] Result<void> take_damage(const LogDamage& damage,
                                         const WriteAheadLog::OnDamage& damaged);
  [[nodiscard]] Result<void> replay_repair(const paxos::Repaired& repaired,
                                           const RepairScope& scope, const Restore& restore);
  [[nodiscard]] bool covers_damage(const RepairScope& scope) const;
  void settle_damage();
  [[nodiscard]] RepairScope repair_scope() const;
  void restore_above_snapshot(const paxos::Record& record, const Restore& restore) const;

  void write_base(Slot through);
  void queue(const paxos::Record& record);
  bool on_flushed(const Flushed& flushed);
  [[nodiscard]] Slot loaded() const { return snapshot_ ? snapshot_->through : Slot(0); }

  const ReplicaLogOptions options_;
  std::optional<File> lock_;  // until the write-ahead log has it
  std::optional<IdentityFile> identity_;
  std::optional<KnownDisks> known_disks_;
  std::unique_ptr<SnapshotStore> snapshots_;
  std::optional<SnapshotInfo> snapshot_;
  std::uint64_t replayed_ = 0;
  std::uint64_t replayed_bytes_ = 0;
  std::uint64_t torn_bytes_ = 0;

  std::vector<LogDamage> damage_;  // that a start needs
  bool in_doubt_ = false;          // what it hid may still matter
  std::size_t repaired_ = 0;       // so many of `damage_`, from the front on, matter no more
  Slot base_;                      // the marks of this life count on the state after this slot

  Ballot promised_;  // by replay, to refuse what no replica would have written
  Slot mark_;        // the last one, by replay, or the base behind it
  Slot chosen_;      // the highest mark or base

  SlotIndex index_;                      // of durable records
  std::optional<Sequence> last_ballot_;  // the segment of the last durable record with a ballot
  std::deque<Unplaced> unplaced_;        // records not known durable, in order
  std::uint64_t appended_ = 0;
  std::uint64_t persisted_ = 0;    // records of consensus among those of this life known durable
  std::map<Slot, Queued> queued_;  // the last value of each slot that is among `unplaced_`
  mutable SegmentReader reader_;

  std::unique_ptr<WriteAheadLog> log_;  // last: its destructor writes out what is queued
};

}  // namespace assent::storage
