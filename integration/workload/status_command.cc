#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "integration/workload/admin.h"
#include "integration/workload/commands.h"
#include "runtime/process.h"

namespace assent::workload {
namespace {

// Null for a process that does not answer; the rest is told all the same.
nlohmann::json told(const std::string& admin) {
  const auto status = ask_admin(admin);
  if (!status) {
    std::fprintf(stderr, "assent-bench: %s\n", status.error().message.c_str());
    return nullptr;
  }
  return {{"pid", status->pid},
          {"ready", status->ready},
          {"facts", status->facts},
          {"counters", status->counters}};
}

int run(const std::vector<std::string>& admins) {
  auto all = nlohmann::json::array();
  for (const std::string& admin : admins) all.push_back(told(admin));
  std::puts(all.dump().c_str());
  return process::kExitOk;
}

}  // namespace

Command add_status(CLI::App& app) {
  const auto admins = std::make_shared<std::vector<std::string>>();
  CLI::App* const command = app.add_subcommand(
      "status",
      "Prints what processes tell of themselves as a JSON array, null where none answers");
  command->add_option("--admin", *admins, "host:port of admin ports")->delimiter(',')->required();
  return {command, [admins] { return run(*admins); }};
}

}  // namespace assent::workload
