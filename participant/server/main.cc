// assent-agent: the sidecar of one participant's database.
#include <boost/asio/io_context.hpp>
#include <cstdio>

#include "participant/server/agent.h"
#include "participant/server/config.h"
#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/program.h"

namespace {

using namespace assent;

constexpr const char* kDescription =
    "Stands beside one PostgreSQL database and carries its branches of distributed transactions.\n"
    "Exit codes: 0 stopped cleanly, 1 could not go on, 2 usage or configuration, 3 displaced by "
    "another agent of the same participant (do not restart by itself).";

int exit_code_of(const Error& error) {
  return error.code == ErrorCode::kDisplaced ? process::kExitDisplaced : process::kExitFailure;
}

int run(const participant::Config& config) {
  boost::asio::io_context loop(1);
  int exit_code = process::kExitOk;
  participant::Agent agent(loop, config);
  const process::Signals signals(loop, [&](const std::string& signal) {
    log::info("stopping", {{"signal", signal}});
    agent.drain([&] { loop.stop(); });
  });
  const auto started = agent.start([&](const Error& error) {
    log::error("this life of the agent is over", {{"participant", config.participant},
                                                  {"code", std::string(name(error.code))},
                                                  {"why", error.message}});
    exit_code = exit_code_of(error);
    loop.stop();
  });
  if (!started) {
    log::error("cannot serve", {{"why", started.error().message}});
    return process::kExitFailure;
  }
  loop.run();
  log::info("stopped");
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  int exit_code = process::kExitOk;
  const auto invocation = program::parse(argc, argv, "assent-agent", kDescription, exit_code);
  if (!invocation) return exit_code;
  const auto config = participant::load_config(invocation->config_path);
  if (!config) {
    std::fprintf(stderr, "assent-agent: %s\n", config.error().message.c_str());
    return process::kExitUsage;
  }
  if (invocation->check_only) return process::kExitOk;
  log::init("assent-agent", config->log_level);
  process::raise_file_limit();
  return run(*config);
}
