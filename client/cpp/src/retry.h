// Running a transaction again, under a new id, after PostgreSQL gave it up.
#pragma once

#include <functional>

#include "assent/client.h"
#include "base/time.h"

namespace assent::client {

// Whether PostgreSQL gave a transaction up for the sake of others: a serialization failure (40001)
// or a deadlock (40P01).
bool is_conflict(const Error& error);

// One transaction that was tried.
struct Attempt {
  CommitResult result;
  bool again = false;  // another one may succeed. Precondition: result is kAborted
};

// Tries until an attempt is not to be made again, `retry` allows no more, or the next would begin
// later than `within` from now; then gives the last result, with their number.
CommitResult with_retries(const RetryOptions& retry, Millis within,
                          const std::function<Attempt()>& attempt);

}  // namespace assent::client
