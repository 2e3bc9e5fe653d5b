// How a model server is set up, who logs in, and what it counts.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/simulation/postgres/wal.h"

namespace assent::model {

using SessionId = std::uint64_t;  // of one backend, for good: process ids are used again

struct Options {
  std::uint64_t system_identifier = 7'000'000'000'000'000'001;
  std::uint32_t database_oid = 16'384;
  std::string database = "orders";
  // The control role is a member of the work role, as install.sql makes them. "postgres" is the
  // superuser; any other name is a role without rights.
  std::string control_role = "assent_agent";
  std::string work_role = "assent_work";
  int max_prepared_transactions = 64;
  int connections_max = 60;
  bool synchronous_standby = false;
  Xid first_xid = 0x1'0000'0300;
  std::map<std::int64_t, std::int64_t> balances;  // of the table account
  std::uint64_t epoch = 0;                        // that stands in the database already
  Value outcome_key = std::nullopt;               // the same
  // How long things take.
  Micros service_min = 30;
  Micros service_max = 1'500;
  Micros flush_min = 300;
  Micros flush_max = 8'000;
  Micros replication_min = 200;
  Micros replication_max = 20'000;
  Micros start_min = 50'000;
  Micros start_max = 2'000'000;
  Micros deadlock_timeout = simulation::kSecond;
  // Of transactions under SERIALIZABLE that wrote, so many fail with 40001 where they could.
  std::uint64_t serialization_failure_percent = 0;
};

struct Login {
  std::string role;
  std::string application_name = {};
  std::string settings = {};  // "-c name=value ..."
  bool standby = false;       // connects to the standby
};

struct Counters {
  std::uint64_t commands = 0;
  std::uint64_t prepares = 0;  // that succeeded
  std::uint64_t commits = 0;   // with an xid, of one phase
  std::uint64_t finishes = 0;  // COMMIT PREPARED and ROLLBACK PREPARED that succeeded
  std::uint64_t flushes = 0;
  std::uint64_t deadlocks = 0;
  std::uint64_t lock_waits = 0;
  std::uint64_t connections = 0;
  std::uint64_t crashes = 0;
  std::uint64_t promotions = 0;
};

// What became of a gid, in order.
struct GidEvent {
  enum class Kind : std::uint8_t {
    kPrepared,
    kCommitted,
    kRolledBack,
    kLost,        // prepared, or ended, in a history that was lost
    kReappeared,  // prepared again, because the history in which it ended was lost
  };
  Micros at = 0;
  Kind kind = Kind::kPrepared;
  std::string gid;
  Xid xid = 0;
  std::string by;  // the role; empty: nobody, the history changed
};

struct EpochRow {
  std::uint64_t epoch = 0;
  Value cluster;
  Value participant;
  Value outcome_key;  // itself, where the server has its SHA-256
};

}  // namespace assent::model
