#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "assent/client.h"
#include "integration/workload/admin.h"
#include "integration/workload/closed_loop.h"
#include "integration/workload/commands.h"
#include "integration/workload/floor.h"
#include "integration/workload/ours.h"
#include "integration/workload/report.h"
#include "runtime/process.h"

namespace assent::workload {
namespace {

enum class Way { kOneShot, kInteractive, kPipelined, kStepwise };

const std::map<std::string, Way> kWays = {{"one-shot", Way::kOneShot},
                                          {"interactive", Way::kInteractive},
                                          {"floor", Way::kPipelined},
                                          {"floor-steps", Way::kStepwise}};
const std::map<std::string, Acknowledge> kAcknowledge = {{"applied", Acknowledge::kApplied},
                                                         {"decided", Acknowledge::kDecided}};

struct Arguments {
  Way way = Way::kOneShot;
  OursOptions ours;
  ClientOptions client;
  std::vector<std::string> admins;
  FloorOptions floor;
  std::string log;
  LoopOptions loop;
  std::size_t clients = 8;
  double warm_up = 0.5;
  double seconds = 5;
  bool step = false;
  std::string json;
};

void add_ours(CLI::App& command, Arguments& arguments) {
  command.add_option("--coordinators", arguments.client.coordinators, "host:port of client ports")
      ->delimiter(',');
  command.add_option("--participants", arguments.ours.participants, "of every transfer")
      ->delimiter(',');
  command.add_option("--acknowledge", arguments.ours.commit.acknowledge, "when commit is answered")
      ->transform(CLI::CheckedTransformer(kAcknowledge))
      ->default_str("applied");
  command
      .add_option("--admin", arguments.admins,
                  "host:port of the replicas' admin ports, for the leader's counters")
      ->delimiter(',');
}

void add_floor(CLI::App& command, Arguments& arguments) {
  command.add_option("--database", arguments.floor.databases,
                     "libpq's connection string of a database of every transfer; once for each");
  command.add_option("--log", arguments.log,
                     "file in which each decision is made durable before the first commit");
}

void add_options(CLI::App& command, Arguments& arguments) {
  command
      .add_option("--way", arguments.way,
                  "one-shot or interactive by our client; floor or floor-steps by bare libpq")
      ->required()
      ->transform(CLI::CheckedTransformer(kWays));
  add_ours(command, arguments);
  add_floor(command, arguments);
  command.add_option("--clients", arguments.clients, "at work at the same time")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  command.add_option("--accounts", arguments.loop.accounts, "ids 1 to this, in every database")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
  command.add_option("--seed", arguments.loop.seed, "of the choice of accounts")
      ->capture_default_str();
  command.add_option("--warm-up", arguments.warm_up, "seconds before the window")
      ->check(CLI::Range(0.0, 3'600.0))
      ->capture_default_str();
  command.add_option("--seconds", arguments.seconds, "length of the window")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  command.add_flag("--step", arguments.step,
                   "says \"warm\" before and \"measured\" after the window, and goes on, with the "
                   "load on, at the next line of standard input");
  command.add_option("--json", arguments.json, "file to write the results to");
}

bool is_ours(Way way) {
  return way == Way::kOneShot || way == Way::kInteractive;
}

void pause(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void say_and_wait(const Arguments& arguments, const char* word) {
  if (!arguments.step) return;
  std::puts(word);
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
}

// What the clients work with, and what keeps it alive.
struct Party {
  std::unique_ptr<Client> client;  // where the movers find it
  std::unique_ptr<DecisionLog> log;
  std::vector<std::unique_ptr<Mover>> movers;
};

Result<Party> gather_ours(Arguments arguments) {
  Party party;
  arguments.client.name = "assent-bench";
  arguments.ours.one_shot = arguments.way == Way::kOneShot;
  auto client = Client::connect(arguments.client);
  if (!client) return tl::unexpected(std::move(client.error()));
  party.client = std::make_unique<Client>(*std::move(client));
  for (std::size_t i = 0; i < arguments.clients; ++i) {
    party.movers.push_back(make_ours(*party.client, arguments.ours));
  }
  return party;
}

Result<Party> gather_floor(Arguments arguments) {
  Party party;
  if (!arguments.log.empty()) {
    auto log = DecisionLog::create(arguments.log);
    if (!log) return tl::unexpected(std::move(log.error()));
    party.log = *std::move(log);
  }
  arguments.floor.stepwise = arguments.way == Way::kStepwise;
  arguments.floor.log = party.log.get();
  const std::string run = std::to_string(process::random_u64());
  for (std::size_t i = 0; i < arguments.clients; ++i) {
    auto mover = make_floor(arguments.floor, run + ':' + std::to_string(i));
    if (!mover) return tl::unexpected(std::move(mover.error()));
    party.movers.push_back(*std::move(mover));
  }
  return party;
}

Report measure(Party& party, const Arguments& arguments) {
  ClosedLoop loop(std::move(party.movers), arguments.loop);
  pause(arguments.warm_up);
  say_and_wait(arguments, "warm");
  const auto before = ask_all(arguments.admins);
  const std::int64_t flushes = party.log ? party.log->flushes() : 0;
  const auto began = Clock::now();
  loop.open_window();
  pause(arguments.seconds);

  Report report;
  report.tally = loop.close_window();
  report.elapsed = Clock::now() - began;
  report.counters = leaders_counters(before, ask_all(arguments.admins));
  if (party.log) {
    report.counters = {{"committed", report.tally.committed},
                       {"log_flushes", party.log->flushes() - flushes}};
  }
  say_and_wait(arguments, "measured");
  loop.stop();
  return report;
}

int fail(const Error& error) {
  std::fprintf(stderr, "assent-bench: %s\n", error.message.c_str());
  return process::kExitFailure;
}

int run(Arguments arguments) {
  process::raise_file_limit();
  const auto& places =
      is_ours(arguments.way) ? arguments.ours.participants : arguments.floor.databases;
  if (places.empty()) {
    return fail({ErrorCode::kInvalidArgument, "no --participants, or for the floor no --database"});
  }
  arguments.loop.databases = places.size();
  auto party = is_ours(arguments.way) ? gather_ours(arguments) : gather_floor(arguments);
  if (!party) return fail(party.error());
  const Report report = measure(*party, arguments);
  std::fputs(summary(report).c_str(), stdout);
  if (arguments.json.empty()) return process::kExitOk;
  const auto written = write_json(report, arguments.json);
  return written ? process::kExitOk : fail(written.error());
}

}  // namespace

Command add_measure(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "measure",
      "Transfers in a closed loop, by our client or by bare libpq, measured over a window");
  add_options(*command, *arguments);
  return {command, [arguments] { return run(*arguments); }};
}

}  // namespace assent::workload
