#include "runtime/program.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/version.h"
#include "runtime/failpoint.h"
#include "runtime/process.h"

namespace assent::program {

std::optional<Invocation> parse(int argc, char** argv, const Program& program, int& exit_code) {
  CLI::App app{program.description};
  app.name(program.name);
  Invocation out;
  app.add_option("--config", out.config_path, "TOML configuration file")->required();
  app.add_flag("--check-config", out.check_only, "check the configuration file and exit");
  if (program.has_doctor) {
    app.add_flag("--doctor", out.doctor,
                 "look at everything that it needs, say how it is, and exit");
  }
  for (const Switch& one : program.switches) app.add_flag(one.flag, *one.on, one.help);
  app.set_version_flag("--version", program.name + " " + kVersion);
  try {
    app.parse(argc, argv);
    return out;
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? process::kExitOk : process::kExitUsage;
    return std::nullopt;
  }
}

int refuse_config(const Program& program, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", program.name.c_str(), error.message.c_str());
  return process::kExitUsage;
}

int report(const std::vector<Finding>& findings) {
  bool good = true;
  for (const Finding& finding : findings) {
    const bool failed = finding.verdict == Verdict::kFailure;
    const char* const verdict = failed                                 ? "FAILURE"
                                : finding.verdict == Verdict::kWarning ? "WARNING"
                                                                       : "good";
    good = good && !failed;
    std::printf("%-8s %-36s %s\n", verdict, finding.check.c_str(), finding.found.c_str());
    if (!finding.remedy.empty()) std::printf("%45s -> %s\n", "", finding.remedy.c_str());
  }
  return good ? process::kExitOk : process::kExitFailure;
}

bool arm_failpoints(const Program& program) {
  const auto armed = failpoints::arm();
  if (!armed) std::fprintf(stderr, "%s: %s\n", program.name.c_str(), armed.error().message.c_str());
  return armed.has_value();
}

void begin(const Program& program, log::Level level) {
  log::init(program.name, level);
  process::raise_file_limit();
}

}  // namespace assent::program
