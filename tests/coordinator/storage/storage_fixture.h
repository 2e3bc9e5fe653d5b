// What the tests of the log share: an event loop to turn by hand, directories to throw away, and
// segment files built byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "coordinator/storage/segment.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

// An event loop that the test turns; post() may be called from any thread.
class TestLoop {
 public:
  void post(std::function<void()> function);

  // Runs what is posted until `done` holds. False: it does not hold ten seconds later.
  [[nodiscard]] bool run_until(const std::function<bool()>& done);

  // Runs what is posted by now, and nothing that is posted meanwhile.
  void run_posted();

  // While closed, post() of any other thread than the one that made the loop waits: a flush thread
  // is held there after its flush.
  void close_gate();
  void open_gate();
  // Waits until a thread is held. False: none is ten seconds later.
  [[nodiscard]] bool wait_until_held();

  // The `post` of options; the loop must outlive what uses it.
  std::function<void(std::function<void()>)> poster();

 private:
  const std::thread::id owner_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> posted_;
  bool closed_ = false;
  int held_ = 0;
};

// A directory of a file system in memory, where there is one: for tests that open a log a thousand
// times and do not care for the disk.
std::string memory_directory();
std::string disk_directory();

// A new, empty directory, removed at the end.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::string& parent = disk_directory());
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  // Removes all that is in it.
  void clear();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view bytes);

// Name and bytes of every file but the lock.
std::map<std::string, std::string> contents(const std::string& directory);

// A segment file as the flush thread would have left it, with known places of its records.
class SegmentImage {
 public:
  static constexpr std::size_t kBytes = 8'192;

  explicit SegmentImage(Sequence first, std::size_t bytes = kBytes);

  // Adds the records of one batch: all that stand before it were durable when it was written.
  SegmentImage& batch(const std::vector<std::string>& payloads);
  // Adds one record with a header to taste.
  SegmentImage& record(RecordHeader header, std::string_view payload);

  [[nodiscard]] std::string name() const { return segment_name(header_.first); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  // Offset of the n-th record of this segment, from 0; of the end for n = number of records.
  [[nodiscard]] std::size_t offset(std::size_t n) const { return offsets_.at(n); }
  [[nodiscard]] std::size_t end() const { return offsets_.back(); }
  [[nodiscard]] std::uint64_t salt() const { return header_.salt; }
  [[nodiscard]] Sequence next() const { return next_; }

 private:
  SegmentHeader header_;
  std::string bytes_;
  std::vector<std::size_t> offsets_;
  Sequence next_;
};

// A log opened for a test, and what it found.
struct OpenedLog {
  std::unique_ptr<WriteAheadLog> log;
  std::vector<std::string> payloads;
  std::uint64_t torn_bytes = 0;
};

WriteAheadLogOptions small_segments(const std::string& directory, TestLoop& loop);
Result<OpenedLog> open_log(
    WriteAheadLogOptions options, WriteAheadLog::OnFlushed on_flushed = [](const Flushed&) {},
    Sequence needed_from = Sequence(1));
// Appends a record to a log whose records are only bytes to the test.
void append_bytes(WriteAheadLog& log, std::string payload);
// Payloads of all records; the log is closed again.
Result<std::vector<std::string>> payloads_in(const std::string& directory);

}  // namespace assent::storage
