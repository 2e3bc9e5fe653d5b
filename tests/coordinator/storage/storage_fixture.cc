#include "tests/coordinator/storage/storage_fixture.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace assent::storage {
namespace {

constexpr std::chrono::seconds kPatience{10};

// The write-ahead log does not look into its records.
constexpr RecordType kAnyType = RecordType::kAccepted;

}  // namespace

void TestLoop::post(std::function<void()> function) {
  std::unique_lock lock(mutex_);
  if (closed_ && std::this_thread::get_id() != owner_) {
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !closed_; });
    --held_;
  }
  posted_.push_back(std::move(function));
  changed_.notify_all();
}

bool TestLoop::run_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, deadline, [this] { return !posted_.empty(); })) return false;
    }
    run_posted();
  }
  return true;
}

void TestLoop::run_posted() {
  std::deque<std::function<void()>> turn;
  {
    const std::lock_guard guard(mutex_);
    turn.swap(posted_);
  }
  for (const auto& function : turn) function();
}

void TestLoop::close_gate() {
  const std::lock_guard guard(mutex_);
  closed_ = true;
}

void TestLoop::open_gate() {
  const std::lock_guard guard(mutex_);
  closed_ = false;
  changed_.notify_all();
}

bool TestLoop::wait_until_held() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [this] { return held_ > 0; });
}

std::function<void(std::function<void()>)> TestLoop::poster() {
  return [this](std::function<void()> function) { post(std::move(function)); };
}

std::string memory_directory() {
  return std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : disk_directory();
}

std::string disk_directory() {
  return std::filesystem::temp_directory_path().string();
}

ScratchDirectory::ScratchDirectory(const std::string& parent)
    : path_(parent + "/assent-log-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make " << path_;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void ScratchDirectory::clear() {
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    std::filesystem::remove_all(entry.path());
  }
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.flush();
  ASSERT_TRUE(file.good()) << path;
}

std::map<std::string, std::string> contents(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name != "LOCK") files.emplace(name, read_file(entry.path().string()));
  }
  return files;
}

SegmentImage::SegmentImage(Sequence first, std::size_t bytes)
    : header_{.first = first, .salt = 0x5A17 * first.value},
      bytes_(encode(header_)),
      offsets_{kSegmentHeaderBytes},
      next_(first) {
  bytes_.resize(bytes, '\0');
}

SegmentImage& SegmentImage::batch(const std::vector<std::string>& payloads) {
  const Sequence durable(next_.value - 1);
  for (const std::string& payload : payloads) {
    record({.type = static_cast<std::uint8_t>(kAnyType), .sequence = next_, .durable = durable},
           payload);
  }
  return *this;
}

SegmentImage& SegmentImage::record(RecordHeader header, std::string_view payload) {
  const std::size_t offset = end();
  header.length = static_cast<std::uint32_t>(payload.size());
  bytes_.replace(offset + kRecordHeaderBytes, payload.size(), payload);
  seal_record(bytes_.data() + offset, header, salt(), offset);
  offsets_.push_back(offset + record_bytes(payload.size()));
  next_ = header.sequence.next();
  return *this;
}

WriteAheadLogOptions small_segments(const std::string& directory, TestLoop& loop) {
  return {.directory = directory,
          .segment_bytes = SegmentImage::kBytes,
          .record_bytes_max = 2'048,
          .post = loop.poster()};
}

Result<OpenedLog> open_log(WriteAheadLogOptions options, WriteAheadLog::OnFlushed on_flushed,
                           Sequence needed_from) {
  OpenedLog found;
  Result<File> lock = lock_directory(options.directory);
  if (!lock) return tl::unexpected(lock.error());
  auto opened = WriteAheadLog::open(
      std::move(options), std::move(*lock), needed_from,
      [&](const FoundInLog& record) -> Result<void> {
        found.payloads.emplace_back(record.payload);
        return {};
      },
      std::move(on_flushed));
  if (!opened) return tl::unexpected(opened.error());
  found.log = std::move(opened->log);
  found.torn_bytes = opened->torn_bytes;
  return found;
}

void append_bytes(WriteAheadLog& log, std::string payload) {
  const Record record{kAnyType, std::move(payload)};
  log.append({&record, 1});
}

Result<std::vector<std::string>> payloads_in(const std::string& directory) {
  TestLoop loop;
  auto opened = open_log(small_segments(directory, loop));
  if (!opened) return tl::unexpected(opened.error());
  opened->log.reset();
  return std::move(opened->payloads);
}

}  // namespace assent::storage
