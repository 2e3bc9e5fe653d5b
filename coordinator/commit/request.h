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

// Equal for requests for the same branches in whatever order, their statements and hints included;
// never 0 (R9). Where `first` differs it is the same request.
std::uint64_t request_hash(const std::vector<RequestedBranch>& branches);

// The one branch that may have written, by the request's hints (R12). Null: none is, or several
// are.
const RequestedBranch* writer_of(const std::vector<RequestedBranch>& branches);

bool has_one_shots(const std::vector<RequestedBranch>& branches);

// Of the branches that clients opened: a one-shot has no name before it is run.
std::vector<BranchId> branch_ids(const TransactionId& transaction,
                                 const std::vector<RequestedBranch>& branches);

}  // namespace assent::commit
