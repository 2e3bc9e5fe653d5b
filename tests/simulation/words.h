// Messages in words, for traces.
#pragma once

#include <string>

#include "coordinator/paxos/message.h"

namespace assent::simulation {

// One line that says all that a message says, but not the values.
std::string words(const paxos::Message& message);
std::string words(const paxos::Record& record);

}  // namespace assent::simulation
