// What one replica keeps on its disk: the records of consensus, in the order in which it made them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/paxos/record.h"
#include "coordinator/storage/segment_reader.h"
#include "coordinator/storage/slot_index.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

struct ReplicaLogOptions {
  WriteAheadLogOptions log;
  // Whose log it is; that of another cluster or replica is refused.
  std::string cluster;
  ReplicaId replica{1};
};

// Owned by the event loop, like the write-ahead log under it: one fsync for all records that
// gathered during the fsync before. A failed one ends the process.
class ReplicaLog final : public paxos::ChosenLog {
 public:
  // Runs on the event loop: this record and all before it are on stable storage. Once for a flush,
  // with the highest index; it may destroy the log.
  using OnPersisted = std::function<void(paxos::RecordIndex through)>;

  // Precondition: the cluster's name is valid, the replica is not 0.
  explicit ReplicaLog(ReplicaLogOptions options);

  // Writes out what is queued. No callback runs after it.
  ~ReplicaLog() override;

  // Reads the log and hands every record of earlier lives to `restore`, in order; all of them are
  // durable on return. Errors are those of WriteAheadLog::open, and kIdentityMismatch for the log
  // of another cluster or replica; `restore` has then taken a part, to be thrown away with this.
  // Precondition: called once.
  [[nodiscard]] Result<void> open(const std::function<void(const paxos::Record&)>& restore,
                                  OnPersisted persisted);

  // Appends. Records count from 1 in this life, in the order of the calls. Those of one call go out
  // together; those of many calls share a flush. Precondition: open.
  void append(const std::vector<paxos::Record>& records);

  // The last Accepted record of the slot, appended or replayed, durable or still queued. From the
  // disk it costs one or two reads of the page cache or the device; damage there ends the process,
  // with file and offset: what is chosen must not be answered otherwise.
  [[nodiscard]] paxos::AcceptedValue read(Slot slot) const override;

  [[nodiscard]] const WriteAheadLogCounters& counters() const;
  // Records of earlier lives, and bytes cut off a torn tail, at open.
  [[nodiscard]] std::uint64_t replayed() const { return replayed_; }
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }

 private:
  // A value in the write queue; `behind` counts the log's records of this life up to it.
  struct Queued {
    std::uint64_t behind = 0;
    paxos::AcceptedValue accepted;
  };

  using Restore = std::function<void(const paxos::Record&)>;

  [[nodiscard]] Result<void> replay(const FoundInLog& found, const Restore& restore);
  [[nodiscard]] Result<void> check_identity(const FoundInLog& found) const;
  [[nodiscard]] Result<void> take_in(const paxos::Record& record, const Place& place);
  void queue(const paxos::Record& record);
  void on_flushed(const Flushed& flushed);

  const ReplicaLogOptions options_;
  bool identified_ = false;  // the log begins with its identity
  std::uint64_t replayed_ = 0;
  std::uint64_t torn_bytes_ = 0;
  std::uint64_t unnumbered_ = 0;  // records of this life that are not of consensus

  // What replay has seen, to refuse what no replica would have written.
  Ballot promised_;
  Slot chosen_;

  SlotIndex index_;            // of durable records
  std::deque<Slot> unplaced_;  // of records not known durable, in order; 0: no Accepted
  std::uint64_t appended_ = 0;
  std::map<Slot, Queued> queued_;  // the last value of each slot that is among them
  mutable SegmentReader reader_;

  std::unique_ptr<WriteAheadLog> log_;  // last: its destructor writes out what is queued
};

}  // namespace assent::storage
