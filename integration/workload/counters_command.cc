#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "integration/workload/admin.h"
#include "integration/workload/commands.h"
#include "runtime/process.h"

namespace assent::workload {
namespace {

int run(const std::string& admin) {
  const auto status = ask_admin(admin);
  if (!status) {
    std::fprintf(stderr, "assent-bench: %s\n", status.error().message.c_str());
    return process::kExitFailure;
  }
  std::puts(nlohmann::json(status->counters).dump().c_str());
  return process::kExitOk;
}

}  // namespace

Command add_counters(CLI::App& app) {
  const auto admin = std::make_shared<std::string>();
  CLI::App* const command =
      app.add_subcommand("counters", "Prints the counters of a process as one JSON object");
  command->add_option("--admin", *admin, "host:port of its admin port")->required();
  return {command, [admin] { return run(*admin); }};
}

}  // namespace assent::workload
