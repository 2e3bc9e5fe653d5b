// One run of the whole system: replicas of the coordinator, agents with their databases, and
// clients, in a world that breaks, is healed, and must then come to rest with every account right.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "tests/simulation/buggify.h"
#include "tests/simulation/figures.h"
#include "tests/simulation/group.h"
#include "tests/simulation/system/book.h"
#include "tests/simulation/system/client.h"
#include "tests/simulation/system/coordinator.h"
#include "tests/simulation/system/setting.h"
#include "tests/simulation/system/tally.h"
#include "tests/simulation/system/troubles.h"
#include "tests/simulation/system/wire.h"
#include "tests/simulation/trace.h"
#include "tests/simulation/violation.h"

namespace assent::simulation::system {

// Runs a seed.
Run run_system_seed(std::uint64_t seed, const TraceSink& sink = nullptr);

class System {
 public:
  System(std::uint64_t seed, const TraceSink& sink);
  ~System();

  // Throws Violation.
  void run();
  [[nodiscard]] Figures figures() const;

 private:
  void make_coordinators();
  void make_sites();
  void make_clients();
  // Tells the book what has committed in one phase.
  void read_outcome_rows();
  void executed(const state::Command& command, const state::CommandResult& result);
  void change_group();
  void lose_the_log();
  void break_things();
  void settle();
  // Operators decide about what the coordinator leaves to them since it was restored.
  void resolve_what_is_left();
  void check_end();
  template <class Condition, class Words>
  void await(Checker checker, Micros patience, Condition condition, Words words);
  [[nodiscard]] Agent* find_agent(const std::string& address) const;
  [[nodiscard]] std::vector<std::string> left_prepared(const Site& site) const;
  [[nodiscard]] std::string left_to_operators() const;
  void propose(state::Command command);
  [[nodiscard]] std::string busy() const;
  void fill(SystemFigures& out) const;

  const SystemSetting setting_;
  Scheduler scheduler_;
  Trace trace_;
  Group group_;
  Wire wire_;
  Book book_;
  Tally tally_;
  Buggify buggify_;
  std::vector<std::unique_ptr<Coordinator>> coordinators_;
  std::vector<Site> sites_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::optional<Troubles> troubles_;
  std::uint64_t asked_ = 0;  // of the log by operators
  Micros rest_after_heal_ = 0;
};

}  // namespace assent::simulation::system
