// How our code says that something did not work. Protocol answers (a NO vote, "not leader") are
// values of their own types; Error is for input and IO that failed and for refusals of a request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace assent {

// The numbers are those of thrift/common.thrift, which documents each.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument = 1,
  kUnsupportedVersion = 2,
  kNotLeader = 3,
  kUnavailable = 4,
  kOverloaded = 5,
  kUnknownParticipant = 6,
  kClock = 7,
  kExpired = 8,
  kIdReused = 9,
  kUnknownBranch = 10,
  kStatementNumber = 11,
  kBranchEnded = 12,
  kSql = 13,
  kStaleBallot = 14,
  kIdentityMismatch = 15,
  kDisplaced = 16,
  kWrongCluster = 17,
  kDeadline = 18,
  kOutcomeUnknown = 19,
  kTransactionControl = 20,
  kInternal = 21,
  kRowCount = 22,
};

// The code's name as thrift/common.thrift spells it, for example "NOT_LEADER".
std::string_view name(ErrorCode code);

// True when the same request may succeed later without change, judged by the code alone.
bool retryable(ErrorCode code);

// PostgreSQL's own words about a failed statement; empty strings where it gave none.
struct SqlError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
  std::string constraint_name;
  int statement_number = 0;  // 1-based within the branch; 0: the prepare
  int position = 0;          // 1-based, in characters; 0: none

  bool operator==(const SqlError&) const = default;
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;                         // one sentence that names the thing and the remedy
  std::string participant = {};                // empty: none is concerned
  std::optional<SqlError> sql = std::nullopt;  // present exactly when code is kSql
  std::string leader = {};  // its port of the kind asked, with kNotLeader if known
  // Of the replica that refused, with kNotLeader when it leads, but not the office that was meant;
  // else 0.
  std::uint64_t office = 0;

  bool operator==(const Error&) const = default;
};

// True when the same request may succeed later without change: by SQLSTATE for kSql, else by code.
bool retryable(const Error& error);

template <class T>
using Result = tl::expected<T, Error>;

// Shorthand for returning an error from a function that returns a Result.
inline tl::unexpected<Error> failure(ErrorCode code, std::string message) {
  return tl::unexpected(Error{code, std::move(message)});
}

}  // namespace assent
