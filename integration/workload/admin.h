// What a process tells of itself on its admin port.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"

namespace assent::workload {

struct ProcessStatus {
  std::int32_t pid = 0;
  bool ready = false;
  std::map<std::string, std::string> facts = {};
  std::map<std::string, std::int64_t> counters = {};
};

// Asks the admin port at "host:port"; blocks for 3 seconds at most.
Result<ProcessStatus> ask_admin(const std::string& address);

// Whether a replica of the coordinator says that it leads.
bool leads(const ProcessStatus& replica);

// How far the counters of a coordinator went from `before` to `after`. When it is not the same
// process any more they count from zero, the latter's start.
std::map<std::string, std::int64_t> difference(const ProcessStatus& before,
                                               const ProcessStatus& after);

}  // namespace assent::workload
