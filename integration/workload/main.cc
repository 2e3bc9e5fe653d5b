// assent-bench: puts a load on a cluster and says what it saw.
#include <string>

#include "base/version.h"
#include "integration/workload/commands.h"
#include "runtime/process.h"

int main(int argc, char** argv) {
  using namespace assent;
  CLI::App app("Puts a load on a cluster of Assent and says what it saw.");
  app.set_version_flag("--version", std::string("assent-bench ") + kVersion);
  app.require_subcommand(1);
  const workload::Command commands[] = {workload::add_transfers(app), workload::add_crowd(app),
                                        workload::add_decisions(app), workload::add_measure(app),
                                        workload::add_status(app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? process::kExitOk : process::kExitUsage;
  }
  for (const auto& command : commands) {
    if (command.parsed_by->parsed()) return command.run();
  }
  return process::kExitUsage;
}
