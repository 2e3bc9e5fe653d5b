// The verbs of assentctl. Each has a file of its own, which adds it to the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <vector>

namespace assent::cli {

// What is given once for all verbs.
struct Settings {
  bool json = false;  // for machines, on standard output
};

struct Verb {
  CLI::App* parsed_by;       // knows, after parsing, whether it was given
  std::function<int()> run;  // gives the program's exit code
};

// `settings` outlive the verb and are known when it runs.
Verb add_log_dump(CLI::App& log, const Settings& settings);
Verb add_log_verify(CLI::App& log, const Settings& settings);
Verb add_backup(CLI::App& app, const Settings& settings);
Verb add_restore(CLI::App& app, const Settings& settings);
Verb add_status(CLI::App& app, const Settings& settings);
Verb add_participants(CLI::App& app, const Settings& settings);
// Below the command of add_participants.
Verb add_participants_add(CLI::App& participants, const Settings& settings);
Verb add_participants_drain(CLI::App& participants, const Settings& settings);
Verb add_participants_resume(CLI::App& participants, const Settings& settings);
Verb add_participants_remove(CLI::App& participants, const Settings& settings);
Verb add_transactions(CLI::App& app, const Settings& settings);
Verb add_explain(CLI::App& app, const Settings& settings);
Verb add_doctor(CLI::App& app, const Settings& settings);
Verb add_watch(CLI::App& app, const Settings& settings);
Verb add_scan(CLI::App& app, const Settings& settings);
Verb add_resolve(CLI::App& app, const Settings& settings);
Verb add_heuristic_list(CLI::App& heuristic, const Settings& settings);
Verb add_heuristic_forget(CLI::App& heuristic, const Settings& settings);
Verb add_replica_list(CLI::App& replica, const Settings& settings);
Verb add_replica_add(CLI::App& replica, const Settings& settings);
Verb add_replica_remove(CLI::App& replica, const Settings& settings);
Verb add_replica_replace(CLI::App& replica, const Settings& settings);
Verb add_replica_transfer_leader(CLI::App& replica, const Settings& settings);

}  // namespace assent::cli
