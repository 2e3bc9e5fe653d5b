// A look at a whole cluster: its replicas, its participants and what their databases have prepared.
// What could not be reached is part of what was found.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "cli/group_client.h"
#include "wire/insight_types.h"

namespace assent::cli {

// For how long a verb that looks goes on looking for a leader; then it asks any replica.
inline constexpr Millis kLeaderPatience{3'000};

// Admin ports of agents that an operator has named, by participant: they count instead of what the
// leader tells.
using AgentAddresses = std::map<std::string, std::string>;

struct SeenReplica {
  std::int32_t replica = 0;   // 0: it has not told
  std::string admin_address;  // empty: nobody has told it
  bool learner = false;
  std::optional<std::int64_t> behind;  // slots, as the leader has heard; none: it has not
  std::optional<wire::ProcessStatusReply> status;
  std::string unreached;  // why there is no status
};

struct SeenParticipant {
  wire::ParticipantState state;  // with the admin address that was asked
  std::optional<wire::ProcessStatusReply> status;
  std::string unreached;  // why there is no status: its agent does not answer
  std::optional<wire::PreparedReply> prepared;
  std::string database_unreached;  // why there is none

  // Ours, in its database: branches whose outcome has not reached them.
  [[nodiscard]] std::vector<const wire::PreparedTransaction*> in_doubt() const;
};

struct Survey {
  wire::Viewpoint viewpoint;
  std::string leader_unreached;  // why no leader has answered; empty: one did
  std::vector<SeenReplica> replicas;
  std::vector<SeenParticipant> participants;
  wire::BudgetLimits limits;  // as the replica that told has them

  // Who was not reached, as sentences that say what is therefore not known.
  [[nodiscard]] std::vector<std::string> missing() const;
};

struct SurveyOptions {
  std::vector<std::string> at;  // admin ports of replicas
  AgentAddresses agents;
  bool replicas = true;  // look at each replica and each agent's process, too
};

// An error: no replica has answered.
Result<Survey> survey(GroupClient& client, const SurveyOptions& options);

// Where a participant's agent is asked; empty: nobody has told.
std::string admin_address(const wire::ParticipantState& state, const AgentAddresses& agents);
inline constexpr const char* kNoAdminAddress =
    "nobody has told its admin port: name it with --agent NAME=HOST:PORT";

nlohmann::json as_json(const wire::Viewpoint& viewpoint);
// A list of sentences, on lines of their own.
void print_missing(const std::vector<std::string>& missing);

}  // namespace assent::cli
