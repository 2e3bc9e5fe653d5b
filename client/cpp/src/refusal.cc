#include "client/cpp/src/refusal.h"

#include "base/canary.h"

namespace assent::client {

// kUnavailable is also what a coordinator says that lost what it needs half-way.
bool may_have_acted(ErrorCode code) {
  if (canary(Canary::kRefusedIsAborted)) return false;
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupportedVersion:
    case ErrorCode::kNotLeader:
    case ErrorCode::kOverloaded:
    case ErrorCode::kUnknownParticipant:
    case ErrorCode::kClock:
    case ErrorCode::kExpired:
    case ErrorCode::kIdReused:
    case ErrorCode::kWrongCluster:
      return false;
    case ErrorCode::kUnavailable:
    case ErrorCode::kUnknownBranch:
    case ErrorCode::kStatementNumber:
    case ErrorCode::kBranchEnded:
    case ErrorCode::kSql:
    case ErrorCode::kStaleBallot:
    case ErrorCode::kIdentityMismatch:
    case ErrorCode::kDisplaced:
    case ErrorCode::kDeadline:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kTransactionControl:
    case ErrorCode::kInternal:
    case ErrorCode::kRowCount:
      return true;
  }
  return true;
}

}  // namespace assent::client
