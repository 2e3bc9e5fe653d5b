#include "tests/simulation/system/neighbours.h"

#include "tests/simulation/system/coordinator.h"

namespace assent::simulation::system {

std::vector<std::string> addresses_of(const Neighbours& around) {
  std::vector<std::string> out;
  for (const auto& coordinator : around.coordinators) {
    out.push_back(std::to_string(coordinator->place()));
  }
  return out;
}

Coordinator& coordinator_at(const Neighbours& around, const std::string& address) {
  return *around.coordinators[std::stoul(address) - 1];
}

}  // namespace assent::simulation::system
