// How one run's world is made: everything follows from the seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/network.h"
#include "tests/simulation/postgres/options.h"
#include "tests/simulation/setting.h"
#include "tests/simulation/system/troubles.h"

namespace assent::simulation::system {

struct SystemSetting {
  Setting group;  // of the coordinator's replicas
  std::vector<std::string> participants;
  std::vector<model::Options> databases;  // by participant
  std::uint32_t clients = 8;
  Micros think_max = 0;
  Weather weather{};                // between clients, agents and coordinators
  std::vector<Trouble> troubles{};  // those that happen
  Micros trouble_gap_max = 0;
  // So far do the clocks of clients run wrong at times; 0: never.
  Millis client_clock_max{};
  bool relentless = false;  // faults never end: only what may never happen is checked
  // All replicas of the coordinator are lost so long after a backup of their log, which is made
  // then, and restored from it; 0: never.
  Micros backed_up_at = 0;
  Micros restored_after = 0;
};

SystemSetting system_setting_of(std::uint64_t seed);

}  // namespace assent::simulation::system
