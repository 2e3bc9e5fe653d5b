// What the main() of our servers share: --config, --check-config, --help, --version, and the way
// from there to a running process.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/finding.h"
#include "runtime/logging.h"
#include "runtime/process.h"

namespace assent::program {

// A flag of one program; `on` says whether it was given.
struct Switch {
  std::string flag;  // "--takeover"
  std::string help;
  bool* on;
};

struct Program {
  std::string name;         // "assent-agent"
  std::string description;  // for --help; says the exit codes
  bool has_doctor = false;  // offers --doctor
  std::vector<Switch> switches = {};
};

struct Invocation {
  std::string config_path;
  bool check_only = false;  // check the configuration file and exit
  bool doctor = false;      // look at what the process needs and exit
};

// Parses the flags. Nothing: help, version or a complaint was printed; `exit_code` says how to end.
std::optional<Invocation> parse(int argc, char** argv, const Program& program, int& exit_code);

// Prints why a configuration is refused, and answers the exit code.
int refuse_config(const Program& program, const Error& error);

// Prints what was found, one line for each check and one for each remedy, and answers the exit
// code: a failure is 1.
int report(const std::vector<Finding>& findings);

// As failpoints::arm(); false: it is refused, and a complaint was printed.
bool arm_failpoints(const Program& program);

// What comes before the first log line of a server.
void begin(const Program& program, log::Level level);

// Flags, configuration, then `run(config)`, or `examine(config)` with --doctor; answers the exit
// code. A Config has a `log_level`. Precondition: `examine` is given exactly with has_doctor.
template <class Config>
int start(int argc, char** argv, const Program& program, Result<Config> (*load)(const std::string&),
          const std::type_identity_t<std::function<int(const Config&)>>& run,
          std::vector<Finding> (*examine)(const Config&) = nullptr) {
  int exit_code = 0;
  const auto invocation = parse(argc, argv, program, exit_code);
  if (!invocation) return exit_code;
  const Result<Config> config = load(invocation->config_path);
  if (!config) return refuse_config(program, config.error());
  if (invocation->check_only) return exit_code;
  if (invocation->doctor) return report(examine(*config));
  if (!arm_failpoints(program)) return process::kExitUsage;
  begin(program, config->log_level);
  return run(*config);
}

}  // namespace assent::program
