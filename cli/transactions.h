// Transactions as a replica tells of them, in words; what the verbs about them share.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "cli/group_client.h"
#include "wire/insight_types.h"

namespace assent::cli {

// "preparing", "one-phase", "settling", "proposing", "finishing".
const char* word(wire::Stage::type stage);
// "held", "asked", "voted", "left", "stray", "ending", "ended".
const char* word(wire::BranchStage::type stage);

// What the log and the leader say of T, in a word or two: "preparing", "finishing", "applied",
// "left to an operator", "ended otherwise", "unknown".
std::string state_word(const wire::TransactionState& one);
// Of T, where it is decided.
std::optional<wire::Outcome::type> outcome_of(const wire::TransactionState& one);
// The log expects that a branch of T is prepared whose outcome has not reached it.
bool in_doubt(const wire::TransactionState& one);
bool touches(const wire::TransactionState& one, const std::string& participant);
// Since its id was made, by the log's time.
Millis age_of(const wire::TransactionState& one, const wire::Viewpoint& viewpoint);

// All that are not at rest, or those that are named, asked for in as many calls as it takes.
struct Transactions {
  wire::Viewpoint viewpoint;
  std::vector<wire::TransactionState> all;
};
Result<Transactions> restless_transactions(GroupClient& client);
Result<Transactions> named_transactions(GroupClient& client, const std::vector<std::string>& names);

nlohmann::json as_json(const wire::TransactionState& one, const wire::Viewpoint& viewpoint);

}  // namespace assent::cli
