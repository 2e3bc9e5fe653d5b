// Runs the whole system, or the replicated log alone, in simulated worlds.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "tests/simulation/canaries.h"
#include "tests/simulation/fleet.h"
#include "tests/simulation/report.h"
#include "tests/simulation/system/simulator.h"
#include "tests/simulation/world.h"

namespace assent::simulation {
namespace {

constexpr int kPassed = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Arguments {
  std::string seeds;
  std::string canary;
  std::string transaction;
  std::uint64_t replay = 0;
  double hours = 0;
  bool log = false;
  unsigned processes = std::max(1u, std::thread::hardware_concurrency());
};

const Simulator& log_simulator() {
  static const Simulator simulator{
      .chosen_by = " --log",
      .run_seed = [](std::uint64_t seed) { return run_seed(seed); },
      .replay = [](std::uint64_t seed, const std::string&) { return run_seed(seed, print); },
      .make_summary = make_log_summary,
      .canaries = log_canaries(),
  };
  return simulator;
}

const Simulator& simulator_of(bool log) {
  return log ? log_simulator() : system::system_simulator();
}

struct Found {
  const Simulator* simulator;  // that proves it
  CanaryRecord record;
};

// None: no canary has this name.
std::optional<Found> find_canary(std::string_view name) {
  for (const bool log : {false, true}) {
    for (const CanaryRecord& record : simulator_of(log).canaries) {
      if (record.name == name) return Found{&simulator_of(log), record};
    }
  }
  return std::nullopt;
}

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

int run_fleet(const Simulator& simulator, const Fleet& fleet, const Arguments& arguments) {
  Report report(simulator, arguments.canary, fleet.until ? 0 : fleet.seeds.count());
  run_fleet(fleet, [&](const Run& run) { report.add(run); });
  report.print();
  return report.runs() > 0 && report.failures() == 0 ? kPassed : kFailed;
}

// From the seed that is given on, or from one that no earlier call has begun with.
int run_hours(const Simulator& simulator, std::optional<SeedRange> from, Canary canary,
              const Arguments& arguments) {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const auto first = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(wall).count() * 1'000);
  SeedRange seeds{first, UINT64_MAX};
  if (from) seeds.first = from->first;
  if (from && from->last != from->first) seeds.last = from->last;
  const auto time = std::chrono::duration<double, std::ratio<3'600>>(arguments.hours);
  const auto until = std::chrono::steady_clock::now() +
                     std::chrono::duration_cast<std::chrono::steady_clock::duration>(time);
  return run_fleet(simulator, {simulator.run_seed, seeds, canary, arguments.processes, until},
                   arguments);
}

int replay(const Simulator& simulator, Canary canary, const Arguments& arguments) {
  active_canary() = canary;
  const Run run = simulator.replay(arguments.replay, arguments.transaction);
  std::printf("trace hash %016llx\n", static_cast<unsigned long long>(run.figures.trace_hash));
  if (!run.violation) return kPassed;
  std::printf("%s: %s\n", std::string(name(run.violation->checker)).c_str(),
              run.violation->what.c_str());
  return kFailed;
}

// The recorded seed is caught by the recorded checker with the canary, and by none without.
bool proves_itself(const Simulator& simulator, const CanaryRecord& record, unsigned processes) {
  Fleet fleet{.run_seed = simulator.run_seed,
              .seeds = {record.seed, record.seed},
              .canary = record.canary,
              .processes = processes};
  std::optional<Run> with;
  std::optional<Run> without;
  run_fleet(fleet, [&](const Run& run) { with = run; });
  fleet.canary = Canary::kNone;
  run_fleet(fleet, [&](const Run& run) { without = run; });
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
  if (const auto found = find_canary(arguments.canary)) {
    const bool one = proves_itself(*found->simulator, found->record, arguments.processes);
    return one ? kPassed : kFailed;
  }
  bool all = true;
  const Simulator& simulator = simulator_of(arguments.log);
  for (const CanaryRecord& record : simulator.canaries)
    all = proves_itself(simulator, record, arguments.processes) && all;
  return all ? kPassed : kFailed;
}

// In words, what does not go together; empty: all does.
std::string objection(const Arguments& arguments) {
  const bool all = arguments.canary == "all";
  const bool many = arguments.replay != 0 || !arguments.seeds.empty() || arguments.hours > 0;
  if (!arguments.seeds.empty() && !parse_range(arguments.seeds))
    return "--seeds takes A..B, from 1 on";
  if (all && many) return "--canary all goes with nothing else but --log";
  if (!all && !arguments.canary.empty() && !find_canary(arguments.canary))
    return "there is no such canary; --help names them";
  if (arguments.transaction.empty()) return "";
  if (arguments.replay == 0) return "--transaction goes with --replay";
  if (arguments.log) return "--transaction: the log's simulator has commands without a story";
  if (!system::is_told(arguments.transaction))
    return "--transaction takes the id of a transaction, \"last\" or \"all\"";
  return "";
}

int run(const Arguments& arguments) {
  if (const std::string wrong = objection(arguments); !wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return kUsage;
  }
  const auto range = parse_range(arguments.seeds);
  const auto canary = find_canary(arguments.canary);
  const Simulator& simulator = simulator_of(arguments.log);
  const Canary active = canary ? canary->record.canary : Canary::kNone;
  if (arguments.replay != 0) return replay(simulator, active, arguments);
  if (arguments.hours > 0) return run_hours(simulator, range, active, arguments);
  if (!arguments.canary.empty() && !range) return prove_canaries(arguments);
  const SeedRange seeds = range.value_or(SeedRange{1, 2'000});
  return run_fleet(simulator, {simulator.run_seed, seeds, active, arguments.processes}, arguments);
}

std::string footer() {
  std::string text = "Canaries, each a deliberate breakage of one rule:\n";
  for (const CanaryRecord& record : system::system_simulator().canaries)
    text += "  " + std::string(record.name) + " (" + std::string(record.rule) + ")\n";
  text += "With --log:\n";
  for (const CanaryRecord& record : log_simulator().canaries)
    text += "  " + std::string(record.name) + "\n";
  return text + "Exit code 0: every run is sound; 1: a checker has seen what may never happen.";
}

}  // namespace
}  // namespace assent::simulation

int main(int argc, char** argv) {
  using namespace assent::simulation;
  CLI::App app(
      "Runs the whole system in simulated worlds: the production code of coordinators and agents "
      "over a model of PostgreSQL, with clients.",
      "tests/simulation/run");
  app.footer(footer());
  Arguments arguments;
  app.add_flag("--log", arguments.log, "groups of the replicated log alone");
  app.add_option("--seeds", arguments.seeds, "A..B: one run for each (default: 1..2000)");
  app.add_option("--hours", arguments.hours,
                 "run one seed after the other for so many hours, from the one that --seeds names "
                 "or from one that the time of day gives")
      ->check(CLI::Range(0.0, 10'000.0));
  app.add_option("--replay", arguments.replay,
                 "run this seed and print what happens; when a checker sees what may never happen, "
                 "the story of the transaction that it names");
  app.add_option("--transaction", arguments.transaction,
                 "with --replay: the story of this one across all parties; \"last\": of the last "
                 "that was begun; \"all\": every event, whatever a checker sees");
  app.add_option("--canary", arguments.canary,
                 "break this rule; without --seeds, --hours or --replay: at the recorded seed, to "
                 "be caught by the recorded checker; \"all\": each of the simulator's");
  app.add_option("--processes", arguments.processes, "at once (default: one for each CPU)")
      ->check(CLI::Range(1, 256));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? kPassed : kUsage;
  }
  return run(arguments);
}
