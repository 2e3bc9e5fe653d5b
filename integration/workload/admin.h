// What a process tells of itself on its admin port.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

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

// What each of the replicas at these admin ports tells, by its pid; one that does not answer is
// left out, and named on standard error.
std::map<std::int32_t, ProcessStatus> ask_all(const std::vector<std::string>& admins);

// How far the counters of the replica that leads in the end have gone.
std::map<std::string, std::int64_t> leaders_counters(
    const std::map<std::int32_t, ProcessStatus>& before,
    const std::map<std::int32_t, ProcessStatus>& after);

}  // namespace assent::workload
