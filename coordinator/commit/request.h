// What is checked of a client's request, and what is remembered of it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "coordinator/commit/office.h"
#include "coordinator/state/state_machine.h"

namespace assent::commit {

inline constexpr std::size_t kRequestBranchesMax = 64;
inline constexpr Millis kTimeoutMax{600'000};

// What is wrong with the request by itself; none when nothing is.
std::optional<Error> objection(const CommitAsked& asked);
std::optional<Error> objection(const AbortAsked& asked);

// Why this request may not begin anything new now: T's time is outside (floor, now + skew] (R14,
// R17), or a participant never enrolled. Precondition: T has neither record nor driver.
std::optional<Error> refusal(const TransactionId& transaction,
                             const std::vector<RequestedBranch>& branches,
                             const state::StateMachine& state, LogTime now, Millis skew_max);

// Equal for requests for the same branches in whatever order; never 0 (R9).
std::uint64_t request_hash(const std::vector<RequestedBranch>& branches);

std::vector<BranchId> branch_ids(const TransactionId& transaction,
                                 const std::vector<RequestedBranch>& branches);

}  // namespace assent::commit
