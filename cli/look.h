// Questions to many admin ports at once, none of which holds the others up. Who does not answer
// costs kLookMax, however much was to be asked of him and of however many others.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "wire/insight_types.h"

namespace assent::cli {

// Who does not answer within this is told as not reached.
inline constexpr Millis kLookMax{3'000};

// What is asked of one admin port, "host:port".
struct Look {
  std::string address;
  bool process = true;
  bool prepared = false;  // of agents only; asked when the process has said how it is
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
std::vector<Result<wire::PreparedReply>> look_at_prepared(
    const std::vector<std::string>& addresses);
std::vector<Result<wire::TraceReply>> trace(const std::vector<std::string>& addresses,
                                            const std::string& transaction);

}  // namespace assent::cli
