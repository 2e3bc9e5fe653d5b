#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>

#include "assent/client.h"
#include "integration/workload/admin.h"
#include "integration/workload/commands.h"
#include "integration/workload/receipts.h"
#include "integration/workload/recorder.h"
#include "integration/workload/report.h"
#include "integration/workload/transfers.h"
#include "runtime/process.h"

namespace assent::workload {
namespace {

struct Arguments {
  ClientOptions client;
  TransferOptions transfers;
  double seconds = 10;
  bool progress = false;
  int progress_every_ms = 1'000;
  int stall_ms = 0;
  std::string json;
  std::string receipts;
  std::vector<std::string> admins;
};

const std::map<std::string, Acknowledge> kAcknowledge = {{"applied", Acknowledge::kApplied},
                                                         {"decided", Acknowledge::kDecided}};

void add_options(CLI::App& command, Arguments& arguments) {
  auto& transfers = arguments.transfers;
  command.add_option("--coordinators", arguments.client.coordinators, "host:port of client ports")
      ->delimiter(',')
      ->required();
  command.add_option("--participants", transfers.participants, "one name or more")
      ->delimiter(',')
      ->required()
      ->expected(1, 64);
  command.add_flag("--one-shot", transfers.one_shot, "the statements travel with the commit");
  command.add_option("--clients", transfers.clients, "clients at work at the same time")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command.add_option("--seconds", arguments.seconds, "how long")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  command.add_option("--accounts", transfers.accounts, "accounts with ids 1 to this are used")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
  command.add_option("--amount", transfers.amount, "moved by each transfer")->capture_default_str();
  command.add_option("--acknowledge", transfers.commit.acknowledge, "when commit is answered")
      ->transform(CLI::CheckedTransformer(kAcknowledge))
      ->default_str("applied");
  command
      .add_option("--unknown-after", arguments.client.unknown_after_ms,
                  "milliseconds for which the outcome is asked for")
      ->capture_default_str();
  command.add_option("--seed", transfers.seed, "of the choice of accounts")->capture_default_str();
  command.add_flag("--progress", arguments.progress, "a line each second");
  command.add_option("--progress-every", arguments.progress_every_ms, "milliseconds instead")
      ->check(CLI::Range(10, 60'000))
      ->capture_default_str();
  command
      .add_option("--stalls", arguments.stall_ms,
                  "a line for each time of so many milliseconds without a commit; 0: none")
      ->check(CLI::Range(0, 60'000))
      ->capture_default_str();
  command.add_option("--json", arguments.json, "file to write the results to");
  command.add_option("--receipts", arguments.receipts,
                     "file for what was told of each transfer; each branch writes its transfer's "
                     "name into a table receipts(transfer text)");
  command
      .add_option("--admin", arguments.admins,
                  "host:port of the replicas' admin ports, for the leader's counters")
      ->delimiter(',');
}

// Blocks SIGINT and SIGTERM for the process, to be waited for. Before any thread is started.
sigset_t hold_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// True when a stop signal came before `until`.
bool stopped_before(const sigset_t& signals, Clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::max(until - Clock::now(), Clock::duration::zero()));
  const timespec limit{static_cast<time_t>(left.count() / 1'000'000'000),
                       static_cast<long>(left.count() % 1'000'000'000)};
  return sigtimedwait(&signals, nullptr, &limit) > 0;
}

void print_progress(const Arguments& arguments, Recorder& recorder, Clock::time_point started,
                    Clock::time_point last) {
  for (const Stall& stall : recorder.take_stalls()) std::puts(stall_line(stall).c_str());
  if (arguments.progress) {
    const auto now = Clock::now();
    const Tally interval = recorder.take_interval();
    std::puts(progress_line(now - started, recorder.total(), interval, now - last).c_str());
  }
  std::fflush(stdout);
}

// Lets the clients work until the time is over or a signal comes.
void wait_for_end(const Arguments& arguments, const sigset_t& signals, Recorder& recorder,
                  Clock::time_point started) {
  const auto length = std::chrono::duration<double>(arguments.seconds);
  const auto end = started + std::chrono::duration_cast<Clock::duration>(length);
  for (auto last = started; last < end;) {
    const auto next = std::min(end, last + std::chrono::milliseconds(arguments.progress_every_ms));
    const bool stopped = stopped_before(signals, next);
    print_progress(arguments, recorder, started, last);
    if (stopped) return;
    last = next;
  }
}

// Asks for one outcome after the other, for as long in all as the client would for one.
Resolved resolve(Client& client, const std::vector<std::string>& transactions,
                 Clock::duration limit, Receipts* receipts) {
  const auto deadline = Clock::now() + limit;
  Resolved resolved;
  for (const auto& transaction : transactions) {
    const bool late = Clock::now() >= deadline;
    const CommitState state = late ? CommitState::kUnknown : client.outcome(transaction).state;
    if (receipts != nullptr) receipts->resolved(transaction, state);
    switch (state) {
      case CommitState::kCommitted:
        ++resolved.committed;
        break;
      case CommitState::kAborted:
        ++resolved.aborted;
        break;
      case CommitState::kUnknown:
        ++resolved.undecided;
        break;
    }
  }
  return resolved;
}

Report measure(Client& client, const Arguments& arguments, const sigset_t& signals,
               Receipts* receipts) {
  const auto before = ask_all(arguments.admins);
  const auto started = Clock::now();
  const auto stall_min = std::chrono::milliseconds(arguments.stall_ms);
  Recorder recorder(started, arguments.stall_ms > 0 ? stall_min : Clock::duration::max());
  Transfers transfers(client, arguments.transfers, recorder, receipts);
  wait_for_end(arguments, signals, recorder, started);
  transfers.stop();

  const auto ended = Clock::now();
  Report report;
  report.tally = recorder.total();
  report.elapsed = ended - started;
  report.longest_gap = recorder.longest_gap(ended);
  report.resolved = resolve(client, recorder.unknown_transactions(),
                            std::chrono::milliseconds(arguments.client.unknown_after_ms), receipts);
  report.counters = leaders_counters(before, ask_all(arguments.admins));
  return report;
}

int run(const Arguments& arguments) {
  const sigset_t signals = hold_stop_signals();
  auto client = Client::connect(arguments.client);
  if (!client) {
    std::fprintf(stderr, "assent-bench: %s\n", client.error().message.c_str());
    return process::kExitFailure;
  }
  std::optional<Receipts> receipts;
  if (!arguments.receipts.empty()) receipts.emplace(arguments.receipts);
  const Report report = measure(*client, arguments, signals, receipts ? &*receipts : nullptr);
  if (receipts && !receipts->close()) {
    std::fprintf(stderr, "assent-bench: the receipts could not be written to %s\n",
                 arguments.receipts.c_str());
    return process::kExitFailure;
  }
  std::fputs(summary(report).c_str(), stdout);
  if (arguments.json.empty()) return process::kExitOk;
  if (const auto written = write_json(report, arguments.json); !written) {
    std::fprintf(stderr, "assent-bench: %s\n", written.error().message.c_str());
    return process::kExitFailure;
  }
  return process::kExitOk;
}

}  // namespace

Command add_transfers(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->client.name = "assent-bench";
  CLI::App* const command = app.add_subcommand("transfers",
                                               "Moves money between accounts of participants, each "
                                               "with a table accounts(id int primary key, balance "
                                               "bigint)");
  add_options(*command, *arguments);
  return {command, [arguments] { return run(*arguments); }};
}

}  // namespace assent::workload
