// assent-coordinator: one replica of the coordinator.
#include <boost/asio/io_context.hpp>

#include "coordinator/server/config.h"
#include "coordinator/server/replica.h"
#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/program.h"

namespace {

using namespace assent;

constexpr const char* kDescription =
    "Decides distributed transactions over PostgreSQL, durably: one replica of the coordinator.\n"
    "Exit codes: 0 stopped cleanly, 1 could not go on, 2 usage or configuration.";

int run(const coordinator::Config& config) {
  boost::asio::io_context loop(1);
  int exit_code = process::kExitOk;
  coordinator::Replica replica(loop, config, [&](const Error& why) {
    log::error("cannot go on", {{"why", why.message}});
    exit_code = process::kExitFailure;
    loop.stop();
  });
  const process::Signals signals(loop, [&](const std::string& signal) {
    log::info("stopping", {{"signal", signal}});
    replica.drain([&] { loop.stop(); });
  });
  if (const auto opened = replica.open(); !opened) {
    log::error("cannot start", {{"why", opened.error().message}});
    return process::kExitFailure;
  }
  loop.run();
  log::info("stopped");
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  return program::start(argc, argv, {"assent-coordinator", kDescription}, &coordinator::load_config,
                        &run);
}
