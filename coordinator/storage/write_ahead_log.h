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
#include "coordinator/storage/segment.h"

namespace assent::storage {

// What a record is; the number stands in the file. 1 was an entry of a coordinator that was not
// replicated.
enum class RecordType : std::uint8_t {
  kIdentity = 2,    // whose log this is: the first record, and no other
  kPromised = 3,    // paxos::Promised
  kAccepted = 4,    // paxos::Accepted
  kChosenMark = 5,  // paxos::ChosenMark
};

struct Record {
  RecordType type{};
  std::string payload;

  bool operator==(const Record&) const = default;
};

struct WriteAheadLogOptions {
  std::string directory;                      // made when missing; its parent must exist
  std::uint64_t segment_bytes = 16u << 20;    // preallocated size of one segment file
  std::uint32_t record_bytes_max = 8u << 20;  // of one payload; a segment must hold it
  // Runs a function on the event loop; called from the flush thread.
  std::function<void(std::function<void()>)> post;
};

struct WriteAheadLogCounters {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t flushes = 0;  // fdatasync calls that made records durable

  bool operator==(const WriteAheadLogCounters&) const = default;
};

// A record that was found in the log.
struct FoundInLog {
  RecordType type{};
  std::string_view payload;
  Place place;
};

// What the flush of one batch made durable: `places` of its records, in order of appending. They
// are the last of the `through` records that this life has made durable.
struct Flushed {
  std::uint64_t through = 0;
  std::vector<Place> places;
};

// One writer, owned by the event loop, with a thread of its own for writing and fdatasync. A failed
// write or fdatasync ends the process: what is on disk is then unknown, and a retry would lie. So
// does a disk without room for the next segment: nothing that was acknowledged is lost by it.
class WriteAheadLog {
 public:
  struct Opened;  // the log, and what was found in it

  // Takes one record that was found, in order of appending; its bytes are the log's, for the time
  // of the call. An error of it refuses the log.
  using Replay = std::function<Result<void>(const FoundInLog& record)>;

  // Runs on the event loop once for each batch, in order: what it names is on stable storage (R2).
  using OnFlushed = std::function<void(const Flushed& flushed)>;

  // Takes the directory's lock (kUnavailable when another process holds it), reads every record,
  // cuts a torn tail off, and is ready to append. Everything replayed is durable on return, and not
  // before: act on nothing until then. A damaged log is kInternal, a newer format
  // kUnsupportedVersion; both name file and offset, and nothing is changed then.
  static Result<Opened> open(WriteAheadLogOptions options, const Replay& replay,
                             OnFlushed on_flushed);

  // Writes out what is queued, then stops the thread. No callback runs after it.
  ~WriteAheadLog();

  // Queues the records, which go out together, with all that is queued by then.
  // Precondition: each payload is at most record_bytes_max long.
  void append(std::span<const Record> records);

  // As of the last callback that ran; read on the event loop.
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
