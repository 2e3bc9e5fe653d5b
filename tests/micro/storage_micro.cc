// The write-ahead log: from handing records over to hearing that they are on stable storage.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>

#include "base/check.h"
#include "coordinator/storage/write_ahead_log.h"
#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {
namespace {

constexpr std::size_t kPayloadBytes = 256;

void records_become_durable(benchmark::State& run) {
  const ScratchDirectory directory;
  TestLoop loop;
  std::int64_t durable = 0;
  WriteAheadLogOptions options{.directory = directory.path(), .post = loop.poster()};
  auto opened = open_log(std::move(options), [&](const Flushed& flushed) {
    durable += static_cast<std::int64_t>(flushed.places.size());
  });
  CHECK(opened.has_value(), "an empty directory takes a log");
  std::int64_t appended = 0;
  for (auto _ : run) {
    for (std::int64_t i = 0; i < run.range(0); ++i) {
      append_bytes(*opened->log, std::string(kPayloadBytes, 'r'));
    }
    appended += run.range(0);
    CHECK(loop.run_until([&] { return durable == appended; }), "every record becomes durable");
  }
  run.SetItemsProcessed(appended);
}
BENCHMARK(records_become_durable)->Arg(1)->Arg(8)->Arg(64)->ArgName("records")->UseRealTime();

}  // namespace
}  // namespace assent::storage
