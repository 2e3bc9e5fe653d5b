// Everything that the log, the leader, the agents and their databases have said of one transaction:
// what the diagnosis starts from. PURE.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/gid.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/commit/driven_view.h"
#include "coordinator/state/heuristics.h"
#include "participant/branch/branch_table.h"

namespace assent::explain {

// The replica that has told of the log.
struct Viewpoint {
  std::string cluster;
  ReplicaId replica;
  bool leads = false;  // else it says what it has executed so far, and hears no agents
  LogTime now;
  LogTime floor;
  Millis retention;
  std::uint64_t office = 0;  // of a leader: its number, …
  Slot office_after;         // … the last slot before it …
  LogTime office_since;      // … and when it began
  bool restored = false;     // the coordinator was, from a backup (R15)
};

struct Record {
  Outcome outcome = Outcome::kAborted;
  bool presumed = false;  // by recovery: nobody was committing it
  Error reason;           // of an abort
  std::vector<state::DecidedBranch> branches;
  Slot decided_in;
  LogTime decided_at;
  Slot forgotten_in;  // 0: some branch has not confirmed
};

enum class Belonging : std::uint8_t { kOurs = 1, kStranger, kForeign };

struct HeldLock {
  std::string object;
  std::string mode;
  std::int64_t count = 0;
};

struct LockWaiter {
  std::int64_t pid = 0;
  std::string user;
  std::string application;
  std::optional<Millis> waiting;
  std::string object;
  std::string mode;
};

// A prepared transaction as a database shows it.
struct Prepared {
  std::string gid;
  std::string owner;
  std::string database;
  std::uint32_t xid = 0;
  Millis age;
  std::int64_t xid_age = 0;
  Belonging belonging = Belonging::kForeign;
  std::optional<Gid> parsed;
  std::vector<HeldLock> locks;
  std::vector<LockWaiter> waiters;
};

struct OutcomeRow {
  bool committed = false;
  LogTime decided_at;  // by the database's clock
};

// A branch in its agent's memory, of the agent's present life.
struct Remembered {
  BranchId branch;
  std::string state;  // as the agent calls it: "open", "prepared", "ended" …
  std::optional<branch::VoteKind> vote;
  std::string because;  // of one that has ended
  std::optional<Millis> opened_ago;
  std::optional<Millis> idle_ends_in;
  std::optional<Millis> life_ends_in;
};

struct AgentSays {
  Epoch epoch;
  LogTime now;  // by its host's clock
  std::optional<Remembered> branch;
  std::string database_error;  // why its database could not be asked; empty: it was
  std::vector<Prepared> prepared;
  std::optional<OutcomeRow> outcome;
  std::vector<std::string> branch_outcomes;  // "epoch.attempt"
};

struct Participant {
  std::string name;
  std::string client_address;
  std::string peer_address;
  std::string admin_address;  // empty: nobody has told it
  Epoch epoch;
  bool live = false;                // the leader hears its heartbeats
  std::optional<Millis> heard_ago;  // none: this leader has heard none
  bool connected = false;           // to the leader
  Epoch broken_below;
  LogTime broken_at;
  Epoch quarantined_below;
  std::optional<AgentSays> agent;  // none: it could not be asked
  std::string unreached;           // then: why
};

struct Facts {
  std::string asked;                         // as it was given: an id or a gid
  std::optional<TransactionId> transaction;  // none: a gid that names no transaction of ours
  std::optional<Viewpoint> log;              // none: no replica answered, …
  std::string log_unreached;                 // … for this reason
  std::string leader_unreached;              // a replica answered that does not lead; why
  std::optional<Record> record;
  std::optional<commit::DrivenView> driven;
  std::optional<state::Heuristic> heuristic;
  std::vector<Participant> participants;  // all that the log knows
};

}  // namespace assent::explain
