// assentctl participants add: waits until a new participant takes part, and says what keeps it.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/findings.h"
#include "cli/json_values.h"
#include "cli/look.h"
#include "cli/options.h"
#include "cli/participant_work.h"
#include "cli/program.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "cli/verb.h"

namespace assent::cli {
namespace {

using nlohmann::json;

// What a new participant still lacks, and what its agent has found.
struct Enrolling {
  std::vector<std::string> missing;
  std::vector<wire::Finding> findings;
  std::optional<std::int64_t> epoch;
  bool live = false;
};

// Its agent's admin port: as named, or as the leader tells; empty: nobody has told.
std::string agent_of(const Survey& seen, const ParticipantArguments& arguments) {
  const auto named = arguments.look.agents.find(arguments.participant);
  if (named != arguments.look.agents.end()) return named->second;
  const SeenParticipant* const one = find(seen, arguments.participant);
  return one == nullptr ? "" : one->state.admin_address;
}

// Asks the agent itself; false: it is no agent of this participant, or is not reached.
bool ask_agent(Enrolling& out, const AgentAt& agent) {
  const std::string& address = agent.address;
  const auto told = look_at({{.address = address, .agent = agent}}).front().process;
  if (!told) {
    out.missing.push_back("its agent does not answer at " + address + ": " + told.error().message);
    return false;
  }
  if (!told->ready) {
    out.missing.push_back(
        "its agent is not ready; what it lacks is in the findings, and in its "
        "log");
  }
  auto doctor = call_doctors({address}).front();
  if (!doctor) {
    out.missing.push_back("its agent cannot examine its database: " + doctor.error().message);
    return false;
  }
  out.findings = std::move(doctor->findings);
  for (const wire::Finding& one : out.findings) {
    if (one.verdict != wire::Verdict::FAILURE) continue;
    out.missing.push_back(one.check + ": " + one.found + ". " + one.remedy);
  }
  return true;
}

Enrolling enrolling_of(const Survey& seen, const ParticipantArguments& arguments) {
  const std::string& name = arguments.participant;
  Enrolling out;
  const std::string address = agent_of(seen, arguments);
  if (!address.empty()) ask_agent(out, {seen.viewpoint.cluster, name, address});
  const SeenParticipant* const one = find(seen, name);
  if (one == nullptr) {
    out.missing.push_back(
        "nobody has enrolled under the name " + name +
        ": run participant/schema/install.sql in its database, write an agent.toml that names the "
        "coordinators, and start its agent, which enrols by itself" +
        (address.empty()
             ? "; name its admin port with --agent " + name + "=HOST:PORT to hear what keeps it"
             : ""));
    return out;
  }
  out.epoch = one->state.epoch;
  out.live = one->state.live;
  if (!seen.viewpoint.leads) {
    out.missing.push_back("no leader answers: " + seen.leader_unreached);
  } else if (!out.live) {
    out.missing.push_back("it has enrolled, and the leader does not hear its agent at " +
                          one->state.peer_address);
  } else if (!one->state.connected) {
    out.missing.push_back("the leader does not reach its agent's peer port, " +
                          one->state.peer_address + ": see advertise.peer");
  }
  if (address.empty()) out.missing.push_back(kNoAdminAddress);
  if (one->state.__isset.drain) {
    out.missing.push_back("it is drained (" + one->state.drain.reason +
                          "): assentctl participants resume " + name);
  }
  return out;
}

int add(const Settings& settings, const ParticipantArguments& arguments) {
  ParticipantWork work(settings, arguments);
  Enrolling now;
  const auto missing = work.await([&](const Survey& seen) {
    now = enrolling_of(seen, arguments);
    return now.missing;
  });
  if (!missing) return fail(settings, missing.error());
  if (settings.json) {
    json findings = json::array();
    for (const wire::Finding& one : now.findings) findings.push_back(as_json(one));
    print_json({{"participant", arguments.participant},
                {"serves", missing->empty()},
                {"epoch", or_null(now.epoch)},
                {"live", now.live},
                {"missing", *missing},
                {"findings", findings},
                {"waited_ms", work.waited().value}});
    return missing->empty() ? kExitGood : kExitProblem;
  }
  for (const wire::Finding& one : now.findings) {
    if (one.verdict != wire::Verdict::WARNING) continue;
    std::printf("%s\n", toned("warning: " + one.check + ": " + one.found + ". " + one.remedy,
                              Tone::kWarning)
                            .c_str());
  }
  print_not_yet(*missing);
  if (missing->empty()) {
    std::printf("%s\n",
                toned(arguments.participant + " takes part, in epoch " + std::to_string(*now.epoch),
                      Tone::kGood)
                    .c_str());
  }
  return missing->empty() ? kExitGood : kExitProblem;
}

}  // namespace

Verb add_participants_add(CLI::App& participants, const Settings& settings) {
  const auto arguments = std::make_shared<ParticipantArguments>();
  Verb verb = add_participant_verb(
      participants, settings, "add",
      "Waits until a new participant takes part, and says what keeps it; agents "
      "enrol by themselves",
      arguments, add);
  add_agents(*verb.parsed_by, arguments->look.agents);
  add_timeout(*verb.parsed_by, *arguments, 60);
  return verb;
}

}  // namespace assent::cli
