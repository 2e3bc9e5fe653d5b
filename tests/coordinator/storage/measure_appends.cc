// Measures durable appends per second on the disk of a directory; docs/adr/0002-write-ahead-log.md
// has the figures. No test: it says how fast, not whether right.
//   measure_appends <directory> [seconds for each line]
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "coordinator/storage/file.h"
#include "coordinator/storage/segment.h"
#include "coordinator/storage/spare_segment.h"
#include "coordinator/storage/write_ahead_log.h"
#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {
namespace {

using Clock = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

constexpr std::size_t kPayloadBytes = 128;
constexpr std::size_t kBatchBytes = 4'096;  // of two dozen such records
constexpr std::uint64_t kFileBytes = 64u << 20;

template <class T>
T must(Result<T> result) {
  CHECK(result, result.error().message);
  return std::move(*result);
}
void must(const Result<void>& result) {
  CHECK(result, result.error().message);
}

double cpu_micros() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto micros = [](const timeval& time) { return 1e6 * time.tv_sec + time.tv_usec; };
  return micros(used.ru_utime) + micros(used.ru_stime);
}

// Times of single appends, from handing over to hearing that it is durable.
struct Measured {
  explicit Measured(std::string line)
      : name(std::move(line)), begin(Clock::now()), cpu(cpu_micros()) {}

  void add(Clock::time_point start) { micros.push_back(Micros(Clock::now() - start).count()); }

  void print(std::uint64_t flushes) {
    const double seconds = Micros(Clock::now() - begin).count() / 1e6;
    const double used = cpu_micros() - cpu;
    const auto count = static_cast<double>(micros.size());
    std::sort(micros.begin(), micros.end());
    std::printf("%-28s %9.0f/s  p50 %6.0f us  p99 %6.0f us  per flush %5.1f  cpu %5.1f us\n",
                name.c_str(), count / seconds, micros[micros.size() / 2],
                micros[micros.size() * 99 / 100], count / static_cast<double>(flushes),
                used / count);
    std::fflush(stdout);
  }

  std::string name;
  std::vector<double> micros;
  Clock::time_point begin;
  double cpu;
};

// One write and one flush for each `bytes`, with nothing of ours in between.
void measure_file(const std::string& name, File file, std::size_t bytes, Clock::duration time) {
  const std::string batch(bytes, 'r');
  Measured measured(name + ", " + std::to_string(bytes) + " bytes");
  std::uint64_t end = kSegmentHeaderBytes;
  while (Clock::now() < measured.begin + time && end + bytes <= kFileBytes) {
    const auto start = Clock::now();
    must(file.write_at(end, batch));
    must(file.flush());
    measured.add(start);
    end += bytes;
  }
  measured.print(measured.micros.size());
}

File new_file(const std::string& directory) {
  return must(File::open(directory + "/file", O_RDWR | O_CREAT | O_TRUNC));
}

void measure_files(const std::string& directory, std::size_t bytes, Clock::duration time) {
  measure_file("growing file", new_file(directory), bytes, time);
  File reserved = new_file(directory);
  must(reserved.reserve(kFileBytes));
  must(reserved.flush());
  measure_file("reserved file", std::move(reserved), bytes, time);
  SpareSegment spare(directory, kFileBytes);
  measure_file("zeroed file", must(spare.become_segment(Sequence(1))).file, bytes, time);
}

// `appenders` that each append the next record once their last one is durable.
void measure_log(const std::string& directory, int appenders, Clock::duration time) {
  TestLoop loop;
  WriteAheadLogOptions options{.directory = directory, .post = loop.poster()};
  std::optional<Measured> measured;
  int idle = 0;
  std::deque<Clock::time_point> waiting;  // since when, in the order of the log
  std::unique_ptr<WriteAheadLog> log;
  const auto append = [&] {
    const auto start = Clock::now();
    if (start >= measured->begin + time) {
      ++idle;
      return;
    }
    waiting.push_back(start);
    append_bytes(*log, std::string(kPayloadBytes, 'r'));
  };
  auto opened = must(open_log(std::move(options), [&](const Flushed& flushed) {
    for (std::size_t i = 0; i < flushed.places.size(); ++i) {
      measured->add(waiting.front());
      waiting.pop_front();
      append();
    }
  }));
  log = std::move(opened.log);
  measured.emplace("log, " + std::to_string(appenders) + " appenders");
  for (int i = 0; i < appenders; ++i) append();
  CHECK(loop.run_until([&] { return idle == appenders; }), "every append becomes durable");
  measured->print(log->counters().flushes);
}

void measure_all(const std::string& directory, Clock::duration time) {
  const std::string scratch = directory + "/measure_appends";
  std::filesystem::create_directories(scratch);
  measure_files(scratch, record_bytes(kPayloadBytes), time);
  measure_files(scratch, kBatchBytes, time);
  for (const int appenders : {1, 8, 64, 512}) {
    measure_log(scratch + "/log" + std::to_string(appenders), appenders, time);
  }
  std::filesystem::remove_all(scratch);
}

}  // namespace
}  // namespace assent::storage

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: measure_appends <directory> [seconds for each line, 3]\n");
    return 2;
  }
  const int seconds = count > 2 ? std::atoi(arguments[2]) : 3;
  assent::storage::measure_all(arguments[1], std::chrono::seconds(seconds));
  return 0;
}
