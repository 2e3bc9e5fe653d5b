// An agent's configuration: a TOML file, checked as a whole before anything starts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "participant/postgres/database.h"
#include "runtime/logging.h"

namespace assent::participant {

struct Config {
  std::string cluster;                    // required; 1 to 32 of [a-z0-9_-]
  std::string participant;                // required; 1 to 63 of [a-z0-9_-]
  std::vector<std::string> coordinators;  // required; "host:port" of the replicas' peer ports

  std::string client_address = "127.0.0.1:7401";  // for clients
  std::string peer_address = "127.0.0.1:7501";    // for the coordinator
  std::string admin_address = "127.0.0.1:7601";   // for administrators
  // What others are told to reach this agent at; by default the addresses above.
  std::string advertised_client_address;
  std::string advertised_peer_address;
  std::string advertised_admin_address;

  postgres::DatabaseOptions database;  // cluster and participant are filled in

  bool one_phase = true;  // a single writing branch may commit here without being prepared (R12)
  Millis heartbeat_every{400};
  // How long a start waits for another life's silence before it gives way (exit code 3).
  Millis displaced_wait{15'000};
  log::Level log_level = log::Level::kInfo;

  // Of one start only, and therefore a flag and no key of the file: an operator has seen that the
  // database lost what it had acknowledged, and goes on with it (R16).
  bool takeover = false;
};

// kInvalidArgument names file, line and key.
Result<Config> load_config(const std::string& path);

}  // namespace assent::participant
