#include <cstdio>
#include <memory>

#include "integration/workload/commands.h"
#include "integration/workload/decisions.h"
#include "integration/workload/report.h"
#include "runtime/process.h"

namespace assent::workload {
namespace {

struct Arguments {
  DecisionOptions decisions;
  std::string json;
};

int fail(const Error& error) {
  std::fprintf(stderr, "assent-bench: %s\n", error.message.c_str());
  return process::kExitFailure;
}

int run(const Arguments& arguments) {
  Decisions decisions(arguments.decisions);
  const auto tally = decisions.run();
  if (!tally) return fail(tally.error());
  std::fputs(summary(*tally).c_str(), stdout);
  if (arguments.json.empty()) return process::kExitOk;
  const auto written = write_json(*tally, arguments.json);
  return written ? process::kExitOk : fail(written.error());
}

}  // namespace

Command add_decisions(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "decisions", "Loads the replicated log alone, with aborts of transactions that nobody began");
  command
      ->add_option("--coordinators", arguments->decisions.coordinators, "host:port of client ports")
      ->delimiter(',')
      ->required();
  command->add_option("--clients", arguments->decisions.clients, "each decides one at a time")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_option("--seconds", arguments->decisions.seconds, "how long")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  command
      ->add_option("--count", arguments->decisions.count,
                   "decisions to end with before the time is over; 0: no such bound")
      ->capture_default_str();
  command->add_option("--json", arguments->json, "file to write the results to");
  return {command, [arguments] { return run(*arguments); }};
}

}  // namespace assent::workload
