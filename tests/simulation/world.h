// One run: a group of replicas with its clients in a world that breaks, is healed, and is then
// asked for life. Everything follows from the seed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tests/simulation/clients.h"
#include "tests/simulation/figures.h"
#include "tests/simulation/group.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/setting.h"
#include "tests/simulation/trace.h"
#include "tests/simulation/violation.h"

namespace assent::simulation {

// Runs a seed.
Run run_seed(std::uint64_t seed, const TraceSink& sink = nullptr);

class World {
 public:
  World(std::uint64_t seed, const TraceSink& sink);

  // Throws Violation.
  void run();
  [[nodiscard]] Figures figures() const;

 private:
  void break_things();
  void let_changes_end();
  void demand_life(Healing healing);
  void demand_succession(Healing wound);
  void await_progress(Micros begun);
  void expect_stable_leader();
  void settle();
  void check_end() const;
  template <class Condition>
  Micros await(Checker checker, Micros patience, const char* what, Condition condition);
  [[nodiscard]] bool can_spare_one() const;
  [[nodiscard]] bool somebody_serves() const;
  [[nodiscard]] bool all_caught_up() const;
  [[nodiscard]] const Host& host(ReplicaId replica) const { return *hosts_[replica.value - 1]; }
  [[nodiscard]] std::uint64_t sum(std::uint64_t (Host::*of)() const) const;

  const Setting setting_;
  Scheduler scheduler_;
  Trace trace_;
  Group group_;
  const Ledger& ledger_ = group_.ledger;
  History& history_ = group_.history;
  Network& network_ = group_.network;
  Hosts& hosts_ = group_.hosts;
  Operators& operators_ = group_.operators;
  Faults& faults_ = group_.faults;
  Clients clients_;
  Micros leader_after_heal_ = 0;
  Micros progress_after_heal_ = 0;
};

}  // namespace assent::simulation
