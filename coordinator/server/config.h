// A coordinator replica's configuration: a TOML file, checked as a whole before anything starts.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/commit/budget.h"
#include "runtime/logging.h"

namespace assent::coordinator {

// Ids of replicas are small numbers, that people type; messages of others are not heard.
inline constexpr std::int64_t kReplicaIdMax = 1'000;
constexpr bool valid_replica(std::int64_t id) {
  return 1 <= id && id <= kReplicaIdMax;
}

// Where a replica is reached, "host:port" each.
struct Member {
  std::string client_address;
  std::string peer_address;
  std::string admin_address{};  // empty: not told
};

struct Config {
  std::string cluster;         // required; 1 to 32 of [a-z0-9_-]
  ReplicaId replica{1};        // unique in the cluster, never used again once its disk is lost
  std::string data_directory;  // required; made when missing

  // Where this replica listens. The defaults are its own addresses in `group`, where it has one.
  std::string client_address = "127.0.0.1:7101";  // for clients
  std::string peer_address = "127.0.0.1:7201";    // for agents and other replicas
  std::string admin_address = "127.0.0.1:7301";   // for administrators

  // This replica joins a group that is there: it is nobody before the group adds it.
  bool joins = false;
  // The replicas that found the group, this one too. Left out of the file: this one alone. Once the
  // group is in the log, the log says who is in it. Of one that joins: itself, and those it asks.
  std::map<ReplicaId, Member> group;
  Millis heartbeat_every{50};  // of the leader
  Millis election_min{300};    // a leader silent for this long, up to twice, is succeeded

  // A snapshot of the state is written after each so many bytes of log; about twice as much log is
  // kept.
  std::uint64_t snapshot_log_bytes = 64u << 20;

  Millis retention{600'000};        // how long an outcome can be asked for
  Millis agent_silence{1'500};      // without a heartbeat for this long an agent counts as gone
  std::size_t one_shots_max = 256;  // under way at one agent; one more is refused as OVERLOADED
  commit::BudgetLimits budget;      // in doubt at a participant
  log::Level log_level = log::Level::kInfo;
};

// kInvalidArgument names file, line and key.
Result<Config> load_config(const std::string& path);

}  // namespace assent::coordinator
