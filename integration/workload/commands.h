// The subcommands of assent-bench.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace assent::workload {

struct Command {
  CLI::App* parsed_by;       // knows, after parsing, whether it was given
  std::function<int()> run;  // gives the program's exit code
};

// Each adds itself to the command line.
Command add_transfers(CLI::App& app);
Command add_crowd(CLI::App& app);
Command add_decisions(CLI::App& app);
Command add_measure(CLI::App& app);
Command add_status(CLI::App& app);

}  // namespace assent::workload
