#include "runtime/program.h"

#include <CLI/CLI.hpp>

#include "base/version.h"
#include "runtime/process.h"

namespace assent::program {

std::optional<Invocation> parse(int argc, char** argv, const std::string& name,
                                const std::string& description, int& exit_code) {
  CLI::App app{description};
  app.name(name);
  Invocation out;
  app.add_option("--config", out.config_path, "TOML configuration file")->required();
  app.add_flag("--check-config", out.check_only, "check the configuration file and exit");
  app.set_version_flag("--version", name + " " + kVersion);
  try {
    app.parse(argc, argv);
    return out;
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? process::kExitOk : process::kExitUsage;
    return std::nullopt;
  }
}

}  // namespace assent::program
