#include "cli/program.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/version.h"

namespace assent::cli {
namespace {

const char* const kDescription =
    "Looks after a cluster of Assent. Ask any replica, at its admin port: status --at HOST:PORT.\n"
    "Rows are locked, and nobody knows why? transactions --in-doubt shows what is ours: explain\n"
    "one of them. scan shows all that is prepared in the databases, and whose it is. Databases do\n"
    "not agree? heuristic list shows what was ended otherwise than decided.\n"
    "Exit codes: 0 good, 1 a problem was found, 2 usage.";

// A group of verbs about one thing.
CLI::App& add_group(CLI::App& app, const char* name, const char* description) {
  CLI::App* const group = app.add_subcommand(name, description);
  group->require_subcommand(1);
  group->fallthrough();
  return *group;
}

// Help tells them in this order: those that look, then those that change something.
std::vector<Verb> add_verbs(CLI::App& app, const Settings& settings) {
  const Verb status = add_status(app, settings);
  const Verb participants = add_participants(app, settings);
  CLI::App& one = *participants.parsed_by;
  std::vector<Verb> out = {status,
                           add_transactions(app, settings),
                           add_explain(app, settings),
                           add_scan(app, settings),
                           add_doctor(app, settings),
                           add_watch(app, settings),
                           add_participants_drain(one, settings),
                           add_participants_resume(one, settings),
                           add_participants_add(one, settings),
                           add_participants_remove(one, settings)};
  // It is a group and a verb: when a verb of it was given, that is meant.
  out.push_back(participants);
  CLI::App& heuristic = add_group(app, "heuristic", "Branches that ended otherwise than decided");
  out.push_back(add_heuristic_list(heuristic, settings));
  out.push_back(add_heuristic_forget(heuristic, settings));
  out.push_back(add_resolve(app, settings));
  CLI::App& replica = add_group(app, "replica", "The replicas of a coordinator");
  out.push_back(add_replica_list(replica, settings));
  out.push_back(add_replica_add(replica, settings));
  out.push_back(add_replica_remove(replica, settings));
  out.push_back(add_replica_replace(replica, settings));
  out.push_back(add_replica_transfer_leader(replica, settings));
  out.push_back(add_backup(app, settings));
  out.push_back(add_restore(app, settings));
  CLI::App& log = add_group(app, "log", "The data directory of a replica");
  out.push_back(add_log_verify(log, settings));
  out.push_back(add_log_dump(log, settings));
  return out;
}

int run_given(const std::vector<Verb>& verbs) {
  for (const Verb& verb : verbs) {
    if (verb.parsed_by->parsed()) return verb.run();
  }
  return kExitUsage;
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app(kDescription);
  app.name("assentctl");
  app.set_version_flag("--version", std::string("assentctl ") + kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  Settings settings;
  app.add_flag("--json", settings.json, "JSON on standard output, for machines");
  const std::vector<Verb> verbs = add_verbs(app, settings);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? kExitGood : kExitUsage;
  }
  return run_given(verbs);
}

void print_json(const nlohmann::json& told) {
  std::puts(told.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

int refuse(const Settings& settings, const Error& error) {
  if (settings.json) {
    print_json({{"error", {{"code", name(error.code)}, {"message", error.message}}}});
  } else {
    std::fprintf(stderr, "assentctl: %s\n", error.message.c_str());
  }
  return kExitUsage;
}

int fail(const Settings& settings, const Error& error) {
  refuse(settings, error);
  return error.code == ErrorCode::kInvalidArgument ? kExitUsage : kExitProblem;
}

}  // namespace assent::cli
