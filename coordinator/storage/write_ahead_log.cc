#include "coordinator/storage/write_ahead_log.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/recovery.h"
#include "coordinator/storage/segment_directory.h"
#include "coordinator/storage/segment_writer.h"

namespace assent::storage {
namespace {

using Clock = std::chrono::steady_clock;

// How often a disk that was full is asked again for room.
constexpr std::chrono::milliseconds kRoomEvery{100};

// What only the event loop touches. Posted completions outlive the log: they hold this weakly.
struct LoopSide {
  WriteAheadLog::OnFlushed on_flushed;
  std::function<void(bool)> on_space;
  WriteAheadLogCounters counters;
  bool open = true;  // false once the log is being destroyed, which a callback may do
};

// What the flush thread has done, on its way to the event loop.
struct Completion {
  std::weak_ptr<LoopSide> side;
  WriteAheadLogCounters counters;
  std::optional<Flushed> flushed;  // a batch that has become durable
};

void complete(const Completion& completion) {
  const std::shared_ptr<LoopSide> side = completion.side.lock();
  if (!side) return;
  const bool was_short = side->counters.short_of_space;
  side->counters = completion.counters;
  if (side->open && completion.flushed) side->on_flushed(*completion.flushed);
  const bool is_short = completion.counters.short_of_space;
  if (side->open && side->on_space && was_short != is_short) side->on_space(is_short);
}

// A failed write or flush leaves unknown what the disk holds, and a second try may report success
// without having written anything: only a new process, which reads the disk, can go on.
std::string last_words(const Error& error) {
  return error.message + ": the log cannot go on, so the process ends; nothing acknowledged is " +
         "lost. Check this disk, then start again.";
}

Result<void> check_options(const WriteAheadLogOptions& options) {
  const std::uint64_t needed = kSegmentHeaderBytes + record_bytes(options.record_bytes_max);
  if (options.segment_bytes >= needed) return {};
  return failure(ErrorCode::kInvalidArgument,
                 "a segment of " + std::to_string(options.segment_bytes) +
                     " bytes cannot hold the largest record: it takes " + std::to_string(needed) +
                     " bytes");
}

// Readies the end of the log for appending. Names are flushed too: a segment that an earlier
// process had renamed, and died, may be known to the page cache only.
Result<OpenSegment> open_end(const std::string& directory, Recovered& found, SpareSegment& spare) {
  if (auto done = flush_directory(directory); !done) return tl::unexpected(done.error());
  if (found.tail) return settle(std::move(*found.tail));
  return spare.become_segment(found.next);
}

}  // namespace

class WriteAheadLog::Impl {
 public:
  Impl(WriteAheadLogOptions options, File lock, SegmentWriter writer, OnFlushed on_flushed);
  ~Impl();

  void append(std::span<const Record> records);
  void truncate(Sequence keep_from);
  [[nodiscard]] const WriteAheadLogCounters& counters() const { return side_->counters; }

 private:
  void run();
  bool take_batch();
  bool flush_batch();
  bool wait_for_room();
  void look_for_room();
  void tell_space();
  [[nodiscard]] bool wants_upkeep() const;
  void upkeep();
  void prepare_spare();
  void delete_oldest();
  void tell(std::optional<Flushed> flushed);

  const WriteAheadLogOptions options_;
  const File lock_;
  const std::shared_ptr<LoopSide> side_;

  // The only lock in the program: held for the time it takes to copy records in, on the event loop,
  // or to swap two batches, on the flush thread.
  std::mutex mutex_;
  std::condition_variable wake_;
  Batch waiting_;          // guarded by mutex_
  Sequence keep_from_{1};  // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_

  // The flush thread's own.
  Batch flushing_;
  SegmentWriter writer_;
  bool told_short_ = false;
  Clock::time_point room_asked_at_;

  std::thread thread_;  // last: it uses all of the above
};

WriteAheadLog::Impl::Impl(WriteAheadLogOptions options, File lock, SegmentWriter writer,
                          OnFlushed on_flushed)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      side_(std::make_shared<LoopSide>(
          LoopSide{std::move(on_flushed), options_.on_space, writer.counters(), true})),
      writer_(std::move(writer)),
      thread_([this] { run(); }) {}

WriteAheadLog::Impl::~Impl() {
  side_->open = false;
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

// The thread is woken when the lock is free: woken before, it would only wait for the lock, and be
// woken a second time.
void WriteAheadLog::Impl::append(std::span<const Record> records) {
  if (records.empty()) return;
  bool first = false;
  {
    const std::lock_guard guard(mutex_);
    first = waiting_.empty();
    for (const Record& record : records) {
      CHECK_LE(record.payload.size(), options_.record_bytes_max,
               "a segment must hold every record");
      waiting_.add(record);
    }
  }
  if (first) wake_.notify_one();
}

void WriteAheadLog::Impl::truncate(Sequence keep_from) {
  {
    const std::lock_guard guard(mutex_);
    keep_from_ = std::max(keep_from_, keep_from);
  }
  wake_.notify_one();
}

void WriteAheadLog::Impl::run() {
  while (take_batch() && flush_batch()) {
    look_for_room();
    // Under load the thread is never idle: a slice with every batch has the spare ready in time.
    if (wants_upkeep()) upkeep();
  }
}

// Waits for records and takes all of them; idle time goes into the segments, the next one and those
// that are not needed any more. False: the log is being closed and nothing is left to write.
bool WriteAheadLog::Impl::take_batch() {
  std::unique_lock lock(mutex_);
  while (waiting_.empty() && !stopping_) {
    writer_.keep_from(keep_from_);
    if (wants_upkeep()) {
      lock.unlock();
      upkeep();
      lock.lock();
    } else if (writer_.short_of_space()) {
      wake_.wait_for(lock, kRoomEvery);
      look_for_room();
    } else {
      wake_.wait(lock);
    }
  }
  writer_.keep_from(keep_from_);
  std::swap(waiting_, flushing_);
  return !flushing_.empty();
}

// False: the log is being closed, and found no room.
bool WriteAheadLog::Impl::flush_batch() {
  for (;;) {
    const auto written = writer_.write(flushing_);
    if (written) break;
    CHECK(written.error().code == ErrorCode::kUnavailable, last_words(written.error()));
    if (!wait_for_room()) return false;
  }
  tell(Flushed{writer_.counters().records, flushing_.finish()});
  return true;
}

// No segment has room for what is to be written: none of it was told to be durable, and none is
// until there is room again. False: the log is being closed, and it is dropped.
bool WriteAheadLog::Impl::wait_for_room() {
  tell_space();
  {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kRoomEvery, [this] { return stopping_; });
    if (stopping_) return false;
    writer_.keep_from(keep_from_);
  }
  if (writer_.wants_deletion()) delete_oldest();
  return true;
}

void WriteAheadLog::Impl::look_for_room() {
  const auto now = Clock::now();
  if (!writer_.short_of_space() || now - room_asked_at_ < kRoomEvery) return;
  room_asked_at_ = now;
  writer_.want_spare_again();
}

void WriteAheadLog::Impl::tell_space() {
  if (told_short_ != writer_.short_of_space()) tell(std::nullopt);
}

void WriteAheadLog::Impl::tell(std::optional<Flushed> flushed) {
  told_short_ = writer_.short_of_space();
  auto completion =
      std::make_shared<Completion>(Completion{side_, writer_.counters(), std::move(flushed)});
  options_.post([completion = std::move(completion)] { complete(*completion); });
}

bool WriteAheadLog::Impl::wants_upkeep() const {
  return writer_.wants_deletion() || writer_.wants_spare();
}

// A little at a time: records wait for it. Room is made before room is taken.
void WriteAheadLog::Impl::upkeep() {
  if (writer_.wants_deletion()) {
    delete_oldest();
  } else {
    prepare_spare();
  }
}

void WriteAheadLog::Impl::delete_oldest() {
  const auto deleted = writer_.delete_oldest();
  CHECK(deleted, last_words(deleted.error()));
  tell(std::nullopt);
}

void WriteAheadLog::Impl::prepare_spare() {
  const auto prepared = writer_.prepare_spare();
  CHECK(prepared, last_words(prepared.error()));
  tell_space();
}

Result<WriteAheadLog::Opened> WriteAheadLog::open(WriteAheadLogOptions options, File lock,
                                                  Sequence needed_from, const Replay& replay,
                                                  OnFlushed on_flushed, const OnDamage& damaged) {
  if (auto done = check_options(options); !done) return tl::unexpected(std::move(done.error()));
  const std::string& directory = options.directory;
  Result<Recovered> found = recover(directory, needed_from, replay, damaged);
  if (!found) return tl::unexpected(std::move(found.error()));
  SpareSegment spare(directory, options.segment_bytes);
  Result<OpenSegment> end = open_end(directory, *found, spare);
  if (!end) return tl::unexpected(std::move(end.error()));
  SegmentWriter writer(directory, std::move(found->earlier), std::move(*end), found->next,
                       std::move(spare));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(lock), std::move(writer),
                                     std::move(on_flushed));
  return Opened{std::unique_ptr<WriteAheadLog>(new WriteAheadLog(std::move(impl))),
                found->torn_bytes};
}

Result<void> WriteAheadLog::refuse_damage(const LogDamage& damage) {
  return storage::damage(damage.sentence);
}

WriteAheadLog::WriteAheadLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WriteAheadLog::~WriteAheadLog() = default;

void WriteAheadLog::append(std::span<const Record> records) {
  impl_->append(records);
}

void WriteAheadLog::truncate(Sequence keep_from) {
  impl_->truncate(keep_from);
}

const WriteAheadLogCounters& WriteAheadLog::counters() const {
  return impl_->counters();
}

}  // namespace assent::storage
