// Entries of the log: to bytes and back.
#include <benchmark/benchmark.h>

#include "base/check.h"
#include "coordinator/state/command.h"

namespace assent::state {
namespace {

// As many decisions of two branches as share a flush.
Entry entry_of(std::int64_t decisions) {
  Entry entry{LogTime(10'000'000), {}};
  for (std::int64_t i = 0; i < decisions; ++i) {
    const auto number = static_cast<std::uint64_t>(i);
    Committed committed{make_transaction_id(entry.time, number, number, 7), number, {}};
    for (const char* participant : {"orders", "stock"}) {
      DecidedBranch branch;
      branch.participant = participant;
      branch.epoch = Epoch(3);
      branch.attempt = Attempt(number + 1);
      committed.branches.push_back(std::move(branch));
    }
    entry.commands.emplace_back(std::move(committed));
  }
  return entry;
}

void entry_is_encoded(benchmark::State& run) {
  const Entry entry = entry_of(run.range(0));
  for (auto _ : run) benchmark::DoNotOptimize(encode(entry));
}
BENCHMARK(entry_is_encoded)->Arg(1)->Arg(8)->ArgName("decisions");

void entry_is_decoded(benchmark::State& run) {
  const std::string bytes = encode(entry_of(run.range(0)));
  for (auto _ : run) {
    const auto entry = decode_entry(bytes);
    CHECK(entry.has_value(), "what was encoded is decoded");
    benchmark::DoNotOptimize(entry);
  }
}
BENCHMARK(entry_is_decoded)->Arg(1)->Arg(8)->ArgName("decisions");

}  // namespace
}  // namespace assent::state
