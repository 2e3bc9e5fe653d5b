// Our write-ahead log: records appended to preallocated segment files, each with a checksum, one
// fdatasync for a batch of appends. docs/log-format.md has the bytes and the argument for recovery.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/segment.h"

namespace assent::storage {

// What a record is; the number stands in the file. 1 was an entry of a coordinator that was not
// replicated, 2 the identity, which has a file of its own now.
enum class RecordType : std::uint8_t {
  kPromised = 3,    // paxos::Promised
  kAccepted = 4,    // paxos::Accepted
  kChosenMark = 5,  // paxos::ChosenMark
  kBase = 6,        // marks behind it count on a snapshot; see ReplicaLog::rebase
  kRepaired = 7,    // paxos::Repaired, and what lacked
};

struct Record {
  RecordType type{};
  std::string payload;

  bool operator==(const Record&) const = default;
};

struct WriteAheadLogOptions {
  std::string directory;
  std::uint64_t segment_bytes = 16u << 20;    // preallocated size of one segment file
  std::uint32_t record_bytes_max = 8u << 20;  // of one payload; a segment must hold it
  // Runs a function on the event loop; called from the flush thread.
  std::function<void(std::function<void()>)> post;
  // Runs on the event loop when the disk has no room for the next segment, and when it has again.
  std::function<void(bool is_short)> on_space{};
};

struct WriteAheadLogCounters {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t flushes = 0;           // fdatasync calls that made records durable
  std::uint64_t segments_deleted = 0;  // by truncate()
  std::uint64_t bytes_held = 0;        // by the segments that are there now, with their free space
  bool short_of_space = false;         // there is no room for the next segment

  bool operator==(const WriteAheadLogCounters&) const = default;
};

// A record that was found in the log.
struct FoundInLog {
  RecordType type{};
  std::string_view payload;
  Place place;
};

// Records that were durable and are not there any more: their bytes have rotted, or their file is
// gone.
struct LogDamage {
  std::string sentence;  // names file and offset
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // in bytes; 0 when the file is gone
  Sequence segment;          // in which they begin, there or not
  Sequence first;            // of those that lack
  Sequence next;             // of what stands behind them
  bool needed = true;        // a start needs some of them, beside the snapshot that it loads
};

// What the flush of one batch made durable: `places` of its records, in order of appending. They
// are the last of the `through` records that this life has made durable.
struct Flushed {
  std::uint64_t through = 0;
  std::vector<Place> places;
};

// One writer, owned by the event loop, with a thread of its own for writing and fdatasync. A failed
// write or fdatasync ends the process: what is on disk is then unknown, and a retry would lie. A
// disk without room for the next segment is told at once, while the one in use has room; when that
// is full, what is queued waits, and nothing is told to be durable, until there is room.
class WriteAheadLog {
 public:
  struct Opened;  // the log, and what was found in it

  // Takes one record that was found, in order of appending; its bytes are the log's, for the time
  // of the call. An error of it refuses the log.
  using Replay = std::function<Result<void>(const FoundInLog& record)>;

  // Takes, in its place among the records, what lacks. An error of it refuses the log.
  using OnDamage = std::function<Result<void>(const LogDamage& damage)>;
  // Refuses all of it, with what to do.
  static Result<void> refuse_damage(const LogDamage& damage);

  // Runs on the event loop once for each batch, in order: what it names is on stable storage (R2).
  using OnFlushed = std::function<void(const Flushed& flushed)>;

  // Reads every record, cuts a torn tail off, and is ready to append. Everything replayed is
  // durable on return, and not before: act on nothing until then. The log may begin with any record
  // up to `needed_from`; one that begins behind it lacks a segment. What lacks is handed to
  // `damaged`, and the log goes on behind it. A log is refused, with file and offset, and nothing
  // is changed, when it is damaged and no record with a ballot follows (kInternal: what was
  // promised is not known then), and when its format is newer (kUnsupportedVersion). `lock` is that
  // of the directory (lock_directory), and is kept.
  static Result<Opened> open(WriteAheadLogOptions options, File lock, Sequence needed_from,
                             const Replay& replay, OnFlushed on_flushed,
                             const OnDamage& damaged = refuse_damage);

  // Writes out what is queued and finds room, then stops the thread. No callback runs after it.
  ~WriteAheadLog();

  // Queues the records, which go out together, with all that is queued by then.
  // Precondition: each payload is at most record_bytes_max long.
  void append(std::span<const Record> records);

  // Deletes the segments that lie wholly in front of `keep_from`, but never the last. The flush
  // thread does it when it is idle, or one segment after each batch; the oldest goes first, durably
  // before the next one, so a crash leaves no gap.
  void truncate(Sequence keep_from);

  // As of the last flush, or deleted segment, that the event loop was told of.
  [[nodiscard]] const WriteAheadLogCounters& counters() const;

 private:
  class Impl;
  explicit WriteAheadLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct WriteAheadLog::Opened {
  std::unique_ptr<WriteAheadLog> log;
  std::uint64_t torn_bytes = 0;  // cut off the tail
};

}  // namespace assent::storage
