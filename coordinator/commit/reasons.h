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
// It names a branch of before the coordinator was restored from a backup (R15).
Error of_lost_log(const TransactionId& transaction, const std::string& participant);
// No agent of the participant has enrolled since then.
Error not_since_restore(const std::string& participant);
Error id_reused(const TransactionId& transaction);
Error overloaded(std::string_view what, std::size_t limit);
// An operator has drained the participant.
Error drained(const std::string& participant, const state::Withdrawal& drain);
// The promise `first` was made to office `promised`, and this is office `present`.
Error other_office(std::uint64_t promised, std::uint64_t present);
// T may have committed in one phase at `participant`, which has not told yet (R12).
Error outcome_unknown(const TransactionId& transaction, const std::string& participant,
                      std::string_view last_loss);

// T may have committed in one phase, in a history of the participant's database that is lost.
Error row_lost(const TransactionId& transaction, const std::string& participant);

// ── reasons of an abort ─────────────────────────────────────────────────────────────────────────
Error deadline(const std::string& participant, std::string_view last_loss);
Error asked_for();
Error presumed(const BranchId& found);
Error not_run();
// Why a prepare is asked again: what was answered is of a history that is over.
Error other_history(const std::string& participant);
// The participant's database was promoted or restored after its branch had voted.
Error branch_lost(const std::string& participant);

// ── warnings ────────────────────────────────────────────────────────────────────────────────────
// Precondition: `result` is not kDone.
std::string heuristic(const BranchId& branch, Outcome wanted, FinishResult result);
// `branch` says that it committed in one phase, and T was aborted, or is prepared elsewhere.
std::string contradiction(const BranchId& branch);
std::string stranger(const BranchId& branch);
// `branch` is prepared in a database that may have lost what it acknowledged.
std::string broken_history(const BranchId& branch);

}  // namespace assent::commit::reasons
