// A replica's disk: what was written becomes durable later and in order, and a crash loses a tail
// of what had not. Records may rot; that is found at the next start.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

#include "coordinator/paxos/record.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/shelf.h"

namespace assent::simulation {

// Of each replica; one that was lost is followed by the next number.
inline constexpr DiskIncarnation kFirstDisk(1);

// The rules of storage::ReplicaLog for snapshots, to the record instead of to the segment: what may
// go goes at once.
class Disk final : public paxos::ChosenLog {
 public:
  using Restore = std::function<void(const paxos::Record&)>;

  // `on_durable` is called for each record that becomes durable, a crash's survivors included;
  // `on_flushed` when a flush has ended, with the number of records of this life that are durable;
  // `on_space` when there is no room for more than what is reserved, and when there is again.
  // `scheduler` outlives the disk.
  Disk(Scheduler& scheduler, Dice dice, std::function<void(const paxos::Record&)> on_durable,
       std::function<void(std::uint64_t)> on_flushed, std::function<void(bool)> on_space);

  void append(paxos::Record record);
  [[nodiscard]] Slot first() const override { return first_; }
  [[nodiscard]] paxos::AcceptedValue read(Slot slot) const override;

  // A random tail of what was not durable is lost; what is left is the next life's past.
  void crash();
  // A life begins, from the newest snapshot if there is one: hands on what the log adds to it, and
  // in its place that records lack.
  void open(const Restore& restore, const std::function<void()>& lost);
  // Records there are, of all lives.
  [[nodiscard]] std::size_t size() const { return durable_.size(); }
  // Bytes of records that were written, in all lives, and what a start would read of them.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  // ── snapshots ──
  [[nodiscard]] Shelf& shelf() { return shelf_; }
  [[nodiscard]] const Shelf& shelf() const { return shelf_; }
  // From where on the log is needed beside a snapshot of the state after `through`, which is the
  // state now. Only durable records count.
  [[nodiscard]] RecordNumber replay_from(Slot through) const;
  // The state after `through` is a snapshot's: what the log has of slots up to it counts no more.
  void rebase(Slot through);
  // What no start needs goes.
  void truncate();

  // ── damage ──
  // Some records rot, with one behind them that has a ballot: a log without it is refused, and its
  // replica replaced. False: none could. Precondition: its replica is down.
  bool rot();
  // A start finds that records lack which it needs, and no record says that they are repaired.
  [[nodiscard]] bool damaged() const;
  // Records lack that a start needs, repaired or not.
  [[nodiscard]] bool lacks_records() const;

  // ── room ──
  // So many more records fit; what comes behind them waits, and no snapshot is kept.
  void fill(std::size_t records);
  void make_room();
  [[nodiscard]] bool full() const { return room_.has_value(); }

  // ── identity ──
  // Everything is lost; what is there from now on is another disk.
  // Precondition: its replica is down.
  void wipe();
  // Another directory, which begins with a snapshot; its replica has met the others' first ones.
  // Precondition: its replica is down.
  void begin_from(const StoredSnapshot& snapshot, std::uint32_t replicas);
  [[nodiscard]] DiskIncarnation incarnation() const { return incarnation_; }
  // The one with which its replica began.
  [[nodiscard]] DiskIncarnation begun() const { return begun_; }
  // It was lost since its replica began.
  [[nodiscard]] bool wiped() const { return incarnation_ != begun_; }
  // Nothing was ever told from it.
  [[nodiscard]] bool fresh() const {
    return gone_ == 0 && durable_.empty() && shelf_.newest() == nullptr;
  }
  // The disk by which a replica is known, from now on and after every crash: this one if none is.
  DiskIncarnation meet(ReplicaId replica, DiskIncarnation disk) {
    return met_.try_emplace(replica, disk).first->second;
  }

  // Until then every flush is slow.
  void slow_until(Micros until) { slow_until_ = until; }
  // No flush ends before then. A time that is past ends a stall.
  void stall_until(Micros until);

 private:
  struct Base {
    Slot through;
  };
  struct Lost {};  // in the place of what has rotted
  // A paxos::Repaired: what lacked, and the state on which its mark counts.
  struct Repair {
    paxos::Repaired record;
    Slot base;
    std::set<RecordNumber> lost;
  };
  using Written = std::variant<paxos::Record, Base, Lost, Repair>;
  struct Held {
    RecordNumber number = 0;  // of a durable record
    paxos::AcceptedValue value;
  };

  void write(Written written);
  void flush();
  void end_flush_at(Micros when);
  void end_flush();
  void make_durable(std::size_t count);
  void place(RecordNumber number, const Written& written);
  void drop_through(Slot slot);
  [[nodiscard]] std::size_t first_needed() const;
  [[nodiscard]] std::optional<std::size_t> replacement() const;
  [[nodiscard]] bool has_ballot(std::size_t at) const;
  [[nodiscard]] static bool covers(const Repair& repair, const std::set<RecordNumber>& lost,
                                   Slot loaded);
  [[nodiscard]] Micros flush_time();

  Scheduler& scheduler_;
  Dice dice_;
  const std::function<void(const paxos::Record&)> on_durable_;
  const std::function<void(std::uint64_t)> on_flushed_;
  const std::function<void(bool)> on_space_;
  std::deque<Written> durable_;
  RecordNumber gone_ = 0;        // records that were in front of them
  std::deque<Written> written_;  // not durable yet
  Shelf shelf_;
  std::unordered_map<Slot, Held> held_;  // the last durable value of each slot
  // The last value of each slot that was written in this life.
  std::unordered_map<Slot, paxos::AcceptedValue> queued_;
  std::optional<RecordNumber> doubtful_;  // the first that lacks and may matter
  std::set<RecordNumber> lost_;           // all that lack and a start needs
  std::set<RecordNumber> unrepaired_;     // those that no record says are repaired
  Slot base_;                             // the marks of this life count on the state after it
  Slot dropped_;                          // values of slots up to this one do not count
  Slot first_{1};
  RecordNumber last_ballot_ = 0;  // of the last durable record with a ballot
  std::uint64_t bytes_ = 0;
  std::uint64_t durable_of_life_ = 0;
  std::uint64_t flushes_ = 0;
  std::size_t flushing_ = 0;         // records of the flush that is at work; 0: none is
  std::optional<std::size_t> room_;  // for so many records; none: there is enough
  DiskIncarnation incarnation_ = kFirstDisk;
  DiskIncarnation begun_ = kFirstDisk;  // with it the replica began
  std::map<ReplicaId, DiskIncarnation> met_;
  Micros slow_until_ = 0;
  Micros stalled_until_ = 0;
};

}  // namespace assent::simulation
