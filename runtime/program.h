// The command line that all our servers share: --config, --check-config, --help, --version.
#pragma once

#include <optional>
#include <string>

namespace assent::program {

struct Invocation {
  std::string config_path;
  bool check_only = false;  // check the configuration file and exit
};

// Parses the flags. Nothing: help, version or a complaint was printed; `exit_code` says how to end.
std::optional<Invocation> parse(int argc, char** argv, const std::string& name,
                                const std::string& description, int& exit_code);

}  // namespace assent::program
