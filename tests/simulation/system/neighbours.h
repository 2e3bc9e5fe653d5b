// What is around an agent and a client.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/scheduler.h"
#include "tests/simulation/system/wire.h"
#include "tests/simulation/trace.h"

namespace assent::simulation::system {

class Book;
class Coordinator;

// All of it outlives whoever is given it.
struct Neighbours {
  Scheduler& scheduler;
  Trace& trace;
  Wire& wire;
  Book& book;
  std::vector<std::unique_ptr<Coordinator>>& coordinators;
};

// Coordinators are named by their places.
std::vector<std::string> addresses_of(const Neighbours& around);
Coordinator& coordinator_at(const Neighbours& around, const std::string& address);

}  // namespace assent::simulation::system
