#include "base/error.h"

namespace assent {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case ErrorCode::kUnsupportedVersion:
      return "UNSUPPORTED_VERSION";
    case ErrorCode::kNotLeader:
      return "NOT_LEADER";
    case ErrorCode::kUnavailable:
      return "UNAVAILABLE";
    case ErrorCode::kOverloaded:
      return "OVERLOADED";
    case ErrorCode::kUnknownParticipant:
      return "UNKNOWN_PARTICIPANT";
    case ErrorCode::kClock:
      return "CLOCK";
    case ErrorCode::kExpired:
      return "EXPIRED";
    case ErrorCode::kIdReused:
      return "ID_REUSED";
    case ErrorCode::kUnknownBranch:
      return "UNKNOWN_BRANCH";
    case ErrorCode::kStatementNumber:
      return "STATEMENT_NUMBER";
    case ErrorCode::kBranchEnded:
      return "BRANCH_ENDED";
    case ErrorCode::kSql:
      return "SQL";
    case ErrorCode::kStaleBallot:
      return "STALE_BALLOT";
    case ErrorCode::kIdentityMismatch:
      return "IDENTITY_MISMATCH";
    case ErrorCode::kDisplaced:
      return "DISPLACED";
    case ErrorCode::kWrongCluster:
      return "WRONG_CLUSTER";
    case ErrorCode::kDeadline:
      return "DEADLINE";
    case ErrorCode::kOutcomeUnknown:
      return "OUTCOME_UNKNOWN";
    case ErrorCode::kTransactionControl:
      return "TRANSACTION_CONTROL";
    case ErrorCode::kInternal:
      return "INTERNAL";
    case ErrorCode::kRowCount:
      return "ROW_COUNT";
  }
  return "UNKNOWN_CODE";
}

bool retryable(ErrorCode code) {
  return code == ErrorCode::kNotLeader || code == ErrorCode::kUnavailable ||
         code == ErrorCode::kOverloaded || code == ErrorCode::kOutcomeUnknown;
}

bool retryable(const Error& error) {
  if (error.code == ErrorCode::kSql && error.sql) {
    // Serialization failure, deadlock, lock not available, prepared slots or connections exhausted:
    // the same transaction, run again under a new id, may succeed.
    const std::string& state = error.sql->sqlstate;
    return state == "40001" || state == "40P01" || state == "55P03" || state == "53200" ||
           state == "53300";
  }
  return retryable(error.code);
}

}  // namespace assent
