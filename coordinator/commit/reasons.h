// What clients and operators are told: the sentences of refusals, of aborts, and of branches that
// someone else ended.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/commit/office.h"

namespace assent::commit::reasons {

// The error with its texts cut to what a record may cost in the log and in memory.
Error bounded(Error error);

// ── refusals of a request ───────────────────────────────────────────────────────────────────────
Error invalid(std::string why);
Error unknown_participant(const std::string& participant);
Error clock(const TransactionId& transaction, LogTime now);
Error expired(const TransactionId& transaction);
Error id_reused(const TransactionId& transaction);
Error overloaded(std::string_view what, std::size_t limit);

// ── reasons of an abort ─────────────────────────────────────────────────────────────────────────
Error deadline(const std::string& participant, std::string_view last_loss);
Error asked_for();
Error presumed(const BranchId& found);

// ── warnings ────────────────────────────────────────────────────────────────────────────────────
// Precondition: `result` is not kDone.
std::string heuristic(const BranchId& branch, Outcome wanted, FinishResult result);
std::string stranger(const BranchId& branch);

}  // namespace assent::commit::reasons
