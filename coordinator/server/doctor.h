// Looks at what a replica needs from its surroundings.
#pragma once

#include <vector>

#include "base/finding.h"
#include "coordinator/server/replica.h"

namespace assent::coordinator {

// Every check, now: room on the disk, open files, clock, the agents of all participants.
std::vector<Finding> examine(const Services& services);

}  // namespace assent::coordinator
