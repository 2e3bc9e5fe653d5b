// Runs whole groups of the replicated log's production code in a simulated world.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <thread>

#include "tests/simulation/canaries.h"
#include "tests/simulation/fleet.h"
#include "tests/simulation/report.h"

namespace assent::simulation {
namespace {

constexpr int kPassed = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Arguments {
  std::string seeds;
  std::string canary;
  std::uint64_t replay = 0;
  unsigned processes = std::max(1u, std::thread::hardware_concurrency());
};

// "A..B", or one seed.
std::optional<SeedRange> parse_range(const std::string& text) {
  SeedRange out;
  unsigned long long first = 0;
  unsigned long long last = 0;
  int used = 0;
  const int found = std::sscanf(text.c_str(), "%llu%n..%llu%n", &first, &used, &last, &used);
  if (found < 1 || static_cast<std::size_t>(used) != text.size()) return std::nullopt;
  out.first = first;
  out.last = found == 2 ? last : first;
  if (out.first == 0 || out.last < out.first) return std::nullopt;
  return out;
}

int run_seeds(SeedRange seeds, Canary canary, const Arguments& arguments) {
  Report report(seeds, arguments.canary);
  run_fleet(seeds, canary, arguments.processes, [&](const Run& run) { report.add(run); });
  report.print();
  return report.failures() == 0 ? kPassed : kFailed;
}

int replay(std::uint64_t seed, Canary canary) {
  active_canary() = canary;
  const Run run = run_seed(seed, true);
  std::printf("trace hash %016llx\n", static_cast<unsigned long long>(run.figures.trace_hash));
  if (!run.violation) return kPassed;
  std::printf("%s: %s\n", std::string(name(run.violation->checker)).c_str(),
              run.violation->what.c_str());
  return kFailed;
}

// The recorded seed is caught by the recorded checker with the canary, and by none without.
bool proves_itself(const CanaryRecord& record, unsigned processes) {
  const SeedRange seed{record.seed, record.seed};
  std::optional<Run> with;
  std::optional<Run> without;
  run_fleet(seed, record.canary, processes, [&](const Run& run) { with = run; });
  run_fleet(seed, Canary::kNone, processes, [&](const Run& run) { without = run; });
  const bool caught = with && with->violation && with->violation->checker == record.checker;
  const bool sound = without && !without->violation;
  const std::string by =
      with && with->violation ? std::string(name(with->violation->checker)) : std::string("nobody");
  std::printf("%-26s seed %-6llu caught by %-24s %s%s\n", std::string(record.name).c_str(),
              static_cast<unsigned long long>(record.seed), by.c_str(),
              caught ? "as recorded" : "NOT AS RECORDED",
              sound ? "" : ", and the seed FAILS WITHOUT IT");
  return caught && sound;
}

int prove_canaries(const Arguments& arguments) {
  bool all = true;
  for (const CanaryRecord& record : canary_records()) {
    const bool chosen = arguments.canary == "all" || arguments.canary == record.name;
    if (chosen) all = proves_itself(record, arguments.processes) && all;
  }
  return all ? kPassed : kFailed;
}

int run(const Arguments& arguments) {
  const auto range = parse_range(arguments.seeds.empty() ? "1..2000" : arguments.seeds);
  const auto canary = find_canary(arguments.canary);
  const bool all = arguments.canary == "all";
  const bool known = arguments.canary.empty() || canary || all;
  const bool many_of_all = all && (arguments.replay != 0 || !arguments.seeds.empty());
  if (!range || !known || many_of_all) {
    std::fprintf(stderr, "%s\n",
                 !range  ? "--seeds takes A..B, from 1 on"
                 : known ? "--canary all goes with nothing else"
                         : "there is no such canary; --help names them");
    return kUsage;
  }
  const Canary active = canary ? canary->canary : Canary::kNone;
  if (arguments.replay != 0) return replay(arguments.replay, active);
  if (!arguments.canary.empty() && arguments.seeds.empty()) return prove_canaries(arguments);
  return run_seeds(*range, active, arguments);
}

std::string footer() {
  std::string text = "Canaries, each a deliberate breakage of one rule:\n";
  for (const CanaryRecord& record : canary_records())
    text += "  " + std::string(record.name) + "\n";
  return text + "Exit code 0: every run is sound; 1: a checker has seen what may never happen.";
}

}  // namespace
}  // namespace assent::simulation

int main(int argc, char** argv) {
  using namespace assent::simulation;
  CLI::App app("Runs whole groups of the replicated log's production code in a simulated world.",
               "tests/simulation/run");
  app.footer(footer());
  Arguments arguments;
  app.add_option("--seeds", arguments.seeds, "A..B: one run for each (default: 1..2000)");
  app.add_option("--replay", arguments.replay, "run this seed and print its trace");
  app.add_option("--canary", arguments.canary,
                 "break this rule; without --seeds or --replay: at the recorded seed, to be caught "
                 "by the recorded checker; \"all\": each of them");
  app.add_option("--processes", arguments.processes, "at once (default: one for each CPU)")
      ->check(CLI::Range(1, 256));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? kPassed : kUsage;
  }
  return run(arguments);
}
