// Questions to many admin ports at once, none of which holds the others up.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "wire/insight_types.h"

namespace assent::cli {

// Who does not answer within this is told as not reached.
inline constexpr Millis kLookMax{3'000};

// Of each address, in their order, what it answered. Addresses are "host:port" of admin ports.
std::vector<Result<wire::ProcessStatusReply>> look_at_processes(
    const std::vector<std::string>& addresses);
std::vector<Result<wire::DoctorReply>> call_doctors(const std::vector<std::string>& addresses);
// Of agents only.
std::vector<Result<wire::PreparedReply>> look_at_prepared(
    const std::vector<std::string>& addresses);
std::vector<Result<wire::TraceReply>> trace(const std::vector<std::string>& addresses,
                                            const std::string& transaction);

}  // namespace assent::cli
