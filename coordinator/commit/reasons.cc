#include "coordinator/commit/reasons.h"

#include <utility>

namespace assent::commit::reasons {
namespace {

constexpr std::size_t kTextMax = 1'000;  // bytes

// Cuts before a character of UTF-8, never inside one.
void cut(std::string& text) {
  if (text.size() <= kTextMax) return;
  std::size_t end = kTextMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
}

Error about(ErrorCode code, const TransactionId& transaction, std::string_view what) {
  return Error{code, "transaction " + to_string(transaction) + ' ' + std::string(what)};
}

}  // namespace

Error bounded(Error error) {
  cut(error.message);
  cut(error.participant);
  cut(error.leader);
  if (!error.sql) return error;
  cut(error.sql->sqlstate);
  cut(error.sql->message);
  cut(error.sql->detail);
  cut(error.sql->hint);
  cut(error.sql->constraint_name);
  return error;
}

Error invalid(std::string why) {
  return Error{ErrorCode::kInvalidArgument, std::move(why)};
}

Error unknown_participant(const std::string& participant) {
  return Error{ErrorCode::kUnknownParticipant,
               "no participant '" + participant + "' has enrolled with this coordinator",
               participant};
}

Error clock(const TransactionId& transaction, LogTime now) {
  return about(ErrorCode::kClock, transaction,
               "is " + std::to_string((transaction.time() - now).value) +
                   " ms ahead of the coordinator's time; make ids from the time in its replies");
}

Error expired(const TransactionId& transaction) {
  return about(ErrorCode::kExpired, transaction,
               "is older than outcomes are kept, and has no record");
}

Error of_lost_log(const TransactionId& transaction, const std::string& participant) {
  Error error = about(ErrorCode::kExpired, transaction,
                      "has a branch at participant '" + participant +
                          "' of before the coordinator was restored from a backup, and the log "
                          "that was lost may have decided it; see what became of it in the "
                          "databases before it is run again under a new id");
  error.participant = participant;
  return error;
}

Error not_since_restore(const std::string& participant) {
  return Error{ErrorCode::kUnavailable,
               "the coordinator was restored from a backup, and participant '" + participant +
                   "' has not enrolled since; try again when its agent has been started again",
               participant};
}

Error id_reused(const TransactionId& transaction) {
  return about(ErrorCode::kIdReused, transaction,
               "was used for a request with other branches; nothing of this request was done");
}

Error overloaded(std::string_view what, std::size_t limit) {
  return Error{ErrorCode::kOverloaded, "no more than " + std::to_string(limit) + ' ' +
                                           std::string(what) + "; try again later"};
}

Error drained(const std::string& participant, const state::Withdrawal& drain) {
  return Error{ErrorCode::kUnavailable,
               "participant '" + participant + "' is drained by " + drain.operator_name + " (" +
                   drain.reason +
                   ") and takes no new branches; try again when it is resumed (assentctl "
                   "participants resume)",
               participant};
}

Error outcome_unknown(const TransactionId& transaction, const std::string& participant,
                      std::string_view last_loss) {
  Error error = about(ErrorCode::kOutcomeUnknown, transaction,
                      "may have committed in one phase at participant '" + participant +
                          "', whose answer is awaited; repeat the request to ask again");
  if (!last_loss.empty()) error.message.append(" (").append(last_loss).append(")");
  error.participant = participant;
  return error;
}

Error row_lost(const TransactionId& transaction, const std::string& participant) {
  Error error = about(ErrorCode::kOutcomeUnknown, transaction,
                      "may have committed in one phase at participant '" + participant +
                          "' before its database was promoted or restored, and been lost with that "
                          "history; it has not in the database of now, and never will. See what it "
                          "did elsewhere (assentctl heuristic list)");
  error.participant = participant;
  return error;
}

Error deadline(const std::string& participant, std::string_view last_loss) {
  std::string message = "participant '" + participant + "' did not vote before the deadline";
  if (!last_loss.empty()) message.append(": ").append(last_loss);
  return Error{ErrorCode::kDeadline, std::move(message), participant};
}

Error asked_for() {
  return Error{ErrorCode::kBranchEnded, "the transaction was aborted at a client's request"};
}

Error presumed(const BranchId& found) {
  return Error{ErrorCode::kUnavailable,
               "recovery found the branch of participant '" + found.participant +
                   "' prepared while nobody was committing the transaction, and aborted it",
               found.participant};
}

Error not_run() {
  return Error{ErrorCode::kUnavailable,
               "an earlier copy of this request may have been under way when its leader was lost, "
               "and its statements must not run twice; run it again under a new id"};
}

Error other_history(const std::string& participant) {
  return Error{ErrorCode::kUnavailable,
               "the database of participant '" + participant +
                   "' was promoted or restored meanwhile, and is asked again",
               participant};
}

Error branch_lost(const std::string& participant) {
  return Error{ErrorCode::kUnavailable,
               "the database of participant '" + participant +
                   "' failed over to a standby, or was restored, after its branch had voted and "
                   "before the commit was logged, and may lack the branch; the transaction was "
                   "aborted: run it again under a new id",
               participant};
}

Error other_office(std::uint64_t promised, std::uint64_t present) {
  Error error{ErrorCode::kNotLeader,
              "that this request is the first was promised to office " + std::to_string(promised) +
                  ", and this is office " + std::to_string(present) +
                  "; nothing was done: promise it to this one, if it is still true, or repeat the "
                  "request without the promise"};
  error.office = present;
  return error;
}

std::string heuristic(const BranchId& branch, Outcome wanted, FinishResult result) {
  const std::string text =
      "branch " + to_string(branch) + ", which is " + std::string(name(wanted)) + " in the log, ";
  switch (result) {
    case FinishResult::kDone:
      return text + "has carried the outcome out";
    case FinishResult::kHeuristicCommit:
      return text + "was committed by someone else";
    case FinishResult::kHeuristicRollback:
      return text + "was rolled back by someone else";
    case FinishResult::kHazard:
      return text + "is gone, and nothing proves how it ended";
  }
  return text + "ended in an unknown way";
}

std::string contradiction(const BranchId& branch) {
  return "branch " + to_string(branch) +
         " says that it committed in one phase, against what else is known of its transaction; "
         "was its id used for different requests?";
}

std::string stranger(const BranchId& branch) {
  return "prepared branch " + to_string(branch) +
         " is left alone: this coordinator never issued that epoch, the id is from the future, or "
         "its "
         "xid is not the one that was voted for";
}

std::string broken_history(const BranchId& branch) {
  return "branch " + to_string(branch) +
         " is prepared, its transaction is older than the retention of outcomes, and its database "
         "was promoted or restored since: it may have been committed before. It is left prepared; "
         "see what became of the transaction elsewhere, then end it by hand (assentctl heuristic "
         "list)";
}

}  // namespace assent::commit::reasons
