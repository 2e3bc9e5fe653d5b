#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "integration/workload/commands.h"
#include "integration/workload/crowd.h"
#include "integration/workload/report.h"
#include "runtime/process.h"

namespace assent::workload {
namespace {

struct Arguments {
  CrowdOptions crowd;
  bool step = false;
  std::string json;
};

void add_options(CLI::App& command, Arguments& arguments) {
  auto& crowd = arguments.crowd;
  command.add_option("--coordinators", crowd.coordinators, "host:port of client ports")
      ->delimiter(',')
      ->required();
  command
      .add_option("--participants", crowd.participants, "each has a branch of every transaction")
      ->delimiter(',')
      ->required()
      ->expected(1, 64);
  command.add_option("--connections", crowd.connections, "open at the same time")
      ->check(CLI::Range(1, 50'000))
      ->capture_default_str();
  command.add_option("--transactions", crowd.transactions, "sent in all")
      ->check(CLI::Range(0, 100'000'000))
      ->capture_default_str();
  command.add_option("--rate", crowd.rate, "of them, sent per second; 0: all at the same time")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command
      .add_option("--accounts", crowd.accounts,
                  "not 0: instead of --sql, transfers between accounts with ids 1 to this")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
  command.add_option("--sql", crowd.sql, "statement of every branch")->capture_default_str();
  command.add_option("--timeout", crowd.timeout_ms, "milliseconds for the votes of a transaction")
      ->check(CLI::Range(1, 600'000))
      ->capture_default_str();
  command.add_flag("--step", arguments.step,
                   "waits for a line on standard input before the transactions are sent");
  command.add_option("--json", arguments.json, "file to write the results to");
}

int fail(const Error& error) {
  std::fprintf(stderr, "assent-bench: %s\n", error.message.c_str());
  return process::kExitFailure;
}

void wait_for_line() {
  std::string line;
  std::getline(std::cin, line);
}

int run(const Arguments& arguments) {
  process::raise_file_limit();
  CrowdReport report{.connections = arguments.crowd.connections,
                     .transactions = arguments.crowd.transactions};
  Crowd crowd(arguments.crowd);
  const auto began = Clock::now();
  if (const auto connected = crowd.connect(); !connected) return fail(connected.error());
  report.connecting = Clock::now() - began;
  std::printf("%zu connections are open\n", report.connections);
  std::fflush(stdout);
  if (arguments.step) wait_for_line();

  const auto sent = Clock::now();
  report.tally = crowd.commit();
  report.elapsed = Clock::now() - sent;
  std::fputs(summary(report).c_str(), stdout);
  if (arguments.json.empty()) return process::kExitOk;
  const auto written = write_json(report, arguments.json);
  return written ? process::kExitOk : fail(written.error());
}

}  // namespace

Command add_crowd(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "crowd", "Opens many connections, and sends many one-shot transactions over them");
  add_options(*command, *arguments);
  return {command, [arguments] { return run(*arguments); }};
}

}  // namespace assent::workload
