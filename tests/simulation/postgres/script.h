// Scripts for several sessions: the same are run on the model and on the real server.
//
//   "2: BEGIN | SELECT 1"   session 2 sends a batch of these commands
//   "terminate 2"           its backend is terminated
//   "cancel 2"              what it runs is cancelled
//   "hang up 2"             its client closes the connection
//   "status 2"              the status of the xid that session 2 heard of last
//   "crash"                 kill -9 of the whole server, and a start
//   "hold standby"          the synchronous standby gets nothing from now on
//   "release standby"       it has everything
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/simulation/dice.h"
#include "tests/simulation/postgres/options.h"

namespace assent::model {

using Script = std::vector<std::string>;

// The sessions, from 1: their roles and settings. A session is opened again when it has ended.
const std::vector<Login>& script_logins();

// The bank's tables with their rights, and their content at the begin of a script.
extern const char* const kBankSchema;
extern const char* const kNewBank;
// The same for the model, with the limits of the real server.
Options script_options();
// No power is cut, so nothing has to be on the disk.
inline constexpr char kScriptSettings[] =
    "max_prepared_transactions=4 deadlock_timeout=1 fsync=off";

class ScriptWriter {
 public:
  explicit ScriptWriter(std::uint64_t seed) : dice_(seed, 77) {}

  // The next step, given the sessions that wait for an answer.
  std::string next(const std::set<int>& waiting);

 private:
  std::string statement(int session);
  std::string work(int session);
  std::string oddity(int session);
  std::string outcome(int session);
  std::string branch_outcome();
  std::string finish();
  std::string batch(int session);
  std::string id() { return std::to_string(dice_.between(1, 4)); }
  std::string gid() { return "g" + std::to_string(dice_.between(1, 6)); }

  simulation::Dice dice_;
  bool crashed_ = false;
  std::set<std::string> inserts_;  // so that no two wait for one key: who wins is open
};

}  // namespace assent::model
