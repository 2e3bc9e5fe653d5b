// Questions to many admin ports at once, none of which holds the others up. Who does not answer
// costs kLookMax, however much was to be asked of him and of however many others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "wire/insight_types.h"

namespace assent::cli {

// Who does not answer within this is told as not reached.
inline constexpr Millis kLookMax{3'000};

// The agent that is meant. Whoever else answers at its address, which may be another's by now, is
// told as not reached.
struct AgentAt {
  std::string cluster;  // empty: it is not known
  std::string participant;
  std::string address;  // "host:port" of its admin port
};

// What is asked of one admin port, "host:port".
struct Look {
  std::string address;
  bool process = true;
  bool prepared = false;              // of agents only; asked when the process has said how it is
  std::optional<AgentAt> agent = {};  // none: it is asked who it is
};
struct Seen {
  // Where it was not asked: kUnavailable.
  Result<wire::ProcessStatusReply> process;
  Result<wire::PreparedReply> prepared;  // where the process has not answered: the same error
};
// In their order.
std::vector<Seen> look_at(const std::vector<Look>& looks);

// Of each address, in their order, what it answered. Addresses are "host:port" of admin ports.
std::vector<Result<wire::DoctorReply>> call_doctors(const std::vector<std::string>& addresses);
// Of agents only.
std::vector<Result<wire::PreparedReply>> look_at_prepared(const std::vector<AgentAt>& agents);
std::vector<Result<wire::TraceReply>> trace(const std::vector<AgentAt>& agents,
                                            const std::string& transaction);

}  // namespace assent::cli
