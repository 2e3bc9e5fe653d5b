// assent-agent: the sidecar of one participant's database.
#include <boost/asio/io_context.hpp>

#include "participant/postgres/database.h"
#include "participant/postgres/libpq_connection.h"
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

// What --doctor tells: the checks of a start, without starting.
std::vector<Finding> examine(const participant::Config& config) {
  log::init("assent-agent", log::Level::kError);
  boost::asio::io_context loop(1);
  postgres::Database database(loop, config.database, postgres::LibpqConnection::open);
  std::vector<Finding> findings;
  database.doctor([&](Result<std::vector<Finding>> found) {
    if (found) findings = std::move(*found);
    loop.stop();
  });
  loop.run();
  return findings;
}

}  // namespace

constexpr const char* kTakeover =
    "for this start only: go on with this database although it lacks what it had acknowledged (an "
    "older copy was restored, or a lagging standby promoted); what is missing is told as heuristic "
    "ends. Read \"A database was promoted or restored\" in docs/operations.md first";

int main(int argc, char** argv) {
  bool takeover = false;
  const auto start = [&](participant::Config config) {
    config.takeover = takeover;
    return run(config);
  };
  return program::start<participant::Config>(
      argc, argv,
      {"assent-agent", kDescription, /*has_doctor=*/true, {{"--takeover", kTakeover, &takeover}}},
      &participant::load_config, start, &examine);
}
