// What befalls agents, their databases and the wire between them, again and again until the world
// is healed. What befalls the coordinator's replicas is tests/simulation/faults.h.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "tests/simulation/dice.h"
#include "tests/simulation/postgres/server.h"
#include "tests/simulation/system/agent.h"
#include "tests/simulation/system/wire.h"

namespace assent::simulation::system {

struct SystemSetting;

// For so long at least, faults of a run that never heals come as fast as at first.
inline constexpr Micros kRelentlessTime = 60 * kSecond;

enum class Trouble {
  kAgentCrash,        // the process is killed, and started again
  kAgentPause,        // it stands still; its clocks go on
  kSecondAgent,       // another one is started for the same database, by mistake or in its place
  kServerCrash,       // PostgreSQL is killed with all its backends, and started again
  kBackendStopped,    // a backend stands still, perhaps with a PREPARE in its socket
  kStoppedAndKilled,  // that, and its agent is killed and another one started
  kBackendKilled,     // somebody terminates a backend
  kSlowFlushes,       // the server's disk stands still for a while
  kWireCut,           // between an agent and all replicas, or all clients
  kBadWire,           // many requests and answers are lost, doubled and late
  kStranger,          // somebody prepares transactions of his own
  kAllAtOnce,         // every process is killed, and all are started again
  kPromotion,         // a synchronous standby takes the server's place
  kByHand,            // somebody commits or rolls back a prepared transaction of ours
  kLaggingPromotion,  // an asynchronous standby takes the server's place, without the latest
  kRestore,           // an old copy of the data does, on the same timeline or on a new one
  kClone,             // another agent is started for an old copy of the server, which goes on
};
inline constexpr std::size_t kTroubleKinds = 17;
// Those that lose nothing that was acknowledged come first.
inline constexpr std::size_t kLosslessTroubleKinds = 14;

std::string_view name(Trouble trouble);

using TroubleCounts = std::array<std::uint64_t, kTroubleKinds>;

// A database with the two places where an agent of it may run.
struct Site {
  std::string participant;
  std::unique_ptr<model::Server> server;
  // Copies of the server, which nobody told that they are; the agent in the second place stands
  // behind the last one as long as its behind_clone() says so.
  std::vector<std::unique_ptr<model::Server>> clones;
  std::vector<std::unique_ptr<Agent>> agents;
  std::vector<std::string> strangers;      // gids, prepared by others
  bool synchronous = false;                // it has a synchronous standby
  model::Server::Backup backup = nullptr;  // of the history that it has now

  // Who answers at the address that the agent in this place was given; null: nobody does.
  [[nodiscard]] model::Server* server_of(std::size_t place) const;
};

class Troubles {
 public:
  // `power_cut` kills and starts the coordinator's replicas. All outlive this.
  Troubles(Neighbours around, const SystemSetting& setting, std::vector<Site>& sites,
           std::function<void()> power_cut);

  void start();
  // Nothing strikes any more, and everything is mended.
  void heal();
  // An operator, or the service manager: where no agent is up, one is started.
  void keep_agents_up();

  [[nodiscard]] const TroubleCounts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t count(Trouble trouble) const {
    return counts_[static_cast<std::size_t>(trouble)];
  }
  [[nodiscard]] std::uint64_t total() const;

 private:
  void next();
  void look_after_agents();
  void strike(Trouble trouble);
  void later(Micros delay, std::function<void()> act);
  Site& any_site();
  Agent& agent_of(Site& site);
  void crash(Agent& agent);
  void second_agent(Site& site);
  void crash(Site& site);
  void stop_backend(Site& site);
  void kill_backend(Site& site);
  void stall(Site& site);
  void cut(Site& site);
  void bad_wire();
  void all_at_once();
  void stranger(Site& site);
  void promote(Site& site);
  void lagging_promotion(Site& site);
  void restore(Site& site);
  [[nodiscard]] bool lacks_landmark(const Site& site) const;
  void clone(Site& site);
  void end_clone(Site& site);
  void lose(Site& site, const std::function<void()>& change);
  void back_up();
  void by_hand(Site& site);

  const Neighbours around_;
  const SystemSetting& setting_;
  std::vector<Site>& sites_;
  const std::function<void()> power_cut_;
  Dice dice_;
  bool calm_ = false;
  std::uint64_t strangers_ = 0;
  std::vector<std::pair<Place, Place>> cuts_;
  TroubleCounts counts_{};
};

}  // namespace assent::simulation::system
