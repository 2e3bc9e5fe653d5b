// Our write-ahead log: records appended to preallocated segment files, each with a checksum, one
// fdatasync for a batch of appends. docs/log-format.md has the bytes and the argument for recovery.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace assent::storage {

// What a record is; the number stands in the file.
enum class RecordType : std::uint8_t {
  kEntry = 1,  // a chosen entry of the log of a group of one: slot, ballot, encoded state::Entry
};

struct Record {
  RecordType type = RecordType::kEntry;
  std::string payload;

  bool operator==(const Record&) const = default;
};

struct WriteAheadLogOptions {
  std::string directory;                    // made when missing
  std::uint64_t segment_bytes = 16u << 20;  // preallocated size of one segment file
  std::uint32_t record_bytes_max = 8u << 20;
  // Runs a function on the event loop; called from the flush thread.
  std::function<void(std::function<void()>)> post;
};

struct WriteAheadLogCounters {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t flushes = 0;  // fdatasync calls that made records durable
};

// One writer, owned by the event loop, with a thread of its own for writing and fdatasync. A failed
// write or fdatasync ends the process: what is on disk is then unknown, and a retry would lie.
class WriteAheadLog {
 public:
  struct Opened;  // the log, and the records found in it

  // Takes the directory's lock (kUnavailable when another process holds it), reads every record,
  // cuts a torn tail off, and is ready to append. Corruption is kInternal and names file and
  // offset; nothing is changed then.
  static Result<Opened> open(WriteAheadLogOptions options);

  // Writes out what is queued, then stops the thread. Callbacks not yet posted are dropped.
  ~WriteAheadLog();

  // Queues the record. `durable` runs on the event loop, in order, once it is on stable storage
  // (R2).
  void append(Record record, std::function<void()> durable);

  // As of the last durable callback that ran; read on the event loop.
  [[nodiscard]] const WriteAheadLogCounters& counters() const;

 private:
  class Impl;
  explicit WriteAheadLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct WriteAheadLog::Opened {
  std::unique_ptr<WriteAheadLog> log;
  std::vector<Record> records;   // in order of appending
  std::uint64_t torn_bytes = 0;  // cut off the tail
};

}  // namespace assent::storage
