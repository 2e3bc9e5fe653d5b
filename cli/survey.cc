#include "cli/survey.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>

#include "cli/describe.h"
#include "cli/look.h"
#include "cli/table.h"

namespace assent::cli {
namespace {

using nlohmann::json;

std::string name_of(const SeenReplica& replica) {
  const std::string at = replica.admin_address.empty() ? "" : " at " + replica.admin_address;
  return replica.replica == 0 ? "the replica" + at
                              : "replica " + std::to_string(replica.replica) + at;
}

// The group as the leader tells it; without a leader those that were named.
std::vector<SeenReplica> replicas_of(GroupClient& client, const Survey& seen,
                                     const std::vector<std::string>& at) {
  std::vector<SeenReplica> out;
  if (seen.leader_unreached.empty()) {
    if (const auto group = client.group()) {
      for (const wire::ReplicaInfo& one : group->replicas) {
        SeenReplica& replica = out.emplace_back();
        replica.replica = one.replica;
        replica.admin_address = one.admin_address;
        replica.learner = one.learner;
        replica.behind = std::max<std::int64_t>(0, group->chosen_slot - one.chosen_slot);
      }
      return out;
    }
  }
  for (const std::string& address : at) {
    const bool named_twice =
        std::ranges::find(out, address, &SeenReplica::admin_address) != out.end();
    if (!named_twice) out.emplace_back().admin_address = address;
  }
  return out;
}

void take(SeenReplica& one, Seen seen) {
  if (!seen.process) {
    one.unreached = seen.process.error().message;
    return;
  }
  one.status = std::move(*seen.process);
  const auto id = one.status->facts.find("replica");
  if (one.replica == 0 && id != one.status->facts.end()) one.replica = std::stoi(id->second);
}

void take(SeenParticipant& one, Seen seen, bool process) {
  if (seen.process) {
    one.status = std::move(*seen.process);
  } else if (process) {
    one.unreached = seen.process.error().message;
  }
  if (seen.prepared) {
    one.prepared = std::move(*seen.prepared);
  } else {
    one.database_unreached = seen.prepared.error().message;
  }
}

// Everybody at once. An agent before its database: what the agent says that it has not, its
// database is asked for after that (`participants drain` counts on it).
void look_at_all(Survey& survey, bool processes) {
  std::vector<Look> looks;
  std::vector<std::function<void(Seen)>> taken;
  for (SeenParticipant& one : survey.participants) {
    if (one.state.admin_address.empty()) {
      one.unreached = one.database_unreached = kNoAdminAddress;
      continue;
    }
    looks.push_back({one.state.admin_address, processes, /*prepared=*/true,
                     AgentAt{survey.viewpoint.cluster, one.state.name, one.state.admin_address}});
    taken.emplace_back([&one, processes](Seen seen) { take(one, std::move(seen), processes); });
  }
  for (SeenReplica& one : survey.replicas) {
    if (one.admin_address.empty()) {
      one.unreached = "its configuration names no admin port";
      continue;
    }
    looks.push_back({one.admin_address});
    taken.emplace_back([&one](Seen seen) { take(one, std::move(seen)); });
  }
  std::vector<Seen> seen = look_at(looks);
  for (std::size_t i = 0; i < seen.size(); ++i) taken[i](std::move(seen[i]));
}

}  // namespace

std::vector<const wire::PreparedTransaction*> SeenParticipant::in_doubt() const {
  std::vector<const wire::PreparedTransaction*> out;
  if (!prepared) return out;
  for (const auto& one : prepared->transactions) {
    if (one.belonging == wire::Belonging::OURS) out.push_back(&one);
  }
  return out;
}

std::vector<std::string> Survey::missing() const {
  std::vector<std::string> out;
  if (!leader_unreached.empty()) {
    out.push_back("no leader answers, so this is what replica " +
                  std::to_string(viewpoint.replica) + " has executed so far: " + leader_unreached);
  }
  for (const SeenReplica& one : replicas) {
    if (!one.unreached.empty()) out.push_back(name_of(one) + " was not reached: " + one.unreached);
  }
  for (const SeenParticipant& one : participants) {
    if (!one.unreached.empty()) {
      out.push_back("the agent of " + one.state.name + " was not reached: " + one.unreached);
    } else if (!one.database_unreached.empty()) {
      out.push_back("what is prepared in the database of " + one.state.name +
                    " is not known: " + one.database_unreached);
    }
  }
  return out;
}

std::string admin_address(const wire::ParticipantState& state, const AgentAddresses& agents) {
  const auto named = agents.find(state.name);
  return named == agents.end() ? state.admin_address : named->second;
}

Result<Survey> survey(GroupClient& client, const SurveyOptions& options) {
  auto told = client.participants();
  if (!told) return tl::unexpected(told.error());
  Survey out;
  out.viewpoint = told->viewpoint;
  out.leader_unreached = client.leader_unreached();
  out.limits = told->limits;
  for (wire::ParticipantState& state : told->participants) {
    SeenParticipant& one = out.participants.emplace_back();
    one.state = std::move(state);
    one.state.admin_address = admin_address(one.state, options.agents);
  }
  if (options.replicas) out.replicas = replicas_of(client, out, options.at);
  look_at_all(out, options.replicas);
  return out;
}

json as_json(const wire::Viewpoint& viewpoint) {
  json out = {{"cluster", viewpoint.cluster},
              {"replica", viewpoint.replica},
              {"leads", viewpoint.leads},
              {"now", utc(LogTime(viewpoint.now_ms))},
              {"floor", utc(LogTime(viewpoint.floor_ms))},
              {"retention_ms", viewpoint.retention_ms},
              {"restored", viewpoint.restored},
              {"office", nullptr},
              {"office_since", nullptr}};
  if (viewpoint.__isset.office) out["office"] = viewpoint.office;
  if (viewpoint.__isset.office_since_ms) {
    out["office_since"] = utc(LogTime(viewpoint.office_since_ms));
  }
  return out;
}

void print_missing(const std::vector<std::string>& missing) {
  for (const std::string& one : missing) {
    std::printf("%s\n", toned("not reached: " + one, Tone::kBad).c_str());
  }
}

}  // namespace assent::cli
